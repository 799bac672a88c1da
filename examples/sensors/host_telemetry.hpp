#pragma once

#include "../support/proc_telemetry.hpp"
#include "reading.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <vector>

namespace sensors {

/// This machine as a set of sensors: a reading_source that has something to say twice a second.
class host_telemetry {
public:
    /// @throws std::runtime_error  if there is no /proc
    host_telemetry() {
        if (!machine_.read(now_seconds()))
            throw std::runtime_error{"there is no /proc here; name a file with --replay"};
        read_at_ = now_seconds();
    }

    std::optional<reading> operator()() {
        if (next_ == metrics_.size()) refill();
        if (next_ == metrics_.size()) return std::nullopt;
        auto const& [name, value] = metrics_[next_++];
        return reading{name, time_, value};
    }

private:
    static constexpr double read_seconds = 0.1; // what proc_telemetry asks for
    static constexpr int reads_per_report = 5;

    static double now_seconds() {
        return std::chrono::duration<double>{std::chrono::steady_clock::now().time_since_epoch()}
            .count();
    }

    void refill() {
        double const now = now_seconds();
        if (now - read_at_ < read_seconds) return;
        read_at_ = now;
        auto metrics = machine_.read(now);
        if (++reads_ % reads_per_report != 0 || !metrics) return;
        metrics_ = std::move(*metrics);
        next_ = 0;
        time_ = std::chrono::system_clock::now().time_since_epoch();
    }

    examples::proc_telemetry machine_;
    double read_at_ = 0;
    int reads_ = 0;
    std::vector<examples::metric> metrics_;
    std::size_t next_ = 0;
    livetape::event_time time_{};
};

} // namespace sensors
