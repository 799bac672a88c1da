#pragma once

#include <livetape/analytics/detail/numbers.hpp>

#include <cmath>
#include <cstdint>

namespace livetape {

/// The sample variance, Σ (x_i - x̄)² / (n - 1), in one pass: Welford (Technometrics 4, 1962),
/// merged as Chan, Golub and LeVeque do (The American Statistician 37, 1983).
///
/// The relative error is at most about n ε κ, with ε = 2^-53 and κ = sqrt(1 + x̄²/σ²) (same paper,
/// table 1), in practice some ε κ: ten digits are right for a mean of a million and a deviation of
/// a tenth. NaN, infinities and magnitudes over `magnitude_max` are left out, so that no finite
/// input overflows. Undefined, hence NaN, for fewer than two values. 32 bytes; mergeable.
class variance {
public:
    /// Its square times 2^53 values still is a double.
    static constexpr double magnitude_max = 1e145;

    constexpr void add(double value) noexcept {
        if (!(value >= -magnitude_max && value <= magnitude_max)) [[unlikely]] {
            ++left_out_;
            return;
        }
        count_ += 1;
        double const before = value - mean_;
        // A product instead of a division: the quotient is not on the path from value to value.
        mean_ += before * (1 / count_);
        squares_ += before * (value - mean_);
    }

    constexpr void merge(variance const& later) noexcept {
        left_out_ += later.left_out_;
        if (later.count_ == 0) return;
        double const total = count_ + later.count_;
        double const distance = later.mean_ - mean_;
        double const share = later.count_ / total;
        mean_ += distance * share;
        squares_ += later.squares_ + detail::square(distance) * count_ * share;
        count_ = total;
    }

    [[nodiscard]] constexpr double value() const noexcept {
        return count_ < 2 ? detail::undefined : squares_ / (count_ - 1);
    }
    /// With n instead of n - 1: for values that are all there are and not a sample. 0 for one.
    [[nodiscard]] constexpr double population() const noexcept {
        return count_ < 1 ? detail::undefined : squares_ / count_;
    }
    /// The sample standard deviation.
    [[nodiscard]] double deviation() const noexcept { return std::sqrt(value()); }
    [[nodiscard]] constexpr double mean() const noexcept {
        return count_ < 1 ? detail::undefined : mean_;
    }
    [[nodiscard]] constexpr std::uint64_t count() const noexcept {
        return static_cast<std::uint64_t>(count_);
    }
    [[nodiscard]] constexpr std::uint64_t left_out() const noexcept { return left_out_; }

private:
    double count_ = 0; // a double counts exactly up to 2^53 and needs no conversion
    double mean_ = 0;
    double squares_ = 0; // Σ (x_i - mean)²
    std::uint64_t left_out_ = 0;
};

} // namespace livetape
