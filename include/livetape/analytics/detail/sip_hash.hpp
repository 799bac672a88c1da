#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace livetape::detail {

/// SipHash-c-d (Aumasson and Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012) of a
/// text under a 128-bit key: whoever does not know the key cannot find texts that collide. With one
/// round per word and three at the end, as tables of strings use it; 2 and 4 are those of the
/// paper.
template <int WordRounds = 1, int FinalRounds = 3>
[[nodiscard]] std::uint64_t sip_hash(std::string_view text, std::uint64_t key_low,
                                     std::uint64_t key_high) noexcept {
    std::uint64_t v0 = key_low ^ 0x736f6d6570736575u;
    std::uint64_t v1 = key_high ^ 0x646f72616e646f6du;
    std::uint64_t v2 = key_low ^ 0x6c7967656e657261u;
    std::uint64_t v3 = key_high ^ 0x7465646279746573u;
    auto const rounds = [&](int times) {
        for (; times > 0; --times) {
            v0 += v1, v2 += v3;
            v1 = std::rotl(v1, 13) ^ v0, v3 = std::rotl(v3, 16) ^ v2;
            v0 = std::rotl(v0, 32);
            v2 += v1, v0 += v3;
            v1 = std::rotl(v1, 17) ^ v2, v3 = std::rotl(v3, 21) ^ v0;
            v2 = std::rotl(v2, 32);
        }
    };
    auto const take = [&](std::uint64_t word) {
        v3 ^= word;
        rounds(WordRounds);
        v0 ^= word;
    };
    // Words are read as they lie: hashes of machines of different byte order differ.
    auto last = std::uint64_t{text.size()} << 56;
    for (; text.size() >= 8; text.remove_prefix(8)) {
        std::uint64_t word;
        std::memcpy(&word, text.data(), 8);
        take(word);
    }
    for (std::size_t i = 0; i < text.size(); ++i)
        last |= std::uint64_t{static_cast<unsigned char>(text[i])} << (8 * i);
    take(last);
    v2 ^= 0xff;
    rounds(FinalRounds);
    return v0 ^ v1 ^ v2 ^ v3;
}

} // namespace livetape::detail
