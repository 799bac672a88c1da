// Publishes numbered, timed events on the channel `feed`, by every transport below /live, and
// echoes WebSocket messages at /echo: what the other benchmarks measure. For instance:
//
//   feed_server --port 8080 --rate 10 &
//   curl -N 'http://127.0.0.1:8080/live/sse/raw/feed'

#include <livetape/livetape.hpp>
#include <livetape/net/shard.hpp>
#include <livetape/wire/deflate.hpp>

#include "support/client_socket.hpp"
#include "support/feed_payload.hpp"

#include <CLI/CLI.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

namespace {

struct feed_options {
    std::size_t size = 64;   ///< bytes of a payload
    double rate = 0;         ///< bursts per second; 0: as fast as subscribers drain
    std::uint64_t batch = 1; ///< events of a burst
    std::uint64_t lead = 0;  ///< events that the slowest may be behind; 0: as memory allows
    std::int64_t second_after_us = 0; ///< repeats each burst after this long; 0: does not
    bool has_rows = false;            ///< payloads hold text that compresses as JSON does
};

/// Events that the slowest subscriber may be behind: some 2 MiB of payloads.
std::uint64_t lead_of(feed_options const& options) {
    auto const fitting = std::clamp<std::uint64_t>((2u << 20) / (options.size + 64), 2, 4096);
    return std::max(options.lead > 0 ? options.lead : fitting, options.batch);
}

/// Twice the lead and more, so that retention never passes a subscriber.
livetape::channel_options retention_for(feed_options const& options) {
    auto const bytes_per_event = options.size + 64;
    livetape::channel_options kept;
    kept.log_bytes_max = std::max(kept.log_bytes_max, 4 * lead_of(options) * bytes_per_event);
    kept.payload_bytes_max = std::max(kept.payload_bytes_max, options.size);
    return kept;
}

/// Publishes on the server's own thread: in time with a clock, or in time with the subscribers.
class publisher {
public:
    publisher(asio::io_context& io, livetape::channel& to, feed_options const& options)
        : io_{io}, wakes_{livetape::shard::of(io).wakes()}, to_{to}, options_{options},
          lead_{lead_of(options)}, timer_{io}, payload_(options.size, 'x') {}

    void start() {
        due_ = std::chrono::steady_clock::now();
        if (options_.rate > 0) publish_next_by_clock();
        else publish_when_drained();
    }

    void stop() {
        has_stopped_ = true;
        timer_.cancel();
    }

private:
    void publish_burst() {
        for (std::uint64_t i = 0; i < options_.batch; ++i) {
            benchmarks::write_payload(payload_, to_.last_offset() + 1, benchmarks::monotonic_ns());
            if (options_.has_rows) benchmarks::write_rows(payload_, to_.last_offset() + 1);
            to_.publish(payload_);
        }
    }

    template <class Action>
    void at(std::chrono::steady_clock::time_point when, Action action) {
        timer_.expires_at(when);
        timer_.async_wait([this, action](std::error_code ec) {
            if (!ec && !has_stopped_) action();
        });
    }

    void publish_next_by_clock() {
        due_ += std::chrono::nanoseconds{static_cast<std::int64_t>(1e9 / options_.rate)};
        at(due_, [this] {
            publish_burst();
            if (options_.second_after_us == 0) return publish_next_by_clock();
            at(std::chrono::steady_clock::now() +
                   std::chrono::microseconds{options_.second_after_us},
               [this] {
                   publish_burst();
                   publish_next_by_clock();
               });
        });
    }

    /// The next burst goes out when everybody whose socket takes bytes has the last one, unless a
    /// socket has been full for so long that its subscriber would fall behind the log.
    void publish_when_drained() {
        if (has_stopped_) return;
        if (wakes_.is_idle()) {
            if (!has_room()) {
                constexpr std::chrono::microseconds pause{200};
                return at(std::chrono::steady_clock::now() + pause,
                          [this] { publish_when_drained(); });
            }
            publish_burst();
        }
        asio::post(io_, [this] { publish_when_drained(); });
    }

    /// Asks how far the slowest is only once per lead, because the answer costs a look at each.
    bool has_room() {
        auto const after = to_.last_offset() + options_.batch;
        if (after <= allowed_offset_) return true;
        auto const slowest = wakes_.slowest_offset(to_);
        if (!slowest) return false;
        allowed_offset_ = *slowest + lead_;
        return after <= allowed_offset_;
    }

    asio::io_context& io_;
    livetape::dispatcher& wakes_;
    livetape::channel& to_;
    feed_options options_;
    std::uint64_t lead_;
    std::uint64_t allowed_offset_ = 0;
    asio::steady_timer timer_;
    std::chrono::steady_clock::time_point due_;
    std::string payload_;
    bool has_stopped_ = false;
};

} // namespace

int main(int argc, char** argv) {
    CLI::App arguments{"Publishes numbered events on channel feed by every transport below /live."};
    std::uint16_t port = 8080;
    feed_options options;
    arguments.add_option("--port", port, "Port to listen on; 0 lets the system choose")
        ->capture_default_str();
    arguments.add_option("--size", options.size, "Bytes of a payload")
        ->check(CLI::Range(benchmarks::payload_bytes_min, std::size_t{512} << 10))
        ->capture_default_str();
    arguments
        .add_option("--rate", options.rate, "Bursts per second; 0: as fast as subscribers drain")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    arguments.add_option("--batch", options.batch, "Events of a burst, one turn of the loop")
        ->check(CLI::Range(1, 1 << 16))
        ->capture_default_str();
    arguments.add_option("--lead", options.lead,
                         "With rate 0: events that the slowest subscriber may be behind");
    arguments.add_option("--second-after", options.second_after_us,
                         "With a rate: publish each burst again after so many microseconds");
    bool has_deflate = false;
    arguments.add_flag("--rows", options.has_rows, "Payloads hold rows instead of one letter");
    arguments.add_flag("--deflate", has_deflate, "Agree on permessage-deflate");
    CLI11_PARSE(arguments, argc, argv);

    benchmarks::raise_file_limit();
    asio::io_context io{1};
    livetape::hub hub{retention_for(options)};
    livetape::channel& feed = hub.open("feed");

    livetape::server server{io.get_executor(), hub};
    livetape::live_options from_anywhere;
    from_anywhere.origins = livetape::http::origin_policy{{"*"}};
    if (has_deflate)
        from_anywhere.compression = std::make_shared<livetape::websocket::permessage_deflate>();
    server.live("/live", from_anywhere);
    server.websocket(
        "/echo",
        [](livetape::websocket_link& link, livetape::websocket::opcode code,
           std::string_view payload) { link.send(code, payload); },
        from_anywhere);

    std::error_code ec;
    auto const at = server.listen({asio::ip::tcp::v4(), port}, {}, ec);
    if (ec) {
        std::cerr << "feed_server: cannot listen on port " << port << ": " << ec.message() << '\n';
        return 1;
    }
    std::cout << "feed_server: http://127.0.0.1:" << at.port() << "/live" << std::endl;

    publisher publishes{io, feed, options};
    publishes.start();
    asio::signal_set signals{io, SIGINT, SIGTERM};
    signals.async_wait([&](std::error_code, int) {
        publishes.stop();
        server.stop();
    });
    io.run();
}
