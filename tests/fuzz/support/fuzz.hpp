#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace livetape::fuzz {

/// What a target does with one input; each target's file defines it. Nothing that an input could do
/// may make an assertion of doctest fail, whose failure here ends the program.
void run(std::string_view input);

/// Decisions that the input alone determines, so that the corpus holds nothing but what a peer
/// sends, and every finding can be replayed.
class choices {
public:
    explicit choices(std::string_view input) noexcept {
        for (char const c : input) mix(static_cast<unsigned char>(c)); // FNV-1a
    }

    /// A number from 0 to `largest`.
    std::size_t up_to(std::size_t largest) noexcept {
        mix(0x5A);
        return static_cast<std::size_t>(state_ >> 20) % (largest + 1);
    }

private:
    void mix(unsigned byte) noexcept { state_ = (state_ ^ byte) * 0x100000001B3u; }

    std::uint64_t state_ = 0xCBF29CE484222325u;
};

/// How an input is cut into the pieces in which it arrives.
class cutting {
public:
    enum class kind : std::uint8_t { whole, single_bytes, random };

    cutting(kind how, std::string_view input) noexcept : how_{how}, choices_{input} {}

    /// Calls `take` with one piece after another until it answers false. Each piece lies in a block
    /// of its own, so that the sanitizer sees whoever reads past it or keeps a view of it.
    template <class Take>
    void feed(std::string_view bytes, Take take) {
        bool goes_on = true;
        while (goes_on && !bytes.empty()) {
            auto const piece = bytes.substr(0, next_size(bytes.size()));
            bytes.remove_prefix(piece.size());
            std::vector<char> block(piece.begin(), piece.end());
            goes_on = take(std::span<char>{block});
        }
    }

private:
    std::size_t next_size(std::size_t left) noexcept {
        if (how_ == kind::whole) return left;
        if (how_ == kind::single_bytes) return 1;
        // Mostly a few bytes, so that every field of a header is cut; sometimes many.
        return 1 + choices_.up_to(choices_.up_to(3) == 0 ? left - 1
                                                         : std::min<std::size_t>(left, 8) - 1);
    }

    kind how_;
    choices choices_;
};

/// Requires that `read(cutting)` answers the same however the input is cut.
template <class Read>
auto same_in_pieces(std::string_view input, Read read) {
    auto const whole = read(cutting{cutting::kind::whole, input});
    REQUIRE((read(cutting{cutting::kind::single_bytes, input}) == whole));
    REQUIRE((read(cutting{cutting::kind::random, input}) == whole));
    return whole;
}

/// Takes a line from the front of a text, without its end.
inline std::string_view take_line(std::string_view& text) noexcept {
    auto const line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    return line;
}

/// Takes a byte from the front; 0 if there is none.
inline unsigned take_byte(std::string_view& bytes) noexcept {
    if (bytes.empty()) return 0;
    auto const byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    return byte;
}

} // namespace livetape::fuzz
