#pragma once

#include <livetape/analytics/alarm_cooldown.hpp>
#include <livetape/analytics/anomaly_ensemble.hpp>
#include <livetape/analytics/detail/moving_sum.hpp>
#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/level_shift.hpp>
#include <livetape/analytics/seasonal_baseline.hpp>
#include <livetape/analytics/slope_change.hpp>
#include <livetape/analytics/tail_probability.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace livetape {

/// What an anomaly detector says of one event.
struct anomaly_score {
    double score = 0; ///< 0 to 0.9999; 1 - p, p being how often something as odd is seen
    double onset = 0; ///< the score if it is news, 0 if it is part of what was just reported
};

/// What an anomaly detector holds for usual at a time, for people to see: `value` give or take
/// `deviation`, the mean distance from it. NaN if nothing is known of that time yet.
struct expected_value {
    double value = detail::undefined;
    double deviation = detail::undefined;
};

/// The default anomaly detector: for one metric of which nothing is known beforehand, neither its
/// unit nor its range nor its rhythm.
///
/// Nine signals, each made to be large for one kind of trouble, go through `anomaly_ensemble`:
///
/// | signal | is large when |
/// | --- | --- |
/// | distance from the mean of this hour of the day | a value is odd, for any time or for this one
/// | | the same, in mean deviations of this hour | a value is odd at a time of the day that is calm
/// | | distance from the mean of this hour of the week | a working day is like a Sunday | |
/// distance from the recent mean, averaged | several values are off in one direction | | the same,
/// in recent mean deviations | several values are a little off, in a calm time | | level shift of
/// the first distance, long windows | the level has moved and stayed | | slope change, single
/// values | a value jumps, or returns | | slope change, long windows | the course has turned | |
/// stillness: 1 / mean absolute step | a sensor is stuck, a noise has gone |
///
/// then `alarm_cooldown` keeps the onsets. Every signal is ranked within its own past, so there is
/// no threshold, scale or range to set. Windows count events, so that irregular streams work too;
/// only the baselines look at the time.
///
/// NaN and infinities score 0 and change nothing; they are counted. The time may jump and go
/// backwards: it chooses the slots of the baselines and nothing else. Memory: 50 KiB. Time: O(1).
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class anomaly_detector {
public:
    struct options {
        seasonal_baseline::options day = seasonal_baseline::daily();
        seasonal_baseline::options week = seasonal_baseline::weekly();
        /// The weight of a new value in the recent mean.
        double recent_smoothing = 0.01;
        tail_probability::options tail{};
        alarm_cooldown::options cooldown{};
        std::size_t residual_window = 9;
        std::size_t long_window = 81;
        std::size_t still_window = 32;
        /// How much stillness is believed, compared with the other signals: nights and weekends
        /// are still, too.
        double still_weight = 0.3;
    };

    anomaly_detector() : anomaly_detector(options{}) {}
    explicit anomaly_detector(options const& chosen)
        : day_{chosen.day}, week_{chosen.week}, recent_{{.slots = 1,
                                                         .smoothing = chosen.recent_smoothing}},
          residuals_{chosen.residual_window}, scaled_residuals_{chosen.residual_window},
          shift_{chosen.long_window}, turn_{chosen.long_window}, steps_{chosen.still_window},
          ensemble_{weights(chosen.still_weight), chosen.tail}, cooldown_{chosen.cooldown} {}

    anomaly_score add(event_time time, double value) noexcept {
        if (!(std::fabs(value) <= seasonal_baseline::magnitude_max)) {
            ++left_out_;
            return {};
        }
        double const surprise = ensemble_.add(signals(time, value));
        return {anomaly_ensemble::score(surprise),
                anomaly_ensemble::score(cooldown_.add(surprise))};
    }

    /// What is usual at a time, by the hour of the day; ask before the event is added.
    [[nodiscard]] expected_value expected(event_time time) const noexcept {
        return {day_.expected(time), day_.deviation(time)};
    }

    /// How many values were neither learnt nor scored.
    [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_; }

private:
    static constexpr std::size_t signal_count = 9;
    // Stiller than this nothing is: it keeps quotients finite.
    static constexpr double still_floor = 1e-9;
    // More deviations than this one value does not add to an average of several.
    static constexpr double scaled_max = 1e4;

    static std::array<double, signal_count> weights(double still_weight) noexcept {
        std::array<double, signal_count> result{};
        result.fill(1);
        result.back() = still_weight;
        return result;
    }

    std::array<double, signal_count> signals(event_time time, double value) noexcept {
        // What sums leave behind when values cancel is not a difference.
        double const noise = 1e-9 * std::fabs(value);
        auto const clean = [noise](double difference) {
            return std::fabs(difference) > noise ? difference : 0;
        };
        auto const per = [noise](double difference, double deviation) {
            return difference / std::fmax(deviation, noise + still_floor);
        };
        std::array<double, signal_count> result{};
        result.fill(detail::undefined);

        double const usual_by_day = day_.deviation(time);
        double const by_day = clean(day_.add(time, value));
        result[0] = std::fabs(by_day);
        if (!std::isnan(usual_by_day)) result[1] = std::fabs(per(by_day, usual_by_day));
        result[2] = std::fabs(clean(week_.add(time, value)));

        double const usual_recently = recent_.deviation(time);
        double const recently = clean(recent_.add(time, value));
        residuals_.push(recently);
        scaled_residuals_.push(
            std::isnan(usual_recently)
                ? 0
                : std::fmax(-scaled_max, std::fmin(per(recently, usual_recently), scaled_max)));
        if (residuals_.is_full()) {
            result[3] = std::fabs(clean(residuals_.mean()));
            result[4] = std::fabs(scaled_residuals_.mean());
        }

        shift_.add(by_day);
        if (shift_.is_ready()) result[5] = std::fabs(clean(shift_.value()));
        bend_.add(value);
        if (bend_.is_ready()) result[6] = std::fabs(clean(bend_.value()));
        turn_.add(value);
        if (turn_.is_ready()) result[7] = std::fabs(clean(turn_.value()));

        steps_.push(std::isnan(previous_) ? 0 : std::fabs(clean(value - previous_)));
        previous_ = value;
        if (steps_.is_full()) result[8] = 1 / std::fmax(steps_.mean(), noise + still_floor);
        return result;
    }

    seasonal_baseline day_;
    seasonal_baseline week_;
    seasonal_baseline recent_; // of one slot
    detail::moving_sum residuals_;
    detail::moving_sum scaled_residuals_;
    level_shift shift_;
    slope_change bend_{1};
    slope_change turn_;
    detail::moving_sum steps_;
    anomaly_ensemble ensemble_;
    alarm_cooldown cooldown_;
    double previous_ = detail::undefined;
    std::uint64_t left_out_ = 0;
};

} // namespace livetape
