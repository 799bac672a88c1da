#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include <livetape/error.hpp>
#include <livetape/wire/request_head.hpp>

namespace livetape::http {

/// How the body of a request is delimited (RFC 9112 §6.3). Neither field: there is no body.
struct body_framing {
    bool is_chunked = false;  ///< the body comes in chunks (RFC 9112 §7.1)
    std::uint64_t length = 0; ///< bytes of the body if it is not chunked, at most 2^63-1
};

/// Reads how the body is delimited, and refuses all that two recipients might read differently.
///
/// @param framing  written only when the answer is error::none
/// @return error::bad_content_length if that field is repeated, no decimal number under 2^63, or
///         beside Transfer-Encoding; error::bad_transfer_encoding if that field is repeated, is
///         not exactly `chunked`, or comes with HTTP/1.0 (RFC 9112 §6.1)
[[nodiscard]] inline error read_body_framing(request_head const& head,
                                             body_framing& framing) noexcept {
    auto const lengths = head.count("Content-Length");
    auto const codings = head.count("Transfer-Encoding");
    if (lengths > 1 || (lengths != 0 && codings != 0)) return error::bad_content_length;
    if (codings > 1) return error::bad_transfer_encoding;

    if (codings == 1) {
        bool const is_chunked = equals_ignoring_case(*head.field("Transfer-Encoding"), "chunked");
        if (!is_chunked || head.minor_version() == 0) return error::bad_transfer_encoding;
        framing = {.is_chunked = true, .length = 0};
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
    framing = {.is_chunked = false, .length = length};
    return error::none;
}

} // namespace livetape::http
