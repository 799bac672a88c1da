#pragma once

#include <string>
#include <string_view>

namespace livetape::test {

/// Bytes from hexadecimal digits in pairs; blanks may stand between the pairs.
inline std::string from_hex(std::string_view text) {
    auto const digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
    std::string bytes;
    for (std::size_t i = 0; i + 1 < text.size(); ++i) {
        if (text[i] == ' ') continue;
        bytes +=
            static_cast<char>(static_cast<unsigned char>(digit(text[i]) * 16 + digit(text[i + 1])));
        ++i;
    }
    return bytes;
}

/// Lower-case hexadecimal digits of bytes, without blanks.
inline std::string to_hex(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (char const c : bytes) {
        auto const byte = static_cast<unsigned char>(c);
        text += digits[byte >> 4u];
        text += digits[byte & 15u];
    }
    return text;
}

} // namespace livetape::test
