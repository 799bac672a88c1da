#pragma once

#include <string_view>

namespace livetape::detail {

/// Whether what is subscribed to is a pattern of channel names (docs/protocol.md): names have
/// neither `*` nor `>`.
[[nodiscard]] constexpr bool is_pattern(std::string_view text) noexcept {
    return text.find_first_of("*>") != std::string_view::npos;
}

/// Whether a well-formed pattern covers a channel of that name, as its server judges. O(length).
[[nodiscard]] constexpr bool covers(std::string_view pattern, std::string_view name) noexcept {
    // The server's own channels are covered only where their first token is spelled.
    if (name.starts_with('@') && !pattern.starts_with('@')) return false;
    for (;;) {
        auto const wanted = pattern.substr(0, pattern.find('.'));
        auto const token = name.substr(0, name.find('.'));
        if (wanted == ">") return !name.empty();
        if (wanted != "*" && wanted != token) return false;
        bool const is_last_wanted = wanted.size() == pattern.size();
        bool const is_last = token.size() == name.size();
        if (is_last_wanted || is_last) return is_last_wanted && is_last;
        pattern.remove_prefix(wanted.size() + 1);
        name.remove_prefix(token.size() + 1);
    }
}

} // namespace livetape::detail
