#pragma once

#include <livetape/analytics/detail/decay.hpp>
#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/event_time.hpp>

#include <cmath>

namespace livetape {

/// The exponentially weighted mean and variance of values that come at any times: a value of age
/// a weighs w = exp(-a / τ).
///
///     mean = Σ w_i x_i / Σ w_i        variance = Σ w_i (x_i - mean)² / Σ w_i
///
/// in the incremental form of West (Communications of the ACM 22, 1979) and Finch ("Incremental
/// calculation of weighted mean and variance", 2009), with the weights of time-decayed aggregates
/// (Cormode, Shkapenyuk, Srivastava and Xu, "Forward decay", ICDE 2009). The weights are
/// normalised, so the first values are not dragged to zero. A value that comes late gets the weight
/// of its age: the order of arrival does not matter. Each value weighs the same however long it
/// stood; for a mean over time see `ema`.
///
/// Rounding: relative error about ε κ Σ w, ε = 2^-53, with κ as in `variance`; old errors decay
/// too. NaN, infinities and magnitudes over 1e145 are left out. Empty: NaN. 80 bytes; mergeable.
class ewm_variance : public detail::decayed_sums {
public:
    static constexpr double magnitude_max = 1e145;

    /// @param time_constant  τ; half the weight lies within the last 0.69 τ. Precondition: positive
    explicit ewm_variance(event_time time_constant) noexcept : decayed_sums{time_constant} {}

    void add(event_time time, double value) noexcept {
        if (!(value >= -magnitude_max && value <= magnitude_max)) [[unlikely]] {
            ++left_out_;
            return;
        }
        if (!has_begun_) [[unlikely]] {
            has_begun_ = true;
            time_ = time;
        }
        double weight = 1;
        double factor = 1;
        if (time < time_) [[unlikely]] {
            weight = decay_.factor(time_ - time);
        } else {
            factor = decay_.over(time - time_);
            time_ = time;
        }
        weight_ = weight_ * factor + weight;
        double const before = value - mean_;
        mean_ += before * (weight / weight_);
        squares_ = squares_ * factor + weight * before * (value - mean_);
    }

    /// Precondition: the time constants are the same.
    void merge(ewm_variance const& later) noexcept {
        auto const share = meet(later);
        weight_ *= share.own;
        squares_ *= share.own;
        double const weight = later.weight_ * share.other;
        // What has decayed to nothing has no share in anything.
        if (weight == 0) return;
        double const total = weight_ + weight;
        double const distance = later.mean_ - mean_;
        mean_ += distance * (weight / total);
        squares_ +=
            later.squares_ * share.other + detail::square(distance) * weight_ * (weight / total);
        weight_ = total;
    }

    [[nodiscard]] double value() const noexcept {
        return weight_ > 0 ? squares_ / weight_ : detail::undefined;
    }
    [[nodiscard]] double deviation() const noexcept { return std::sqrt(value()); }
    [[nodiscard]] double mean() const noexcept { return weight_ > 0 ? mean_ : detail::undefined; }

private:
    double weight_ = 0;
    double mean_ = 0;
    double squares_ = 0; // Σ w_i (x_i - mean)²
};

/// The exponentially weighted mean alone, as Σ w_i x_i over Σ w_i: without a division per value,
/// and with an error of ε Σ w of the largest value. Else as `ewm_variance`. 72 bytes; mergeable.
class ewma : public detail::decayed_sums {
public:
    static constexpr double magnitude_max = 1e145;

    /// @param time_constant  τ. Precondition: positive
    explicit ewma(event_time time_constant) noexcept : decayed_sums{time_constant} {}

    void add(event_time time, double value) noexcept {
        if (!(value >= -magnitude_max && value <= magnitude_max)) [[unlikely]] {
            ++left_out_;
            return;
        }
        if (!has_begun_) [[unlikely]] {
            has_begun_ = true;
            time_ = time;
        }
        if (time < time_) [[unlikely]] {
            double const weight = decay_.factor(time_ - time);
            weight_ += weight;
            sum_ += weight * value;
            return;
        }
        double const factor = decay_.over(time - time_);
        weight_ = weight_ * factor + 1;
        sum_ = sum_ * factor + value;
        time_ = time;
    }

    /// Precondition: the time constants are the same.
    void merge(ewma const& later) noexcept {
        auto const share = meet(later);
        weight_ = weight_ * share.own + later.weight_ * share.other;
        sum_ = sum_ * share.own + later.sum_ * share.other;
    }

    [[nodiscard]] double value() const noexcept {
        return weight_ > 0 ? sum_ / weight_ : detail::undefined;
    }

private:
    double weight_ = 0;
    double sum_ = 0;
};

/// How often something happens, per second, exponentially weighted: events, or what each adds.
///
///     rate(t) = Σ w_i a_i / (τ (1 - exp(-(t - t_0) / τ))),    w_i = exp(-(t - t_i) / τ)
///
/// where t_0 is the time of the first event: the divisor is the weight of the time that was
/// watched, so that the start is not biased towards zero. The same weights as in `ewma`; same
/// source. Events may come in any order. Relative error about ε Σ w. Amounts that are not finite
/// are left out. NaN before the first event and at its very time. 72 bytes; mergeable.
class ewma_rate : public detail::decayed_sums {
public:
    /// @param time_constant  τ. Precondition: positive
    explicit ewma_rate(event_time time_constant) noexcept : decayed_sums{time_constant} {}

    /// One event.
    void add(event_time time) noexcept { add(time, 1); }

    /// An event that counts `amount`.
    void add(event_time time, double amount) noexcept {
        if (!detail::is_finite(amount)) [[unlikely]] {
            ++left_out_;
            return;
        }
        if (!has_begun_) [[unlikely]] {
            has_begun_ = true;
            begin_ = time_ = time;
        }
        if (time < time_) [[unlikely]] {
            if (time < begin_) begin_ = time;
            amount_ += amount * decay_.factor(time_ - time);
            return;
        }
        amount_ = amount_ * decay_.over(time - time_) + amount;
        time_ = time;
    }

    /// Precondition: the time constants are the same.
    void merge(ewma_rate const& later) noexcept {
        if (later.has_begun_ && (!has_begun_ || later.begin_ < begin_)) begin_ = later.begin_;
        auto const share = meet(later);
        amount_ = amount_ * share.own + later.amount_ * share.other;
    }

    /// As of the last event.
    [[nodiscard]] double value() const noexcept { return at(time_); }

    /// As of a time; of one before the last event, as of that.
    [[nodiscard]] double at(event_time time) const noexcept {
        if (time < time_) time = time_;
        if (!has_begun_ || time <= begin_) return detail::undefined;
        double const tau = static_cast<double>(decay_.time_constant().count());
        double const watched = static_cast<double>((time - begin_).count());
        double const weight = to_seconds(decay_.time_constant()) * -std::expm1(-watched / tau);
        return amount_ * decay_.factor(time - time_) / weight;
    }

private:
    event_time begin_{0};
    double amount_ = 0;
};

} // namespace livetape
