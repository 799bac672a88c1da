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

/// The characters that pad a text whose size is a multiple of four: at most 2.
[[nodiscard]] constexpr std::size_t base64_padding(std::string_view text) noexcept {
    if (text.empty() || text.back() != '=') return 0;
    return text[text.size() - 2] == '=' ? 2 : 1;
}

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

/// Whether `text` is base64 (RFC 4648 §4), taken strictly: padding is required, nothing but the
/// alphabet is skipped or allowed, and the unused bits of the last character must be zero (RFC 4648
/// §3.5), so each byte string has exactly one accepted form. O(text).
[[nodiscard]] constexpr bool is_base64(std::string_view text) noexcept {
    if (text.size() % 4 != 0) return false;
    std::size_t const padding = detail::base64_padding(text);
    std::uint8_t seen = 0; // ors all values: the mark of a foreign character has the top bit
    std::uint8_t last = 0;
    for (char const c : text.substr(0, text.size() - padding)) {
        last = detail::base64_values[static_cast<unsigned char>(c)];
        seen = static_cast<std::uint8_t>(seen | last);
    }
    unsigned const unused_bits = padding == 2 ? 0xFu : padding == 1 ? 0x3u : 0u;
    return seen <= 63 && (last & unused_bits) == 0;
}

/// Decodes base64, as strictly as `is_base64` says, and appends the bytes to `out`.
/// `text` must not be a view into `out`. O(text), at most one allocation.
/// @return false, with `out` as it was, if `text` is not base64
[[nodiscard]] inline bool decode_base64(std::string_view text, std::string& out) {
    if (!is_base64(text)) return false;
    std::size_t const start = out.size();
    out.resize(start + text.size() / 4 * 3);
    char* to = out.data() + start;
    for (std::size_t i = 0; i < text.size(); i += 4, to += 3) {
        std::uint32_t group = 0;
        for (char const c : text.substr(i, 4))
            group = group << 6 | (detail::base64_values[static_cast<unsigned char>(c)] & 63u);
        to[0] = static_cast<char>(static_cast<unsigned char>(group >> 16));
        to[1] = static_cast<char>(static_cast<unsigned char>(group >> 8));
        to[2] = static_cast<char>(static_cast<unsigned char>(group));
    }
    out.resize(out.size() - detail::base64_padding(text));
    return true;
}

} // namespace livetape
