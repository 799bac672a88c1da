#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <livetape/config.hpp>
#include <livetape/error.hpp>
#include <livetape/wire/base64.hpp>
#include <livetape/wire/characters.hpp>
#include <livetape/wire/extension.hpp>
#include <livetape/wire/field_list.hpp>
#include <livetape/wire/handshake.hpp>
#include <livetape/wire/response.hpp>
#include <livetape/wire/response_head.hpp>
#include <livetape/wire/url.hpp>

namespace livetape::websocket {

/// What a client asks for in its opening handshake, besides the resource (RFC 6455 §4.1).
struct handshake_offer {
    std::vector<std::string> subprotocols{}; ///< in the order of preference; tokens, no name twice
    std::string origin{};                    ///< of the page, for clients that have one; else empty
    std::string extensions{}; ///< the value of `Sec-WebSocket-Extensions`; empty: no field
    /// Further fields, such as Authorization or Cookie. Not those that the handshake itself sends.
    std::vector<std::pair<std::string, std::string>> fields{};
};

/// What a server's response agreed to.
struct handshake_agreement {
    std::string_view subprotocol;      ///< a view into the response's head; empty for none
    std::vector<extension> extensions; ///< their names are views into the response's head
};

/// The value of `Sec-WebSocket-Key` for 16 bytes that must be random for each connection (RFC 6455
/// §4.1).
[[nodiscard]] inline std::string handshake_key(std::array<char, 16> const& random) {
    std::string key;
    append_base64(key, {random.data(), random.size()});
    return key;
}

/// Whether the opening handshake sends that field itself, so that `handshake_offer::fields` must
/// not have it.
[[nodiscard]] inline bool is_handshake_field(std::string_view name) noexcept {
    constexpr std::string_view names[]{
        "Host",
        "Upgrade",
        "Connection",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Accept",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Content-Length",
        "Transfer-Encoding",
    };
    for (std::string_view const each : names)
        if (http::equals_ignoring_case(each, name)) return true;
    return false;
}

/// Appends the request of the opening handshake (RFC 6455 §4.1).
///
/// @param key  what `handshake_key` made
/// Precondition: the offer's names are tokens, and its fields not those of the handshake itself.
/// Control characters in values become spaces.
inline void append_handshake(std::string& out, url const& to, handshake_offer const& offer,
                             std::string_view key) {
    LIVETAPE_ASSERT(detail::is_handshake_key(key));
    out.append("GET ").append(to.target).append(" HTTP/1.1\r\n");
    http::append_field(out, "Host", to.authority());
    out.append("Upgrade: websocket\r\nConnection: Upgrade\r\n");
    http::append_field(out, "Sec-WebSocket-Key", key);
    http::append_field(out, "Sec-WebSocket-Version", protocol_version);
    std::string subprotocols;
    for (auto const& name : offer.subprotocols) {
        LIVETAPE_ASSERT(http::is_token(name));
        subprotocols.append(subprotocols.empty() ? "" : ", ").append(name);
    }
    if (!subprotocols.empty()) http::append_field(out, "Sec-WebSocket-Protocol", subprotocols);
    if (!offer.extensions.empty())
        http::append_field(out, "Sec-WebSocket-Extensions", offer.extensions);
    if (!offer.origin.empty()) http::append_field(out, "Origin", offer.origin);
    for (auto const& [name, value] : offer.fields) {
        LIVETAPE_ASSERT(!is_handshake_field(name));
        http::append_field(out, name, value);
    }
    http::append_end_of_head(out);
}

namespace detail {

/// Whether each extension of the response was offered; each may be accepted once.
[[nodiscard]] inline bool are_offered(std::vector<extension> const& accepted,
                                      std::string_view offer) {
    std::vector<extension> offered;
    if (!parse_extensions(offer, offered)) return false;
    auto const is_named = [](std::string_view name, std::vector<extension> const& in,
                             std::size_t count) {
        for (std::size_t i = 0; i < count; ++i)
            if (in[i].name == name) return true;
        return false;
    };
    for (std::size_t i = 0; i < accepted.size(); ++i) {
        auto const name = accepted[i].name;
        if (!is_named(name, offered, offered.size()) || is_named(name, accepted, i)) return false;
    }
    return true;
}

} // namespace detail

/// Checks that a response completes the opening handshake (RFC 6455 §4.1). Parameters of extensions
/// are for those to judge.
///
/// @param offer      what `append_handshake` was given, and
/// @param key        so this
/// @param agreement  written only when the answer is error::none; views into `head`
/// @return the first of these that applies:
///         error::unexpected_status      not 101: a redirect, a refusal, or no WebSocket server;
///                                       the head says more
///         error::bad_upgrade_response   not an upgrade to websocket, or one in HTTP/1.0
///         error::bad_accept             not exactly one Sec-WebSocket-Accept that answers the key
///         error::unoffered_subprotocol  a subprotocol that was not offered, or several
///         error::bad_extension          not a list of extensions
///         error::unoffered_extension    an extension that was not offered, or one twice
[[nodiscard]] inline error check_response(http::response_head const& head,
                                          handshake_offer const& offer, std::string_view key,
                                          handshake_agreement& agreement) {
    if (head.status() != 101) return error::unexpected_status;
    bool const is_websocket = head.count("Upgrade") == 1 &&
                              http::equals_ignoring_case(*head.field("Upgrade"), "websocket") &&
                              http::has_token(head, "Connection", "upgrade");
    if (head.minor_version() < 1 || !is_websocket) return error::bad_upgrade_response;
    if (head.count("Sec-WebSocket-Accept") != 1 ||
        *head.field("Sec-WebSocket-Accept") != accept_value(key))
        return error::bad_accept;

    handshake_agreement found;
    if (auto const count = head.count("Sec-WebSocket-Protocol"); count != 0) {
        found.subprotocol = *head.field("Sec-WebSocket-Protocol");
        bool is_offered = false;
        for (auto const& name : offer.subprotocols) is_offered |= name == found.subprotocol;
        if (count > 1 || !is_offered) return error::unoffered_subprotocol;
    }
    bool const is_list =
        detail::all_lines(head, "Sec-WebSocket-Extensions", [&found](std::string_view value) {
            return parse_extensions(value, found.extensions);
        });
    if (!is_list) return error::bad_extension;
    if (!detail::are_offered(found.extensions, offer.extensions)) return error::unoffered_extension;
    agreement = std::move(found);
    return error::none;
}

} // namespace livetape::websocket
