#pragma once

#include <livetape/analytics/detail/numbers.hpp>

#include <cstdint>
#include <limits>

namespace livetape {

/// The least value. Exact. NaN and infinities are left out. Empty: NaN. 16 bytes; mergeable.
class min {
public:
    constexpr void add(double value) noexcept {
        if (!detail::is_finite(value)) [[unlikely]]
            ++left_out_;
        else least_ = value < least_ ? value : least_;
    }

    constexpr void merge(min const& later) noexcept {
        least_ = later.least_ < least_ ? later.least_ : least_;
        left_out_ += later.left_out_;
    }

    [[nodiscard]] constexpr double value() const noexcept {
        return detail::is_finite(least_) ? least_ : detail::undefined;
    }
    [[nodiscard]] constexpr std::uint64_t left_out() const noexcept { return left_out_; }

private:
    double least_ = std::numeric_limits<double>::infinity();
    std::uint64_t left_out_ = 0;
};

/// The greatest value. Exact. NaN and infinities are left out. Empty: NaN. 16 bytes; mergeable.
class max {
public:
    constexpr void add(double value) noexcept {
        if (!detail::is_finite(value)) [[unlikely]]
            ++left_out_;
        else greatest_ = value > greatest_ ? value : greatest_;
    }

    constexpr void merge(max const& later) noexcept {
        greatest_ = later.greatest_ > greatest_ ? later.greatest_ : greatest_;
        left_out_ += later.left_out_;
    }

    [[nodiscard]] constexpr double value() const noexcept {
        return detail::is_finite(greatest_) ? greatest_ : detail::undefined;
    }
    [[nodiscard]] constexpr std::uint64_t left_out() const noexcept { return left_out_; }

private:
    double greatest_ = -std::numeric_limits<double>::infinity();
    std::uint64_t left_out_ = 0;
};

} // namespace livetape
