#pragma once

#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/event_time.hpp>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace livetape {

/// What is usual at this time of the day, or of the week: for each slot of the period the mean of
/// the values that fell into it, the newer ones weighing more.
///
///     m_s ← m_s + max(1/n_s, α) (x - m_s),    s = ⌊slots (t mod period) / period⌋
///
/// which is the seasonal part of exponential smoothing (Winters, "Forecasting sales by
/// exponentially weighted moving averages", Management Science 6, 1960) without trend, its start
/// the plain mean. The mean absolute residual is smoothed the same way, for those who want to scale
/// by it. After a lasting change of level by d a slot is wrong by d (1 - α)^n after n more of its
/// values. A single slot makes it a baseline of the recent past.
///
/// The period begins at the epoch of the times; with Unix times a day begins at midnight UTC and a
/// week on Thursday, which matters to nobody who does not name the slots. NaN, infinities and
/// magnitudes over 1e145 are left out. Memory: 24 bytes per slot. Time: O(1).
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class seasonal_baseline {
public:
    static constexpr double magnitude_max = 1e145;

    struct options {
        /// The length of the season: a day, or a week. Precondition: positive.
        event_time period = std::chrono::hours{24};
        /// Into how many slots it is cut. Precondition: at least 1.
        std::size_t slots = 24;
        /// α, the weight of a new value once a slot has 1/α of them.
        double smoothing = 0.02;
    };

    /// A day of hours and a week of hours.
    [[nodiscard]] static options daily() noexcept { return {}; }
    [[nodiscard]] static options weekly() noexcept {
        return {.period = std::chrono::hours{168}, .slots = 168, .smoothing = 0.05};
    }

    seasonal_baseline() : seasonal_baseline(options{}) {}
    explicit seasonal_baseline(options const& chosen) : options_{chosen}, slots_(chosen.slots) {}

    /// Takes a value and gives how far it lies from what was usual before it; 0 in a slot that had
    /// none yet, and for values that are left out.
    double add(event_time time, double value) noexcept {
        if (!(std::fabs(value) <= magnitude_max)) return 0;
        slot& at = slots_[index_of(time)];
        ++at.count;
        if (at.count == 1) {
            at.mean = value;
            return 0;
        }
        double const residual = value - at.mean;
        auto const count = static_cast<double>(at.count);
        at.mean += std::fmax(1 / count, options_.smoothing) * residual;
        // The first value had no residual.
        at.deviation +=
            std::fmax(1 / (count - 1), options_.smoothing) * (std::fabs(residual) - at.deviation);
        return residual;
    }

    /// The usual value at a time; NaN in a slot that had none yet.
    [[nodiscard]] double expected(event_time time) const noexcept {
        slot const& at = slots_[index_of(time)];
        return at.count > 0 ? at.mean : detail::undefined;
    }

    /// The usual distance from the usual value at a time: the smoothed mean absolute residual; NaN
    /// in a slot that had no two of them yet.
    [[nodiscard]] double deviation(event_time time) const noexcept {
        slot const& at = slots_[index_of(time)];
        return at.count > 2 ? at.deviation : detail::undefined;
    }

private:
    struct slot {
        double mean = 0;
        double deviation = 0;
        std::uint64_t count = 0;
    };

    [[nodiscard]] std::size_t index_of(event_time time) const noexcept {
        auto phase = time.count() % options_.period.count();
        if (phase < 0) phase += options_.period.count();
        auto const share =
            static_cast<double>(phase) / static_cast<double>(options_.period.count());
        auto const index = static_cast<std::size_t>(share * static_cast<double>(slots_.size()));
        return index < slots_.size() ? index : slots_.size() - 1;
    }

    options options_;
    std::vector<slot> slots_;
};

} // namespace livetape
