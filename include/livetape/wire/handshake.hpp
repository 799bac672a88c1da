#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <livetape/config.hpp>
#include <livetape/error.hpp>
#include <livetape/wire/base64.hpp>
#include <livetape/wire/characters.hpp>
#include <livetape/wire/extension.hpp>
#include <livetape/wire/field_list.hpp>
#include <livetape/wire/request_head.hpp>
#include <livetape/wire/sha1.hpp>

namespace livetape::websocket {

/// The only version of the protocol (RFC 6455 §4.1); a response with status 426 names it in
/// `Sec-WebSocket-Version` (§4.4).
inline constexpr std::string_view protocol_version = "13";

/// The most subprotocols that a client may offer.
inline constexpr std::size_t offered_subprotocols_max = 32;

namespace detail {

/// Calls `visit(value)` for each line of a field until it returns false; returns whether none did.
template <typename Visit>
bool all_lines(http::message_head const& head, std::string_view field_name, Visit visit) {
    for (std::size_t i = 0; i < head.field_count(); ++i) {
        auto const field = head.field_at(i);
        if (http::equals_ignoring_case(field.name, field_name) && !visit(field.value)) return false;
    }
    return true;
}

/// The subprotocols that a client offers, in its order of preference.
class offered_subprotocols {
public:
    /// @return false if the list is malformed, repeats a name or is too long; O(count squared)
    [[nodiscard]] bool parse(http::request_head const& head) noexcept {
        if (head.count("Sec-WebSocket-Protocol") == 0) return true;
        bool const is_good = all_lines(head, "Sec-WebSocket-Protocol", [this](auto value) {
            for (;;) {
                auto const comma = value.find(',');
                auto const name = http::trim_whitespace(value.substr(0, comma));
                // A recipient skips empty list elements (RFC 9110 §5.6.1.2).
                if (!name.empty() && !add(name)) return false;
                if (comma == std::string_view::npos) return true;
                value.remove_prefix(comma + 1);
            }
        });
        return is_good && count_ > 0;
    }

    [[nodiscard]] bool contains(std::string_view name) const noexcept {
        for (std::size_t i = 0; i < count_; ++i)
            if (names_[i] == name) return true;
        return false;
    }

private:
    bool add(std::string_view name) noexcept {
        if (count_ == names_.size() || !http::is_token(name) || contains(name)) return false;
        names_[count_++] = name;
        return true;
    }

    std::array<std::string_view, offered_subprotocols_max> names_;
    std::size_t count_ = 0;
};

/// 16 bytes are 22 characters and two of padding.
[[nodiscard]] inline bool is_handshake_key(std::string_view key) noexcept {
    return key.size() == 24 && key[22] == '=' && is_base64(key);
}

[[nodiscard]] inline bool are_extensions_well_formed(http::request_head const& head) {
    if (head.count("Sec-WebSocket-Extensions") == 0) return true;
    std::vector<extension> found;
    bool const is_good = all_lines(head, "Sec-WebSocket-Extensions",
                                   [&found](auto value) { return parse_extensions(value, found); });
    return is_good && !found.empty();
}

} // namespace detail

/// The value of `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key`: what a server sends and
/// a client expects (RFC 6455 §4.2.2, item 5).
[[nodiscard]] inline std::string accept_value(std::string_view key) {
    constexpr std::size_t guid_bytes = 36;
    std::string text;
    text.reserve(key.size() + guid_bytes);
    text += key;
    text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    auto const hash = sha1(text);
    std::array<char, hash.size()> bytes;
    for (std::size_t i = 0; i < hash.size(); ++i) bytes[i] = static_cast<char>(hash[i]);
    text.clear();
    append_base64(text, {bytes.data(), bytes.size()});
    return text;
}

/// Whether a request asks to become a WebSocket connection: for telling transports apart on one
/// path before `check_handshake` says what may be wrong with it.
[[nodiscard]] inline bool is_upgrade(http::request_head const& head) noexcept {
    return http::has_token(head, "Upgrade", "websocket") &&
           http::has_token(head, "Connection", "upgrade");
}

/// Checks that a request is a client's opening handshake (RFC 6455 §4.2.1). Origin, permission and
/// path are not its business; extensions need only be well formed, unknown ones are ignored.
///
/// @return the first of these that applies:
///         error::method_not_allowed      the method is not GET
///         error::upgrade_required        no upgrade to websocket, or one in HTTP/1.0, where
///                                        a server has to ignore it (RFC 9110 §7.8)
///         error::bad_host                not exactly one Host
///         error::bad_websocket_version   not exactly one version, 13
///         error::bad_websocket_key       not exactly one key, the base64 form of 16 bytes
///         error::bad_subprotocol         not a list of distinct tokens, or over 32 of them
///         error::bad_extension           not a list of extensions
[[nodiscard]] inline error check_handshake(http::request_head const& head) {
    auto const sole_value = [&head](std::string_view name) {
        return head.count(name) == 1 ? http::trim_whitespace(*head.field(name))
                                     : std::string_view{};
    };
    if (head.method() != "GET") return error::method_not_allowed;
    if (head.minor_version() < 1 || !is_upgrade(head)) return error::upgrade_required;
    if (head.count("Host") != 1) return error::bad_host;
    if (sole_value("Sec-WebSocket-Version") != protocol_version)
        return error::bad_websocket_version;
    if (!detail::is_handshake_key(sole_value("Sec-WebSocket-Key"))) return error::bad_websocket_key;
    if (!detail::offered_subprotocols{}.parse(head)) return error::bad_subprotocol;
    if (!detail::are_extensions_well_formed(head)) return error::bad_extension;
    return error::none;
}

/// The first of `supported`, in the server's order of preference, that the client offers; empty if
/// it offers none of them (RFC 6455 §4.2.2). Names are compared exactly. The view is one of
/// `supported`. O(supported x offered).
[[nodiscard]] inline std::string_view
choose_subprotocol(http::request_head const& head,
                   std::span<std::string_view const> supported) noexcept {
    detail::offered_subprotocols offered;
    if (!offered.parse(head)) return {};
    for (auto const name : supported)
        if (offered.contains(name)) return name;
    return {};
}

/// The extensions that a client offers, in its order of preference (RFC 6455 §9.1). Names are views
/// into the head.
/// @param head  a request that `check_handshake` found right
[[nodiscard]] inline std::vector<extension> offered_extensions(http::request_head const& head) {
    std::vector<extension> offered;
    detail::all_lines(head, "Sec-WebSocket-Extensions",
                      [&offered](auto value) { return parse_extensions(value, offered); });
    return offered;
}

/// Appends the whole response that accepts a handshake (RFC 6455 §4.2.2), status 101.
///
/// @param head         a request that `check_handshake` found right
/// @param subprotocol  the chosen one; empty for none, and then no field is sent
/// @param extra        further fields, such as the accepted extensions or a cookie; their names
///                     must be tokens and their values field values
inline void append_accept(std::string& out, http::request_head const& head,
                          std::string_view subprotocol = {},
                          std::span<http::header_field const> extra = {}) {
    auto const key = head.field("Sec-WebSocket-Key");
    LIVETAPE_ASSERT(key.has_value());
    auto const append_field = [&out](std::string_view name, std::string_view value) {
        LIVETAPE_ASSERT(http::is_token(name));
        LIVETAPE_ASSERT(http::is_field_value(value));
        out.append(name).append(": ").append(value).append("\r\n");
    };
    constexpr std::size_t usual_bytes = 256;
    out.reserve(out.size() + usual_bytes);
    out += "HTTP/1.1 101 Switching Protocols\r\n"
           "Upgrade: websocket\r\n"
           "Connection: Upgrade\r\n";
    append_field("Sec-WebSocket-Accept", accept_value(http::trim_whitespace(key.value_or(""))));
    if (!subprotocol.empty()) append_field("Sec-WebSocket-Protocol", subprotocol);
    for (auto const& field : extra) append_field(field.name, field.value);
    out += "\r\n";
}

} // namespace livetape::websocket
