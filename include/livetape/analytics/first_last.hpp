#pragma once

#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/event_time.hpp>

#include <cstdint>

namespace livetape {

/// The value with the earliest event time; of several at that time, the one that came first. So an
/// event that is late changes nothing but its place. Exact. NaN and infinities are left out.
/// Empty: NaN. 24 bytes; mergeable in any order but for equal times.
class first {
public:
    constexpr void add(event_time time, double value) noexcept {
        if (!detail::is_finite(value)) [[unlikely]] {
            ++left_out_;
            return;
        }
        if (time < time_) {
            time_ = time;
            value_ = value;
        }
    }

    constexpr void merge(first const& later) noexcept {
        if (later.time_ < time_) {
            time_ = later.time_;
            value_ = later.value_;
        }
        left_out_ += later.left_out_;
    }

    [[nodiscard]] constexpr double value() const noexcept { return value_; }
    [[nodiscard]] constexpr event_time time() const noexcept { return time_; }
    [[nodiscard]] constexpr std::uint64_t left_out() const noexcept { return left_out_; }

private:
    event_time time_ = event_time::max();
    double value_ = detail::undefined;
    std::uint64_t left_out_ = 0;
};

/// The value with the latest event time; of several at that time, the one that came last. Else as
/// `first`.
class last {
public:
    constexpr void add(event_time time, double value) noexcept {
        if (!detail::is_finite(value)) [[unlikely]] {
            ++left_out_;
            return;
        }
        if (time >= time_) {
            time_ = time;
            value_ = value;
        }
    }

    constexpr void merge(last const& later) noexcept {
        if (later.time_ >= time_ && detail::is_finite(later.value_)) {
            time_ = later.time_;
            value_ = later.value_;
        }
        left_out_ += later.left_out_;
    }

    [[nodiscard]] constexpr double value() const noexcept { return value_; }
    [[nodiscard]] constexpr event_time time() const noexcept { return time_; }
    [[nodiscard]] constexpr std::uint64_t left_out() const noexcept { return left_out_; }

private:
    event_time time_ = event_time::min();
    double value_ = detail::undefined;
    std::uint64_t left_out_ = 0;
};

} // namespace livetape
