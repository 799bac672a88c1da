#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace livetape::websocket {

/// The masking key of a frame, in the order of the wire (RFC 6455 §5.3).
using masking_key_type = std::array<unsigned char, 4>;

namespace detail {

inline void mask_word(char* at, std::uint64_t mask) noexcept {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    word ^= mask;
    std::memcpy(at, &word, sizeof word);
}

} // namespace detail

/// Masks or unmasks `bytes` in place: both are the same exclusive or (RFC 6455 §5.3).
///
/// @param phase  how many payload bytes of the frame came before `bytes`; only phase mod 4 matters,
///               so a payload may be unmasked piece by piece as it arrives
/// Any alignment. O(bytes).
inline void apply_mask(std::span<char> bytes, masking_key_type key,
                       std::size_t phase = 0) noexcept {
    // The word holds the bytes of the key in their order in memory, on any machine.
    auto word_of_key = std::bit_cast<std::uint32_t>(key);
    auto const turned_bits = static_cast<int>(phase % 4) * 8;
    word_of_key = std::endian::native == std::endian::little ? std::rotr(word_of_key, turned_bits)
                                                             : std::rotl(word_of_key, turned_bits);
    std::uint64_t const mask = std::uint64_t{word_of_key} << 32 | word_of_key;

    char* at = bytes.data();
    std::size_t left = bytes.size();
    // Compilers make vector instructions of the four.
    for (; left >= 32; left -= 32, at += 32) {
        detail::mask_word(at, mask);
        detail::mask_word(at + 8, mask);
        detail::mask_word(at + 16, mask);
        detail::mask_word(at + 24, mask);
    }
    for (; left >= sizeof mask; left -= sizeof mask, at += sizeof mask) detail::mask_word(at, mask);
    // At most 7 bytes are left.
    auto const pattern = std::bit_cast<std::array<unsigned char, sizeof mask>>(mask);
    for (std::size_t i = 0; i < left; ++i)
        at[i] = static_cast<char>(static_cast<unsigned char>(at[i]) ^ pattern[i]);
}

} // namespace livetape::websocket
