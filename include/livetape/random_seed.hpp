#pragma once

#include <livetape/mix_bits.hpp>

#include <cstdint>
#include <random>

namespace livetape {

/// 64 bits from the system's random source. The layers that must stay deterministic take their
/// seed as an argument; this is what the outermost one passes.
[[nodiscard]] inline std::uint64_t random_seed() {
    std::random_device device;
    return (std::uint64_t{device()} << 32) ^ device();
}

} // namespace livetape
