#pragma once

#include <livetape/analytics/alert_board.hpp>
#include <livetape/analytics/detection.hpp>
#include <livetape/analytics/diagnostics.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/threshold_alarm.hpp>

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace livetape {

/// When what a detector says becomes an alert. Its id on the board is `name.key`, or one
/// of the two if the other is empty.
///
///     fires      score >= fire_at, of an `anomaly_score` the onset; a `change_direction` counts 1
///     resolves   score <= resolve_at for `calm_events` events in a row
///
/// A `threshold_alarm` says by itself when; of its rule only name and severity count.
struct alert_rule {
    std::string name;
    severity how = severity::warning;
    double fire_at = 1;
    /// Precondition: at most `fire_at`.
    double resolve_at = 0;
    /// How many events in a row must be calm: an anomaly has gone when it has stayed away.
    std::size_t calm_events = 1;
    /// From this score on it is critical, whatever `how` says.
    double critical_at = std::numeric_limits<double>::infinity();
};

namespace detail {

/// The text of alerts for which the host gives none: `spread of BTC: 3.5`.
struct plain_alert_text {
    template <class Said>
    std::string operator()(std::string_view name, std::string_view key,
                           detection<Said> const& of) const {
        std::string text{name};
        if (!key.empty()) text.append(" of ").append(key);
        text += ": ";
        append_value(text, of.value);
        return text;
    }
};

/// Whether the alert of one key fires.
struct alert_state {
    bool is_firing = false;
    bool is_critical = false;
    std::size_t calm = 0;
};

/// What detectors say, to a board of alerts.
template <class Text>
class board_alerts {
public:
    board_alerts(alert_board& board, alert_rule rule, Text text)
        : board_{&board}, rule_{std::move(rule)}, text_{std::move(text)} {}

    template <class Said>
    void judge(alert_state& state, std::string_view key, detection<Said> const& of,
               diagnostics& problems) {
        if constexpr (std::is_same_v<Said, alarm_change>) {
            if (of.said == alarm_change::fired) raise(state, key, of, problems, false);
            else if (of.said == alarm_change::resolved) resolve(state, key, of.time);
        } else {
            double const level = level_of(of.said, state.is_firing);
            bool const is_critical = level >= rule_.critical_at;
            if (state.is_firing) {
                if (is_critical && !state.is_critical) raise(state, key, of, problems, true);
                state.calm = level <= rule_.resolve_at ? state.calm + 1 : 0;
                if (state.calm >= rule_.calm_events) resolve(state, key, of.time);
            } else if (level >= rule_.fire_at) {
                raise(state, key, of, problems, is_critical);
            }
        }
    }

    /// The alert is over, or nobody is left who could tell.
    void resolve(alert_state& state, std::string_view key, event_time time) {
        if (state.is_firing) board_->resolve(id_of(key), time);
        state = {};
    }

private:
    template <class Said>
    void raise(alert_state& state, std::string_view key, detection<Said> const& of,
               diagnostics& problems, bool is_critical) {
        auto const id = id_of(key);
        auto const refused = board_->refused();
        board_->raise(id, is_critical ? severity::critical : rule_.how, text_of(key, of), of.time);
        if (board_->refused() != refused) problems.note(problem::refused, id, of.time);
        state = {board_->is_firing(id), is_critical, 0};
    }

    template <class Said>
    [[nodiscard]] std::string text_of(std::string_view key, detection<Said> const& of) {
        if constexpr (std::is_same_v<Text, plain_alert_text>) return text_(rule_.name, key, of);
        else return std::string{text_(key, of)};
    }

    [[nodiscard]] std::string id_of(std::string_view key) const {
        if (key.empty()) return rule_.name;
        if (rule_.name.empty()) return std::string{key};
        return std::string{rule_.name}.append(".").append(key);
    }

    alert_board* board_;
    alert_rule rule_;
    Text text_;
};

/// No alerts: what is said goes to the output alone.
struct no_alerts {
    template <class Said>
    void judge(alert_state&, std::string_view, detection<Said> const&, diagnostics&) {}
    void resolve(alert_state&, std::string_view, event_time) {}
};

} // namespace detail

} // namespace livetape
