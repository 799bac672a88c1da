#pragma once

#include <livetape/mix_bits.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace livetape {

namespace detail {

/// The bytes at `at` as a little-endian number, so that sketches of different machines agree.
template <class Word>
[[nodiscard]] inline std::uint64_t load_little(char const* at) noexcept {
    Word word;
    std::memcpy(&word, at, sizeof word);
    if constexpr (std::endian::native == std::endian::little) return word;
    std::uint64_t turned = 0;
    for (std::size_t i = 0; i < sizeof word; ++i)
        turned |= std::uint64_t{static_cast<unsigned char>(at[i])} << (8 * i);
    return turned;
}

/// Both halves of the 128-bit product, folded into one word: every bit of the result depends on
/// most bits of both factors.
[[nodiscard]] inline std::uint64_t fold_product(std::uint64_t a, std::uint64_t b) noexcept {
#ifdef __SIZEOF_INT128__
    __extension__ using wide = unsigned __int128;
    wide const product = wide{a} * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
#else
    std::uint64_t const a_low = a & 0xffffffffu, a_high = a >> 32;
    std::uint64_t const b_low = b & 0xffffffffu, b_high = b >> 32;
    std::uint64_t const low = a_low * b_low;
    std::uint64_t const middle = a_high * b_low + (low >> 32);
    std::uint64_t const other = a_low * b_high + (middle & 0xffffffffu);
    return (a * b) ^ (a_high * b_high + (middle >> 32) + (other >> 32));
#endif
}

} // namespace detail

/// A 64-bit hash of a number for the sketches: one to one for each seed, so different numbers never
/// collide in all 64 bits, and a flipped bit of the input flips each bit of the output with
/// probability 0.5 ± 0.02 (the test measures it). The same on every machine. No protection against
/// someone who knows the seed and chooses the numbers.
[[nodiscard]] constexpr std::uint64_t hash_of(std::uint64_t number,
                                              std::uint64_t seed = 0) noexcept {
    return mix_bits(number ^ seed);
}

/// A 64-bit hash of a string for the sketches: 16 bytes a step through a folded 128-bit product,
/// then the finaliser of SplitMix64.
///
/// Quality: a flipped bit flips each bit of the output with probability 0.5 ± 0.02 at every length,
/// and the distinct counts of numbered strings err no more than those of random numbers (the tests
/// measure both). The same on every machine. Not cryptographic: where strangers choose the keys and
/// gain by collisions, pass a seed that they do not know. O(bytes).
[[nodiscard]] inline std::uint64_t hash_of(std::string_view bytes,
                                           std::uint64_t seed = 0) noexcept {
    // Odd and half of their bits set, from the digits of the square roots of 2, 3 and 5.
    constexpr std::uint64_t root_2 = 0x6a09e667f3bcc909u;
    constexpr std::uint64_t root_3 = 0xbb67ae8584caa73bu;
    constexpr std::uint64_t root_5 = 0x3c6ef372fe94f82bu;
    using detail::load_little;

    // With the length in the state, a string and the same with zeros behind it differ.
    std::uint64_t state = mix_bits(seed ^ (root_2 * bytes.size()));
    char const* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left > 16; left -= 16, at += 16) {
        // The sum keeps what came before when a factor happens to be zero.
        state = std::rotl(state, 32) +
                detail::fold_product(load_little<std::uint64_t>(at) ^ state,
                                     load_little<std::uint64_t>(at + 8) ^ root_3);
    }
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    if (left >= 8) { // the two words overlap below 16 bytes
        first = load_little<std::uint64_t>(at);
        second = load_little<std::uint64_t>(at + left - 8);
    } else if (left >= 4) {
        first = load_little<std::uint32_t>(at);
        second = load_little<std::uint32_t>(at + left - 4);
    } else if (left > 0) {
        first = load_little<std::uint8_t>(at) << 16 |
                load_little<std::uint8_t>(at + left / 2) << 8 |
                load_little<std::uint8_t>(at + left - 1);
    }
    return mix_bits(std::rotl(state, 32) + detail::fold_product(first ^ state, second ^ root_5));
}

} // namespace livetape
