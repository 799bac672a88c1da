#pragma once

#include <livetape/analytics/detail/co_moments.hpp>
#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/event_time.hpp>

#include <cmath>
#include <cstdint>

namespace livetape {

/// A straight line.
struct fitted_line {
    double slope = detail::undefined;
    double intercept = detail::undefined; ///< the value at zero

    [[nodiscard]] constexpr double at(double x) const noexcept { return intercept + slope * x; }
};

/// The least-squares line through points (x, y), in one pass:
///
///     slope = Σ (x_i - x̄)(y_i - ȳ) / Σ (x_i - x̄)²        intercept = ȳ - slope x̄
///
/// from the co-moments of Pébay (SAND2008-6212, 2008). Error of the slope: about n ε κ_x κ_y
/// σ_y/σ_x, κ as in `variance`. A point with a number that is not finite or over 1e145 is left out.
/// NaN until two points differ in x. 56 bytes; mergeable.
class linear_regression {
public:
    constexpr void add(double x, double y) noexcept {
        if (detail::co_moments::takes(x) && detail::co_moments::takes(y)) [[likely]]
            moments_.add(x, y);
        else ++left_out_;
    }

    constexpr void merge(linear_regression const& later) noexcept {
        moments_.merge(later.moments_);
        left_out_ += later.left_out_;
    }

    [[nodiscard]] constexpr fitted_line value() const noexcept { return {slope(), intercept()}; }

    [[nodiscard]] constexpr double slope() const noexcept {
        return moments_.squares_x > 0 ? moments_.products / moments_.squares_x : detail::undefined;
    }
    [[nodiscard]] constexpr double intercept() const noexcept {
        return moments_.mean_y - slope() * moments_.mean_x;
    }

    /// The share of the variance of y that the line explains, in [0, 1]; NaN if y is constant.
    [[nodiscard]] constexpr double r_squared() const noexcept {
        return moments_.squares_y > 0 ? 1 - residual_squares() / moments_.squares_y
                                      : detail::undefined;
    }
    /// The standard deviation about the line, with n - 2 degrees of freedom; NaN for n < 3.
    [[nodiscard]] double residual_deviation() const noexcept {
        if (moments_.count < 3) return detail::undefined;
        return std::sqrt(residual_squares() / (moments_.count - 2));
    }
    /// The standard error of the slope.
    [[nodiscard]] double slope_error() const noexcept {
        return residual_deviation() / std::sqrt(moments_.squares_x);
    }
    /// The standard error of the intercept.
    [[nodiscard]] double intercept_error() const noexcept {
        double const offset = detail::square(moments_.mean_x) / moments_.squares_x;
        return residual_deviation() * std::sqrt(1 / moments_.count + offset);
    }

    [[nodiscard]] constexpr std::uint64_t count() const noexcept {
        return static_cast<std::uint64_t>(moments_.count);
    }
    [[nodiscard]] constexpr std::uint64_t left_out() const noexcept { return left_out_; }

private:
    friend class linear_trend;

    [[nodiscard]] constexpr double residual_squares() const noexcept {
        double const squares = moments_.squares_y - slope() * moments_.products;
        return squares < 0 ? 0 : squares;
    }

    detail::co_moments moments_;
    std::uint64_t left_out_ = 0;
};

/// How fast a value rises or falls: `linear_regression` over event time, in seconds since the first
/// value, which a double holds to the nanosecond for 104 days. 72 bytes; mergeable.
class linear_trend {
public:
    constexpr void add(event_time time, double value) noexcept {
        if (!has_begun_) {
            has_begun_ = true;
            origin_ = time;
        }
        line_.add(to_seconds(time - origin_), value);
    }

    constexpr void merge(linear_trend const& later) noexcept {
        if (!later.has_begun_) return;
        if (!has_begun_) {
            *this = later;
            return;
        }
        auto shifted = later.line_;
        shifted.moments_.mean_x += to_seconds(later.origin_ - origin_);
        line_.merge(shifted);
    }

    /// The slope per second; NaN until two values differ in time.
    [[nodiscard]] constexpr double value() const noexcept { return line_.slope(); }

    /// Where the line is at a time.
    [[nodiscard]] constexpr double at(event_time time) const noexcept {
        return line_.value().at(to_seconds(time - origin_));
    }

    /// The line over seconds since `origin()`, with its errors.
    [[nodiscard]] constexpr linear_regression const& line() const noexcept { return line_; }
    [[nodiscard]] constexpr event_time origin() const noexcept { return origin_; }
    [[nodiscard]] constexpr std::uint64_t count() const noexcept { return line_.count(); }
    [[nodiscard]] constexpr std::uint64_t left_out() const noexcept { return line_.left_out(); }

private:
    event_time origin_{0};
    linear_regression line_;
    bool has_begun_ = false;
};

} // namespace livetape
