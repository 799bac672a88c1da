#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>

#include <livetape/client/checked_url.hpp>
#include <livetape/client/dial.hpp>
#include <livetape/client/http_exchange.hpp>
#include <livetape/client/item_queue.hpp>
#include <livetape/client/reconnect_loop.hpp>
#include <livetape/error.hpp>
#include <livetape/wire/characters.hpp>
#include <livetape/wire/sse_parser.hpp>
#include <livetape/wire/url.hpp>

namespace livetape {

/// An event of an event stream (WHATWG HTML §9.2).
struct sse_event {
    std::string type; ///< "message" if the stream gave none
    std::string data;
    std::string last_event_id; ///< of this or of an earlier event
};

/// How an event stream is read.
struct sse_client_options {
    http_options http{};

    /// `transports` does not matter here.
    reconnect_options reconnect{};

    /// A stream that brings nothing for so long, not even a comment, is taken for dead. livetape's
    /// servers send one every 25 s.
    std::chrono::milliseconds silence_max{60'000};

    /// Bytes of a line and of an event's data.
    sse::parser_limits parser{};

    /// Events that wait to be taken before no more is read.
    std::size_t queue_events_max = 1000;

    /// What is sent as `Last-Event-ID` with the first request; empty for none.
    std::string last_event_id{};
};

/// Reads an event stream as a browser's EventSource does (WHATWG HTML §9.2): comes back with the
/// last event ID when the connection ends, waits as long as the stream asked to, and stops for good
/// when it is answered with 204 or with what is no event stream.
///
///     livetape::sse_client client{io.get_executor(),
///                                 "http://127.0.0.1:8080/live/sse?channel=clock"};
///     client.next([](std::error_code ec, livetape::sse_event event) { … });
///
/// Nothing is sent before the first `next`. The executor runs all of it: one thread's, or a strand.
/// Destroying the client closes the connection and ends a pending `next` with operation_aborted.
/// Thread safety: distinct objects safe; shared objects unsafe, except `next` and `close`.
template <class Dialer = tcp_dialer>
class basic_sse_client {
public:
    /// @throws std::system_error if the URL is malformed, or cannot be dialled (bad_url_scheme)
    basic_sse_client(asio::any_io_executor executor, std::string_view address,
                     sse_client_options options = {}, Dialer dialer = Dialer{})
        : state_{std::make_shared<state>(executor, detail::checked_url<Dialer>(address),
                                         std::move(options), std::move(dialer))} {}
    basic_sse_client(basic_sse_client const&) = delete;
    basic_sse_client& operator=(basic_sse_client const&) = delete;
    ~basic_sse_client() { close(); }

    /// Takes the next event, in order; each once.
    ///
    /// @param token  for `void(std::error_code, sse_event)`. Cancelling loses no event. After the
    ///               last one, why there are no more: error::no_content, error::bad_content_type,
    ///               error::unexpected_status, error::redirect_refused, error::message_too_large,
    ///               or what the last of `attempts_max` attempts met.
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

    std::shared_ptr<state> state_;
};

/// Over TCP; `basic_sse_client` with another dialer speaks TLS too.
using sse_client = basic_sse_client<>;

template <class Dialer>
struct basic_sse_client<Dialer>::state final : detail::reconnect_loop {
    state(asio::any_io_executor const& executor, url at, sse_client_options options_of,
          Dialer dialer)
        : reconnect_loop{executor, for_sse(options_of.reconnect)},
          queue{std::make_shared<detail::item_queue<sse_event>>(executor)}, place{std::move(at)},
          options{std::move(options_of)}, parser{options.parser},
          last_event_id{options.last_event_id}, exchange{
                                                    std::make_shared<detail::http_exchange<Dialer>>(
                                                        executor, std::move(dialer),
                                                        options.http)} {}

    static reconnect_options for_sse(reconnect_options from) {
        from.transports = {feed_transport::sse};
        return from;
    }

    [[nodiscard]] asio::any_io_executor const& context() const noexcept { return executor(); }

    /// What callbacks hold: the exchange has them and belongs to this.
    [[nodiscard]] std::weak_ptr<state> weak() {
        return std::static_pointer_cast<state>(shared_from_this());
    }

    void attempt(reconnect_fsm::connect const& how) override {
        request_fields fields;
        // RFC 9110 §5.5: what is no field value is not sent; an ID with line ends cannot be.
        if (!last_event_id.empty() && http::is_field_value(last_event_id))
            fields.emplace_back("Last-Event-ID", last_event_id);
        fields.emplace_back("Cache-Control", "no-store");
        parser.restart();
        exchange->open(how.at.value_or(place), "text/event-stream", fields,
                       options.http.response_timeout,
                       [w = weak()](std::optional<disconnect> failed) {
                           auto const s = w.lock();
                           if (!s) return;
                           if (failed) return s->end(std::move(*failed));
                           s->is_open = true;
                           s->is_live();
                           s->read_on();
                       });
    }

    void backs_off(std::chrono::milliseconds, disconnect const&) override {}
    void gave_up(std::error_code ec) override { queue->finish(ec); }

    /// Reads as long as there is room for what comes.
    void read_on() {
        begin();
        if (!is_open || is_reading || queue->size() >= options.queue_events_max) return;
        is_reading = true;
        exchange->read(options.silence_max,
                       [w = weak()](std::error_code ec, std::string_view content) {
                           auto const s = w.lock();
                           if (!s) return;
                           s->is_reading = false;
                           if (!ec && !content.empty()) return s->take(content);
                           s->end({.ec = ec ? ec : make_error_code(asio::error::eof),
                                   .was_reached = true,
                                   .was_live = true});
                       });
    }

    void take(std::string_view content) {
        sse::event found;
        auto status = parser.next(content, found);
        for (; status == parse_status::done; status = parser.next(content, found))
            queue->push({std::string{found.type}, std::string{found.data},
                         std::string{found.last_event_id}});
        last_event_id = parser.last_event_id();
        if (status != parse_status::failed) return read_on();
        // It would be as long the next time.
        exchange->close();
        is_open = false;
        stop();
        queue->finish(parser.failure());
    }

    void end(disconnect how) {
        is_open = false;
        how.requested_delay = std::max(
            how.requested_delay, parser.reconnection_time().value_or(std::chrono::milliseconds{0}));
        ended(how);
    }

    void close() {
        stop();
        is_open = false;
        exchange->close();
        queue->clear();
        queue->finish(asio::error::operation_aborted);
    }

    std::shared_ptr<detail::item_queue<sse_event>> queue;
    url place;
    sse_client_options options;
    sse::parser parser;
    std::string last_event_id;
    std::shared_ptr<detail::http_exchange<Dialer>> exchange;
    bool is_open = false;
    bool is_reading = false;
};

} // namespace livetape
