#pragma once

#include "push_versus_poll/child_server.hpp"
#include "push_versus_poll/feed_client.hpp"
#include "support/poller.hpp"
#include "support/process_usage.hpp"
#include "support/report.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace benchmarks {

/// How a case is measured.
struct case_options {
    double seconds = 15;
    std::size_t payload_bytes = 64;
    int server_core = -1;
    int load_core = -1;
};

/// One way to follow the feed, by so many clients, at so many updates per second.
struct poll_case {
    std::string name;
    method how = method::websocket;
    double interval_seconds = 0; ///< of a short poll
    std::size_t clients = 100;
    double rate = 1;
    std::int64_t second_after_us = 0; ///< each update is followed by another after so long

    /// Updates per second, all told.
    [[nodiscard]] double updates_per_second() const noexcept {
        return second_after_us > 0 ? 2 * rate : rate;
    }

    /// How soon after an answer a publication counts as just after it: a twentieth of the interval
    /// of polling, or for the others, what a message needs to the client and back.
    [[nodiscard]] std::int64_t just_after_ns() const noexcept {
        return how == method::short_poll ? static_cast<std::int64_t>(interval_seconds * 5e7)
                                         : 2'000'000;
    }
};

/// The clients of a case, on one thread.
class client_crowd {
public:
    client_crowd(poll_case const& of, std::uint16_t port) : case_{of} {
        for (std::size_t i = 0; i < of.clients; ++i) {
            clients_.push_back(std::make_unique<feed_client>(
                of.how, server_address{"127.0.0.1", port}, i, of.just_after_ns()));
            poller_.add(clients_.back()->socket(), i);
        }
    }

    /// Makes the first request of each client, those of short polls spread over the interval.
    void start() {
        auto const now = monotonic_ns();
        auto const interval_ns = case_.interval_seconds * 1e9;
        for (std::size_t i = 0; i < clients_.size(); ++i) {
            auto const phase = static_cast<double>(i) / static_cast<double>(clients_.size());
            if (case_.how == method::short_poll) {
                timetable_.push_back({now + static_cast<std::int64_t>(phase * interval_ns), i});
                continue;
            }
            clients_[i]->request(counts_);
            if (i % 64 == 63) receive(0);
        }
    }

    void run_for(double seconds) {
        auto const end = monotonic_ns() + static_cast<std::int64_t>(seconds * 1e9);
        for (auto now = monotonic_ns(); now < end; now = monotonic_ns()) {
            while (!timetable_.empty() && timetable_.front().due_ns <= now) request_by_timetable();
            auto next = std::min(end, now + 100'000'000);
            if (!timetable_.empty()) next = std::min(next, timetable_.front().due_ns);
            receive(static_cast<int>((next - now + 999'999) / 1'000'000));
        }
    }

    [[nodiscard]] client_counts& counts() noexcept { return counts_; }

    [[nodiscard]] bool all_started() const noexcept {
        return std::all_of(clients_.begin(), clients_.end(),
                           [](auto const& c) { return c->is_started(); });
    }

private:
    struct appointment {
        std::int64_t due_ns;
        std::size_t client;
    };

    /// A client whose answer has not come yet leaves out a turn, as a careful page does.
    void request_by_timetable() {
        auto next = timetable_.front();
        timetable_.pop_front();
        auto& client = *clients_[next.client];
        if (!client.is_waiting()) client.request(counts_);
        next.due_ns += static_cast<std::int64_t>(case_.interval_seconds * 1e9);
        timetable_.push_back(next);
    }

    void receive(int milliseconds_max) {
        poller_.wait(milliseconds_max, [this](std::size_t index) {
            auto& client = *clients_[index];
            if (!client.receive(counts_))
                throw std::runtime_error{"the server closed a connection"};
            if (case_.how == method::long_poll && !client.is_waiting()) client.request(counts_);
        });
    }

    poll_case const& case_;
    poller poller_;
    std::vector<std::unique_ptr<feed_client>> clients_;
    std::deque<appointment> timetable_;
    client_counts counts_;
};

/// What a case came to.
struct case_result {
    double staleness_p50_ms = 0;
    double staleness_p99_ms = 0;
    double staleness_max_ms = 0;
    double just_after_p50_ms = 0;
    double just_after_max_ms = 0;
    std::size_t samples = 0;
    std::size_t just_after_samples = 0;
    double sent_bytes = 0;          ///< by a client, for each update
    double received_bytes = 0;      ///< by a client, for each update
    double requests_per_second = 0; ///< of all clients
    double server_cpu_us = 0;       ///< for each update and client
    std::uint64_t missing = 0;
    std::uint64_t repeated = 0;
};

/// Runs a case against a server of its own. The costs of connecting are not counted.
inline case_result run_case(poll_case const& one, case_options const& options) {
    child_server server{{"--size", std::to_string(options.payload_bytes), "--rate",
                         std::to_string(one.rate), "--second-after",
                         std::to_string(one.second_after_us)},
                        options.server_core};
    client_crowd crowd{one, server.port()};
    crowd.start();
    crowd.run_for(1.0 / one.rate + one.interval_seconds + 0.5);
    if (!crowd.all_started()) throw std::runtime_error{"not every client was answered"};

    auto& counts = crowd.counts();
    counts = {};
    auto const before = usage_of(server.process());
    auto const began = monotonic_ns();
    crowd.run_for(options.seconds);
    auto const seconds = static_cast<double>(monotonic_ns() - began) / 1e9;
    auto const used = usage_of(server.process()) - before;

    auto const deliveries = std::max(static_cast<double>(counts.staleness_ns.size()), 1.0);
    case_result result;
    result.samples = counts.staleness_ns.size();
    result.just_after_samples = counts.just_after_ns.size();
    result.staleness_p50_ms = quantile(counts.staleness_ns, 0.5) / 1e6;
    result.staleness_p99_ms = quantile(counts.staleness_ns, 0.99) / 1e6;
    result.staleness_max_ms = quantile(counts.staleness_ns, 1) / 1e6;
    result.just_after_p50_ms = quantile(counts.just_after_ns, 0.5) / 1e6;
    result.just_after_max_ms = quantile(counts.just_after_ns, 1) / 1e6;
    result.sent_bytes = static_cast<double>(counts.sent_bytes) / deliveries;
    result.received_bytes = static_cast<double>(counts.received_bytes) / deliveries;
    result.requests_per_second = static_cast<double>(counts.requests) / seconds;
    result.server_cpu_us = used.cpu_seconds * 1e6 / deliveries;
    result.missing = counts.missing;
    result.repeated = counts.repeated;
    return result;
}

} // namespace benchmarks
