#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <livetape/error.hpp>
#include <livetape/wire/authority.hpp>
#include <livetape/wire/characters.hpp>
#include <livetape/wire/message_head.hpp>

namespace livetape {

/// Where a client connects to: a URL of one of the schemes ws, wss, http and https (RFC 3986, RFC
/// 6455 §3), taken apart.
struct url {
    enum class scheme_type : std::uint8_t { ws, wss, http, https };

    scheme_type scheme = scheme_type::http;
    std::string host;         ///< lower case; an IPv6 address without its brackets
    std::uint16_t port = 80;  ///< the scheme's own (80, or 443 over TLS) if the text has none
    std::string target = "/"; ///< path and query as they go into a request line; never empty

    /// Whether the scheme is one over TLS.
    [[nodiscard]] bool is_secure() const noexcept {
        return scheme == scheme_type::wss || scheme == scheme_type::https;
    }

    /// Whether the scheme is WebSocket's.
    [[nodiscard]] bool is_websocket() const noexcept {
        return scheme == scheme_type::ws || scheme == scheme_type::wss;
    }

    /// The port that a URL of this scheme means when it names none.
    [[nodiscard]] std::uint16_t default_port() const noexcept {
        return is_secure() ? std::uint16_t{443} : std::uint16_t{80};
    }

    /// `host` or `[address]` and, always, the port: the target of CONNECT (RFC 9112 §3.2.3).
    [[nodiscard]] std::string host_and_port() const {
        return bracketed_host() + ':' + std::to_string(port);
    }

    /// The value of the Host field: without the port if it is the scheme's (RFC 9110 §7.2).
    [[nodiscard]] std::string authority() const {
        return port == default_port() ? bracketed_host() : host_and_port();
    }

    /// The whole in its normal form.
    [[nodiscard]] std::string text() const;

    friend bool operator==(url const&, url const&) = default;

private:
    [[nodiscard]] std::string bracketed_host() const {
        return host.find(':') == std::string::npos ? host : '[' + host + ']';
    }
};

namespace detail {

struct scheme_name {
    std::string_view name;
    url::scheme_type scheme;
};

inline constexpr scheme_name scheme_names[]{
    {"ws", url::scheme_type::ws},
    {"wss", url::scheme_type::wss},
    {"http", url::scheme_type::http},
    {"https", url::scheme_type::https},
};

/// Takes the authority apart; user information is refused, since what follows "user@" is easily
/// mistaken for a part of the name, and credentials in URLs end in logs (RFC 9110 §4.2.4).
[[nodiscard]] inline error parse_authority(std::string_view text, url& out) {
    // An IPv6 address's colons are inside brackets; percent-encoded names have no address.
    if (!http::is_host_and_port(text) || text.find('%') != std::string_view::npos)
        return error::bad_url_authority;
    auto const bracket = text.front() == '[' ? text.find(']') : std::string_view::npos;
    bool const is_bracketed = bracket != std::string_view::npos;
    auto const colon = text.find(':', is_bracketed ? bracket : 0);
    auto const host = is_bracketed ? text.substr(1, bracket - 1) : text.substr(0, colon);
    auto const port = colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);

    unsigned number = out.default_port();
    if (!port.empty()) {
        number = 0;
        for (char const c : port) number = number * 10 + static_cast<unsigned>(c - '0');
    }
    if (number == 0) return error::bad_url_authority;
    out.port = static_cast<std::uint16_t>(number);
    out.host.clear();
    for (char const c : host)
        out.host.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
    return error::none;
}

/// Checks path and query, and cuts off a fragment, which is for the client alone. RFC 6455 §3: a
/// WebSocket URL has none.
[[nodiscard]] inline error parse_target(std::string_view text, url& out) {
    auto const fragment = text.find('#');
    if (fragment != std::string_view::npos && out.is_websocket()) return error::bad_url_target;
    text = text.substr(0, fragment);
    if (!http::detail::all_of(text, http::detail::target_character)) return error::bad_url_target;
    out.target.assign(text.empty() || text.front() != '/' ? "/" : "").append(text);
    return error::none;
}

/// RFC 3986 §5.2.4, for the path of an absolute target; what follows a '?' is not touched.
[[nodiscard]] inline std::string without_dot_segments(std::string_view target) {
    auto const query = target.find('?');
    auto path = target.substr(0, query);
    std::string out;
    while (!path.empty()) {
        auto const end = path.find('/', 1);
        auto const segment = path.substr(0, end);
        bool const is_last = end == std::string_view::npos;
        path.remove_prefix(segment.size());
        if (segment == "/..") {
            auto const parent = out.rfind('/');
            out.resize(parent == std::string::npos ? 0 : parent);
        }
        bool const is_dots = segment == "/." || segment == "/..";
        if (!is_dots) out.append(segment);
        else if (is_last) out.push_back('/');
    }
    if (out.empty()) out.push_back('/');
    if (query != std::string_view::npos) out.append(target.substr(query));
    return out;
}

} // namespace detail

/// Takes a URL apart (RFC 3986 §3, RFC 6455 §3). A URL is refused, never repaired: no blanks, no
/// characters beyond ASCII, no credentials.
///
/// @param out  unspecified unless the answer is error::none
/// @return error::bad_url_scheme       not one of ws, wss, http and https, each with "://"
///         error::bad_url_authority    no host, a malformed host or port, port 0, user information
///         error::bad_url_target       a character that must be percent-encoded, or a fragment in
///                                     a WebSocket URL
[[nodiscard]] inline error parse_url(std::string_view text, url& out) {
    auto const scheme_end = text.find("://");
    if (scheme_end == std::string_view::npos) return error::bad_url_scheme;
    auto const scheme = text.substr(0, scheme_end);
    bool is_known = false;
    for (auto const& each : detail::scheme_names) {
        if (!http::equals_ignoring_case(each.name, scheme)) continue;
        out.scheme = each.scheme;
        is_known = true;
    }
    if (!is_known) return error::bad_url_scheme;
    text.remove_prefix(scheme_end + 3);
    auto const authority = text.substr(0, text.find_first_of("/?#"));
    if (auto const why = detail::parse_authority(authority, out); why != error::none) return why;
    return detail::parse_target(text.substr(authority.size()), out);
}

/// Finds what a reference, as in the Location field of a redirect (RFC 9110 §10.2.2), means at the
/// place of `base` (RFC 3986 §5.2): a whole URL, `//host/path`, `/path`, `path` or `?query`. Where
/// `base` is a WebSocket URL, a reference of scheme http or https means ws or wss.
///
/// @param out  unspecified unless the answer is error::none
/// @return as `parse_url`
[[nodiscard]] inline error resolve_url(url const& base, std::string_view reference, url& out) {
    reference = reference.substr(0, reference.find('#'));
    auto const first_mark = reference.find_first_of(":/?");
    if (first_mark != std::string_view::npos && reference[first_mark] == ':') {
        if (auto const why = parse_url(reference, out); why != error::none) return why;
        if (base.is_websocket() && !out.is_websocket())
            out.scheme = out.is_secure() ? url::scheme_type::wss : url::scheme_type::ws;
        return error::none;
    }
    url found = base;
    if (reference.substr(0, 2) == "//") {
        reference.remove_prefix(2);
        auto const authority = reference.substr(0, reference.find_first_of("/?"));
        if (auto const why = detail::parse_authority(authority, found); why != error::none)
            return why;
        reference.remove_prefix(authority.size());
        found.target = "/";
    }
    auto const path = std::string_view{found.target}.substr(0, found.target.find('?'));
    std::string target;
    if (reference.empty()) target = found.target;
    else if (reference.front() == '?') target.assign(path).append(reference);
    else if (reference.front() == '/') target = reference;
    else target.assign(path.substr(0, path.rfind('/') + 1)).append(reference);
    auto const why = detail::parse_target(detail::without_dot_segments(target), found);
    if (why == error::none) out = std::move(found);
    return why;
}

inline std::string url::text() const {
    std::string out;
    for (auto const& each : detail::scheme_names)
        if (each.scheme == scheme) out.append(each.name);
    return out.append("://").append(authority()).append(target);
}

} // namespace livetape
