#pragma once

#include <livetape/analytics/diagnostics.hpp>
#include <livetape/analytics/json_object.hpp>
#include <livetape/analytics/window_result.hpp>
#include <livetape/channel/channel.hpp>

#include <string_view>
#include <type_traits>
#include <utility>

namespace livetape {

/// Writes what a window came to as the members of a JSON object that has been begun. The overloads
/// of `append_result` are how a pipeline writes what it publishes.
template <accumulator Accumulator>
void append_result(json_object& to, window_result<Accumulator> const& result) {
    to.time("begin", result.begin).time("end", result.end).value("value", result.value());
    if (result.late > 0) to.value("late", result.late);
    if (result.is_provisional) to.boolean("provisional", true);
    if (result.is_correction) to.boolean("correction", true);
}

namespace detail {

/// Results as payloads of a channel, keyed like the events.
class channel_output {
public:
    explicit channel_output(channel& to) : to_{&to} {}

    /// Flattened, as what is written is many small pieces.
    template <class Result>
    [[gnu::flatten]] void send(std::string_view key, Result const& result, diagnostics& problems) {
        text_.clear();
        if (!key.empty()) text_.text("key", key);
        append_result(text_, result);
        auto const payload = text_.finish();
        if (to_->publish(payload, {.key = key}) == 0) problems.note(problem::refused, {}, payload);
    }

private:
    channel* to_;
    json_object text_;
};

/// Results as calls of a function of the host.
template <class Function>
class function_output {
public:
    explicit function_output(Function to) : to_{std::move(to)} {}

    template <class Result>
    void send(std::string_view key, Result const& result, diagnostics&) {
        if constexpr (std::is_invocable_v<Function&, std::string_view, Result const&>)
            to_(key, result);
        else to_(result);
    }

private:
    Function to_;
};

/// No results: the branch has its effect elsewhere.
struct no_output {
    template <class Result>
    void send(std::string_view, Result const&, diagnostics&) {}
};

/// Whether a function takes the results of a branch.
template <class Function, class Result>
concept takes_result = std::is_invocable_v<Function&, std::string_view, Result const&> ||
    std::is_invocable_v<Function&, Result const&>;

} // namespace detail

} // namespace livetape
