#pragma once

#include <livetape/analytics/anomaly_detector.hpp>
#include <livetape/analytics/change_point.hpp>
#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/json_object.hpp>
#include <livetape/analytics/model_score.hpp>
#include <livetape/analytics/threshold_alarm.hpp>

#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace livetape {

/// An event as a model of the host's own gets to see it in a pipeline. The key is valid during the
/// call.
template <std::size_t Numbers>
struct sample {
    event_time time{0};
    std::string_view key;
    std::array<double, Numbers> numbers{};
};

/// What a detector said of an event: a score, an `anomaly_score`, an `alarm_change`, a
/// `change_direction`, or a type of the host's own with an overload of `append_said`.
template <class Said>
struct detection {
    event_time time;
    double value; ///< the first number of the event; NaN if it has none
    Said said;
};

/// Nothing but the value, of branches that only pass numbers on.
struct nothing_said {};

/// The overloads of `append_said` are how a pipeline writes what detectors say.
inline void append_said(json_object&, nothing_said) {}
inline void append_said(json_object& to, double score) { to.number("score", score); }
inline void append_said(json_object& to, anomaly_score const& said) {
    to.number("score", said.score).number("onset", said.onset);
}
inline void append_said(json_object& to, alarm_change said) {
    to.text("state", said == alarm_change::fired ? "firing" : "resolved");
}
inline void append_said(json_object& to, change_direction said) {
    to.text("moved", said == change_direction::up ? "up" : "down");
}

template <class Said>
void append_result(json_object& to, detection<Said> const& result) {
    to.time("time", result.time).number("value", result.value);
    append_said(to, result.said);
}

namespace detail {

/// Whether what was said is worth publishing: a score always is, of changes those that are some.
template <class Said>
[[nodiscard]] constexpr bool is_news(Said const&) noexcept {
    return true;
}
[[nodiscard]] constexpr bool is_news(alarm_change said) noexcept {
    return said != alarm_change::none;
}
[[nodiscard]] constexpr bool is_news(change_direction said) noexcept {
    return said != change_direction::none;
}

/// How much there is to alert about; of anomalies only the onset, until an alert fires.
[[nodiscard]] inline double level_of(double said, bool) noexcept { return std::fabs(said); }
[[nodiscard]] inline double level_of(anomaly_score const& said, bool is_firing) noexcept {
    return is_firing ? said.score : said.onset;
}
[[nodiscard]] inline double level_of(change_direction said, bool) noexcept {
    return said == change_direction::none ? 0 : 1;
}

template <class Detector>
inline constexpr bool is_model = false;
template <class State, class Model>
inline constexpr bool is_model<model_score<State, Model>> = true;

/// The ways to hand an event to a detector, best first.
enum class judging { none, model, timed, plain, point, timed_first, first };

template <class Detector, class... Input>
concept answers = requires(Detector asked, Input... input) {
    asked.add(input...);
};

template <class Detector, class... Number>
[[nodiscard]] constexpr judging judging_of() noexcept {
    if constexpr (is_model<Detector>) return judging::model;
    else if constexpr (answers<Detector, event_time, Number...>) return judging::timed;
    else if constexpr (answers<Detector, Number...>) return judging::plain;
    else if constexpr (answers<Detector, std::span<double const>>) return judging::point;
    else if constexpr (sizeof...(Number) < 2) return judging::none;
    else if constexpr (answers<Detector, event_time, double>) return judging::timed_first;
    else if constexpr (answers<Detector, double>) return judging::first;
    else return judging::none;
}

template <class Detector, std::size_t Numbers, class... Number>
auto judge_by(Detector& detector, sample<Numbers> const& event, Number... number) {
    constexpr auto how = judging_of<Detector, Number...>();
    if constexpr (how == judging::model) return detector.add(event);
    else if constexpr (how == judging::timed) return detector.add(event.time, number...);
    else if constexpr (how == judging::plain) return detector.add(number...);
    else if constexpr (how == judging::point)
        return detector.add(std::span<double const>{event.numbers});
    else if constexpr (how == judging::timed_first)
        return detector.add(event.time, event.numbers[0]);
    else if constexpr (how == judging::first) return detector.add(event.numbers[0]);
}

/// What a detector says of a sample, handed over in the best way that it has: with the time if it
/// wants to know it, all numbers if it can take as many, else the first.
template <class Detector, std::size_t Numbers>
auto judge(Detector& detector, sample<Numbers> const& event) {
    return [&]<std::size_t... Index>(std::index_sequence<Index...>) {
        return judge_by(detector, event, event.numbers[Index]...);
    }
    (std::make_index_sequence<Numbers>{});
}

template <class Detector, std::size_t Numbers>
using said_by = decltype(judge(std::declval<Detector&>(), std::declval<sample<Numbers> const&>()));

/// A detector that says nothing.
struct any_value {
    nothing_said add(double) const noexcept { return {}; }
};

} // namespace detail

/// Something that can be asked about each event of a stream whose events have so many numbers, by
/// `add(time, number…)`, `add(number…)`, `add(point)` or, if it wants no more, the same of the
/// first number alone.
template <class Detector, std::size_t Numbers>
concept detector = std::copyable<Detector> && !std::is_void_v<detail::said_by<Detector, Numbers>>;

} // namespace livetape
