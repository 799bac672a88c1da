#pragma once

#include "../support/proc_telemetry.hpp"
#include "alert_feed.hpp"
#include "payload.hpp"
#include "rate_feed.hpp"

#include <livetape/channel/hub.hpp>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <system_error>

namespace dashboard {

/// Publishes this machine's telemetry on `telemetry`, keyed by metric, ten times a second.
class telemetry_feed {
public:
    /// Two minutes are kept, so that a page that opens has charts at once, and one that was cut
    /// off can catch up.
    telemetry_feed(asio::io_context& io, livetape::hub& hub, alert_feed& alerts, rate_feed& rates)
        : telemetry_{hub.open("telemetry", {.log_bytes_max = 32u << 20,
                                            .log_events_max = 200'000,
                                            .log_age_max = std::chrono::minutes{2}})},
          alerts_{alerts}, rates_{rates}, timer_{io} {}

    /// @return whether there is a /proc to read from; if not, nothing is published
    bool start() {
        timer_.expires_at(std::chrono::steady_clock::now());
        return tick();
    }

    void stop() { timer_.cancel(); }

private:
    static constexpr std::chrono::milliseconds interval{100};
    static constexpr alert_rule cpu_rule{"CPU", "%", {85, 60}};
    static constexpr alert_rule memory_rule{"memory", "%", {90, 85}};

    bool tick() {
        std::chrono::duration<double> const now =
            std::chrono::steady_clock::now().time_since_epoch();
        auto const metrics = machine_.read(now.count());
        if (!metrics) return false;
        for (auto const& [name, value] : *metrics) {
            telemetry_.publish(payload().rounded("value", value, 2).finish(), {.key = name});
            if (name == "cpu") alerts_.check(cpu_rule, "this machine", value);
            if (name == "memory") alerts_.check(memory_rule, "this machine", value);
        }
        rates_.count("telemetry", static_cast<double>(metrics->size()));
        wait();
        return true;
    }

    /// Counts from when the tick was due, so that ticks do not drift; lost ones are lost.
    void wait() {
        auto const next = timer_.expiry() + interval;
        timer_.expires_at(std::max(next, std::chrono::steady_clock::now()));
        timer_.async_wait([this](std::error_code ec) {
            if (!ec) tick();
        });
    }

    livetape::channel& telemetry_;
    alert_feed& alerts_;
    rate_feed& rates_;
    examples::proc_telemetry machine_;
    asio::steady_timer timer_;
};

} // namespace dashboard
