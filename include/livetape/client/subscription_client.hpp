#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/post.hpp>

#include <livetape/client/checked_url.hpp>
#include <livetape/client/dial.hpp>
#include <livetape/client/feed_delivery.hpp>
#include <livetape/client/feed_event.hpp>
#include <livetape/client/feed_tracker.hpp>
#include <livetape/client/http_exchange.hpp>
#include <livetape/client/item_queue.hpp>
#include <livetape/client/reconnect_loop.hpp>
#include <livetape/client/websocket_client.hpp>
#include <livetape/wire/compression.hpp>
#include <livetape/wire/sse_parser.hpp>
#include <livetape/wire/url.hpp>

namespace livetape {

/// How a subscription client behaves; every limit has a default.
struct subscription_options {
    dial_options dial{};

    /// Sent with every request, the opening handshake's included; not to another host when a
    /// redirect leads there.
    request_fields fields{};

    /// Which events are wanted and how often, of those channels that have no delivery of their own
    /// (`subscribe_options::delivery`).
    feed_delivery delivery{};

    /// Which transports, in which order; how long to wait and when to give up.
    reconnect_options reconnect{};

    /// From a request, or the opening handshake, to the head of the response.
    std::chrono::milliseconds response_timeout{15'000};

    /// From there to the first byte of the subscription: a server sends some at once, so whoever
    /// lets none through keeps the others as well.
    std::chrono::milliseconds first_bytes_timeout{10'000};

    /// A connection that brings nothing for so long, not even a heartbeat, is taken for dead.
    /// Servers send one every 25 s.
    std::chrono::milliseconds silence_max{60'000};

    /// How long the server may hold a long-poll; below the 30 s of impatient proxies.
    std::chrono::seconds poll_wait{25};

    /// A WebSocket message, and the data of an event of a stream; above the 1 MiB of a server's
    /// `payload_bytes_max`, since base64 and the envelope come on top.
    std::size_t message_bytes_max = std::size_t{4} << 20;

    /// The answer to a poll; servers end one at about 1 MiB, or after one event.
    std::size_t poll_bytes_max = std::size_t{8} << 20;

    /// Items that wait to be taken before no more is read; what one read or one poll brought comes
    /// on top. The server holds the rest, and a subscriber who is too slow for its retention is
    /// told what it missed.
    std::size_t queue_items_max = 1000;

    /// Offered on WebSocket, as `websocket::permessage_deflate`; null for none.
    std::shared_ptr<websocket::compression const> compression{};
};

/// Follows channels of a livetape server, over whatever gets through: WebSocket, else Server-Sent
/// Events, else long-polling. Comes back when a connection ends and goes on where it was: each
/// event is handed out once, in its channel's order, and what the server could not keep is told as
/// a gap.
///
///     livetape::subscription_client feed{io.get_executor(), "http://127.0.0.1:8080/live"};
///     feed.subscribe("clock");
///     feed.next([](std::error_code ec, livetape::feed_item item) { … });
///
/// The URL is where the server's live paths are mounted, with the scheme http or https (ws and wss
/// mean the same). Nothing is sent before the first `next`. Several channels share a connection.
/// The executor runs all of it: one thread's, or a strand. Destroying the client closes the
/// connection and ends a pending `next` with operation_aborted.
/// Thread safety: distinct objects safe; shared objects unsafe, except that all of the functions
/// below may be called from any thread.
template <class Dialer = tcp_dialer>
class basic_subscription_client {
public:
    /// @throws std::system_error if the URL is malformed, or cannot be dialled (bad_url_scheme)
    basic_subscription_client(asio::any_io_executor executor, std::string_view address,
                              subscription_options options = {}, Dialer dialer = Dialer{})
        : state_{std::make_shared<state>(executor, detail::checked_url<Dialer>(address),
                                         std::move(options), std::move(dialer))} {}
    basic_subscription_client(basic_subscription_client const&) = delete;
    basic_subscription_client& operator=(basic_subscription_client const&) = delete;
    ~basic_subscription_client() { close(); }

    /// Adds a channel, or all channels of a pattern (docs/protocol.md), those to come included. If
    /// it cannot be had, a `feed_refusal` says so and the others go on; when the
    /// last one is refused, that ends it all. One that is there already is refused with
    /// error::already_subscribed and stays.
    void subscribe(std::string channel, subscribe_options options = {}) {
        asio::post(state_->context(), [s = state_, channel = std::move(channel),
                                       options = std::move(options)]() mutable {
            s->subscribe(std::move(channel), std::move(options));
        });
    }

    /// Removes a channel; events of it that wait to be taken still come.
    void unsubscribe(std::string channel) {
        asio::post(state_->context(),
                   [s = state_, channel = std::move(channel)] { s->unsubscribe(channel); });
    }

    /// Delivers a channel, or a pattern's channels, in another way from now on, also after the
    /// connection was cut. Nothing is lost or comes twice by it. What the server refuses is told by
    /// a `feed_refusal` and stays as it was (over other transports than WebSocket, the
    /// subscription ends). Does nothing if the client does not have the channel.
    void change(std::string channel, feed_delivery to) {
        asio::post(state_->context(),
                   [s = state_, channel = std::move(channel), to = std::move(to)]() mutable {
                       s->change(channel, std::move(to));
                   });
    }

    /// Moves the keys of a channel that is followed by keys; nothing changes for one that is not.
    /// On WebSocket the newest event of a key that is added comes at once; over the other
    /// transports its next one.
    void add_keys(std::string channel, std::vector<std::string> keys) {
        move_keys(std::move(channel), std::move(keys), {});
    }
    void remove_keys(std::string channel, std::vector<std::string> keys) {
        move_keys(std::move(channel), {}, std::move(keys));
    }

    /// Takes so many more flushes of a channel with a limit of credit.
    void give_credit(std::string channel, std::uint32_t flushes) {
        asio::post(state_->context(), [s = state_, channel = std::move(channel), flushes] {
            s->give_credit(channel, flushes);
        });
    }

    /// Takes the next item: an event, a gap, a refusal, or what became of the connection.
    ///
    /// @param token  for `void(std::error_code, feed_item)`. Cancelling loses no item. At the end,
    ///               why there are no more: what the server named (error::unknown_channel,
    ///               error::not_authorized, error::bad_cursor …), error::connection_closed after a
    ///               close code that stays, error::unexpected_status, error::redirect_refused, or
    ///               what the last of `attempts_max` attempts met.
    template <class CompletionToken>
    auto next(CompletionToken&& token) {
        return state_->queue->take([s = state_] { s->read_on(); },
                                   std::forward<CompletionToken>(token));
    }

    /// Ends it; whoever waits gets operation_aborted.
    void close() {
        asio::post(state_->context(), [s = state_] { s->close(); });
    }

private:
    struct state;

    void move_keys(std::string channel, std::vector<std::string> added,
                   std::vector<std::string> removed) {
        asio::post(state_->context(),
                   [s = state_, channel = std::move(channel), added = std::move(added),
                    removed = std::move(removed)] { s->move_keys(channel, added, removed); });
    }

    std::shared_ptr<state> state_;
};

/// Over TCP; `basic_subscription_client<tls_dialer>` speaks TLS too.
using subscription_client = basic_subscription_client<>;

} // namespace livetape

#include <livetape/client/impl/subscription_client.ipp>
