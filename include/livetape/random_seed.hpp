#pragma once

#include <cerrno>
#include <cstdint>
#include <system_error>

#include <unistd.h>

#include <livetape/mix_bits.hpp>

namespace livetape {

/// 64 bits from the system's random source. The layers that must stay deterministic take their
/// seed as an argument; this is what the outermost one passes.
///
/// @throws std::system_error if the system has no such source
[[nodiscard]] inline std::uint64_t random_seed() {
    std::uint64_t seed;
    if (::getentropy(&seed, sizeof seed) != 0)
        throw std::system_error{errno, std::system_category(), "getentropy"};
    return seed;
}

} // namespace livetape
