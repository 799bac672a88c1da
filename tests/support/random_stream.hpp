#pragma once

#include <livetape/mix_bits.hpp>

#include <cmath>
#include <cstdint>

/// Numbers that look random and follow from a seed alone, on every machine.
class random_stream {
public:
    explicit random_stream(std::uint64_t seed) : state_{seed} {}

    std::uint64_t bits() { return livetape::mix_bits(state_++); }
    /// Precondition: end > 0.
    std::uint64_t below(std::uint64_t end) { return bits() % end; }
    /// From 0 to below 1.
    double unit() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
    double between(double low, double high) { return low + (high - low) * unit(); }
    /// Normal with mean 0 and deviation 1 (Box and Muller).
    double normal() {
        double const radius = std::sqrt(-2 * std::log(1 - unit()));
        return radius * std::cos(6.283185307179586 * unit());
    }

private:
    std::uint64_t state_;
};

/// Whether two numbers differ by no more than `relative` of the expected one, or are both NaN.
inline bool is_near(double value, double expected, double relative) {
    if (std::isnan(expected)) return std::isnan(value);
    if (value == expected) return true;
    return std::abs(value - expected) <= relative * std::abs(expected);
}
