#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace livetape {

namespace detail {

inline constexpr std::string_view base64_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

inline constexpr std::uint8_t not_base64 = 0xFF;

inline constexpr std::array<std::uint8_t, 256> base64_values = [] {
    std::array<std::uint8_t, 256> values{};
    for (auto& value : values) value = not_base64;
    for (std::size_t i = 0; i < base64_alphabet.size(); ++i)
        values[static_cast<unsigned char>(base64_alphabet[i])] = static_cast<std::uint8_t>(i);
    return values;
}();

} // namespace detail

/// Appends `bytes` in base64 with padding (RFC 4648 §4) to `out`: four characters for each three
/// bytes begun. `bytes` must not be a view into `out`. O(bytes), at most one allocation.
inline void append_base64(std::string& out, std::string_view bytes) {
    auto const at = [bytes](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i]));
    };
    auto const letter = [](std::uint32_t value) { return detail::base64_alphabet[value & 63u]; };

    std::size_t const start = out.size();
    out.resize(start + (bytes.size() + 2) / 3 * 4);
    char* to = out.data() + start;
    std::size_t i = 0;
    for (; i + 3 <= bytes.size(); i += 3, to += 4) {
        std::uint32_t const group = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
        to[0] = letter(group >> 18);
        to[1] = letter(group >> 12);
        to[2] = letter(group >> 6);
        to[3] = letter(group);
    }
    std::size_t const rest = bytes.size() - i;
    if (rest == 0) return;
    std::uint32_t const group = at(i) << 16 | (rest == 2 ? at(i + 1) << 8 : 0u);
    to[0] = letter(group >> 18);
    to[1] = letter(group >> 12);
    to[2] = rest == 2 ? letter(group >> 6) : '=';
    to[3] = '=';
}

/// Decodes base64 (RFC 4648 §4) strictly and appends the bytes to `out`.
///
/// Padding is required, nothing but the alphabet is skipped or allowed, and the unused bits of the
/// last character must be zero (RFC 4648 §3.5), so each byte string has exactly one accepted form.
/// `text` must not be a view into `out`. O(text), at most one allocation.
/// @return false, with `out` as it was, if `text` is not base64
[[nodiscard]] inline bool decode_base64(std::string_view text, std::string& out) {
    if (text.size() % 4 != 0) return false;
    if (text.empty()) return true;
    std::size_t padding = 0;
    if (text.back() == '=') padding = text[text.size() - 2] == '=' ? 2 : 1;

    std::size_t const start = out.size();
    out.resize(start + text.size() / 4 * 3);
    char* to = out.data() + start;
    std::uint32_t group = 0;
    std::uint8_t seen = 0; // ors all values: the mark of a foreign character has the top bit
    for (std::size_t i = 0; i < text.size(); ++i) {
        bool const is_padding = i >= text.size() - padding;
        auto const value = is_padding ? std::uint8_t{0}
                                      : detail::base64_values[static_cast<unsigned char>(text[i])];
        seen = static_cast<std::uint8_t>(seen | value);
        group = group << 6 | value;
        if (i % 4 != 3) continue;
        to[0] = static_cast<char>(static_cast<unsigned char>(group >> 16));
        to[1] = static_cast<char>(static_cast<unsigned char>(group >> 8));
        to[2] = static_cast<char>(static_cast<unsigned char>(group));
        to += 3;
        if (i + 1 != text.size()) group = 0;
    }
    std::uint32_t const unused_bits = padding == 2 ? 0xFFFFu : padding == 1 ? 0xFFu : 0u;
    if (seen > 63 || (group & unused_bits) != 0) {
        out.resize(start);
        return false;
    }
    out.resize(out.size() - padding);
    return true;
}

} // namespace livetape
