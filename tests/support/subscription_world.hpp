#pragma once

#include <livetape/channel/hub.hpp>
#include <livetape/client/subscription_client.hpp>
#include <livetape/net/server.hpp>

#include <support/scripted_server.hpp>

#include <doctest/doctest.h>

#include <asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

// Client, server and what stands between them on one io_context and one thread: nothing sleeps, and
// waits between attempts are a millisecond.

namespace livetape::test {

inline constexpr auto by_websocket = feed_transport::websocket;
inline constexpr auto by_sse = feed_transport::sse;
inline constexpr auto by_poll = feed_transport::poll;

using transport_list = std::vector<feed_transport>;

inline std::vector<transport_list> const each_alone{{by_websocket}, {by_sse}, {by_poll}};

/// Goes from one attempt to the next without a wait worth the name.
inline subscription_options quick(transport_list transports = {by_websocket, by_sse, by_poll}) {
    subscription_options options;
    options.reconnect.transports = std::move(transports);
    options.reconnect.backoff = {.delay_min = std::chrono::milliseconds{1},
                                 .delay_max = std::chrono::milliseconds{2},
                                 .requested_delay_max = std::chrono::milliseconds{2}};
    return options;
}

inline std::string cursor_text(channel const& of, std::uint64_t offset) {
    std::string text;
    append_position(text, {of.epoch(), offset});
    return text;
}

/// A server and what its client brings.
struct subscription_world {
    explicit subscription_world(channel_options const& channels = {}) { start(channels); }

    /// A server that knows nothing of the one before it.
    void start(channel_options const& channels = {}) {
        served.reset();
        all = std::make_unique<hub>(channels);
        served.emplace(io.get_executor(), *all);
        served->live("/live");
        port = served->listen({asio::ip::address_v4::loopback(), 0}).port();
    }

    [[nodiscard]] std::string address() const {
        return "http://127.0.0.1:" + std::to_string(port) + "/live";
    }

    feed_item take(subscription_client& feed) {
        auto taken = take_next<feed_item>(io, feed);
        REQUIRE_MESSAGE(!taken.first, taken.first.message());
        return std::move(taken.second);
    }

    /// The next item that is no change of state, as text.
    std::string next(subscription_client& feed) {
        for (;;) {
            auto const item = take(feed);
            if (auto const* const event = std::get_if<feed_event>(&item))
                return event->channel + std::to_string(event->offset) + '=' + event->data;
            if (auto const* const gap = std::get_if<feed_gap>(&item))
                return gap->channel + '!' + std::to_string(gap->from) + '-' +
                       std::to_string(gap->to) + ' ' + gap->reason;
            if (auto const* const refusal = std::get_if<feed_refusal>(&item))
                return refusal->channel + '?' +
                       std::string{describe(static_cast<error>(refusal->ec.value())).name};
            if (auto const* const waiting = std::get_if<feed_waiting>(&item))
                waits.push_back(waiting->why);
        }
    }

    /// Runs until a condition holds.
    template <class Condition>
    void until(Condition const& holds) {
        while (!holds()) {
            io.restart();
            io.run_one();
        }
    }

    /// Whether the server has one subscription to a channel, and it is delivered so.
    template <class Judge>
    [[nodiscard]] bool is_delivered(std::string_view channel, Judge const& judge) {
        auto const source = all->find(channel);
        if (source->subscriber_count() != 1) return false;
        bool is_so = false;
        shard::of(io).wakes().feed(source).subscriptions.for_each(
            [&](subscription const& each) { is_so = judge(each.delivery()); });
        return is_so;
    }

    [[nodiscard]] bool has_keys(std::string_view channel, std::vector<std::string> const& keys) {
        return is_delivered(channel, [&](auto const& how) { return how.keys == keys; });
    }

    /// The transport that works next.
    feed_transport live(subscription_client& feed) {
        for (;;)
            if (auto const item = take(feed);
                auto const* const live = std::get_if<feed_live>(&item))
                return live->transport;
    }

    std::error_code end_of(subscription_client& feed) {
        for (;;)
            if (auto const ec = take_next<feed_item>(io, feed).first) return ec;
    }

    asio::io_context io;
    std::unique_ptr<hub> all;
    std::optional<server> served;
    std::uint16_t port = 0;
    std::vector<disconnect> waits;
};

} // namespace livetape::test
