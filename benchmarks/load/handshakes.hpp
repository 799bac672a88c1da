#pragma once

#include "load/load_options.hpp"
#include "support/feed_payload.hpp"
#include "support/poller.hpp"
#include "support/process_usage.hpp"
#include "support/report.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace benchmarks {

/// Connects, upgrades and closes again and again, a few at a time.
class handshake_load {
public:
    handshake_load(load_options const& options, std::size_t at_once)
        : options_{options}, request_{upgrade_request(options.path)}, sockets_(at_once) {}

    void run(std::size_t count) {
        auto const end = done_count_ + count;
        auto const last_start = started_count_ + count;
        for (std::size_t i = 0; i < sockets_.size() && started_count_ < last_start; ++i) start(i);
        while (done_count_ < end) {
            auto const before = done_count_;
            poller_.wait(1000, [&](std::size_t index) {
                finish(index);
                if (started_count_ < last_start) start(index);
            });
            if (done_count_ == before) throw std::runtime_error{"the server does not answer"};
        }
    }

private:
    void start(std::size_t index) {
        sockets_[index] = connect_to(options_.server, ++started_count_);
        send_all(sockets_[index].get(), request_);
        poller_.add(sockets_[index].get(), index);
    }

    void finish(std::size_t index) {
        std::array<char, 4096> buffer;
        auto const received = ::recv(sockets_[index].get(), buffer.data(), buffer.size(), 0);
        std::string_view const answer{buffer.data(),
                                      static_cast<std::size_t>(std::max<ssize_t>(received, 0))};
        if (!answer.starts_with("HTTP/1.1 101 "))
            throw std::runtime_error{"a handshake was refused"};
        sockets_[index].reset();
        ++done_count_;
    }

    load_options const& options_;
    std::string request_;
    poller poller_;
    std::vector<descriptor> sockets_;
    std::size_t started_count_ = 0;
    std::size_t done_count_ = 0;
};

/// Measures the server's CPU time for accepting, upgrading and losing a connection.
inline json_object measure_handshakes(load_options const& options, std::size_t count) {
    constexpr std::size_t at_once_max = 64;
    handshake_load load{options, std::min(options.connections, at_once_max)};
    load.run(count / 10 + 1);
    auto const before = usage_of(options.server_process);
    auto const began = monotonic_ns();
    load.run(count);
    auto const seconds = static_cast<double>(monotonic_ns() - began) / 1e9;
    // The server may still have closes to handle.
    ::usleep(100'000);
    auto const used = usage_of(options.server_process) - before;
    auto const each_us = used.cpu_seconds * 1e6 / static_cast<double>(count);

    json_object report;
    report.add("handshakes", count)
        .add("path", options.path)
        .add("handshakes_per_second", static_cast<double>(count) / seconds)
        .add("server_cpu_us_per_handshake", each_us)
        .add("server_user_share", used.user_share());
    std::printf(
        "%zu handshakes: %.0f per second, %.2f us of the server's CPU each, of which %.2f in user "
        "space\n",
        count, static_cast<double>(count) / seconds, each_us, each_us * used.user_share());
    return report;
}

} // namespace benchmarks
