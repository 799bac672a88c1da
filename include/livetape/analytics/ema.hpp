#pragma once

#include <livetape/analytics/detail/decay.hpp>
#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/event_time.hpp>

#include <cstdint>

namespace livetape {

/// What a signal does between two of its samples.
enum class interpolation : std::uint8_t {
    previous, ///< it holds the last value, as a price or a state does
    linear,   ///< it goes straight from one to the next, as a temperature does
};

/// The exponential moving average of a signal over time, of which the samples are glimpses: each
/// value weighs as long as it stood, not as often as it was reported.
///
///     ema(t_n) = μ ema(t_{n-1}) + (ν - μ) x_{n-1} + (1 - ν) x_n
///     μ = exp(-Δt/τ);    ν = 1 for `previous`, (1 - μ) τ / Δt for `linear`
///
/// Müller ("Specially weighted moving averages", Olsen, 1991), Zumbach and Müller ("Operators on
/// inhomogeneous time series", Int. J. Theor. Appl. Finance 4, 2001, equation 2.6), Eckner
/// ("Algorithms for unevenly spaced time series", 2012). It starts at the first value.
///
/// Rounding error: some ε of the largest value. Exact in the sense of the formula, not mergeable:
/// two series of one signal cannot be told apart once averaged. NaN and infinities are left out,
/// and so are samples that come after a later one; both are counted. 72 bytes.
class ema {
public:
    /// @param time_constant  τ. Precondition: positive
    explicit ema(event_time time_constant, interpolation between = interpolation::previous) noexcept
        : decay_{time_constant}, between_{between} {}

    void add(event_time time, double value) noexcept {
        if (!detail::is_finite(value) || (has_begun_ && time < time_)) [[unlikely]] {
            ++left_out_;
            return;
        }
        if (!has_begun_) {
            has_begun_ = true;
            average_ = value;
        } else if (time > time_) {
            double const mu = decay_.over(time - time_);
            double const nu = between_ == interpolation::previous ? 1 : linear_weight(time, mu);
            average_ = mu * average_ + (nu - mu) * value_ + (1 - nu) * value;
        }
        time_ = time;
        value_ = value;
    }

    /// As of the last sample; NaN before the first.
    [[nodiscard]] double value() const noexcept {
        return has_begun_ ? average_ : detail::undefined;
    }

    /// As of a time not before the last sample, which is held since.
    [[nodiscard]] double at(event_time time) const noexcept {
        if (!has_begun_ || time <= time_) return value();
        double const mu = decay_.factor(time - time_);
        return mu * average_ + (1 - mu) * value_;
    }

    [[nodiscard]] event_time time() const noexcept { return time_; }
    [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_; }

private:
    [[nodiscard]] double linear_weight(event_time time, double mu) const noexcept {
        double const alpha = static_cast<double>((time - time_).count()) /
                             static_cast<double>(decay_.time_constant().count());
        // For short steps 1 - μ loses its digits; the series of (1 - exp(-α)) / α does not.
        return alpha < 1e-5 ? 1 - alpha / 2 * (1 - alpha / 3) : (1 - mu) / alpha;
    }

    detail::decay decay_;
    event_time time_{0};
    double value_ = 0;
    double average_ = 0;
    std::uint64_t left_out_ = 0;
    interpolation between_;
    bool has_begun_ = false;
};

} // namespace livetape
