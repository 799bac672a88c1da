#pragma once

#include "payload.hpp"

#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/threshold_alarm.hpp>
#include <livetape/channel/hub.hpp>

#include <chrono>
#include <map>
#include <string>
#include <string_view>

namespace dashboard {

/// What is watched: a value, whose, and between which limits.
struct alert_rule {
    std::string_view what; ///< "spread"
    std::string_view unit; ///< "bp"
    livetape::threshold_alarm::options limits;
};

/// Publishes on `alerts` when a watched value passes its limits, keyed by rule and subject, so that
/// the snapshot of the channel is the state of every alert.
class alert_feed {
public:
    explicit alert_feed(livetape::hub& hub)
        : alerts_{hub.open("alerts", {.log_events_max = 200})} {}

    /// @param of  whose value it is: a symbol, or this machine
    void check(alert_rule const& rule, std::string_view of, double value) {
        auto key = std::string{rule.what} + '.' + std::string{of};
        auto& alarm = watched_.try_emplace(key, rule.limits).first->second;
        auto const change = alarm.add(std::chrono::steady_clock::now().time_since_epoch(), value);
        if (change == livetape::alarm_change::none) return;
        bool const is_raised = change == livetape::alarm_change::fired;
        auto said = payload();
        said.text("what", rule.what)
            .text("of", of)
            .text("state", is_raised ? "raised" : "cleared")
            .rounded("value", value, 1)
            .rounded("limit", is_raised ? rule.limits.fire_at : rule.limits.resolve_at, 1)
            .text("unit", rule.unit);
        alerts_.publish(said.finish(), {.key = key});
    }

private:
    livetape::channel& alerts_;
    std::map<std::string, livetape::threshold_alarm, std::less<>> watched_;
};

} // namespace dashboard
