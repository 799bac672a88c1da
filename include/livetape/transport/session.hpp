#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <livetape/channel/dispatcher.hpp>
#include <livetape/channel/subscriber.hpp>
#include <livetape/channel/write_batch.hpp>
#include <livetape/error.hpp>
#include <livetape/time.hpp>
#include <livetape/transport/endpoint.hpp>
#include <livetape/wire/request_head.hpp>

namespace livetape {

/// What a session is made with besides the request.
struct session_context {
    live_endpoint& endpoint;
    dispatcher& wakes; ///< of the shard that drives the session
    time_point now;
    std::uint32_t random = 0; ///< for jitter
};

/// Whether a session still wants its stream.
enum class session_end : std::uint8_t {
    none,     ///< it goes on
    close,    ///< close once everything is written; the peer may still be sending
    finished, ///< close once everything is written; both sides have said good-bye
    handback, ///< the exchange is over once everything is written; the stream can go on
    abort,    ///< close at once: the peer takes nothing, or is gone
};

/// One client on one transport: a state machine that bytes and the time go into and bytes, a
/// deadline and the wish to close come out of. It does no I/O, so that whoever has a connection
/// can drive it: Asio, another event loop, a host's own server, a simulation.
///
/// - `feed(bytes, now)`: what arrived. The bytes may be changed in place; nothing of them is kept.
/// - `end_of_input(now)`: the peer will send nothing more.
/// - `gather(batch, now)`: what should be written now, bounded by the batch; empty if nothing is.
/// - `settle(batch, written, now)`: how much of the batch was written; every gather is settled
///   before the next.
/// - `wake(now)`: time has passed; answers when to be woken next, at the latest.
/// - `end()`: whether, and how, to close.
/// - `shut_down(now)`: the server is stopping; say good-bye in the transport's way.
/// - `cursors()`: what the driver asks to be called by when events are due.
/// - `take_unread()`: what was fed and belongs to the next request on the stream.
/// - `wants_input()`, if it has that: false while so much waits to be written that nothing should
///   be read, nor the end of input told. A write that is settled may change it, and so may `wake`
///   and `shut_down`. What a driver feeds all the same is kept, but within limits.
/// - `dismiss(identity, why, now)`, if it has that: ends the session if it is of that identity,
///   and says why in the transport's way.
template <class S>
concept session = requires(S s, S const c, std::span<char> bytes, write_batch& batch,
                           std::size_t written, time_point now) {
    s.feed(bytes, now);
    s.end_of_input(now);
    s.gather(batch, now);
    s.settle(batch, written, now);
    { s.wake(now) } -> std::same_as<time_point>;
    { c.end() } -> std::same_as<session_end>;
    s.shut_down(now);
    { s.cursors() } -> std::same_as<subscriber&>;
    { s.take_unread() } -> std::same_as<std::string>;
};

/// What a client sends ahead of an answer, of its next requests, is taken until it comes to this;
/// then nothing more is read before the answer has gone. About what one read brings.
inline constexpr std::size_t pipelined_bytes_max = std::size_t{64} << 10;

/// Whether a driver should go on reading for a session.
template <session S>
[[nodiscard]] bool wants_input(S const& of) noexcept {
    if constexpr (requires { of.wants_input(); }) return of.wants_input();
    else return true;
}

/// A way to serve: says whether a request is its own, and makes the session for it.
///
/// `path` is the request's path below the place where the server is mounted, percent-encoded and
/// beginning with '/'. A session is always made; one that must be refused answers so and closes.
template <class T>
concept transport = session<typename T::session> &&
    requires(http::request_head const& head, std::string_view path,
             session_context const& context) {
    { T::matches(head, path) } -> std::same_as<bool>;
    requires std::constructible_from<typename T::session, session_context const&,
                                     http::request_head const&, std::string_view>;
};

} // namespace livetape
