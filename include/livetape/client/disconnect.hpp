#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>

#include <livetape/error.hpp>
#include <livetape/wire/url.hpp>

namespace livetape {

/// What a client gets events over, the preferred first.
enum class feed_transport : std::uint8_t { websocket, sse, poll };

/// How an attempt to connect, or a connection, ended.
struct disconnect {
    /// What is told to the caller if it was the last attempt: the system's error, one that the
    /// server named, or the library's own.
    std::error_code ec{};

    /// Status of the response that ended it; 0 if there was none, or the one that was wanted.
    unsigned http_status = 0;

    /// Code of the server's close frame; 0 if none came.
    std::uint16_t close_code = 0;

    /// What the server asked to wait: `Retry-After`, or `retry` of an event stream; 0 if nothing.
    std::chrono::milliseconds requested_delay{0};

    /// Where a redirect leads, if it may be followed.
    std::optional<url> redirect{};

    /// The server's own words, for people: a close reason, or the message of a refusal.
    std::string reason{};

    /// The host was reached: a TCP connection came about, and with TLS its handshake.
    bool was_reached = false;

    /// The body of a response began and did not come to its end.
    bool was_cut_short = false;

    /// The transport worked: the server's side of the protocol was seen on it.
    bool was_live = false;
};

/// What to do after a disconnect.
enum class reconnect_verdict : std::uint8_t {
    retry,     ///< wait, then the same transport again
    fall_back, ///< this transport does not get through here; try the next one
    redirect,  ///< the same transport at another place
    finish,    ///< coming back makes no sense before something was changed
};

namespace detail {

/// Whether it makes sense to come back after a close frame (RFC 6455 §7.4, docs/protocol.md).
[[nodiscard]] constexpr reconnect_verdict judge_close_code(std::uint16_t code) noexcept {
    using enum reconnect_verdict;
    switch (code) {
    case 1001: // going away
    case 1005: // no code
    case 1006: // no close frame
    case 1011: // the server failed
    case 1012: // restarts
    case 1013: // try again later
    case 1014: // the gateway failed
    case 3008: // timeout
        return retry;
    default:
        // What the protocol or the person at the other end has decided stays so. Of the private
        // codes the lower half says "come back"; livetape's own are there.
        return code >= 4000 && code <= 4499 ? retry : finish;
    }
}

[[nodiscard]] constexpr bool is_temporary_status(unsigned status) noexcept {
    return status == 408 || status == 425 || status == 429 || status >= 500;
}

/// What a refused upgrade means. A proxy that does not know the upgrade answers as if it had not
/// been asked for (200, 400, 426), or fails (501, 502); another transport passes there.
[[nodiscard]] constexpr reconnect_verdict judge_upgrade_status(unsigned status) noexcept {
    using enum reconnect_verdict;
    switch (status) {
    case 401:
    case 404:
    case 407:
    case 410: return finish;
    case 501:
    case 502:
    case 505: return fall_back;
    default: return is_temporary_status(status) ? retry : fall_back;
    }
}

/// What a status means in answer to a plain request. 204 tells an event stream's reader to stay
/// away (WHATWG HTML §9.2.3).
[[nodiscard]] constexpr reconnect_verdict judge_status(unsigned status,
                                                       feed_transport over) noexcept {
    using enum reconnect_verdict;
    if (over == feed_transport::websocket) return judge_upgrade_status(status);
    if (status == 204) return finish;
    if (status == 405 || status == 406) return over == feed_transport::sse ? fall_back : finish;
    if (is_temporary_status(status)) return retry;
    // Another 2xx, or 200 with content that is not the transport's: somebody in between answered.
    if (status < 300) return fall_back;
    return finish;
}

} // namespace detail

/// Says what to do after a disconnect. O(1).
[[nodiscard]] inline reconnect_verdict judge(disconnect const& how, feed_transport over) noexcept {
    using enum reconnect_verdict;
    if (how.redirect) return redirect;
    if (how.ec == error::redirect_refused) return finish;
    // The server wants another certificate; this one does not become better by waiting.
    if (how.ec == error::tls_handshake_failed) return finish;
    if (how.close_code != 0) return detail::judge_close_code(how.close_code);
    if (how.http_status != 0) return detail::judge_status(how.http_status, over);
    return how.was_live || !how.was_reached ? retry : fall_back;
}

/// Finds where a redirect leads, and whether it may be followed: never from TLS to without (RFC
/// 9110 §15.4 leaves that to the client; what was sent in secret would be sent in the open).
///
/// @param target  written only when the answer is error::none
/// @return error::redirect_refused if there is no place to go to, or one that may not be gone to
[[nodiscard]] inline error resolve_redirect(url const& from, std::string_view location,
                                            url& target) {
    url found;
    if (location.empty() || resolve_url(from, location, found) != error::none)
        return error::redirect_refused;
    if (from.is_secure() && !found.is_secure()) return error::redirect_refused;
    target = std::move(found);
    return error::none;
}

/// Whether the status is a redirect that a GET follows (RFC 9110 §15.4).
[[nodiscard]] constexpr bool is_redirect(unsigned status) noexcept {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

} // namespace livetape
