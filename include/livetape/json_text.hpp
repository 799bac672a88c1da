#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace livetape {

namespace detail {

// For each byte: 0 if it stands as it is in a JSON string, else the letter after the backslash.
constexpr std::array<char, 256> make_json_escape_table() noexcept {
    std::array<char, 256> table{};
    for (std::size_t c = 0; c < 0x20; ++c) table[c] = 'u';
    table['\b'] = 'b';
    table['\f'] = 'f';
    table['\n'] = 'n';
    table['\r'] = 'r';
    table['\t'] = 't';
    table['"'] = '"';
    table['\\'] = '\\';
    return table;
}

inline constexpr auto json_escape_table = make_json_escape_table();

} // namespace detail

/// Whether the text stands in a JSON string as it is, without escapes. O(size).
[[nodiscard]] constexpr bool is_plain_json(std::string_view utf8) noexcept {
    bool is_plain = true;
    for (char const c : utf8)
        is_plain &= detail::json_escape_table[static_cast<unsigned char>(c)] == 0;
    return is_plain;
}

/// Appends the text as a JSON string with its quotes (RFC 8259 §7): quotation mark, backslash and
/// the control characters are escaped, all else is copied in runs. O(size).
/// Precondition: `utf8` is valid UTF-8 if the result is to be.
inline void append_json_string(std::string& out, std::string_view utf8) {
    constexpr std::string_view digits = "0123456789abcdef";
    out.push_back('"');
    std::size_t run = 0;
    for (std::size_t i = 0; i < utf8.size(); ++i) {
        auto const c = static_cast<unsigned char>(utf8[i]);
        char const escape = detail::json_escape_table[c];
        if (escape == 0) continue;
        out.append(utf8.substr(run, i - run));
        run = i + 1;
        out.push_back('\\');
        out.push_back(escape);
        if (escape != 'u') continue;
        out.append("00");
        out.push_back(digits[c >> 4]);
        out.push_back(digits[c & 15u]);
    }
    out.append(utf8.substr(run));
    out.push_back('"');
}

/// Appends the number in decimal, as JSON and HTTP write it.
inline void append_number(std::string& out, std::uint64_t number) {
    std::array<char, 20> text;
    auto const result = std::to_chars(text.data(), text.data() + text.size(), number);
    out.append(text.data(), result.ptr);
}

} // namespace livetape
