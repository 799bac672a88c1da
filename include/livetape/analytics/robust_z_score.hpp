#pragma once

#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/detail/order_statistic_set.hpp>

#include <cstddef>
#include <limits>
#include <vector>

namespace livetape {

/// How many deviations a value lies from the middle of the last n, middle and deviation taken so
/// that up to half of the n may be wrong: median and median absolute deviation.
///
///     z = (x - median) / (1.4826 MAD),    MAD = median of |x_i - median|
///
/// Hampel ("The influence curve and its role in robust estimation", JASA 69, 1974); 1.4826 makes z
/// a number of standard deviations if the values are normal. Beyond 3.5 is the usual outlier
/// (Iglewicz and Hoaglin, "How to Detect and Handle Outliers", 1993). Both medians are exact, of an
/// even number of values the mean of the two in the middle.
///
/// A value is judged by those before it, then joins them. NaN and infinities score 0 and do not.
/// Memory: 64 bytes per value of the window. Time: O(log n), the MAD too: it is found by
/// descending the trees below and above the median side by side.
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class robust_z_score {
public:
    struct options {
        /// n. Precondition: at least 1.
        std::size_t window = 500;
        /// How many values there must be before one is judged.
        std::size_t values_min = 20;
    };

    robust_z_score() : robust_z_score(options{}) {}
    explicit robust_z_score(options const& chosen)
        : options_{chosen},
          ring_(chosen.window), low_{chosen.window + 1}, high_{chosen.window + 1} {}

    /// @return z; 0 until there are `values_min`. Where more than half of the window is one value
    ///         the MAD is 0, and any other value is infinitely far from it: ±infinity.
    double add(double value) noexcept {
        if (!detail::is_finite(value)) return 0;
        double const z = size() < options_.values_min || size() == 0 ? 0 : score(value);
        if (size() == ring_.size()) remove(ring_[next_]);
        ring_[next_] = value;
        if (++next_ == ring_.size()) next_ = 0;
        if (low_.size() > 0 && value > lower_median()) high_.insert(value);
        else low_.insert(value);
        balance();
        return z;
    }

    /// z of a value that does not join the window. Precondition: the window is not empty.
    [[nodiscard]] double score(double value) const noexcept {
        double const distance = value - median();
        if (distance == 0) return 0;
        double const deviation = median_deviation();
        if (deviation > 0) return distance / (normal_factor * deviation);
        constexpr double infinity = std::numeric_limits<double>::infinity();
        return distance > 0 ? infinity : -infinity;
    }

    /// The median of the window; NaN if it is empty.
    [[nodiscard]] double median() const noexcept {
        if (size() == 0) return detail::undefined;
        if (low_.size() > high_.size()) return lower_median();
        return lower_median() / 2 + high_.nth(0) / 2;
    }

    /// The MAD, without the factor; NaN if the window is empty.
    [[nodiscard]] double median_deviation() const noexcept {
        if (size() == 0) return detail::undefined;
        double const middle = median();
        double const upper = nth_deviation(size() / 2, middle);
        return size() % 2 != 0 ? upper : upper / 2 + nth_deviation(size() / 2 - 1, middle) / 2;
    }

    [[nodiscard]] std::size_t size() const noexcept { return low_.size() + high_.size(); }

private:
    static constexpr double normal_factor = 1.4826022185056018; // 1 / Φ⁻¹(3/4)

    [[nodiscard]] double lower_median() const noexcept { return low_.nth(low_.size() - 1); }

    void remove(double value) noexcept {
        if (!(value <= lower_median() && low_.erase(value))) high_.erase(value);
        balance();
    }

    /// The lower half has as many values as the upper, or one more.
    void balance() noexcept {
        if (low_.size() > high_.size() + 1) {
            double const moved = lower_median();
            low_.erase(moved);
            high_.insert(moved);
        } else if (high_.size() > low_.size()) {
            double const moved = high_.nth(0);
            high_.erase(moved);
            low_.insert(moved);
        }
    }

    /// The k-th smallest distance from the median, of two sorted sequences: the lower half read
    /// downwards and the upper half read upwards. Each step drops a subtree of one of them.
    [[nodiscard]] double nth_deviation(std::size_t k, double middle) const noexcept {
        using set = detail::order_statistic_set;
        auto below = low_.root();
        auto above = high_.root();
        for (;;) {
            std::size_t const nearer_below = low_.size(low_.right(below));
            std::size_t const nearer_above = high_.size(high_.left(above));
            double const distance_below = middle - low_.key(below);
            double const distance_above = high_.key(above) - middle;
            if (below == set::none) {
                if (k == nearer_above) return distance_above;
                if (k < nearer_above) above = high_.left(above);
                else k -= nearer_above + 1, above = high_.right(above);
            } else if (above == set::none) {
                if (k == nearer_below) return distance_below;
                if (k < nearer_below) below = low_.right(below);
                else k -= nearer_below + 1, below = low_.left(below);
            } else if (bool const all_nearer = k > nearer_below + nearer_above;
                       distance_below <= distance_above) {
                // The farther root has more than k before it, or the nearer one at most k - 1.
                if (!all_nearer) above = high_.left(above);
                else k -= nearer_below + 1, below = low_.left(below);
            } else {
                if (!all_nearer) below = low_.right(below);
                else k -= nearer_above + 1, above = high_.right(above);
            }
        }
    }

    options options_;
    std::vector<double> ring_; // in order of arrival
    std::size_t next_ = 0;
    detail::order_statistic_set low_;
    detail::order_statistic_set high_;
};

} // namespace livetape
