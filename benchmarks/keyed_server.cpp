// Publishes keyed events on one channel or many, by the clock, to subscribers that choose how they
// want them: newest per key, at their own rate, some keys. What `watchers` measures. For instance:
//
//   keyed_server --port 8080 --keys 100 --rate 100000 &
//   watchers --port 8080 --pid $! --mode latest --rate 10

#include <livetape/livetape.hpp>

#include "support/client_socket.hpp"
#include "support/feed_payload.hpp"
#include "support/process_usage.hpp"

#include <CLI/CLI.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>
#include <system_error>
#include <vector>

namespace {

struct publish_plan {
    std::size_t channels = 1;
    std::size_t keys = 100;      ///< of each channel; 0: events have none
    double rate = 100'000;       ///< events per second, over all channels
    std::size_t size = 64;       ///< bytes of a payload
    std::uint64_t bytes_max = 0; ///< of payloads, after which it stops; 0: it does not
};

/// Publishes what is due once a millisecond, to a channel and a key at random.
class publisher {
public:
    publisher(asio::io_context& io, livetape::hub& to, publish_plan const& plan)
        : plan_{plan}, timer_{io}, payload_(plan.size, 'x') {
        for (std::size_t i = 0; i < plan.channels; ++i)
            channels_.push_back(
                &to.open(plan.channels == 1 ? "feed" : "feed." + std::to_string(i)));
        for (std::size_t i = 0; i < plan.keys; ++i) keys_.push_back("k" + std::to_string(i));
    }

    void start() {
        began_ = due_ = std::chrono::steady_clock::now();
        wait();
    }

    void stop() {
        has_stopped_ = true;
        timer_.cancel();
    }

private:
    void wait() {
        due_ += std::chrono::milliseconds{1};
        timer_.expires_at(due_);
        timer_.async_wait([this](std::error_code ec) {
            if (!ec && !has_stopped_ && publish_due()) wait();
        });
    }

    /// False when all that was to be published is.
    bool publish_due() {
        std::chrono::duration<double> const elapsed = std::chrono::steady_clock::now() - began_;
        auto const target = static_cast<std::uint64_t>(elapsed.count() * plan_.rate);
        auto const now_ns = benchmarks::monotonic_ns();
        for (; published_ < target; ++published_) {
            if (plan_.bytes_max > 0 && published_ * plan_.size >= plan_.bytes_max) {
                std::cout << "keyed_server: published " << published_ << " events" << std::endl;
                return false;
            }
            // A multiplicative generator (Knuth's MMIX constants): cheap, and the same each run.
            state_ = state_ * 6364136223846793005u + 1442695040888963407u;
            auto const random = static_cast<std::size_t>(state_ >> 33);
            auto& channel = *channels_[random % channels_.size()];
            benchmarks::write_payload(payload_, channel.last_offset() + 1, now_ns);
            if (keys_.empty()) channel.publish(payload_);
            else
                channel.publish(payload_, {.key = keys_[random / channels_.size() % keys_.size()]});
        }
        return true;
    }

    publish_plan plan_;
    asio::steady_timer timer_;
    std::string payload_;
    std::vector<livetape::channel*> channels_;
    std::vector<std::string> keys_;
    std::chrono::steady_clock::time_point began_;
    std::chrono::steady_clock::time_point due_;
    std::uint64_t published_ = 0;
    std::uint64_t state_ = 1;
    bool has_stopped_ = false;
};

} // namespace

int main(int argc, char** argv) {
    CLI::App arguments{"Publishes keyed events by the clock on channel feed, or feed.0 to feed.N."};
    std::uint16_t port = 8080;
    publish_plan plan;
    double write_timeout = 30;
    arguments.add_option("--port", port, "Port to listen on; 0 lets the system choose")
        ->capture_default_str();
    arguments.add_option("--channels", plan.channels, "Channels, each with its keys")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
    arguments.add_option("--keys", plan.keys, "Keys of a channel; 0: events have none")
        ->check(CLI::Range(0, 1'000'000))
        ->capture_default_str();
    arguments.add_option("--rate", plan.rate, "Events per second over all channels")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    arguments.add_option("--size", plan.size, "Bytes of a payload")
        ->check(CLI::Range(benchmarks::payload_bytes_min, std::size_t{512} << 10))
        ->capture_default_str();
    arguments.add_option("--bytes", plan.bytes_max,
                         "Bytes of payloads after which it stops; 0: never");
    arguments
        .add_option("--write-timeout", write_timeout, "Seconds that a client may read nothing")
        ->capture_default_str();
    CLI11_PARSE(arguments, argc, argv);

    benchmarks::raise_file_limit();
    asio::io_context io{1};
    livetape::hub hub;
    auto const before = benchmarks::usage_of(getpid()).resident_bytes;
    publisher publishes{io, hub, plan};
    auto const after = benchmarks::usage_of(getpid()).resident_bytes;

    livetape::server server{io.get_executor(), hub};
    livetape::live_options options;
    options.origins = livetape::http::origin_policy{{"*"}};
    options.write_timeout =
        std::chrono::milliseconds{static_cast<std::int64_t>(write_timeout * 1000)};
    server.live("/live", options);
    std::error_code ec;
    auto const at = server.listen({asio::ip::tcp::v4(), port}, {}, ec);
    if (ec) {
        std::cerr << "keyed_server: cannot listen on port " << port << ": " << ec.message() << '\n';
        return 1;
    }
    std::cout << "keyed_server: " << plan.channels << " quiet channels, "
              << (after - before) / plan.channels << " bytes each\n"
              << "keyed_server: http://127.0.0.1:" << at.port() << "/live" << std::endl;

    publishes.start();
    asio::signal_set signals{io, SIGINT, SIGTERM};
    signals.async_wait([&](std::error_code, int) {
        publishes.stop();
        server.stop();
    });
    io.run();
}
