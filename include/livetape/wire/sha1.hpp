#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace livetape::websocket {

namespace detail {

/// Mixes one block of 64 bytes into the five words of the hash (RFC 3174 §6.1).
constexpr void add_sha1_block(std::array<std::uint32_t, 5>& hash, char const* block) noexcept {
    std::array<std::uint32_t, 80> w{};
    auto const byte = [block](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(block[i]));
    };
    for (std::size_t t = 0; t < 16; ++t)
        w[t] = byte(4 * t) << 24 | byte(4 * t + 1) << 16 | byte(4 * t + 2) << 8 | byte(4 * t + 3);
    for (std::size_t t = 16; t < 80; ++t)
        w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);

    auto [a, b, c, d, e] = hash;
    // The four rounds are loops of their own so that no step has to ask which round it is in.
    auto const round = [&a = a, &b = b, &c = c, &d = d, &e = e, &w](std::size_t first,
                                                                    std::uint32_t k, auto mix) {
        for (std::size_t t = first; t < first + 20; ++t) {
            std::uint32_t const sum = std::rotl(a, 5) + mix(b, c, d) + e + w[t] + k;
            e = d;
            d = c;
            c = std::rotl(b, 30);
            b = a;
            a = sum;
        }
    };
    auto const parity = [](std::uint32_t x, std::uint32_t y, std::uint32_t z) { return x ^ y ^ z; };
    round(0, 0x5A827999u,
          [](std::uint32_t x, std::uint32_t y, std::uint32_t z) { return z ^ (x & (y ^ z)); });
    round(20, 0x6ED9EBA1u, parity);
    round(40, 0x8F1BBCDCu, [](std::uint32_t x, std::uint32_t y, std::uint32_t z) {
        return (x & y) | (z & (x | y));
    });
    round(60, 0xCA62C1D6u, parity);

    hash = {hash[0] + a, hash[1] + b, hash[2] + c, hash[3] + d, hash[4] + e};
}

} // namespace detail

/// The SHA-1 digest of `bytes` (RFC 3174). The opening handshake asks for this function by name
/// (RFC 6455 §4.2.2); it protects nothing there and must not be used where a secure hash is meant.
/// O(bytes), no allocation.
[[nodiscard]] constexpr std::array<unsigned char, 20> sha1(std::string_view bytes) noexcept {
    std::array<std::uint32_t, 5> hash{0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u,
                                      0xC3D2E1F0u};
    std::size_t position = 0;
    for (; bytes.size() - position >= 64; position += 64)
        detail::add_sha1_block(hash, bytes.data() + position);

    // The rest, a one bit, zeros, and the length in bits fill one block or two (RFC 3174 §4).
    std::array<char, 128> tail{};
    std::size_t const rest = bytes.size() - position;
    for (std::size_t i = 0; i < rest; ++i) tail[i] = bytes[position + i];
    tail[rest] = static_cast<char>(0x80);
    std::size_t const tail_bytes = rest < 56 ? 64 : 128;
    auto const bits = static_cast<std::uint64_t>(bytes.size()) * 8;
    for (std::size_t i = 0; i < 8; ++i)
        tail[tail_bytes - 1 - i] = static_cast<char>(static_cast<unsigned char>(bits >> (8 * i)));
    for (std::size_t i = 0; i < tail_bytes; i += 64) detail::add_sha1_block(hash, tail.data() + i);

    std::array<unsigned char, 20> digest{};
    for (std::size_t i = 0; i < digest.size(); ++i)
        digest[i] = static_cast<unsigned char>(hash[i / 4] >> (24 - 8 * (i % 4)));
    return digest;
}

} // namespace livetape::websocket
