#pragma once

#include <livetape/mix_bits.hpp>

#include <cstdint>

namespace livetape::detail {

/// The pseudo-random numbers of the sampling sketches: SplitMix64, period 2^64, wholly determined
/// by its seed, so that a replayed stream gives the same sketch on every machine.
/// Thread safety: distinct objects safe; shared objects unsafe.
class random_bits {
public:
    explicit constexpr random_bits(std::uint64_t seed) noexcept : state_{mix_bits(seed)} {}

    [[nodiscard]] constexpr std::uint64_t next() noexcept {
        auto const drawn = mix_bits(state_);
        state_ += 0x9e3779b97f4a7c15u;
        return drawn;
    }

    /// Uniform in (0, 1]: its logarithm is finite.
    [[nodiscard]] constexpr double unit() noexcept {
        return static_cast<double>((next() >> 11) + 1) * 0x1p-53;
    }

    /// Uniform in [0, bound); the bias is below bound / 2^53.
    [[nodiscard]] constexpr std::uint64_t below(std::uint64_t bound) noexcept {
        auto const drawn = static_cast<std::uint64_t>(static_cast<double>(next() >> 11) * 0x1p-53 *
                                                      static_cast<double>(bound));
        return drawn < bound ? drawn : bound - 1;
    }

    /// Makes what follows depend on `bits` too.
    constexpr void stir(std::uint64_t bits) noexcept { state_ = mix_bits(state_ ^ mix_bits(bits)); }

private:
    std::uint64_t state_;
};

} // namespace livetape::detail
