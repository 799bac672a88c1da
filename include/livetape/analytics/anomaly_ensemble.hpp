#pragma once

#include <livetape/analytics/tail_probability.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace livetape {

/// One calibrated score from several signals that are large when something is wrong.
///
/// Each signal becomes a probability by its rank among its own past (`tail_probability`), so
/// signals of any unit and distribution compare. The probabilities are joined by their weighted
/// harmonic mean,
///
///     p = Σ w_i / Σ (w_i / p_i),    score = 1 - p
///
/// which is as small as Σ w_i / w_i times the smallest if one signal alone is surprised, and needs
/// no independence: for small α the chance of p <= α is about α when the signals are alike as well
/// as when they are not (Wilson, "The harmonic mean p-value for combining dependent tests", PNAS
/// 116, 2019), and never over α e ln k for k equal weights (Vovk and Wang, "Combining p-values via
/// averaging", Biometrika 107, 2020).
///
/// A signal vouches for p_i = 10^-4 at most. Beyond that its p is guessed from a tail that is
/// fitted to few values, and such a guess shall not outvote signals that agree with each other.
/// Memory: 4.7 KiB per signal. Time: O(k).
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class anomaly_ensemble {
public:
    /// -log10 of the least p that one signal vouches for.
    static constexpr double surprise_max = 4;

    /// Signals of equal weight.
    /// @param signals  k, how many. Precondition: at least 1
    explicit anomaly_ensemble(std::size_t signals, tail_probability::options const& tail = {})
        : weights_(signals, 1 / static_cast<double>(signals)),
          tails_(signals, tail_probability{tail}) {}

    /// @param weights  one for each signal: how much it is believed, compared with the others.
    ///        Precondition: at least one, each positive
    explicit anomaly_ensemble(std::span<double const> weights,
                              tail_probability::options const& tail = {})
        : weights_(weights.begin(), weights.end()), tails_(weights.size(), tail_probability{tail}) {
        double sum = 0;
        for (double const weight : weights) sum += weight;
        for (double& weight : weights_) weight /= sum;
    }

    /// Takes the signals of one event and gives their joint surprise, -log10 p.
    /// @param magnitudes  one for each signal, at least 0; NaN, or missing at the end: not known,
    ///        and without any surprise. What is beyond the signals is passed over
    double add(std::span<double const> magnitudes) noexcept {
        double inverse = 0;
        for (std::size_t i = 0; i < tails_.size(); ++i) {
            double const magnitude =
                i < magnitudes.size() ? magnitudes[i] : std::numeric_limits<double>::quiet_NaN();
            double const surprise = std::fmin(tails_[i].surprise(magnitude), surprise_max);
            inverse += weights_[i] * std::exp(ln10 * surprise);
            tails_[i].add(magnitude);
        }
        return std::log10(inverse);
    }

    /// A surprise as a score from 0 to 1: 1 - p.
    [[nodiscard]] static double score(double surprise) noexcept {
        return surprise > 0 ? -std::expm1(-ln10 * surprise) : 0;
    }

    [[nodiscard]] std::size_t size() const noexcept { return tails_.size(); }

private:
    static constexpr double ln10 = 2.302585092994045684;

    std::vector<double> weights_; // their sum is 1
    std::vector<tail_probability> tails_;
};

} // namespace livetape
