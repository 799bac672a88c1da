#pragma once

#include <cstddef>
#include <string_view>

#include <livetape/wire/characters.hpp>

namespace livetape::http {

namespace detail {

[[nodiscard]] constexpr bool is_decimal(char c) noexcept { return c >= '0' && c <= '9'; }

/// A decimal number without leading zeros from 0 to `largest`, of at most 5 digits.
[[nodiscard]] constexpr bool is_decimal_up_to(std::string_view text, unsigned largest) noexcept {
    if (text.empty() || text.size() > 5 || (text.size() > 1 && text.front() == '0')) return false;
    unsigned value = 0;
    for (char const c : text) {
        if (!is_decimal(c)) return false;
        value = value * 10 + static_cast<unsigned>(c - '0');
    }
    return value <= largest;
}

[[nodiscard]] constexpr bool is_ipv4_address(std::string_view text) noexcept {
    for (int octet = 0; octet < 4; ++octet) {
        auto const dot = text.find('.');
        if ((dot == std::string_view::npos) != (octet == 3)) return false;
        if (!is_decimal_up_to(text.substr(0, dot), 255)) return false;
        if (octet < 3) text.remove_prefix(dot + 1);
    }
    return true;
}

/// IPv6address of RFC 3986 §3.2.2: eight groups, of which one run may be written as "::", and the
/// last two may be written as an IPv4 address. Zone identifiers are local to a machine: refused.
[[nodiscard]] constexpr bool is_ipv6_address(std::string_view text) noexcept {
    bool is_compressed = text.substr(0, 2) == "::";
    if (is_compressed) text.remove_prefix(2);
    std::size_t groups = 0;
    while (!text.empty()) {
        std::size_t digits = 0;
        while (digits < text.size() && hex_digit_value(text[digits]) >= 0) ++digits;
        if (digits < text.size() && text[digits] == '.') {
            if (!is_ipv4_address(text)) return false;
            groups += 2;
            break;
        }
        if (digits == 0 || digits > 4) return false;
        ++groups;
        text.remove_prefix(digits);
        if (text.empty()) break;
        if (text.front() != ':' || text.size() == 1) return false;
        text.remove_prefix(1);
        if (text.front() == ':') {
            if (is_compressed) return false;
            is_compressed = true;
            text.remove_prefix(1);
        }
    }
    return is_compressed ? groups <= 7 : groups == 8;
}

[[nodiscard]] constexpr bool is_registered_name(std::string_view text) noexcept {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_of(text[i], unreserved | sub_delimiter)) continue;
        if (text[i] != '%' || text.size() - i < 3) return false;
        if (hex_digit_value(text[i + 1]) < 0 || hex_digit_value(text[i + 2]) < 0) return false;
        i += 2;
    }
    return !text.empty();
}

} // namespace detail

/// Whether the text is `host [ ":" port ]` as in a Host field (RFC 9110 §7.2, RFC 3986 §3.2.2): a
/// name, an IPv4 address or a bracketed IPv6 address. An empty host, user information and ports
/// over 65535 are refused; an empty port is allowed, as the grammar says. O(size).
[[nodiscard]] constexpr bool is_host_and_port(std::string_view text) noexcept {
    auto rest = text;
    if (text.substr(0, 1) == "[") {
        auto const close = text.find(']');
        if (close == std::string_view::npos) return false;
        if (!detail::is_ipv6_address(text.substr(1, close - 1))) return false;
        rest = text.substr(close + 1);
    } else {
        auto const colon = text.find(':');
        if (!detail::is_registered_name(text.substr(0, colon))) return false;
        rest = colon == std::string_view::npos ? std::string_view{} : text.substr(colon);
    }
    if (rest.empty()) return true;
    if (rest.front() != ':') return false;
    return rest.size() == 1 || detail::is_decimal_up_to(rest.substr(1), 65535);
}

} // namespace livetape::http
