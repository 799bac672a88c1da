#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>

#include <livetape/client/checked_url.hpp>
#include <livetape/client/dial.hpp>
#include <livetape/client/http_exchange.hpp>
#include <livetape/client/item_queue.hpp>
#include <livetape/client/poll_limit.hpp>
#include <livetape/client/reconnect_loop.hpp>
#include <livetape/error.hpp>
#include <livetape/wire/query.hpp>
#include <livetape/wire/url.hpp>

namespace livetape {

/// The answer to a poll.
struct poll_response {
    std::string body;   ///< the JSON of docs/protocol.md: cursor, gaps and events
    std::string cursor; ///< what the next poll carries
};

/// How a channel is polled.
struct poll_client_options {
    http_options http{};

    /// `transports` does not matter here.
    reconnect_options reconnect{};

    /// How long the server may wait for an event; below the 30 s of impatient proxies. The answer
    /// is due `response_timeout` later.
    std::chrono::seconds wait{25};

    /// Events in one answer at most; 0 for what the server gives.
    std::size_t events_max = 0;

    /// Bytes of one answer; livetape's servers end one at about 1 MiB, or after one event.
    std::size_t body_bytes_max = std::size_t{8} << 20;

    /// Where to begin; empty for what comes from now on.
    std::string cursor{};
};

namespace detail {

/// The cursor in an entity tag: `"<cursor>"` (RFC 9110 §8.8.3); empty if there is none.
[[nodiscard]] inline std::string_view cursor_of(http::response_head const& head) {
    auto tag = head.field("ETag").value_or(std::string_view{});
    if (tag.starts_with("W/")) tag.remove_prefix(2); // somebody in between re-encoded the body
    if (tag.size() < 2 || tag.front() != '"' || tag.back() != '"') return {};
    return tag.substr(1, tag.size() - 2);
}

} // namespace detail

/// Follows channels by long-polling: one request after the other on one connection, each with the
/// cursor of the answer before; comes back after failures, with the cursor.
///
///     livetape::poll_client client{io.get_executor(),
///                                  "http://127.0.0.1:8080/live/poll?channel=clock"};
///     client.next([](std::error_code ec, livetape::poll_response answer) { … });
///
/// The URL names the channels; `cursor`, `wait` and `limit` are added. One answer is fetched ahead.
/// The executor runs all of it: one thread's, or a strand. Destroying the client closes the
/// connection and ends a pending `next` with operation_aborted.
/// Thread safety: distinct objects safe; shared objects unsafe, except `next` and `close`.
template <class Dialer = tcp_dialer>
class basic_poll_client {
public:
    /// @throws std::system_error if the URL is malformed, or cannot be dialled (bad_url_scheme)
    basic_poll_client(asio::any_io_executor executor, std::string_view address,
                      poll_client_options options = {}, Dialer dialer = Dialer{})
        : state_{std::make_shared<state>(executor, detail::checked_url<Dialer>(address),
                                         std::move(options), std::move(dialer))} {}
    basic_poll_client(basic_poll_client const&) = delete;
    basic_poll_client& operator=(basic_poll_client const&) = delete;
    ~basic_poll_client() { close(); }

    /// Takes the next answer. One without events comes when the wait has passed.
    ///
    /// @param token  for `void(std::error_code, poll_response)`. Cancelling loses no answer. At the
    ///               end, why there are no more: error::unexpected_status for a status that stays,
    ///               error::bad_content_type, error::bad_envelope (no cursor),
    ///               error::redirect_refused, or what the last of `attempts_max` attempts met.
    template <class CompletionToken>
    auto next(CompletionToken&& token) {
        return state_->queue->take([s = state_] { s->poll_on(); },
                                   std::forward<CompletionToken>(token));
    }

    /// Ends it; whoever waits gets operation_aborted.
    void close() {
        asio::post(state_->context(), [s = state_] { s->close(); });
    }

private:
    struct state;

    std::shared_ptr<state> state_;
};

/// Over TCP; `basic_poll_client` with another dialer speaks TLS too.
using poll_client = basic_poll_client<>;

template <class Dialer>
struct basic_poll_client<Dialer>::state final : detail::reconnect_loop {
    state(asio::any_io_executor const& executor, url at, poll_client_options options_of,
          Dialer dialer)
        : reconnect_loop{executor, for_poll(options_of.reconnect)},
          queue{std::make_shared<detail::item_queue<poll_response>>(executor)},
          place{std::move(at)}, options{std::move(options_of)}, cursor{options.cursor},
          exchange{std::make_shared<detail::http_exchange<Dialer>>(executor, std::move(dialer),
                                                                   options.http)} {}

    static reconnect_options for_poll(reconnect_options from) {
        from.transports = {feed_transport::poll};
        return from;
    }

    [[nodiscard]] asio::any_io_executor const& context() const noexcept { return executor(); }

    void attempt(reconnect_fsm::connect const& how) override {
        redirected = how.at;
        is_ready = true;
        poll_on();
    }

    void backs_off(std::chrono::milliseconds, disconnect const&) override {}
    void gave_up(std::error_code ec) override { queue->finish(ec); }

    void poll_on() {
        begin();
        if (!is_ready || queue->size() != 0) return;
        is_ready = false;
        // A redirect's target has the parameters already.
        auto at = redirected.value_or(place);
        auto const wait = cursor.empty() ? std::chrono::seconds{0} : options.wait;
        if (!redirected) {
            // Without one, ask for the place that is now: what comes while the answer is lost on
            // its way is not.
            http::append_parameter(at.target, "cursor", cursor.empty() ? "now" : cursor);
            http::append_parameter(at.target, "wait", std::to_string(wait.count()));
            if (auto const events = limit.parameter(); events != 0)
                http::append_parameter(at.target, "limit", std::to_string(events));
        }
        redirected.reset();
        exchange->fetch(at, "application/json", options.http.response_timeout + options.wait,
                        options.body_bytes_max,
                        [w = std::weak_ptr{std::static_pointer_cast<state>(shared_from_this())}](
                            std::optional<disconnect> failed, std::string body) {
                            auto const s = w.lock();
                            if (!s) return;
                            if (!failed) return s->take(std::move(body));
                            if (failed->was_cut_short) s->limit.failed();
                            s->ended(*failed);
                        });
    }

    void take(std::string body) {
        auto const next = detail::cursor_of(exchange->head());
        if (next.empty()) {
            exchange->close();
            stop();
            return queue->finish(error::bad_envelope);
        }
        is_live();
        limit.succeeded();
        cursor = next;
        is_ready = true;
        queue->push({std::move(body), cursor});
        poll_on();
    }

    void close() {
        stop();
        is_ready = false;
        exchange->close();
        queue->clear();
        queue->finish(asio::error::operation_aborted);
    }

    std::shared_ptr<detail::item_queue<poll_response>> queue;
    url place;
    poll_client_options options;
    detail::poll_limit limit{options.events_max};
    std::string cursor;
    std::shared_ptr<detail::http_exchange<Dialer>> exchange;
    std::optional<url> redirected;
    bool is_ready = false; // connected or not, no request is under way and one may be sent
};

} // namespace livetape
