#pragma once

#include <livetape/channel_name.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace livetape {

/// What a pattern of channel names may cost whoever matches it.
struct channel_pattern_limits {
    /// Dot-separated tokens. Each `*` may double the places where a name is looked for; real
    /// hierarchies are about five deep.
    std::size_t tokens_max = 16;

    /// As long as the longest name.
    std::size_t bytes_max = channel_name_bytes_max;
};

/// What is wrong with a pattern; `none` if it is well formed.
enum class pattern_fault : std::uint8_t {
    none,
    empty,               ///< no bytes
    too_long,            ///< more bytes than the limit
    too_deep,            ///< more tokens than the limit
    empty_token,         ///< a dot at the beginning, at the end or after another
    bad_character,       ///< a character that no channel name has
    wildcard_in_token,   ///< `*` or `>` beside other characters, as in `a*`
    tail_before_the_end, ///< `>` that is not the last token
    no_wildcard,         ///< the name of one channel
};

/// A sentence that says what would be right.
[[nodiscard]] constexpr std::string_view describe(pattern_fault fault) noexcept {
    switch (fault) {
    case pattern_fault::none: return "the pattern is well formed";
    case pattern_fault::empty: return "a pattern has at least one token";
    case pattern_fault::too_long: return "the pattern has more bytes than the limit";
    case pattern_fault::too_deep: return "the pattern has more tokens than the limit";
    case pattern_fault::empty_token: return "no token of a pattern is empty";
    case pattern_fault::bad_character:
        return "tokens are letters, digits and _-:@/, or one of the wildcards * and >";
    case pattern_fault::wildcard_in_token: return "the wildcards * and > are tokens of their own";
    case pattern_fault::tail_before_the_end: return "the wildcard > is the last token";
    case pattern_fault::no_wildcard: return "a pattern has a wildcard, * or >";
    }
    return {};
}

namespace detail {

/// Takes the first token off dot-separated text; a view of it.
constexpr std::string_view take_token(std::string_view& rest) noexcept {
    auto const dot = rest.find('.');
    auto const token = rest.substr(0, dot);
    rest = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
    return token;
}

constexpr pattern_fault find_token_fault(std::string_view token) noexcept {
    if (token.empty()) return pattern_fault::empty_token;
    if (token == "*" || token == ">") return pattern_fault::none;
    if (token.find_first_of("*>") != std::string_view::npos)
        return pattern_fault::wildcard_in_token;
    return is_channel_name(token) ? pattern_fault::none : pattern_fault::bad_character;
}

} // namespace detail

/// Whether the text means to be a pattern rather than a name: names have neither `*` nor `>`.
[[nodiscard]] constexpr bool has_wildcard(std::string_view text) noexcept {
    return text.find_first_of("*>") != std::string_view::npos;
}

/// What keeps a text from being a pattern of channel names, by the rules of NATS: dot-separated
/// tokens as in a name, of which `*` stands for any one and `>`, at the end, for one or more. At
/// least one is a wildcard. O(length).
[[nodiscard]] constexpr pattern_fault
find_pattern_fault(std::string_view pattern, channel_pattern_limits const& limits = {}) noexcept {
    if (pattern.empty()) return pattern_fault::empty;
    if (pattern.size() > limits.bytes_max) return pattern_fault::too_long;
    if (pattern.back() == '.') return pattern_fault::empty_token;
    std::size_t token_count = 0;
    for (auto rest = pattern; !rest.empty();) {
        auto const token = detail::take_token(rest);
        if (auto const fault = detail::find_token_fault(token); fault != pattern_fault::none)
            return fault;
        if (token == ">" && !rest.empty()) return pattern_fault::tail_before_the_end;
        if (++token_count > limits.tokens_max) return pattern_fault::too_deep;
    }
    return has_wildcard(pattern) ? pattern_fault::none : pattern_fault::no_wildcard;
}

[[nodiscard]] constexpr bool is_channel_pattern(std::string_view text) noexcept {
    return find_pattern_fault(text) == pattern_fault::none;
}

/// Whether a name matches a pattern. A name whose first token begins with `@` is one of the
/// library's own channels: only a pattern that spells that token matches it.
/// Precondition: both are well formed. O(length of the name).
[[nodiscard]] constexpr bool matches_channel_pattern(std::string_view pattern,
                                                     std::string_view name) noexcept {
    if (name.front() == '@' && (pattern.front() == '*' || pattern.front() == '>')) return false;
    while (!pattern.empty() && !name.empty()) {
        auto const wanted = detail::take_token(pattern);
        if (wanted == ">") return true;
        auto const token = detail::take_token(name);
        if (wanted != "*" && wanted != token) return false;
    }
    return pattern.empty() && name.empty();
}

} // namespace livetape
