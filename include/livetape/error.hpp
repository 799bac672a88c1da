#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace livetape {

/// What a peer did wrong, or why the server ends a connection. Each value has exactly one HTTP
/// status (used while the answer is still HTTP) and one WebSocket close code (RFC 6455 §7.4,
/// 4000 and up for livetape's own); `describe` gives both with a sentence for the person who sent
/// it.
enum class error : std::uint8_t {
    none = 0,

    // TLS, before the first request.
    tls_required,         ///< HTTP where TLS is spoken
    tls_handshake_failed, ///< the TLS handshake failed, or what came was no TLS

    // The HTTP head (RFC 9112 §3 to §6).
    bad_request_line,   ///< the request line is not `method SP target SP HTTP/1.x`
    bad_http_version,   ///< HTTP version other than 1.x
    bad_header_field,   ///< a field line is malformed, folded, or has a forbidden character
    bad_host,           ///< `Host` missing in HTTP/1.1, repeated, or malformed
    bad_content_length, ///< `Content-Length` repeated, not a number, or beside `Transfer-Encoding`
    bad_transfer_encoding, ///< a transfer coding other than `chunked`, or a malformed chunk
    target_too_long,       ///< request target over the limit
    head_too_large,        ///< request head over the limit in bytes or fields
    body_too_large,        ///< request body over the limit
    request_timeout,       ///< head or body did not arrive in time
    expectation_failed,    ///< `Expect` other than `100-continue`

    // Routing and permission.
    not_found,            ///< no resource at that path
    method_not_allowed,   ///< the resource does not take that method
    bad_query,            ///< the query, or a parameter of it, is malformed or missing
    origin_refused,       ///< the browser's `Origin` is not allowed
    not_authorized,       ///< the host's hook refused
    too_many_connections, ///< the server is at its connection limit
    shutting_down,        ///< the server is stopping

    // The opening handshake (RFC 6455 §4.2.1).
    upgrade_required,      ///< no `Upgrade: websocket` or no `Connection: Upgrade`
    bad_websocket_version, ///< `Sec-WebSocket-Version` is not 13
    bad_websocket_key,     ///< `Sec-WebSocket-Key` is not base64 of 16 bytes
    bad_subprotocol,       ///< `Sec-WebSocket-Protocol` is malformed
    bad_extension,         ///< `Sec-WebSocket-Extensions` is malformed

    // Frames and messages (RFC 6455 §5).
    bad_opcode,              ///< a reserved opcode
    bad_reserved_bits,       ///< RSV1 to RSV3 without an extension that defines them
    non_minimal_length,      ///< a length in more bytes than it needs, or over 2^63-1
    unmasked_frame,          ///< a client's frame without a mask
    masked_frame,            ///< a server's frame with a mask
    fragmented_control,      ///< a control frame without FIN
    control_too_long,        ///< a control frame with over 125 bytes of payload
    unexpected_continuation, ///< a continuation frame with nothing to continue
    expected_continuation,   ///< a new data frame inside a fragmented message
    bad_utf8,                ///< text that is not UTF-8
    bad_compression,         ///< a compressed message that does not inflate
    bad_close_payload,       ///< a close frame with one byte of payload
    bad_close_code,          ///< a close code that must not be sent
    message_too_large,       ///< a message over the limit

    // Subscriptions.
    bad_json,           ///< a client's message is not a JSON object
    bad_message,        ///< a client's message is no command, or a field has the wrong type
    unsupported,        ///< a mode or a command that this server does not have
    bad_channel_name,   ///< a channel name with a forbidden character or length
    unknown_channel,    ///< no such channel, and clients may not create one
    too_many_channels,  ///< channels per connection, or channels of the hub, over the limit
    already_subscribed, ///< the connection has that channel already
    not_subscribed,     ///< nothing to unsubscribe
    bad_cursor,         ///< a cursor that this library did not give out
    bad_pattern,        ///< a pattern of channel names that is malformed
    pattern_too_deep,   ///< a pattern with more tokens than the limit
    too_many_patterns,  ///< patterns per connection over the limit
    bad_rate,           ///< a rate or an interval out of range
    too_many_keys,      ///< watched keys per subscription, or per connection, over the limit
    key_too_long,       ///< a watched key over the limit
    id_too_long,        ///< the id of a command, or of a published message, over the limit
    no_presence,        ///< a channel that does not say who is on it
    bad_payload,        ///< a published payload that is not what its type says
    payload_too_large,  ///< a published payload or key over the limit

    // Ends of a connection.
    gap,           ///< events were lost and this transport cannot say so in the stream
    stalled,       ///< the peer took no byte for the stall time
    idle_timeout,  ///< the peer sent nothing, not even a pong, for the idle time
    control_flood, ///< more than the limit waits for a peer that does not read it
    dismissed,     ///< the host has ended the connections of this client

    // A client's side: where it connects to, and what it is answered.
    bad_url_scheme,        ///< a URL of a scheme other than ws, wss, http and https
    bad_url_authority,     ///< a URL with a malformed host or port, or with user information
    bad_url_target,        ///< a URL with a forbidden character, or a WebSocket URL's fragment
    bad_status_line,       ///< the response does not begin with `HTTP/1.x`, a status and a reason
    connect_timeout,       ///< no connection came about in time
    proxy_refused,         ///< the proxy answered CONNECT with a status other than 2xx
    handshake_timeout,     ///< the opening handshake, or TLS's, did not end in time
    unexpected_status,     ///< the response has another status than the one that goes on
    bad_upgrade_response,  ///< status 101 without `Upgrade: websocket` or `Connection: Upgrade`
    bad_accept,            ///< `Sec-WebSocket-Accept` does not answer the key
    unoffered_subprotocol, ///< the server chose a subprotocol that was not offered
    unoffered_extension,   ///< the server accepted an extension or parameter that was not offered
    connection_closed,     ///< the WebSocket connection ended with a closing handshake
    close_timeout,         ///< the peer did not answer a close frame in time
    write_queue_full,      ///< messages that wait to be written exceed the limit
    redirect_refused,      ///< too many redirects, or one that leads nowhere or out of TLS
    bad_content_type,      ///< the response is no event stream, or no JSON
    no_content,            ///< status 204, which tells the reader of an event stream to stay away
    bad_envelope,          ///< what the server sent is not what the subscription protocol says

    internal_error, ///< the host's code failed
};

inline constexpr std::size_t error_count = static_cast<std::size_t>(error::internal_error) + 1;

/// The groups that a program tells apart; compare an `std::error_code` with them.
enum class error_condition : std::uint8_t {
    handshake_failed = 1, ///< an HTTP request was refused
    protocol_violation,   ///< the peer broke the protocol
    limit_exceeded,       ///< a configured limit was reached
    resume_impossible,    ///< the cursor cannot be continued
};

/// What `describe` knows of an error.
struct error_description {
    std::string_view name;     ///< snake_case, the `code` on the wire
    std::uint16_t http_status; ///< RFC 9110 §15
    std::uint16_t close_code;  ///< RFC 6455 §7.4
    error_condition condition;
    std::string_view message; ///< a sentence that says what would be right
};

namespace detail {

using enum error_condition;

inline constexpr std::array<error_description, error_count> error_table{{
    {"none", 200, 1000, protocol_violation, "no error"},

    {"tls_required", 400, 1002, handshake_failed, "this port speaks TLS; use https or wss"},
    {"tls_handshake_failed", 400, 1002, handshake_failed,
     "offer TLS 1.2 or 1.3, and the certificate that is asked for"},

    {"bad_request_line", 400, 1002, handshake_failed,
     "send a request line of the form 'GET /path HTTP/1.1'"},
    {"bad_http_version", 505, 1002, handshake_failed, "use HTTP/1.1 or HTTP/1.0"},
    {"bad_header_field", 400, 1002, handshake_failed,
     "send each header field as 'Name: value' on one line without control characters"},
    {"bad_host", 400, 1002, handshake_failed, "send exactly one valid Host field"},
    {"bad_content_length", 400, 1002, handshake_failed,
     "send one decimal Content-Length, and not together with Transfer-Encoding"},
    {"bad_transfer_encoding", 400, 1002, handshake_failed,
     "send the body with Content-Length or as well-formed chunks"},
    {"target_too_long", 414, 1009, limit_exceeded,
     "the request target is longer than this server takes"},
    {"head_too_large", 431, 1009, limit_exceeded,
     "the header fields are larger than this server takes"},
    {"body_too_large", 413, 1009, limit_exceeded,
     "the request body is larger than this server takes"},
    {"request_timeout", 408, 1002, limit_exceeded, "the request did not arrive in time"},
    {"expectation_failed", 417, 1002, handshake_failed,
     "the only Expect that is understood is 100-continue"},

    {"not_found", 404, 1008, handshake_failed, "there is nothing at this path"},
    {"method_not_allowed", 405, 1008, handshake_failed,
     "use one of the methods in the Allow field"},
    {"bad_query", 400, 1008, handshake_failed, "a query parameter is malformed"},
    {"origin_refused", 403, 1008, handshake_failed,
     "this server does not accept requests from pages of that origin"},
    {"not_authorized", 403, 1008, handshake_failed, "not allowed"},
    {"too_many_connections", 503, 1013, limit_exceeded,
     "the server is at its connection limit; try again later"},
    {"shutting_down", 503, 1001, limit_exceeded, "the server is going away; connect again"},

    {"upgrade_required", 426, 1002, handshake_failed,
     "this path speaks WebSocket; send 'Connection: Upgrade' and 'Upgrade: websocket'"},
    {"bad_websocket_version", 426, 1002, handshake_failed, "use Sec-WebSocket-Version: 13"},
    {"bad_websocket_key", 400, 1002, handshake_failed,
     "send one Sec-WebSocket-Key, the base64 form of 16 bytes"},
    {"bad_subprotocol", 400, 1002, handshake_failed,
     "send Sec-WebSocket-Protocol as a list of distinct tokens"},
    {"bad_extension", 400, 1002, handshake_failed, "Sec-WebSocket-Extensions is malformed"},

    {"bad_opcode", 400, 1002, protocol_violation, "frame with a reserved opcode"},
    {"bad_reserved_bits", 400, 1002, protocol_violation, "reserved bit set without an extension"},
    {"non_minimal_length", 400, 1002, protocol_violation, "frame length not in its shortest form"},
    {"unmasked_frame", 400, 1002, protocol_violation, "client frames must be masked"},
    {"masked_frame", 400, 1002, protocol_violation, "server frames must not be masked"},
    {"fragmented_control", 400, 1002, protocol_violation, "control frames must not be fragmented"},
    {"control_too_long", 400, 1002, protocol_violation, "control frames carry at most 125 bytes"},
    {"unexpected_continuation", 400, 1002, protocol_violation,
     "continuation frame outside a message"},
    {"expected_continuation", 400, 1002, protocol_violation, "new message inside a fragmented one"},
    {"bad_utf8", 400, 1007, protocol_violation, "text is not UTF-8"},
    {"bad_compression", 400, 1007, protocol_violation,
     "a compressed message must be whole and valid DEFLATE data"},
    {"bad_close_payload", 400, 1002, protocol_violation, "close frame with one byte of payload"},
    {"bad_close_code", 400, 1002, protocol_violation, "close code that must not be sent"},
    {"message_too_large", 413, 1009, limit_exceeded, "message over the size limit"},

    {"bad_json", 400, 1007, protocol_violation, "send one JSON object"},
    {"bad_message", 400, 1008, protocol_violation,
     "send an object with one of subscribe, unsubscribe, change, credit, stats, publish, history, "
     "presence, naming a channel"},
    {"unsupported", 501, 1008, protocol_violation, "this server does not have that"},
    {"bad_channel_name", 400, 1008, protocol_violation,
     "channel names are dot-separated tokens of letters, digits and _-:@/, up to 255 bytes"},
    {"unknown_channel", 404, 1008, protocol_violation, "there is no such channel"},
    {"too_many_channels", 429, 1008, limit_exceeded, "too many channels"},
    {"already_subscribed", 409, 1008, protocol_violation,
     "this connection has that channel; unsubscribe first"},
    {"not_subscribed", 409, 1008, protocol_violation, "this connection does not have that channel"},
    {"bad_cursor", 400, 1008, resume_impossible,
     "a cursor is 'now', 'oldest' or one that this server gave out for these channels"},
    {"bad_pattern", 400, 1008, protocol_violation,
     "a pattern is a channel name in which * stands for one token and > at the end for the rest"},
    {"pattern_too_deep", 400, 1008, limit_exceeded, "the pattern has too many tokens"},
    {"too_many_patterns", 429, 1008, limit_exceeded, "too many patterns"},
    {"bad_rate", 400, 1008, limit_exceeded, "the rate or the interval is out of range"},
    {"too_many_keys", 429, 1008, limit_exceeded, "too many keys"},
    {"key_too_long", 400, 1008, limit_exceeded, "the key is longer than this server takes"},
    {"id_too_long", 400, 1008, limit_exceeded, "the id is longer than this server takes"},
    {"no_presence", 404, 1008, protocol_violation, "this channel does not say who is on it"},
    {"bad_payload", 400, 1007, protocol_violation, "the payload is not what its type says"},
    {"payload_too_large", 413, 1009, limit_exceeded, "the payload or its key is over the limit"},

    {"gap", 410, 4001, resume_impossible, "events were lost; connect again"},
    {"stalled", 408, 4002, limit_exceeded,
     "nothing was read for too long; connect again with the last cursor"},
    {"idle_timeout", 408, 4003, limit_exceeded,
     "nothing was received for too long; connect again with the last cursor"},
    {"control_flood", 429, 1008, limit_exceeded, "replies are not being read"},
    {"dismissed", 403, 4500, protocol_violation, "this client was asked to leave"},

    {"bad_url_scheme", 400, 1008, handshake_failed,
     "use a URL that begins with ws://, wss://, http:// or https://"},
    {"bad_url_authority", 400, 1008, handshake_failed,
     "name a host and perhaps a port in the URL, and no user"},
    {"bad_url_target", 400, 1008, handshake_failed,
     "percent-encode what the URL's path and query may not hold; WebSocket URLs have no fragment"},
    {"bad_status_line", 502, 1002, handshake_failed, "the server's answer is not HTTP/1"},
    {"connect_timeout", 504, 1008, limit_exceeded, "the server could not be reached in time"},
    {"proxy_refused", 502, 1008, handshake_failed, "the proxy refused to connect to the server"},
    {"handshake_timeout", 504, 1008, limit_exceeded,
     "the server did not answer the opening handshake in time"},
    {"unexpected_status", 502, 1008, handshake_failed,
     "the server answered with another status than was asked for"},
    {"bad_upgrade_response", 502, 1002, handshake_failed,
     "the server switched protocols, but not to WebSocket"},
    {"bad_accept", 502, 1002, handshake_failed,
     "the server's Sec-WebSocket-Accept does not answer this client's key"},
    {"unoffered_subprotocol", 502, 1002, handshake_failed,
     "the server chose a subprotocol that was not offered"},
    {"unoffered_extension", 502, 1010, handshake_failed,
     "the server accepted an extension that was not offered"},
    {"connection_closed", 410, 1000, protocol_violation, "the connection was closed"},
    {"close_timeout", 504, 1008, limit_exceeded, "the close frame was not answered in time"},
    {"write_queue_full", 429, 1008, limit_exceeded,
     "more messages wait to be written than the limit allows"},

    {"redirect_refused", 502, 1008, handshake_failed,
     "the server redirects to a place that may not be gone to, or too often"},
    {"bad_content_type", 502, 1003, handshake_failed,
     "the answer's content is not of the type that was asked for"},
    {"no_content", 410, 1000, handshake_failed, "the server asks its reader not to come back"},
    {"bad_envelope", 502, 1007, protocol_violation,
     "the server sent something that is not of the subscription protocol"},

    {"internal_error", 500, 1011, protocol_violation, "the server failed"},
}};

} // namespace detail

/// Everything known of an error. O(1).
[[nodiscard]] constexpr error_description const& describe(error e) noexcept {
    return detail::error_table[static_cast<std::size_t>(e)];
}

[[nodiscard]] inline std::error_category const& error_category() noexcept;

[[nodiscard]] inline std::error_code make_error_code(error e) noexcept {
    return {static_cast<int>(e), error_category()};
}

[[nodiscard]] inline std::error_condition make_error_condition(error_condition c) noexcept {
    return {static_cast<int>(c), error_category()};
}

namespace detail {

class error_category_type final : public std::error_category {
public:
    [[nodiscard]] char const* name() const noexcept override { return "livetape"; }

    [[nodiscard]] std::string message(int value) const override {
        if (value < 0 || static_cast<std::size_t>(value) >= error_count) return "unknown error";
        return std::string{describe(static_cast<error>(value)).message};
    }

    [[nodiscard]] bool equivalent(int value,
                                  std::error_condition const& c) const noexcept override {
        if (value <= 0 || static_cast<std::size_t>(value) >= error_count) return false;
        return c == make_error_condition(describe(static_cast<error>(value)).condition);
    }
};

} // namespace detail

// In here, so that only a file that needs the category compiles what it does.
inline std::error_category const& error_category() noexcept {
    static detail::error_category_type const instance;
    return instance;
}

} // namespace livetape

template <>
struct std::is_error_code_enum<livetape::error> : std::true_type {};
template <>
struct std::is_error_condition_enum<livetape::error_condition> : std::true_type {};
