#pragma once

#include "../support/json_object.hpp"
#include "reading.hpp"

#include <livetape/analytics/alert_board.hpp>
#include <livetape/analytics/anomaly_detector.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/min_max.hpp>
#include <livetape/analytics/seasonal_baseline.hpp>
#include <livetape/analytics/sliding_window.hpp>
#include <livetape/analytics/threshold_alarm.hpp>
#include <livetape/channel/channel.hpp>

#include <array>
#include <cstdio>
#include <map>
#include <string>

namespace sensors {

/// Scores what sensors say and asks for maintenance when something is odd. Nothing is known of a
/// sensor beforehand, neither unit nor range nor rhythm.
///
/// An alert fires at the onset of what is odd, and is critical if that is ten times as rare as it
/// must be; it is resolved when a while of readings has been unremarkable.
class sensor_watch {
public:
    /// @param alert_at  score at which an alert fires, in (0.99, 1)
    sensor_watch(livetape::alert_board& alerts, livetape::channel& scored, double alert_at)
        : alerts_{alerts}, scored_{scored}, alert_at_{alert_at} {}

    void see(reading const& latest) {
        auto& own = sensors_.try_emplace(latest.sensor, alert_at_).first->second;
        double const expected = own.baseline.expected(latest.time);
        double const deviation = own.baseline.deviation(latest.time);
        own.baseline.add(latest.time, latest.value);
        auto const said = own.detector.add(latest.time, latest.value);
        scored_.publish(examples::json_object{}
                            .time("t", latest.time)
                            .text("sensor", latest.sensor)
                            .number("value", latest.value)
                            .number("expected", expected)
                            .number("deviation", deviation)
                            .number("score", said.score)
                            .finish(),
                        {.key = latest.sensor});
        alert(latest, own, said);
    }

private:
    static constexpr double remarkable = 0.99;
    static constexpr std::size_t readings_until_calm = 24;

    struct watched {
        explicit watched(double alert_at)
            : alarm{{.fire_at = alert_at, .resolve_at = remarkable}} {}

        livetape::seasonal_baseline baseline; // for people to see; the detector has its own
        livetape::anomaly_detector detector;
        livetape::sliding_count_window<livetape::max> worst{readings_until_calm};
        livetape::threshold_alarm alarm;
    };

    void alert(reading const& latest, watched& own, livetape::anomaly_score const& said) {
        own.worst.add(latest.time, said.score);
        double const level = own.alarm.is_firing() ? own.worst.value() : said.onset;
        auto const change = own.alarm.add(latest.time, level);
        if (change == livetape::alarm_change::resolved) alerts_.resolve(latest.sensor, latest.time);
        if (change != livetape::alarm_change::fired) return;
        std::array<char, 160> text{};
        std::snprintf(text.data(), text.size(), "%.80s: %.6g is what comes once in %.0f readings",
                      latest.sensor.c_str(), latest.value, 1 / (1 - said.onset));
        bool const is_critical = 1 - said.onset < (1 - alert_at_) / 10;
        alerts_.raise(latest.sensor,
                      is_critical ? livetape::severity::critical : livetape::severity::warning,
                      text.data(), latest.time);
    }

    livetape::alert_board& alerts_;
    livetape::channel& scored_;
    double alert_at_;
    std::map<std::string, watched, std::less<>> sensors_;
};

} // namespace sensors
