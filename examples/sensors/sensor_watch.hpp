#pragma once

#include "reading.hpp"

#include <livetape/analytics/alert_board.hpp>
#include <livetape/analytics/anomaly_detector.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/json_object.hpp>
#include <livetape/analytics/pipeline.hpp>
#include <livetape/channel/channel.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

namespace sensors {

/// What there is to say of a reading: how odd it is, and what would have been usual.
struct opinion : livetape::anomaly_score {
    double expected;
    double deviation;
};

inline void append_said(livetape::json_object& to, opinion const& said) {
    to.number("expected", said.expected)
        .number("deviation", said.deviation)
        .number("score", said.score);
}

/// The library's detector, and what it expected, for people to see.
class sensor_detector {
public:
    opinion add(livetape::event_time time, double value) noexcept {
        auto const expected = detector_.expected(time);
        return {detector_.add(time, value), expected.value, expected.deviation};
    }

private:
    livetape::anomaly_detector detector_;
};

/// Scores what sensors say and asks for maintenance when something is odd. Nothing is known of a
/// sensor beforehand, neither unit nor range nor rhythm.
///
/// An alert fires at the onset of what is odd, and is critical if that is twice as rare as it must
/// be; it is resolved when a while of readings has been unremarkable.
/// @param alert_at  score at which an alert fires, in (0.99, 0.9998]: scores end at 0.9999
inline auto watch_sensors(livetape::alert_board& alerts, livetape::channel& scored,
                          livetape::channel& problems, double alert_at) {
    auto const text = [](std::string_view sensor, livetape::detection<opinion> const& odd) {
        std::array<char, 160> said{};
        std::snprintf(said.data(), said.size(), "%.*s: %.6g is what comes once in %.0f readings",
                      static_cast<int>(std::min<std::size_t>(sensor.size(), 80)), sensor.data(),
                      odd.value, 1 / (1 - odd.said.onset));
        return std::string{said.data()};
    };
    return livetape::from<reading>()
        .time(&reading::time)
        .number(&reading::value)
        .key(&reading::sensor)
        .detect(sensor_detector{})
        .alert(alerts,
               {.name = {},
                .fire_at = alert_at,
                .resolve_at = 0.99,
                .calm_events = 24,
                .critical_at = 1 - (1 - alert_at) / 2},
               text)
        .to(scored)
        .report(problems);
}

} // namespace sensors
