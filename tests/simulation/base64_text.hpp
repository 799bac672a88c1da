#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace livetape::simulation {

/// Bytes in base64 (RFC 4648 §4), six bits after the other.
inline std::string base64_text(std::string_view bytes) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    unsigned pending = 0, bits = 0;
    for (auto const c : bytes) {
        pending = pending << 8 | static_cast<unsigned char>(c);
        for (bits += 8; bits >= 6; bits -= 6) text += digits[pending >> (bits - 6) & 63];
    }
    if (bits > 0) text += digits[pending << (6 - bits) & 63];
    while (text.size() % 4 != 0) text += '=';
    return text;
}

} // namespace livetape::simulation
