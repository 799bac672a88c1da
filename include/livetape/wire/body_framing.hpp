#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include <livetape/error.hpp>
#include <livetape/wire/message_head.hpp>
#include <livetape/wire/request_head.hpp>
#include <livetape/wire/response_head.hpp>

namespace livetape::http {

/// How the body of a message is delimited (RFC 9112 §6.3). The default: there is no body.
struct body_framing {
    bool is_chunked = false;   ///< the body comes in chunks (RFC 9112 §7.1)
    std::uint64_t length = 0;  ///< bytes of the body, at most 2^63-1, if it is neither chunked nor
                               ///< ended by the connection
    bool is_until_end = false; ///< a response's body goes on to the end of the connection
};

namespace detail {

/// What the two fields say, whoever sent them; `has_neither` if both are missing.
[[nodiscard]] inline error read_body_fields(message_head const& head, body_framing& framing,
                                            bool& has_neither) noexcept {
    auto const lengths = head.count("Content-Length");
    auto const codings = head.count("Transfer-Encoding");
    has_neither = lengths == 0 && codings == 0;
    if (lengths > 1 || (lengths != 0 && codings != 0)) return error::bad_content_length;
    if (codings > 1) return error::bad_transfer_encoding;

    if (codings == 1) {
        bool const is_chunked = equals_ignoring_case(*head.field("Transfer-Encoding"), "chunked");
        if (!is_chunked || head.minor_version() == 0) return error::bad_transfer_encoding;
        framing = {.is_chunked = true};
        return error::none;
    }
    std::uint64_t length = 0;
    if (lengths == 1) {
        auto const text = *head.field("Content-Length");
        auto const [end, failure] = std::from_chars(text.data(), text.data() + text.size(), length);
        if (failure != std::errc{} || end != text.data() + text.size())
            return error::bad_content_length;
        if (length > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
            return error::bad_content_length;
    }
    framing = {.length = length};
    return error::none;
}

} // namespace detail

/// Reads how the body of a request is delimited, and refuses all that two recipients might read
/// differently. A request with neither field has no body.
///
/// @param framing  written only when the answer is error::none
/// @return error::bad_content_length if that field is repeated, no decimal number under 2^63, or
///         beside Transfer-Encoding; error::bad_transfer_encoding if that field is repeated, is
///         not exactly `chunked`, or comes with HTTP/1.0 (RFC 9112 §6.1)
[[nodiscard]] inline error read_body_framing(request_head const& head,
                                             body_framing& framing) noexcept {
    bool has_neither = false;
    return detail::read_body_fields(head, framing, has_neither);
}

/// The same for a response. There is no body in answer to HEAD and with the statuses 1xx, 204 and
/// 304, whatever the fields say; with neither field the body ends with the connection. The tunnel
/// that a 2xx in answer to CONNECT opens is the caller's business.
///
/// @param request_method  of the request that it answers; `GET` or `HEAD`, for instance
/// @return as for a request
[[nodiscard]] inline error read_response_framing(response_head const& head,
                                                 std::string_view request_method,
                                                 body_framing& framing) noexcept {
    auto const status = head.status();
    if (request_method == "HEAD" || status < 200 || status == 204 || status == 304) {
        framing = {};
        return error::none;
    }
    bool has_neither = false;
    auto const why = detail::read_body_fields(head, framing, has_neither);
    if (why == error::none && has_neither) framing = {.is_until_end = true};
    return why;
}

} // namespace livetape::http
