#pragma once

#include <array>
#include <string_view>

namespace livetape::simulation {

inline constexpr std::array<std::string_view, 5> patterns{"b.*", "*", ">", "b.>", "*.d"};

/// Whether a pattern covers a name: token by token, where `*` is any one and `>` all that are left.
/// None of these patterns covers the server's own channels.
inline bool covers(std::string_view pattern, std::string_view name) {
    if (name.starts_with('@')) return false;
    if (pattern == ">") return !name.empty();
    auto const first_of = [](std::string_view& text) {
        auto const token = text.substr(0, text.find('.'));
        text.remove_prefix(token.size() == text.size() ? token.size() : token.size() + 1);
        return token;
    };
    auto const wanted = first_of(pattern);
    auto const token = first_of(name);
    if (wanted != "*" && wanted != token) return false;
    if (pattern.empty() || name.empty()) return pattern.empty() && name.empty();
    return covers(pattern, name);
}

} // namespace livetape::simulation
