#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace livetape::websocket {

namespace detail {

/// Step `T` of a block (RFC 3174 §6.2). With `T` known to the compiler, the five words change their
/// parts by index instead of by moving, and no step has to ask which round it is in.
template <std::size_t T>
constexpr void add_sha1_step(std::array<std::uint32_t, 5>& v,
                             std::array<std::uint32_t, 16>& w) noexcept {
    constexpr std::array<std::uint32_t, 4> constants{0x5A827999u, 0x6ED9EBA1u, 0x8F1BBCDCu,
                                                     0xCA62C1D6u};
    auto const a = v[(80 - T) % 5];
    auto& b = v[(81 - T) % 5];
    auto const c = v[(82 - T) % 5];
    auto const d = v[(83 - T) % 5];
    auto& e = v[(84 - T) % 5];

    // Of the 80 words of the schedule only the last 16 are ever needed.
    auto& word = w[T % 16];
    if constexpr (T >= 16)
        word = std::rotl(w[(T + 13) % 16] ^ w[(T + 8) % 16] ^ w[(T + 2) % 16] ^ word, 1);

    constexpr std::size_t round = T / 20;
    std::uint32_t mixed = b ^ c ^ d;
    if constexpr (round == 0) mixed = d ^ (b & (c ^ d));
    if constexpr (round == 2) mixed = (b & c) | (d & (b | c));
    e += std::rotl(a, 5) + mixed + word + constants[round];
    b = std::rotl(b, 30);
}

/// Mixes one block of 64 bytes into the five words of the hash (RFC 3174 §6.1).
constexpr void add_sha1_block(std::array<std::uint32_t, 5>& hash, char const* block) noexcept {
    std::array<std::uint32_t, 16> w{};
    auto const byte = [block](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(block[i]));
    };
    for (std::size_t t = 0; t < 16; ++t)
        w[t] = byte(4 * t) << 24 | byte(4 * t + 1) << 16 | byte(4 * t + 2) << 8 | byte(4 * t + 3);

    auto v = hash;
    [&]<std::size_t... T>(std::index_sequence<T...>) { (add_sha1_step<T>(v, w), ...); }
    (std::make_index_sequence<80>{});
    for (std::size_t i = 0; i < hash.size(); ++i) hash[i] += v[i];
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
    std::char_traits<char>::copy(tail.data(), bytes.data() + position, rest);
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
