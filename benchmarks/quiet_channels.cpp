// What many channels that hardly change cost without a network: sessions in memory, each subscribed
// to channels of its own, events to channels at random at a rate. Whatever a socket would cost is
// left out; protocol, fan-out and framing are all here. For instance:
//
//   quiet_channels --channels 100000 --channels-each 100 --rate 1000 --seconds 5

#include <livetape/channel/dispatcher.hpp>
#include <livetape/channel/hub.hpp>
#include <livetape/channel/write_batch.hpp>
#include <livetape/transport/endpoint.hpp>
#include <livetape/transport/session.hpp>
#include <livetape/transport/websocket_session.hpp>
#include <livetape/wire/request_parser.hpp>

#include "support/feed_payload.hpp"
#include "support/process_usage.hpp"
#include "support/report.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <ctime>
#include <unistd.h>

namespace {

/// A client whose network takes everything at once: it counts what a socket would have been given.
class memory_client {
public:
    memory_client(livetape::session_context const& context,
                  livetape::http::request_head const& head)
        : session_{context, head, head.path()} {
        session_.cursors().on_ready(
            [](void* self) noexcept { static_cast<memory_client*>(self)->write(); }, this);
        while (write()) {
        }
    }
    memory_client(memory_client const&) = delete;
    memory_client& operator=(memory_client const&) = delete;

    [[nodiscard]] std::uint64_t events() const noexcept { return events_; }

private:
    bool write() noexcept {
        auto const now = livetape::clock::now();
        session_.gather(batch_, now);
        auto const size = batch_.bytes();
        events_ += batch_.event_count();
        session_.settle(batch_, size, now);
        return size > 0;
    }

    livetape::websocket_session session_;
    livetape::write_batch batch_;
    std::uint64_t events_ = 0;
};

void sleep_until(std::int64_t at_ns) {
    timespec const at{static_cast<std::time_t>(at_ns / 1'000'000'000),
                      static_cast<long>(at_ns % 1'000'000'000)};
    while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) != 0) {
    }
}

std::string handshake(std::size_t first_channel, std::size_t count) {
    std::string text = "GET /ws";
    for (std::size_t i = 0; i < count; ++i)
        text += (i == 0 ? "?channel=feed." : "&channel=feed.") + std::to_string(first_channel + i);
    return text +
           " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
}

} // namespace

int main(int argc, char** argv) {
    CLI::App arguments{"Publishes to many quiet channels whose subscribers are in memory."};
    std::size_t channel_count = 100'000;
    std::size_t channels_each = 100;
    double rate = 1000;
    double seconds = 5;
    std::filesystem::path report_path;
    arguments.add_option("--channels", channel_count, "Channels, with one subscription each")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
    arguments.add_option("--channels-each", channels_each, "Subscriptions of a session")
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
    arguments.add_option("--rate", rate, "Events per second over all channels")
        ->check(CLI::Range(1.0, 1e6))
        ->capture_default_str();
    arguments.add_option("--seconds", seconds, "Seconds of measuring")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
    arguments.add_option("--json", report_path, "File to write a report to");
    CLI11_PARSE(arguments, argc, argv);

    auto const memory_before = benchmarks::usage_of(getpid()).resident_bytes;
    livetape::hub hub{{}, {.channels_max = channel_count}};
    std::vector<livetape::channel*> channels;
    for (std::size_t i = 0; i < channel_count; ++i)
        channels.push_back(&hub.open("feed." + std::to_string(i)));
    livetape::live_endpoint endpoint{hub, {}};
    livetape::dispatcher wakes{[](void*) noexcept {}, nullptr};
    std::vector<std::unique_ptr<memory_client>> clients;
    for (std::size_t first = 0; first < channel_count; first += channels_each) {
        livetape::http::request_parser parser;
        auto const text = handshake(first, std::min(channels_each, channel_count - first));
        std::string_view input{text};
        if (parser.feed(input) != livetape::parse_status::done) {
            std::cerr << "quiet_channels: " << channels_each << " names make too long a target\n";
            return 1;
        }
        clients.push_back(std::make_unique<memory_client>(
            livetape::session_context{endpoint, wakes, livetape::clock::now()}, parser.head()));
    }
    auto const memory_after = benchmarks::usage_of(getpid()).resident_bytes;

    auto const before = benchmarks::usage_of(getpid());
    auto const began_ns = benchmarks::monotonic_ns();
    auto const event_count = static_cast<std::uint64_t>(seconds * rate);
    std::string payload(64, ' ');
    std::uint64_t random = 1;
    for (std::uint64_t published = 0; published < event_count; ++published) {
        sleep_until(began_ns +
                    static_cast<std::int64_t>(static_cast<double>(published) * 1e9 / rate));
        // A multiplicative generator (Knuth's MMIX constants): cheap, and the same each run.
        random = random * 6364136223846793005u + 1442695040888963407u;
        auto& channel = *channels[static_cast<std::size_t>(random >> 33) % channel_count];
        benchmarks::write_payload(payload, channel.last_offset() + 1, benchmarks::monotonic_ns());
        channel.publish(payload);
        while (wakes.run(clients.size(), livetape::clock::now())) {
        }
    }
    auto const took = static_cast<double>(benchmarks::monotonic_ns() - began_ns) / 1e9;
    auto const cpu = (benchmarks::usage_of(getpid()) - before).cpu_seconds;

    std::uint64_t delivered = 0;
    for (auto const& each : clients) delivered += each->events();
    auto const bytes_each =
        static_cast<double>(memory_after - memory_before) / static_cast<double>(channel_count);
    std::printf("%zu channels, %zu sessions in memory: %llu events published in %.1f s, %llu "
                "delivered; %.2f %% of a core, %.1f us per event; %.0f bytes per channel\n",
                channel_count, clients.size(), static_cast<unsigned long long>(event_count), took,
                static_cast<unsigned long long>(delivered), 100 * cpu / took,
                1e6 * cpu / static_cast<double>(event_count), bytes_each);
    benchmarks::json_object report;
    report.add("channels", channel_count)
        .add("sessions", clients.size())
        .add("published", event_count)
        .add("delivered", delivered)
        .add("seconds", took)
        .add("server_cpu", cpu / took)
        .add("bytes_per_channel", bytes_each);
    if (!report_path.empty() && !benchmarks::write_json(report_path, report)) {
        std::cerr << "quiet_channels: cannot write " << report_path << '\n';
        return 1;
    }
    return delivered == event_count ? 0 : 1;
}
