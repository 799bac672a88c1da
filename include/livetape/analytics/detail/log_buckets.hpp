#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace livetape::detail {

/// Numbers the magnitudes of normal doubles by buckets so narrow that one number stands for all of
/// a bucket with a relative error below α: the mapping under `ddsketch`.
///
/// Formula: a magnitude 2^e (1 + s) with 0 ≤ s < 1 has the level t = e + P(s), an approximation of
/// its binary logarithm, with P(s) = 6/35 s³ - 3/5 s² + 10/7 s; its bucket is ⌊c t⌋.
///
/// Proof. P(0) = 0 and P(1) = 1, so t is continuous; and (1 + s) P'(s) = (50 + 8 s - 24 s² + 18 s³)
/// / 35 has its least value 10/7 on [0, 1] at s = 0 and s = 2/3. So t grows by at least 10/7 where
/// ln of the magnitude grows by 1, and a bucket, which is 1/c wide in t, is at most 7/(10 c) wide
/// in ln. From a lower edge l to an upper edge u = l γ the number 2 l u / (l + u) errs by at most
/// (γ - 1)/(γ + 1), which is α if γ = (1 + α)/(1 - α); hence c = 0.7 / ln γ. A logarithm would need
/// ln 2 in place of 0.7: this costs 1 % more buckets and saves the logarithm. Rounding moves an
/// edge by less than 2^-40 in t: c is a millionth larger than the proof asks for, which outweighs
/// that for every α that `ddsketch` allows.
class log_buckets {
public:
    explicit log_buckets(double relative_error) noexcept
        : per_octave_{0.7 / std::log1p(2 * relative_error / (1 - relative_error)) * (1 + 1e-6)} {}

    static constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63;

    /// The biased exponent of a double from its bits: 0 for zero and the subnormal numbers, 2047
    /// for infinity and NaN.
    [[nodiscard]] static constexpr std::uint64_t exponent_of(std::uint64_t bits) noexcept {
        return bits >> mantissa_bits & 0x7ff;
    }

    /// The bucket of a normal number of either sign, from its bits. Never negative.
    [[nodiscard]] std::int32_t bucket_of(std::uint64_t bits) const noexcept {
        auto const exponent = static_cast<double>(static_cast<std::int32_t>(exponent_of(bits)));
        constexpr auto one = std::bit_cast<std::uint64_t>(1.0);
        auto const s = std::bit_cast<double>((bits & mantissa_mask) | one) - 1.0;
        return static_cast<std::int32_t>((exponent + polynomial(s)) * per_octave_);
    }

    /// The number that stands for a bucket: within α of all its magnitudes. Infinite if that is
    /// over the largest double.
    [[nodiscard]] double value_of(std::int32_t bucket) const noexcept {
        auto const [lower, exponent] = edge_of(bucket);
        auto const [upper_mantissa, upper_exponent] = edge_of(bucket + 1);
        auto const upper = std::ldexp(upper_mantissa, upper_exponent - exponent);
        return std::ldexp(2 * lower * upper / (lower + upper), exponent);
    }

    [[nodiscard]] double lower_edge_of(std::int32_t bucket) const noexcept {
        auto const [mantissa, exponent] = edge_of(bucket);
        return std::ldexp(mantissa, exponent);
    }

private:
    static constexpr int mantissa_bits = 52;
    static constexpr std::uint64_t mantissa_mask = (std::uint64_t{1} << mantissa_bits) - 1;
    static constexpr int exponent_bias = 1023;

    struct edge {
        double mantissa; ///< in [1, 2]
        int exponent;
    };

    [[nodiscard]] static constexpr double polynomial(double s) noexcept {
        return ((6.0 / 35 * s - 0.6) * s + 10.0 / 7) * s;
    }

    [[nodiscard]] edge edge_of(std::int32_t bucket) const noexcept {
        double const level = bucket / per_octave_;
        auto const whole = static_cast<int>(level);
        // P rises strictly, so halving finds the place; 54 times is all that a double can tell.
        double below = 0;
        double above = 1;
        for (int i = 0; i < 54; ++i) {
            double const middle = (below + above) / 2;
            (polynomial(middle) <= level - whole ? below : above) = middle;
        }
        return {1 + below, whole - exponent_bias};
    }

    double per_octave_;
};

} // namespace livetape::detail
