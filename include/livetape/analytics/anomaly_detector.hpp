#pragma once

#include <livetape/analytics/alarm_cooldown.hpp>
#include <livetape/analytics/anomaly_ensemble.hpp>
#include <livetape/analytics/detail/moving_sum.hpp>
#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/level_shift.hpp>
#include <livetape/analytics/seasonal_baseline.hpp>
#include <livetape/analytics/tail_probability.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace livetape {

/// What an anomaly detector says of one event.
struct anomaly_score {
    double score = 0; ///< 0 to 1; 1 - p, p being how often something as odd is seen
    double onset = 0; ///< the score if it is news, 0 if it is part of what was just reported
};

/// The default anomaly detector: for one metric of which nothing is known beforehand, neither its
/// unit nor its range nor its rhythm.
///
/// Five signals, each made to be large for one kind of trouble, go through `anomaly_ensemble`:
///
/// | signal | is large when |
/// | --- | --- |
/// | distance from the seasonal baseline | a value is odd, for any time or for this time of the day
/// | | mean distance over a short window | several values are a little odd, all in one direction |
/// | level shift, very short windows | a value jumps |
/// | level shift of that distance, long windows | the level has moved and stayed |
/// | stillness: 1 / mean absolute step | a sensor is stuck, a noise has gone |
///
/// then `alarm_cooldown` keeps the onsets. Every signal is ranked within its own past, so there is
/// no threshold, scale or range to set. Windows count events, so that irregular streams work too;
/// only the baseline looks at the time.
///
/// NaN and infinities score 0 and change nothing; they are counted. The time may jump and go
/// backwards: it chooses the slot of the baseline and nothing else. Memory: 26 KiB. Time: O(1).
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class anomaly_detector {
public:
    struct options {
        seasonal_baseline::options season{};
        tail_probability::options tail{};
        alarm_cooldown::options cooldown{};
        std::size_t residual_window = 9;
        std::size_t short_window = 3;
        std::size_t long_window = 81;
        std::size_t still_window = 32;
    };

    anomaly_detector() : anomaly_detector(options{}) {}
    explicit anomaly_detector(options const& chosen)
        : baseline_{chosen.season}, residuals_{chosen.residual_window}, jump_{chosen.short_window},
          shift_{chosen.long_window}, steps_{chosen.still_window},
          ensemble_{signal_count, chosen.tail}, cooldown_{chosen.cooldown} {}

    anomaly_score add(event_time time, double value) noexcept {
        if (!(std::fabs(value) <= seasonal_baseline::magnitude_max)) {
            ++left_out_;
            return {};
        }
        double const surprise = ensemble_.add(signals(time, value));
        return {anomaly_ensemble::score(surprise),
                anomaly_ensemble::score(cooldown_.add(surprise))};
    }

    /// How many values were neither learnt nor scored.
    [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_; }

private:
    static constexpr std::size_t signal_count = 5;
    // Stiller than this nothing is: it keeps the reciprocal finite.
    static constexpr double still_floor = 1e-9;

    std::array<double, signal_count> signals(event_time time, double value) noexcept {
        // What sums leave behind when values cancel is not a difference.
        double const noise = 1e-9 * std::fabs(value);
        auto const magnitude = [noise](double difference) {
            double const size = std::fabs(difference);
            return size > noise ? size : 0;
        };
        double const residual = baseline_.add(time, value);
        residuals_.push(magnitude(residual) > 0 ? residual : 0);
        double const step = std::isnan(previous_) ? 0 : magnitude(value - previous_);
        previous_ = value;
        steps_.push(step);
        jump_.add(value);
        shift_.add(residual);

        std::array<double, signal_count> result{};
        result.fill(detail::undefined);
        result[0] = magnitude(residual);
        if (residuals_.is_full()) result[1] = magnitude(residuals_.mean());
        if (jump_.is_ready()) result[2] = magnitude(jump_.value());
        if (shift_.is_ready()) result[3] = magnitude(shift_.value());
        if (steps_.is_full()) result[4] = 1 / std::fmax(steps_.mean(), noise + still_floor);
        return result;
    }

    seasonal_baseline baseline_;
    detail::moving_sum residuals_;
    level_shift jump_;
    level_shift shift_;
    detail::moving_sum steps_;
    anomaly_ensemble ensemble_;
    alarm_cooldown cooldown_;
    double previous_ = detail::undefined;
    std::uint64_t left_out_ = 0;
};

} // namespace livetape
