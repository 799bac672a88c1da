#pragma once

#include "load/load_options.hpp"
#include "support/feed_payload.hpp"
#include "support/poller.hpp"
#include "support/process_usage.hpp"
#include "support/report.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string_view>
#include <vector>

#include <unistd.h>

namespace benchmarks {

/// Opens WebSocket connections, a few of them at a time being in their handshake, and keeps them
/// open until they are closed all together: so that opening and closing can be told apart.
class handshake_load {
public:
    handshake_load(load_options const& options, std::size_t at_once)
        : options_{options}, request_{upgrade_request(options.path)}, at_once_{at_once} {}

    void open(std::size_t count) {
        sockets_.clear();
        open_count_ = 0;
        while (sockets_.size() < std::min(at_once_, count)) start();
        while (open_count_ < count) {
            auto const before = open_count_;
            poller_.wait(1000, [&](std::size_t index) {
                finish(index);
                if (sockets_.size() < count) start();
            });
            if (open_count_ == before) throw std::runtime_error{"the server does not answer"};
        }
    }

    void close_all() { sockets_.clear(); }

private:
    void start() {
        auto const index = sockets_.size();
        sockets_.push_back(connect_to(options_.server, ++started_count_));
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
        ++open_count_;
    }

    load_options const& options_;
    std::string request_;
    std::size_t at_once_;
    poller poller_;
    std::vector<descriptor> sockets_;
    std::size_t started_count_ = 0;
    std::size_t open_count_ = 0;
};

/// Measures the server's CPU time for accepting and upgrading a connection, and for losing it.
inline json_object measure_handshakes(load_options const& options, std::size_t count) {
    constexpr std::size_t at_once = 64;
    constexpr useconds_t settle_us = 100'000; // the server may still have closes to handle
    auto const round = std::min(count, options.connections);
    handshake_load load{options, at_once};
    process_usage opening;
    process_usage closing;
    std::size_t done = 0;
    std::int64_t opening_ns = 0;
    // The first round is not counted.
    for (bool counts = false; done < count; counts = true) {
        auto const before = usage_of(options.server_process);
        auto const began = monotonic_ns();
        load.open(round);
        auto const ended = monotonic_ns();
        auto const between = usage_of(options.server_process);
        load.close_all();
        ::usleep(settle_us);
        if (!counts) continue;
        opening += between - before;
        closing += usage_of(options.server_process) - between;
        opening_ns += ended - began;
        done += round;
    }
    auto const each_us = [&](process_usage const& used) {
        return used.cpu_seconds * 1e6 / static_cast<double>(done);
    };
    auto const per_second = static_cast<double>(done) / (static_cast<double>(opening_ns) / 1e9);

    json_object report;
    report.add("handshakes", done)
        .add("path", options.path)
        .add("handshakes_per_second", per_second)
        .add("server_cpu_us_per_handshake", each_us(opening))
        .add("server_cpu_us_per_close", each_us(closing))
        .add("server_user_share", opening.user_share());
    std::printf(
        "%zu handshakes: %.0f per second, %.2f us of the server's CPU each, of which %.2f in user "
        "space; a close takes %.2f us\n",
        done, per_second, each_us(opening), each_us(opening) * opening.user_share(),
        each_us(closing));
    return report;
}

} // namespace benchmarks
