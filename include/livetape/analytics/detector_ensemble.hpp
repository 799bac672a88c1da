#pragma once

#include <livetape/analytics/anomaly_ensemble.hpp>
#include <livetape/analytics/detection.hpp>
#include <livetape/analytics/event_time.hpp>

#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <tuple>
#include <utility>

namespace livetape {

/// Any detectors as one, with a calibrated score:
///
///     .detect(detector_ensemble{robust_z_score{}, seasonal_baseline{}, page_hinkley{{1, 50}}})
///
/// Each is asked about each event in the way that it can be (see `detector`), and what it says
/// becomes a magnitude: the absolute score or residual, the score of an `anomaly_score`, and of a
/// change point how near it is. `anomaly_ensemble` ranks each magnitude within its own past and
/// joins the ranks:
///
///     score = 1 - p,    p = k / Σ 1/p_i,    p_i = rank of the i-th magnitude
///
/// so that scales need not compare, one surprised detector is enough, and 0.99 is what comes once
/// in a hundred events of plain noise; for the bounds see there. Memory: that of the detectors, and
/// 4.7 KiB for each. Time: theirs, and O(k).
///
/// Thread safety: distinct objects safe; shared objects unsafe.
template <class... Detectors>
requires(sizeof...(Detectors) > 0) class detector_ensemble {
public:
    explicit detector_ensemble(Detectors... members)
        : members_{std::move(members)...}, joint_{sizeof...(Detectors)} {}

    /// @return the joint score, 0 to 1
    template <std::same_as<double>... Number>
    double add(event_time time, Number... number) {
        sample<sizeof...(Number)> const event{time, {}, {number...}};
        auto const magnitudes = std::apply(
            [&](auto&... member) { return std::array{magnitude_of(member, event)...}; }, members_);
        return anomaly_ensemble::score(joint_.add(std::span<double const>{magnitudes}));
    }

private:
    template <class Detector, std::size_t Numbers>
    static double magnitude_of(Detector& member, sample<Numbers> const& event) {
        auto const said = detail::judge(member, event);
        double const level = detail::level_of(said, true);
        if constexpr (std::same_as<decltype(said), change_direction const>)
            return std::fmax(level, member.value());
        else return level;
    }

    std::tuple<Detectors...> members_;
    anomaly_ensemble joint_;
};

} // namespace livetape
