#pragma once

#include <optional>

namespace dashboard {

/// When an alert begins and ends. The distance between the two is the hysteresis: a value that
/// trembles around one limit raises one alert and not a hundred.
struct alert_limits {
    double raise_at; ///< raised when the value reaches this
    double clear_at; ///< cleared when the value falls to this; below `raise_at`
};

enum class alert_change { raised, cleared };

/// Watches one value.
class threshold_alert {
public:
    explicit threshold_alert(alert_limits limits) : limits_{limits} {}

    /// @return what the value changed; nothing most of the time
    std::optional<alert_change> update(double value) {
        if (!is_raised_ && value >= limits_.raise_at) {
            is_raised_ = true;
            return alert_change::raised;
        }
        if (is_raised_ && value <= limits_.clear_at) {
            is_raised_ = false;
            return alert_change::cleared;
        }
        return std::nullopt;
    }

    [[nodiscard]] alert_limits const& limits() const noexcept { return limits_; }

private:
    alert_limits limits_;
    bool is_raised_ = false;
};

} // namespace dashboard
