#pragma once

#include <livetape/analytics/detail/numbers.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace livetape {

/// Learns from labelled events how likely a label is, one event at a time.
///
///     P(label | x) = 1 / (1 + exp(-(w · x + b)))
///     w_i ← w_i - η g_i / sqrt(Σ g_i²),    g_i = (P - label) x_i + λ w_i
///
/// logistic regression by stochastic gradient descent, the step of each weight falling with what
/// it has been taught (AdaGrad: Duchi, Hazan and Singer, JMLR 12, 2011), so that rare features
/// learn as fast as common ones. The regret against the best fixed weights is O(√n). Features are
/// best scaled to about 1: a weight that should be a thousandth of the step is found slowly.
/// Memory: 16 bytes per feature. Time: O(features).
///
/// An event with a feature that is not finite is not learnt from, and its probability is NaN.
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class logistic_regression {
public:
    struct options {
        double step = 0.5;       ///< η, about how far a weight moves at first
        double shrinkage = 1e-4; ///< λ, keeps weights finite where the labels are separable
    };

    /// @param features  how many numbers an event has
    explicit logistic_regression(std::size_t features) : logistic_regression(features, options{}) {}
    logistic_regression(std::size_t features, options const& chosen)
        : options_{chosen}, weights_(features + 1) {}

    /// @param features  as many as were announced
    [[nodiscard]] double probability(std::span<double const> features) const noexcept {
        double sum = weights_.back().value;
        for (std::size_t i = 0; i + 1 < weights_.size(); ++i)
            sum += weights_[i].value * features[i];
        // Either form alone would overflow on one side.
        double const small = std::exp(-std::fabs(sum));
        return sum >= 0 ? 1 / (1 + small) : small / (1 + small);
    }

    /// @return the probability before learning, an honest prediction
    double learn(std::span<double const> features, bool label) noexcept {
        double const before = probability(features);
        for (std::size_t i = 0; i + 1 < weights_.size(); ++i)
            if (!detail::is_finite(features[i])) return detail::undefined;
        double const error = before - (label ? 1 : 0);
        for (std::size_t i = 0; i + 1 < weights_.size(); ++i)
            move(weights_[i], error * features[i] + options_.shrinkage * weights_[i].value);
        move(weights_.back(), error);
        return before;
    }

    /// The weight of a feature; of index `features`, the bias b.
    [[nodiscard]] double weight(std::size_t index) const noexcept { return weights_[index].value; }

private:
    struct weight_state {
        double value = 0;
        double squares = 0; // Σ g²
    };

    void move(weight_state& at, double gradient) const noexcept {
        if (gradient == 0 || !detail::is_finite(gradient * gradient)) return;
        at.squares += gradient * gradient;
        at.value -= options_.step * gradient / std::sqrt(at.squares);
    }

    options options_;
    std::vector<weight_state> weights_; // the last one is the bias
};

} // namespace livetape
