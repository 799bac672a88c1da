#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <livetape/wire/utf8_blocks.hpp>

namespace livetape {

/// Checks that text arriving in pieces is UTF-8 (RFC 3629 §4, Unicode 15 table 3-7).
///
/// Fails at the first byte after which no continuation could make the text valid: overlong forms,
/// surrogates and code points over U+10FFFF are seen at their second byte. Keeps no text.
/// Thread safety: distinct objects safe; shared objects unsafe.
class utf8_validator {
public:
    /// Text from this size on is checked by blocks: room for one behind the end of a code point
    /// that the text before it began.
    static constexpr std::size_t bulk_bytes_min = detail::utf8_block_bytes + 3;

    /// Checks the next piece; pieces may end anywhere, also inside a code point.
    /// @return false if the text cannot become valid any more, and for every piece after that.
    /// O(text); the bulk of a long text goes 64 bytes a step, shorter runs of ASCII 16.
    [[nodiscard]] bool feed(std::string_view text) noexcept {
        char const* at = text.data();
        char const* const end = at + text.size();
        if (pending_ == has_failed) return false;
        if (text.size() >= bulk_bytes_min && detail::has_utf8_blocks()) {
            // Ends the code point that the last piece began; at most three bytes.
            while (pending_ != 0 && at != end)
                if (!feed_continuation(static_cast<unsigned char>(*at++))) return false;
            auto const left = static_cast<std::size_t>(end - at);
            auto const bulk = left - left % detail::utf8_block_bytes;
            if (!detail::are_utf8_blocks(at, bulk)) return fail();
            at += bulk - begun_at_end({at, bulk});
        }
        while (at != end) {
            auto const byte = static_cast<unsigned char>(*at);
            if (pending_ != 0) {
                if (!feed_continuation(byte)) return false;
                ++at;
            } else if (byte < 0x80) {
                at = skip_ascii(at + 1, end);
            } else {
                if (!begin_code_point(byte)) return fail();
                ++at;
            }
        }
        return true;
    }

    /// Whether the text so far is valid and ends with a whole code point.
    [[nodiscard]] bool is_complete() const noexcept { return pending_ == 0; }

private:
    static constexpr std::uint8_t has_failed = 0xFF;

    bool fail() noexcept {
        pending_ = has_failed;
        return false;
    }

    bool feed_continuation(unsigned char byte) noexcept {
        if (byte < lowest_ || byte > highest_) return fail();
        lowest_ = 0x80;
        highest_ = 0xBF;
        --pending_;
        return true;
    }

    /// Bytes at the end of `text`, right up to there, of a code point that goes on behind it.
    static std::size_t begun_at_end(std::string_view text) noexcept {
        constexpr unsigned char leads[] = {0xC0, 0xE0, 0xF0};
        for (std::size_t back = 1; back <= 3; ++back)
            if (static_cast<unsigned char>(text[text.size() - back]) >= leads[back - 1])
                return back;
        return 0;
    }

    /// Notes how many bytes must follow the lead byte, and the range of the first of them: that
    /// range is what rules out overlongs, surrogates and code points over U+10FFFF.
    bool begin_code_point(unsigned char lead) noexcept {
        if (lead < 0xC2 || lead > 0xF4) return false;
        pending_ = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
        lowest_ = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
        highest_ = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
        return true;
    }

    static char const* skip_ascii(char const* at, char const* end) noexcept {
        constexpr std::uint64_t top_bits = 0x8080808080808080u;
        while (end - at >= 16) {
            std::uint64_t words[2];
            std::memcpy(words, at, sizeof words);
            if (((words[0] | words[1]) & top_bits) != 0) break;
            at += 16;
        }
        while (at != end && static_cast<unsigned char>(*at) < 0x80) ++at;
        return at;
    }

    std::uint8_t pending_ = 0; // continuation bytes that the code point still needs
    std::uint8_t lowest_ = 0x80;
    std::uint8_t highest_ = 0xBF;
};

/// Whether `text` is ASCII alone. O(text), 16 bytes a step.
[[nodiscard]] inline bool is_ascii(std::string_view text) noexcept {
    constexpr std::uint64_t top_bits = 0x8080808080808080u;
    char const* at = text.data();
    std::size_t left = text.size();
    for (; left >= 16; left -= 16, at += 16) {
        std::uint64_t words[2];
        std::memcpy(words, at, sizeof words);
        if (((words[0] | words[1]) & top_bits) != 0) return false;
    }
    std::uint64_t rest[2] = {0, 0};
    if (left >= 8) {
        // The two words overlap.
        std::memcpy(&rest[0], at, 8);
        std::memcpy(&rest[1], at + left - 8, 8);
    } else {
        for (std::size_t i = 0; i < left; ++i)
            rest[0] |= std::uint64_t{static_cast<unsigned char>(at[i])};
    }
    return ((rest[0] | rest[1]) & top_bits) == 0;
}

/// Whether `text` is UTF-8 as a whole (RFC 3629). O(text).
[[nodiscard]] inline bool is_utf8(std::string_view text) noexcept {
    // Most messages are short and ASCII.
    if (text.size() < utf8_validator::bulk_bytes_min && is_ascii(text)) return true;
    utf8_validator validator;
    return validator.feed(text) && validator.is_complete();
}

} // namespace livetape
