#pragma once

#include <livetape/analytics/detail/moving_sum.hpp>
#include <livetape/analytics/detail/numbers.hpp>

#include <cstddef>

namespace livetape {

/// How far the level of a stream has moved: the mean of its last w values less the mean of the w
/// before.
///
///     shift(t) = (x_t + … + x_{t-w+1}) / w - (x_{t-w} + … + x_{t-2w+1}) / w
///
/// It is the detail coefficient of the Haar wavelet at scale w, undecimated (Percival and Walden,
/// "Wavelet Methods for Time Series Analysis", 2000, chapter 5), and the filter that finds a step
/// in white noise best. With w = 1 it is the step from value to value. Windows count values, not
/// time. NaN and infinities are left out. Memory: 16 w bytes. Time: O(1) amortised.
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class level_shift {
public:
    /// @param width  w, the number of values in each window. Precondition: at least 1
    explicit level_shift(std::size_t width) : recent_{width}, before_{width} {}

    /// Takes a value and gives the shift as of it; 0 until both windows are full.
    double add(double value) noexcept {
        if (!detail::is_finite(value)) return shift_;
        bool const overflows = recent_.is_full();
        double const oldest = recent_.push(value);
        if (overflows) before_.push(oldest);
        if (before_.is_full()) shift_ = recent_.mean() - before_.mean();
        return shift_;
    }

    [[nodiscard]] double value() const noexcept { return shift_; }

    /// Whether both windows are full.
    [[nodiscard]] bool is_ready() const noexcept { return before_.is_full(); }

private:
    detail::moving_sum recent_;
    detail::moving_sum before_;
    double shift_ = 0;
};

} // namespace livetape
