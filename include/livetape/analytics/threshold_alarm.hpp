#pragma once

#include <livetape/analytics/event_time.hpp>

#include <cstdint>

namespace livetape {

/// What an alarm did at a value.
enum class alarm_change : std::uint8_t {
    none,
    fired,    ///< the condition began to hold
    resolved, ///< it ceased to hold
};

/// Fires when a value reaches a threshold and resolves when it has gone back clearly below it
/// (hysteresis, as in Schmitt, "A thermionic trigger", Journal of Scientific Instruments 15, 1938).
///
///     fires      x >= fire_at for `hold_for`, and `cooldown` after it last resolved
///     resolves   x <= resolve_at
///
/// The gap between the two levels keeps a value that hovers at one from chattering; the cool-down
/// keeps a value that swings across both from firing at each swing; `hold_for` leaves short
/// excursions alone. For a lower limit give it the negated value and negated levels.
///
/// NaN changes nothing. Time going backwards counts as time standing still. Memory: 64 bytes. Time:
/// O(1), no allocation.
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class threshold_alarm {
public:
    struct options {
        double fire_at;
        /// Precondition: at most `fire_at`.
        double resolve_at;
        /// How long after it resolved it stays quiet. A value that is still high then fires.
        event_time cooldown{0};
        /// How long the value must have stayed at or above `fire_at`.
        event_time hold_for{0};
    };

    explicit threshold_alarm(options const& chosen) noexcept : options_{chosen} {}

    alarm_change add(event_time time, double value) noexcept {
        if (value != value) return alarm_change::none;
        if (!has_begun_ || time > now_) now_ = time;
        has_begun_ = true;
        if (is_firing_) {
            if (value > options_.resolve_at) return alarm_change::none;
            is_firing_ = is_high_ = false;
            has_resolved_ = true;
            resolved_ = now_;
            return alarm_change::resolved;
        }
        if (value < options_.fire_at) {
            is_high_ = false;
            return alarm_change::none;
        }
        if (!is_high_) high_since_ = now_;
        is_high_ = true;
        if (now_ - high_since_ < options_.hold_for) return alarm_change::none;
        if (has_resolved_ && now_ - resolved_ < options_.cooldown) return alarm_change::none;
        is_firing_ = true;
        return alarm_change::fired;
    }

    [[nodiscard]] bool is_firing() const noexcept { return is_firing_; }

private:
    options options_;
    event_time now_{0};
    event_time high_since_{0};
    event_time resolved_{0};
    bool has_begun_ = false;
    bool is_high_ = false; // the value is at or above fire_at, perhaps not for long enough
    bool is_firing_ = false;
    bool has_resolved_ = false;
};

} // namespace livetape
