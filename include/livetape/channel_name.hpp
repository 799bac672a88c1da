#pragma once

#include <cstddef>
#include <string_view>

namespace livetape {

/// The longest channel name. Names travel in URLs and in every event's envelope.
inline constexpr std::size_t channel_name_bytes_max = 255;

/// Whether a name can be a channel's: 1 to 255 bytes, dot-separated non-empty tokens of ASCII
/// letters, digits and `_ - : @ /`. The other characters are kept for patterns (`*`, `>`), lists
/// (`,`), cursors (`~`, `!`) and URLs. O(length).
[[nodiscard]] constexpr bool is_channel_name(std::string_view name) noexcept {
    if (name.empty() || name.size() > channel_name_bytes_max) return false;
    char previous = '.';
    for (char const c : name) {
        bool const is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool const is_digit = c >= '0' && c <= '9';
        bool const is_mark = c == '_' || c == '-' || c == ':' || c == '@' || c == '/';
        if (c == '.' ? previous == '.' : !(is_letter || is_digit || is_mark)) return false;
        previous = c;
    }
    return previous != '.';
}

} // namespace livetape
