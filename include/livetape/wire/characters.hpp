#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace livetape::http {

namespace detail {

enum character_class : std::uint8_t {
    token_character = 1,  // tchar, RFC 9110 §5.6.2
    value_character = 2,  // what a field value may hold, RFC 9110 §5.5: VCHAR, obs-text, SP, HTAB
    target_character = 4, // what a request target may hold: visible ASCII but '#'
    unreserved = 8,       // RFC 3986 §2.3
    sub_delimiter = 16,   // RFC 3986 §2.2
};

constexpr std::array<std::uint8_t, 256> make_character_table() noexcept {
    std::array<std::uint8_t, 256> table{};
    auto const mark = [&table](std::string_view characters, unsigned classes) {
        for (char const c : characters) {
            auto& entry = table[static_cast<unsigned char>(c)];
            entry = static_cast<std::uint8_t>(entry | classes);
        }
    };
    for (std::size_t c = 0x21; c < 0x7f; ++c) table[c] = value_character | target_character;
    for (std::size_t c = 0x80; c < 0x100; ++c) table[c] = value_character;
    mark(" \t", value_character);
    table['#'] = value_character;
    mark("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
         token_character | unreserved);
    mark("!#$%&'*+-.^_`|~", token_character);
    mark("-._~", unreserved);
    mark("!$&'()*+,;=", sub_delimiter);
    return table;
}

inline constexpr auto character_table = make_character_table();

[[nodiscard]] constexpr bool is_of(char c, unsigned classes) noexcept {
    return (character_table[static_cast<unsigned char>(c)] & classes) != 0;
}

[[nodiscard]] constexpr bool all_of(std::string_view text, unsigned classes) noexcept {
    for (char const c : text)
        if (!is_of(c, classes)) return false;
    return true;
}

} // namespace detail

/// Whether the text is a token: one or more of the characters of RFC 9110 §5.6.2. O(size).
[[nodiscard]] constexpr bool is_token(std::string_view text) noexcept {
    return !text.empty() && detail::all_of(text, detail::token_character);
}

/// Whether the text may stand as a field value (RFC 9110 §5.5): no control character but HTAB.
/// O(size), eight bytes at a time.
[[nodiscard]] inline bool is_field_value(std::string_view text) noexcept {
    constexpr std::uint64_t ones = 0x0101010101010101;
    while (text.size() >= sizeof(std::uint64_t)) {
        std::uint64_t word;
        std::memcpy(&word, text.data(), sizeof word);
        std::uint64_t const below_space = (word - ones * 0x20) & ~word;
        std::uint64_t const from_delete = word ^ (ones * 0x7f);
        std::uint64_t const is_delete = (from_delete - ones) & ~from_delete;
        // A hit may be an HTAB, which is allowed: only then is each byte looked up.
        if (((below_space | is_delete) & (ones * 0x80)) != 0 &&
            !detail::all_of(text.substr(0, sizeof word), detail::value_character))
            return false;
        text.remove_prefix(sizeof word);
    }
    return detail::all_of(text, detail::value_character);
}

/// The text without leading and trailing SP and HTAB (OWS of RFC 9110 §5.6.3).
[[nodiscard]] constexpr std::string_view trim_whitespace(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// The value of a hexadecimal digit in either case, or -1.
[[nodiscard]] constexpr int hex_digit_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

} // namespace livetape::http
