#pragma once

#include "load/feed_reader.hpp"
#include "load/load_options.hpp"
#include "support/poller.hpp"
#include "support/process_usage.hpp"
#include "support/report.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace benchmarks {

/// Many WebSocket subscribers of a feed on one thread.
class subscriber_load {
public:
    explicit subscriber_load(load_options const& options)
        : options_{options}, request_{upgrade_request(
                                 options.path,
                                 options.offers_deflate
                                     ? "Sec-WebSocket-Extensions: permessage-deflate; "
                                       "client_max_window_bits\r\n"
                                     : "")},
          buffer_(buffer_bytes) {}

    /// Connects a few at a time while the first ones already receive.
    void connect_all() {
        auto const give_up = monotonic_ns() + connect_seconds_max * 1'000'000'000;
        while (open_count_ < options_.connections) {
            while (clients_.size() < options_.connections &&
                   clients_.size() - open_count_ < connects_at_once)
                connect_one();
            receive(10);
            if (closed_count_ > 0)
                throw std::runtime_error{"the server refused or closed a connection"};
            if (monotonic_ns() > give_up)
                throw std::runtime_error{"the server does not answer in time"};
        }
    }

    void run_for(double seconds) {
        auto const end = monotonic_ns() + static_cast<std::int64_t>(seconds * 1e9);
        while (monotonic_ns() < end) receive(10);
    }

    [[nodiscard]] feed_counts& counts() noexcept { return counts_; }
    [[nodiscard]] std::size_t closed_count() const noexcept { return closed_count_; }

private:
    struct client {
        descriptor socket;
        feed_reader reader;
    };

    static constexpr std::size_t buffer_bytes = std::size_t{1} << 20;
    static constexpr std::size_t connects_at_once = 256;
    static constexpr std::int64_t connect_seconds_max = 60;

    void connect_one() {
        auto& made = *clients_.emplace_back(std::make_unique<client>());
        made.socket = connect_to(options_.server, clients_.size());
        send_all(made.socket.get(), request_);
        poller_.add(made.socket.get(), clients_.size() - 1);
    }

    void receive(int milliseconds_max) {
        poller_.wait(milliseconds_max,
                     [this](std::size_t index) { receive_from(*clients_[index]); });
    }

    void receive_from(client& from) {
        auto& rest = from.reader.rest();
        std::memcpy(buffer_.data(), rest.data(), rest.size());
        auto const received = ::recv(from.socket.get(), buffer_.data() + rest.size(),
                                     buffer_.size() - rest.size(), 0);
        if (received <= 0) {
            if (received == 0 || errno != EAGAIN) close(from);
            return;
        }
        auto const was = from.reader.is();
        auto const size = static_cast<std::size_t>(received);
        counts_.bytes += size;
        from.reader.take({buffer_.data(), rest.size() + size}, counts_);
        if (from.reader.has_ping()) {
            send_pong(from.socket.get());
            from.reader.forget_ping();
        }
        if (from.reader.is() == feed_reader::state::closed) return close(from);
        if (was == feed_reader::state::upgrading && from.reader.is() == feed_reader::state::open)
            ++open_count_;
    }

    void close(client& which) {
        which.socket.reset();
        ++closed_count_;
    }

    load_options const& options_;
    std::string request_;
    poller poller_;
    std::vector<std::unique_ptr<client>> clients_;
    std::vector<char> buffer_;
    feed_counts counts_;
    std::size_t open_count_ = 0;
    std::size_t closed_count_ = 0;
};

/// Measures deliveries; false if an event was missing, doubled or out of order, or a client cut
/// off.
inline bool measure_subscribers(load_options const& options, json_object& report) {
    subscriber_load load{options};
    load.connect_all();
    load.run_for(options.warm_up_seconds);

    auto& counts = load.counts();
    auto const events_before = counts.events;
    auto const bytes_before = counts.bytes;
    counts.staleness_ns.clear();
    auto const server_before = usage_of(options.server_process);
    auto const own_before = usage_of(getpid());
    auto const began = monotonic_ns();
    load.run_for(options.seconds);
    auto const seconds = static_cast<double>(monotonic_ns() - began) / 1e9;
    auto const server = usage_of(options.server_process) - server_before;
    auto const own = usage_of(getpid()) - own_before;

    auto const events = static_cast<double>(counts.events - events_before);
    auto const samples = counts.staleness_ns.size();
    auto const median_ms = quantile(counts.staleness_ns, 0.5) / 1e6;
    auto const p99_ms = quantile(counts.staleness_ns, 0.99) / 1e6;
    auto const per_cpu_second = server.cpu_seconds > 0 ? events / server.cpu_seconds : 0;
    report.add("connections", options.connections)
        .add("seconds", seconds)
        .add("deliveries", counts.events - events_before)
        .add("deliveries_per_second", events / seconds)
        .add("bytes_per_second", static_cast<double>(counts.bytes - bytes_before) / seconds)
        .add("staleness_p50_ms", median_ms)
        .add("staleness_p99_ms", p99_ms)
        .add("staleness_samples", samples)
        .add("missing", counts.missing)
        .add("repeated", counts.repeated)
        .add("unreadable", counts.unreadable)
        .add("compressed", counts.compressed)
        .add("closed", load.closed_count())
        .add("server_cpu", server.cpu_seconds / seconds)
        .add("server_user_share", server.user_share())
        .add("server_deliveries_per_cpu_second", per_cpu_second)
        .add("server_resident_bytes", server.resident_bytes)
        .add("load_cpu", own.cpu_seconds / seconds)
        .add("load_user_ns_per_delivery", events > 0 ? own.user_seconds * 1e9 / events : 0);
    std::printf("%zu subscribers: %.3f M deliveries/s, staleness p50 %.2f ms p99 %.2f ms; "
                "%llu missing, %llu repeated, %llu unreadable, %zu closed\n",
                options.connections, events / seconds / 1e6, median_ms, p99_ms,
                static_cast<unsigned long long>(counts.missing),
                static_cast<unsigned long long>(counts.repeated),
                static_cast<unsigned long long>(counts.unreadable), load.closed_count());
    if (options.server_process != 0)
        std::printf(
            "server: %.0f %% of a core, %.3f M deliveries per CPU second, %.1f %% of it in user "
            "space; load client: %.0f %% of a core\n",
            100 * server.cpu_seconds / seconds, per_cpu_second / 1e6, 100 * server.user_share(),
            100 * own.cpu_seconds / seconds);
    return counts.missing + counts.repeated + counts.unreadable + load.closed_count() == 0 &&
           events > 0;
}

} // namespace benchmarks
