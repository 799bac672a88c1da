#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace livetape::websocket {

/// The masking key of a frame, in the order of the wire (RFC 6455 §5.3).
using masking_key_type = std::array<unsigned char, 4>;

/// Masks or unmasks `bytes` in place: both are the same exclusive or (RFC 6455 §5.3).
///
/// @param phase  how many payload bytes of the frame came before `bytes`; only phase mod 4 matters,
///               so a payload may be unmasked piece by piece as it arrives
/// Any alignment. O(bytes).
inline void apply_mask(std::span<char> bytes, masking_key_type key,
                       std::size_t phase = 0) noexcept {
    // The pattern is kept as bytes and moved as words, so byte order never matters.
    std::array<unsigned char, 8> pattern;
    for (std::size_t i = 0; i < pattern.size(); ++i) pattern[i] = key[(phase + i) % 4];
    std::uint64_t mask;
    std::memcpy(&mask, pattern.data(), sizeof mask);

    char* at = bytes.data();
    std::size_t left = bytes.size();
    // Blocks of a fixed number of words become vector instructions at -O2 as well.
    using block = std::array<std::uint64_t, 4>;
    for (; left >= sizeof(block); left -= sizeof(block), at += sizeof(block)) {
        block words;
        std::memcpy(&words, at, sizeof words);
        for (auto& word : words) word ^= mask;
        std::memcpy(at, &words, sizeof words);
    }
    for (; left >= sizeof mask; left -= sizeof mask, at += sizeof mask) {
        std::uint64_t word;
        std::memcpy(&word, at, sizeof word);
        word ^= mask;
        std::memcpy(at, &word, sizeof word);
    }
    for (std::size_t i = 0; i < left; ++i)
        at[i] = static_cast<char>(static_cast<unsigned char>(at[i]) ^ pattern[i]);
}

} // namespace livetape::websocket
