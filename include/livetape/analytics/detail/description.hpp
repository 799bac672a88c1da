#pragma once

#include <livetape/analytics/alert_rule.hpp>
#include <livetape/analytics/count.hpp>
#include <livetape/analytics/detail/branch.hpp>
#include <livetape/analytics/detail/detect_branch.hpp>
#include <livetape/analytics/detail/output.hpp>
#include <livetape/analytics/detail/view.hpp>
#include <livetape/analytics/emission.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/group_by.hpp>
#include <livetape/analytics/latest_join.hpp>
#include <livetape/analytics/window_spec.hpp>
#include <livetape/channel/channel.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

// What is between `from` and a pipeline: each stage knows what has been said so far and offers the
// words that may follow.
namespace livetape {

template <class Reader, class... Branches>
class pipeline;

/// What a join may be told.
struct join_options {
    /// A side whose value is older than this at the time of the other's update does not join; 0: it
    /// never ages.
    event_time age_max{0};
    /// The key of the results where two keys are joined. Empty: `left:right`.
    std::string name{};
};

namespace detail {

/// What has been described: where events come from, and the branches that are complete.
template <class Reader, class... Branches>
struct description {
    Reader reader;
    group_options groups;
    std::tuple<Branches...> branches;

    static constexpr std::size_t number_count = Reader::number_count;

    /// The pipeline with another branch.
    template <class Branch>
    [[nodiscard]] auto with(Branch last) && {
        return pipeline<Reader, Branches..., Branch>{description<Reader, Branches..., Branch>{
            std::move(reader), groups,
            std::tuple_cat(std::move(branches), std::tuple<Branch>{std::move(last)})}};
    }
};

/// A window and an operator that wait for their output.
template <class View, class Spec, accumulator Accumulator, class Description>
struct operator_stage {
    using window_type = decltype(std::declval<Spec const&>().make(std::declval<Accumulator>()));
    using result_type = window_result<Accumulator>;
    // A window that slides never closes, so it is heard of with each update.
    static constexpr emission usual =
        closes<window_type> ? emission::at_close : emission::on_update;

    Description described;
    View view;
    Spec spec;
    Accumulator empty;

    /// Ends the branch in a channel, as JSON.
    [[nodiscard]] auto to(channel& output, emission when = usual) && {
        return std::move(*this).end_in(channel_output{output}, when);
    }

    /// Ends the branch in a function, called as `output(key, result)` or `output(result)` with the
    /// `window_result`; both are valid during the call.
    template <class Function>
    [[nodiscard]] auto to(Function output, emission when = usual) && {
        static_assert(takes_result<Function, result_type>,
                      "the output is neither a channel nor a function that takes these results");
        return std::move(*this).end_in(function_output<Function>{std::move(output)}, when);
    }

private:
    template <class Output>
    auto end_in(Output output, emission when) && {
        auto const groups = described.groups;
        return std::move(described).with(branch<View, Spec, window_type, Output>{
            std::move(view), spec, spec.make(empty), groups, std::move(output), when});
    }
};

/// A window that waits for its operator.
template <class View, class Spec, class Description>
struct window_stage {
    static constexpr std::size_t number_count =
        View::template number_count<Description::number_count>;

    Description described;
    View view;
    Spec spec;

    /// @param empty  what each window starts with, for accumulators with options
    template <class Accumulator>
    [[nodiscard]] auto apply(Accumulator empty = Accumulator{}) && {
        static_assert(accumulator<Accumulator>,
                      "this is no accumulator: it has no merge(other) or no value()");
        using indices = std::make_index_sequence<number_count>;
        static_assert(
            takes_numbers<Accumulator, indices>::value ||
                (View::is_whole && takes_numbers<Accumulator, indices, std::string_view>::value),
            "this operator cannot take the numbers that the pipeline reads");
        return operator_stage<View, Spec, Accumulator, Description>{
            std::move(described), std::move(view), spec, std::move(empty)};
    }
};

/// A detector that waits for its output, with the alerts that follow from it.
template <class View, class Detector, class Alerts, class Description>
struct detect_stage {
    static constexpr std::size_t number_count =
        View::template number_count<Description::number_count>;
    using result_type = detection<said_by<Detector, number_count>>;

    Description described;
    View view;
    Detector detector;
    Alerts alerts;

    /// Keeps alerts on a board by what the detector says; see `alert_rule`. The board must outlive
    /// the pipeline. @param text  called as `text(key, detection)` when an alert fires
    template <class Text = plain_alert_text>
    [[nodiscard]] auto alert(alert_board& board, alert_rule rule, Text text = {}) && {
        static_assert(std::is_same_v<Alerts, no_alerts>, "a detector has one rule for alerts");
        using said = said_by<Detector, number_count>;
        static_assert(
            requires(said const& what) { level_of(what, true); } ||
                std::is_same_v<said, alarm_change>,
            "what this detector says is no score, change or alarm that could alert");
        return detect_stage<View, Detector, board_alerts<Text>, Description>{
            std::move(described), std::move(view), std::move(detector),
            board_alerts<Text>{board, std::move(rule), std::move(text)}};
    }

    /// Ends the branch in a channel, as JSON.
    [[nodiscard]] auto to(channel& output, emission when = emission::on_update) && {
        return std::move(*this).end_in(channel_output{output}, when);
    }

    /// Ends the branch in alerts alone.
    template <class Text = plain_alert_text>
    [[nodiscard]] auto to(alert_board& board, alert_rule rule, Text text = {}) && {
        return std::move(*this)
            .alert(board, std::move(rule), std::move(text))
            .end_in(no_output{}, emission::on_update);
    }

    /// Ends the branch in a function, called as `output(key, detection)` or `output(detection)`.
    template <class Function>
    [[nodiscard]] auto to(Function output, emission when = emission::on_update) && {
        static_assert(takes_result<Function, result_type>,
                      "the output is neither a channel nor a function that takes these results");
        return std::move(*this).end_in(function_output<Function>{std::move(output)}, when);
    }

    template <class Output>
    [[nodiscard]] auto end_in(Output output, emission when) && {
        auto const groups = described.groups;
        return std::move(described).with(
            detect_branch<View, number_count, Detector, Alerts, Output>{
                std::move(view), std::move(detector), std::move(alerts), groups, std::move(output),
                when});
    }
};

/// A look at the stream that waits for what is to be done with it.
template <class View, class Description>
struct view_stage {
    static constexpr std::size_t number_count =
        View::template number_count<Description::number_count>;

    Description described;
    View view;

    template <class Spec>
    [[nodiscard]] auto window(Spec spec) && {
        static_assert(
            requires(count const& empty) { spec.make(empty); },
            "this is no window: say tumbling, hopping, sliding, sessions or running");
        return window_stage<View, Spec, Description>{std::move(described), std::move(view), spec};
    }

    template <class Detector>
    [[nodiscard]] auto detect(Detector detector) && {
        static_assert(livetape::detector<Detector, number_count>,
                      "this detector cannot take the numbers that the pipeline reads");
        return detect_stage<View, Detector, no_alerts, Description>{
            std::move(described), std::move(view), std::move(detector), {}};
    }

    template <class State, class Model>
    [[nodiscard]] auto detect(State state, Model model) && {
        return std::move(*this).detect(model_score{std::move(state), std::move(model)});
    }

    template <class... Output>
    [[nodiscard]] auto to(Output&&... output) && {
        static_assert(number_count == 1,
                      "only events with one number can be passed on as they are");
        return std::move(*this).detect(any_value{}).to(std::forward<Output>(output)...);
    }
};

/// The words that a branch may begin with. @tparam Stage  has `describe() &&`
template <class Stage>
class branch_start {
public:
    /// A window per key, or of what was chosen before: `tumbling`, `hopping`, `sliding`,
    /// `sessions`, `running`.
    template <class Spec>
    [[nodiscard]] auto window(Spec spec) && {
        return look(per_key{}).window(spec);
    }

    /// A detector per key that is asked about each event: any of this library, or a type of the
    /// host's own that models `detector`.
    template <class Detector>
    [[nodiscard]] auto detect(Detector detector) && {
        return look(per_key{}).detect(std::move(detector));
    }

    /// A model of the host's own: `model(state, event)` gives a score, the event being a `sample`;
    /// see `model_score`. Each key has its own state.
    template <class State, class Model>
    [[nodiscard]] auto detect(State state, Model model) && {
        return look(per_key{}).detect(std::move(state), std::move(model));
    }

    /// All keys together, for what is asked of the whole stream: one operator, which gets to see
    /// the key of each event if it wants to, such as `top_keys` and `distinct_keys`.
    [[nodiscard]] auto whole() && { return look(whole_stream{}); }

    /// Two keys, joined by what each said last; see `latest_join`. An event of other keys is not
    /// seen.
    template <class Operation>
    [[nodiscard]] auto join(std::string_view left, std::string_view right,
                            join_options options = {}) && {
        if (options.name.empty()) options.name = std::string{left}.append(":").append(right);
        return look(key_pair<Operation>{std::string{left}, std::string{right},
                                        std::move(options.name),
                                        latest_join<Operation>{options.age_max}});
    }

    /// Passes the number of each event on.
    template <class... Output>
    [[nodiscard]] auto to(Output&&... output) && {
        return look(per_key{}).to(std::forward<Output>(output)...);
    }

private:
    template <class View>
    [[nodiscard]] auto look(View view) {
        auto described = static_cast<Stage&&>(*this).describe();
        using description_type = decltype(described);
        return view_stage<View, description_type>{std::move(described), std::move(view)};
    }
};

} // namespace detail

} // namespace livetape
