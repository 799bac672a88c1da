#pragma once

#include <cstdint>
#include <limits>

namespace livetape::detail {

/// What an accumulator of numbers says as long as there is nothing to say.
inline constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

/// Neither NaN nor infinite. Cheaper than the classification of <cmath>.
[[nodiscard]] constexpr bool is_finite(double value) noexcept { return value - value == 0; }

/// A sum of doubles as an unevaluated pair, total and error (Knuth's TwoSum, TAOCP vol. 2, §4.2.2,
/// theorem B; as a running sum: Neumaier, ZAMM 54, 1974). Branch-free, so that it vectorises.
struct compensated_sum {
    double total = 0;
    double error = 0;

    constexpr void add(double value) noexcept {
        double const sum = total + value;
        double const shadow = sum - total;
        error += (total - (sum - shadow)) + (value - shadow);
        total = sum;
    }

    constexpr void add(compensated_sum const& other) noexcept {
        add(other.total);
        error += other.error;
    }

    /// ±infinity once the total has left the range of a double.
    [[nodiscard]] constexpr double value() const noexcept {
        return is_finite(total) ? total + error : total;
    }
};

[[nodiscard]] constexpr double square(double value) noexcept { return value * value; }

/// ⌊numerator / denominator⌋, for times before the epoch too. Precondition: denominator > 0.
[[nodiscard]] constexpr std::int64_t floor_divide(std::int64_t numerator,
                                                  std::int64_t denominator) noexcept {
    auto const quotient = numerator / denominator;
    return numerator % denominator < 0 ? quotient - 1 : quotient;
}

} // namespace livetape::detail
