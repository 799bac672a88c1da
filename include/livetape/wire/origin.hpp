#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <livetape/config.hpp>
#include <livetape/wire/authority.hpp>
#include <livetape/wire/characters.hpp>
#include <livetape/wire/request_head.hpp>

namespace livetape::http {

namespace detail {

/// An origin taken apart (RFC 6454 §4); the port is the scheme's own if none was written, and 0 if
/// the scheme has none that is known.
struct origin_parts {
    std::string_view scheme;
    std::string_view host;
    unsigned port = 0;

    [[nodiscard]] friend bool operator==(origin_parts const& a, origin_parts const& b) noexcept {
        return equals_ignoring_case(a.scheme, b.scheme) && equals_ignoring_case(a.host, b.host) &&
               a.port == b.port;
    }
};

[[nodiscard]] inline bool is_web_scheme(std::string_view scheme) noexcept {
    return equals_ignoring_case(scheme, "http") || equals_ignoring_case(scheme, "https");
}

/// Completes `scheme` with `authority`, the text `host [ ":" port ]`.
[[nodiscard]] inline std::optional<origin_parts> make_origin(std::string_view scheme,
                                                             std::string_view authority) noexcept {
    if (!is_host_and_port(authority)) return std::nullopt;
    origin_parts parts{scheme, authority, 0};
    // The colons of an IPv6 address stand before its ']'.
    auto const colon = authority.rfind(':');
    auto const bracket = authority.rfind(']');
    bool const has_port =
        colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
    if (has_port) {
        parts.host = authority.substr(0, colon);
        for (char const digit : authority.substr(colon + 1))
            parts.port = parts.port * 10 + static_cast<unsigned>(digit - '0');
    }
    if (parts.port == 0 && is_web_scheme(scheme)) parts.port = scheme.size() == 4 ? 80 : 443;
    return parts;
}

/// Takes `scheme "://" host [ ":" port ]` apart; nothing for "null" and everything else.
[[nodiscard]] inline std::optional<origin_parts> parse_origin(std::string_view text) noexcept {
    auto const mark = text.find("://");
    if (mark == std::string_view::npos || !is_token(text.substr(0, mark))) return std::nullopt;
    return make_origin(text.substr(0, mark), text.substr(mark + 3));
}

} // namespace detail

/// Whether a request comes from a page of the very host and port that it is sent to: its one
/// `Origin` (RFC 6454 §7) names what its one `Host` names. False without `Origin`, and for "null".
///
/// A `Host` without a port stands for the default port of the origin's scheme. The server's own
/// scheme is not in the request (a proxy may have ended TLS), so it is not compared. A proxy in
/// front has to pass `Host` on as the browser sent it.
[[nodiscard]] inline bool same_origin(request_head const& head) noexcept {
    if (head.count("Origin") != 1 || head.count("Host") != 1) return false;
    auto const origin = detail::parse_origin(trim_whitespace(*head.field("Origin")));
    if (!origin || !detail::is_web_scheme(origin->scheme)) return false;
    auto const host = detail::make_origin(origin->scheme, trim_whitespace(*head.field("Host")));
    return host && *host == *origin;
}

/// Which pages' scripts may connect: those of the same origin, and those of a list.
///
/// Browsers put no other limit on WebSocket connections, and send cookies along (RFC 6455 §10.2).
/// Thread safety: distinct objects safe; shared objects safe, as they never change.
class origin_policy {
public:
    /// Only pages of the same origin.
    origin_policy() = default;

    /// Pages of the same origin and of those in the list: `https://example.com`,
    /// `http://localhost:3000` (no path, no '/' at the end), "null" for pages without an origin of
    /// their own such as files, or "*" for all pages.
    explicit origin_policy(std::vector<std::string> allowed) : allowed_{std::move(allowed)} {
        for (auto const& origin : allowed_) {
            LIVETAPE_ASSERT(origin == "*" || origin == "null" || detail::parse_origin(origin));
            allows_all_ = allows_all_ || origin == "*";
        }
    }

    /// Whether the request may go on. One without `Origin` may: it comes from no page's script.
    /// O(allowed origins).
    [[nodiscard]] bool allows(request_head const& head) const noexcept {
        auto const count = head.count("Origin");
        if (count == 0 || allows_all_) return true;
        if (count > 1) return false;
        return same_origin(head) || is_listed(trim_whitespace(*head.field("Origin")));
    }

private:
    [[nodiscard]] bool is_listed(std::string_view origin) const noexcept {
        auto const parts = detail::parse_origin(origin);
        for (std::string const& allowed : allowed_)
            if (parts ? detail::parse_origin(allowed) == parts : allowed == origin) return true;
        return false;
    }

    std::vector<std::string> allowed_;
    bool allows_all_ = false;
};

} // namespace livetape::http
