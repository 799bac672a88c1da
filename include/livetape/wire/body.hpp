#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <livetape/error.hpp>
#include <livetape/wire/body_decoder.hpp>
#include <livetape/wire/body_framing.hpp>
#include <livetape/wire/parse_status.hpp>
#include <livetape/wire/request_head.hpp>

namespace livetape::http {

/// Refuses an Expect field that says anything but `100-continue` (RFC 9110 §10.1.1).
/// @return error::none or error::expectation_failed
[[nodiscard]] inline error check_expectation(request_head const& head) noexcept {
    auto const expectation = head.field("Expect");
    if (!expectation) return error::none;
    bool const is_known =
        head.count("Expect") == 1 && equals_ignoring_case(*expectation, "100-continue");
    return is_known ? error::none : error::expectation_failed;
}

/// Whether the client waits for `100 Continue` before it sends the body. In HTTP/1.0 the
/// expectation is ignored (RFC 9110 §10.1.1).
[[nodiscard]] inline bool expects_continue(request_head const& head) noexcept {
    return head.minor_version() >= 1 && head.field("Expect") &&
           check_expectation(head) == error::none;
}

/// Collects one body, however it is delimited (RFC 9112 §6.3, §7.1), into memory up to a limit.
/// Thread safety: distinct objects safe; shared objects unsafe.
class body_reader {
public:
    static constexpr std::size_t chunk_extension_bytes_max =
        body_decoder::chunk_extension_bytes_max;
    static constexpr std::size_t extensions_bytes_max = body_decoder::extensions_bytes_max;
    static constexpr std::size_t trailer_bytes_max = body_decoder::trailer_bytes_max;

    /// @param head            what announces the body; not kept
    /// @param body_bytes_max  content bytes at most; a longer announcement fails at once
    body_reader(request_head const& head, std::size_t body_bytes_max)
        : decoder_{framing_of(head, failure_), body_bytes_max} {}

    /// Reads a body that is delimited as `framing` says.
    body_reader(body_framing framing, std::size_t body_bytes_max) noexcept
        : decoder_{framing, body_bytes_max} {}

    /// Takes bytes of the body from the front of `input` and no further. Feed an empty view first
    /// to learn whether there is a body at all, and whether it is acceptable.
    ///
    /// @return `done`: `body` is complete (at once if there is none); `failed`: see `failure`,
    ///         later input is not taken, and the connection must be closed. O(taken).
    [[nodiscard]] parse_status feed(std::string_view& input) {
        if (failure_ != error::none) return parse_status::failed;
        for (;;) {
            std::string_view content;
            auto const status = decoder_.next(input, content);
            // Memory is taken for what has arrived, not for what was announced.
            if (content.empty()) return status;
            body_.append(content);
        }
    }

    /// Says that the connection has ended; whether the body is complete with that.
    [[nodiscard]] bool end() noexcept { return failure_ == error::none && decoder_.end(); }

    /// Why `feed` fails: bad_content_length, bad_transfer_encoding, body_too_large,
    /// expectation_failed, or head_too_large for the trailer section; else none.
    [[nodiscard]] error failure() const noexcept {
        return failure_ != error::none ? failure_ : decoder_.failure();
    }

    /// What has come so far; the caller may move it out when `feed` said `done`.
    [[nodiscard]] std::string& body() noexcept { return body_; }

private:
    [[nodiscard]] static body_framing framing_of(request_head const& head, error& why) noexcept {
        body_framing framing;
        why = read_body_framing(head, framing);
        if (why == error::none) why = check_expectation(head);
        return framing;
    }

    error failure_ = error::none; // of the head; initialised before the decoder
    body_decoder decoder_;
    std::string body_;
};

} // namespace livetape::http
