#pragma once

#include <livetape/analytics/detail/numbers.hpp>

#include <cmath>
#include <cstdint>

namespace livetape {

/// Which way a level moved.
enum class change_direction : std::uint8_t { none, up, down };

/// Says when the mean of a stream has moved by more than it usually wanders: the test of Page
/// ("Continuous inspection schemes", Biometrika 41, 1954) in the form of Hinkley ("Inference about
/// the change-point from cumulative sum tests", Biometrika 58, 1971), both ways.
///
///     U_n = U_{n-1} + x_n - mean_n - δ,    up when   U_n - min U > λ
///     D_n = D_{n-1} + x_n - mean_n + δ,    down when max D - D_n > λ
///
/// mean_n is the mean of the values since the last change, x_n included, so nothing need be known
/// of the level. A step by Δ > δ is found after about λ / (Δ - δ) values. δ is half the smallest
/// change that matters. Were the mean known, δ = σ/2 and λ = 10 σ on noise of deviation σ would be
/// wrong once in some 70,000 values (Siegmund, "Sequential Analysis", 1985, equation 2.34, for both
/// sides); while the mean is still being learnt it is wrong more often. A change starts it anew.
///
/// NaN and infinities are left out. Memory: 56 bytes. Time: O(1).
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class page_hinkley {
public:
    struct options {
        double delta;  ///< δ, in units of the values. Precondition: at least 0
        double lambda; ///< λ, in units of the values. Precondition: positive
        /// How many values are learnt from before the first alarm.
        std::uint64_t values_min = 30;
    };

    explicit page_hinkley(options const& chosen) noexcept : options_{chosen} {}

    change_direction add(double value) noexcept {
        if (!detail::is_finite(value)) return change_direction::none;
        ++count_;
        mean_ += (value - mean_) / static_cast<double>(count_);
        // Kept as the distance from the extremum, which is what is compared and stays small.
        up_ = std::fmax(0, up_ + (value - mean_ - options_.delta));
        down_ = std::fmax(0, down_ - (value - mean_ + options_.delta));
        if (count_ < options_.values_min) return change_direction::none;
        if (!(up_ > options_.lambda) && !(down_ > options_.lambda)) return change_direction::none;
        auto const direction = up_ >= down_ ? change_direction::up : change_direction::down;
        reset();
        return direction;
    }

    /// Forgets all, as a change does by itself.
    void reset() noexcept {
        count_ = 0;
        mean_ = up_ = down_ = 0;
    }

    /// The mean since the last change; 0 right after it.
    [[nodiscard]] double mean() const noexcept { return mean_; }

    /// How near it is to an alarm, 1 being there.
    [[nodiscard]] double value() const noexcept { return std::fmax(up_, down_) / options_.lambda; }

private:
    options options_;
    std::uint64_t count_ = 0;
    double mean_ = 0;
    double up_ = 0;
    double down_ = 0;
};

/// Page's cumulative sum test for a stream whose level and noise are known, say residuals of a
/// model: what is learnt from the data in `page_hinkley` is given here.
///
///     S⁺_n = max(0, S⁺_{n-1} + z_n - k),    S⁻_n = max(0, S⁻_{n-1} - z_n - k),    z = (x - μ) / σ
///
/// It alarms when one exceeds h. With k = 1/2 it finds a step of one σ fastest among all tests with
/// its rate of false alarms (Moustakides, "Optimal stopping times for detecting changes in
/// distributions", Annals of Statistics 14, 1986); with h = 5 that rate is one in 465 values when
/// both sides are watched, and a step of one σ takes 10.4 values (Montgomery, "Introduction to
/// Statistical Quality Control", table 9.3). An alarm starts both sums anew.
///
/// NaN and infinities are left out. Memory: 48 bytes. Time: O(1).
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class cusum {
public:
    struct options {
        double mean = 0;      ///< μ
        double deviation = 1; ///< σ. Precondition: positive
        double slack = 0.5;   ///< k, in σ
        double limit = 5;     ///< h, in σ
    };

    cusum() noexcept : cusum(options{}) {}
    explicit cusum(options const& chosen) noexcept : options_{chosen} {}

    change_direction add(double value) noexcept {
        if (!detail::is_finite(value)) return change_direction::none;
        double const z = (value - options_.mean) / options_.deviation;
        up_ = std::fmax(0, up_ + z - options_.slack);
        down_ = std::fmax(0, down_ - z - options_.slack);
        if (!(up_ > options_.limit) && !(down_ > options_.limit)) return change_direction::none;
        auto const direction = up_ >= down_ ? change_direction::up : change_direction::down;
        reset();
        return direction;
    }

    void reset() noexcept { up_ = down_ = 0; }

    /// How near it is to an alarm, 1 being there.
    [[nodiscard]] double value() const noexcept { return std::fmax(up_, down_) / options_.limit; }

private:
    options options_;
    double up_ = 0;
    double down_ = 0;
};

} // namespace livetape
