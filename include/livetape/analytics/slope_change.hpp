#pragma once

#include <livetape/analytics/detail/moving_sum.hpp>
#include <livetape/analytics/detail/numbers.hpp>

#include <cstddef>

namespace livetape {

/// How much the course of a stream has bent: the last step between the means of adjacent windows of
/// w values less the step before.
///
///     bend(t) = (m_0 - m_1) - (m_1 - m_2),    m_k = mean of x_{t-kw}, …, x_{t-kw-w+1}
///
/// It is the second difference at scale w, 0 for any straight line: with w = 1 the error of the
/// forecast that a stream goes on as straight as it came. It answers a spike at its top and a turn
/// at its corner, and leaves slow drifts and ramps alone, which `level_shift` does not. Windows
/// count values, not time. NaN and infinities are left out. Memory: 24 w bytes. Time: O(1)
/// amortised.
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class slope_change {
public:
    /// @param width  w, the number of values in each window. Precondition: at least 1
    explicit slope_change(std::size_t width) : newest_{width}, middle_{width}, oldest_{width} {}

    /// Takes a value and gives the bend as of it; 0 until all three windows are full.
    double add(double value) noexcept {
        if (!detail::is_finite(value)) return bend_;
        bool const reaches_middle = newest_.is_full();
        double const to_middle = newest_.push(value);
        if (reaches_middle) {
            bool const reaches_oldest = middle_.is_full();
            double const to_oldest = middle_.push(to_middle);
            if (reaches_oldest) oldest_.push(to_oldest);
        }
        if (is_ready()) bend_ = newest_.mean() - 2 * middle_.mean() + oldest_.mean();
        return bend_;
    }

    [[nodiscard]] double value() const noexcept { return bend_; }

    /// Whether all three windows are full.
    [[nodiscard]] bool is_ready() const noexcept { return oldest_.is_full(); }

private:
    detail::moving_sum newest_;
    detail::moving_sum middle_;
    detail::moving_sum oldest_;
    double bend_ = 0;
};

} // namespace livetape
