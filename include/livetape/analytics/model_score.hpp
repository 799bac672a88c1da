#pragma once

#include <cstdint>
#include <utility>

namespace livetape {

/// A function that judges an event: called with a state of its own, which it may change, and the
/// event, it returns a number.
template <class Model, class State, class Event>
concept scoring_model = requires(Model& model, State& state, Event const& event) {
    static_cast<double>(model(state, event));
};

/// Runs any model as an operator: the hook for what this library does not have, from a formula of
/// three lines to a network that some other library evaluates.
///
///     score_n = model(state, event_n), brought into 0 to 1; NaN: 0, and counted
///
/// The model keeps what it learns in the state, not in itself, so that a state can be copied, kept
/// and looked at. It must not read the clock or draw randomness if replaying is to give the same.
/// Memory: the model's and the state's.
///
///     model_score spam{logistic_regression{2}, [](auto& learnt, message const& m) {
///         return learnt.probability(m.features);
///     }};
///
/// Thread safety: distinct objects safe; shared objects unsafe.
template <class State, class Model>
class model_score {
public:
    model_score(State state, Model model) : state_{std::move(state)}, model_{std::move(model)} {}

    template <class Event>
    requires scoring_model<Model, State, Event>
    double add(Event const& event) {
        auto const score = static_cast<double>(model_(state_, event));
        if (score != score) {
            ++left_out_;
            return 0;
        }
        return score < 0 ? 0 : score > 1 ? 1 : score;
    }

    [[nodiscard]] State& state() noexcept { return state_; }
    [[nodiscard]] State const& state() const noexcept { return state_; }

    /// How often the model did not know.
    [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_; }

private:
    State state_;
    Model model_;
    std::uint64_t left_out_ = 0;
};

} // namespace livetape
