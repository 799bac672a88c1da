#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <random>

#include <livetape/wire/masking.hpp>

namespace livetape {

namespace detail {

/// One block of the ChaCha20 key stream (RFC 8439 §2.3): 16 words from a key of 8 words.
/// @param tail  the last four words of the state: the counter and the nonce
[[nodiscard]] constexpr std::array<std::uint32_t, 16>
chacha20_block(std::array<std::uint32_t, 8> const& key,
               std::array<std::uint32_t, 4> const& tail) noexcept {
    std::array<std::uint32_t, 16> state{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    for (std::size_t i = 0; i < key.size(); ++i) state[4 + i] = key[i];
    for (std::size_t i = 0; i < tail.size(); ++i) state[12 + i] = tail[i];
    auto words = state;
    auto const mix = [&words](std::size_t a, std::size_t b, std::size_t c, std::size_t d) {
        words[a] += words[b];
        words[d] = std::rotl(words[d] ^ words[a], 16);
        words[c] += words[d];
        words[b] = std::rotl(words[b] ^ words[c], 12);
        words[a] += words[b];
        words[d] = std::rotl(words[d] ^ words[a], 8);
        words[c] += words[d];
        words[b] = std::rotl(words[b] ^ words[c], 7);
    };
    for (int round = 0; round < 10; ++round) {
        for (std::size_t i = 0; i < 4; ++i) mix(i, 4 + i, 8 + i, 12 + i);
        for (std::size_t i = 0; i < 4; ++i)
            mix(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
    }
    for (std::size_t i = 0; i < words.size(); ++i) words[i] += state[i];
    return words;
}

} // namespace detail

/// Unpredictable masking keys, a fresh one for each frame (RFC 6455 §5.3, §10.3): the key stream of
/// ChaCha20 under a key from the system's random source. So a frame costs no system call, and who
/// has seen any number of masks cannot tell the next one.
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class masking_keys {
public:
    /// Keys of an own, random sequence.
    masking_keys() {
        std::random_device system;
        for (auto& word : key_) word = system();
    }

    /// A fixed sequence, for tests and simulations.
    explicit constexpr masking_keys(std::array<std::uint32_t, 8> const& key) noexcept : key_{key} {}

    /// The next four bytes.
    [[nodiscard]] constexpr websocket::masking_key_type next() noexcept {
        if (used_ == block_.size()) {
            block_ = detail::chacha20_block(key_, {static_cast<std::uint32_t>(counter_),
                                                   static_cast<std::uint32_t>(counter_ >> 32)});
            ++counter_;
            used_ = 0;
        }
        auto const word = block_[used_++];
        websocket::masking_key_type key{};
        for (std::size_t i = 0; i < key.size(); ++i)
            key[i] = static_cast<unsigned char>(word >> (8 * i) & 0xFFu);
        return key;
    }

private:
    std::array<std::uint32_t, 8> key_{};
    std::array<std::uint32_t, 16> block_{};
    std::size_t used_ = 16;
    std::uint64_t counter_ = 0;
};

} // namespace livetape
