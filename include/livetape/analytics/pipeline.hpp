#pragma once

#include <livetape/analytics/accumulator.hpp>
#include <livetape/analytics/detail/branch.hpp>
#include <livetape/analytics/detail/json_fields.hpp>
#include <livetape/analytics/detail/record.hpp>
#include <livetape/analytics/detail/struct_fields.hpp>
#include <livetape/analytics/diagnostics.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/group_by.hpp>
#include <livetape/analytics/window_spec.hpp>
#include <livetape/channel/channel.hpp>
#include <livetape/config.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace livetape {

/// A description of how events of a channel become results in others, that runs when it is told to:
///
///     auto bars = from(ticks).json().time("ts").number("price").number("volume").key("symbol")
///                     .window(tumbling{1s}).apply<ohlcv>().to(bars_1s)
///                     .window(sliding{1min}).apply<mean>().to(averages)
///                     .report(problems);
///     while (bars.run() > 0) {}
///
/// Each payload is parsed once, whatever number of operators read it. An operator that cannot take
/// what the fields give does not compile. What comes out depends on the events alone, so a day that
/// is replayed gives what living through it gave.
///
/// Results are keyed like the events: `{"key":"A","begin":…,"end":…,"value":…}` with times in
/// milliseconds, `"late"` if events of the window came late, and `"provisional":true` or
/// `"correction":true`. Bad input is counted and reported, never thrown.
///
/// The channels must outlive the pipeline. Memory: that of its operators per key, and of the
/// parser. Thread safety: distinct objects safe; shared objects unsafe. The channels may be used by
/// anybody.
template <class Fields, class... Branches>
class pipeline {
public:
    using input = typename Fields::input;

    /// Made by `from` and what follows it. @param source  null if the host calls `take` alone
    pipeline(channel* source, std::unique_ptr<Fields> fields, group_options const& groups,
             std::tuple<Branches...> branches)
        : source_{source}, fields_{std::move(fields)}, groups_{groups}, branches_{std::move(
                                                                            branches)},
          last_offset_{source == nullptr ? 0 : source->first_offset() - 1} {}

    /// Adds another operator over the same events.
    template <class Spec>
    [[nodiscard]] auto window(Spec spec) &&;

    /// Where problems are reported, at the end of each `run`, `tick` and `finish`; without it they
    /// are counted only. The last word of a description.
    [[nodiscard]] pipeline report(channel& to) && {
        problems_channel_ = &to;
        return std::move(*this);
    }

    /// Reads what the source has had since the last call, from the oldest event that is kept on,
    /// and publishes what follows from it. At most `events_max` events, so that a shard can do
    /// other things in between.
    /// @return the number of events read; 0 when there are no more
    /// Precondition: the pipeline has a source.
    std::size_t run(std::size_t events_max = 1000) {
        LIVETAPE_ASSERT(source_ != nullptr);
        auto const events = source_->read(last_offset_, {.events_max = events_max});
        for (auto const& event : events) {
            if (event.offset > last_offset_ + 1)
                problems_.note(problem::missed, {}, {}, event.offset - last_offset_ - 1);
            last_offset_ = event.offset;
            auto const published = to_event_time(event.time);
            if (auto const read = fields_->decode(event.payload)) take(*read, published);
            else problems_.note(problem::unparsable, {}, event.payload);
        }
        report_problems();
        return events.size();
    }

    /// Takes one event that did not come from the source: a payload, or a struct.
    /// @param published  its time if no field is named for it
    void take(input const& event, event_time published = event_time{0}) {
        if (auto const failure = fields_->read(event, published, record_)) {
            problems_.note(failure->which, failure->field, fields_->example(event));
            return;
        }
        std::apply([&](auto&... branch) { (branch.take(record_, problems_), ...); }, branches_);
    }

    /// Lets event time pass to `time` without an event, so that windows close although the stream
    /// has fallen silent. For hosts whose events are stamped with a clock: call it with that
    /// clock's time. What is older comes late from then on, as after an event of that time.
    void advance(event_time time) {
        std::apply([&](auto&... branch) { (branch.advance(time, problems_), ...); }, branches_);
        report_problems();
    }

    /// Publishes what branches with `emission::on_tick` have held back.
    void tick() {
        std::apply([&](auto&... branch) { (branch.tick(problems_), ...); }, branches_);
        report_problems();
    }

    /// Closes all windows at the end of the stream.
    void finish() {
        std::apply([&](auto&... branch) { (branch.finish(problems_), ...); }, branches_);
        report_problems();
    }

    [[nodiscard]] diagnostics const& problems() const noexcept { return problems_; }

    /// The offset of the last event read, or of the last that was gone before the pipeline began.
    [[nodiscard]] std::uint64_t last_offset() const noexcept { return last_offset_; }

private:
    void report_problems() {
        if (problems_channel_ != nullptr) problems_.report(*problems_channel_);
    }

    channel* source_;
    channel* problems_channel_ = nullptr;
    std::unique_ptr<Fields> fields_; // a parser cannot be copied
    group_options groups_;
    std::tuple<Branches...> branches_;
    detail::record<Fields::number_count> record_;
    diagnostics problems_;
    std::uint64_t last_offset_;
};

namespace detail {

/// Whether an accumulator takes samples of so many numbers.
template <class Accumulator, class Indices>
struct takes_numbers;

template <class Accumulator, std::size_t... Index>
struct takes_numbers<Accumulator, std::index_sequence<Index...>> {
    template <std::size_t>
    using number = double;
    static constexpr bool value = accumulates<Accumulator, number<Index>...>;
};

/// A window and an operator that wait for their output.
template <class Fields, class Spec, accumulator Accumulator, class... Branches>
struct operator_stage {
    using window_type = decltype(std::declval<Spec const&>().make(std::declval<Accumulator>()));
    static constexpr bool has_end = closes<window_type>;

    channel* source;
    std::unique_ptr<Fields> fields;
    group_options groups;
    std::tuple<Branches...> branches;
    Spec spec;
    Accumulator empty;

    /// Ends the branch in an output channel. A window that slides never closes, so it publishes
    /// with each update if it is not told to wait for ticks.
    [[nodiscard]] auto to(channel& output,
                          emission when = has_end ? emission::at_close : emission::on_update) && {
        using last = branch<Fields::number_count, Spec, window_type>;
        return pipeline<Fields, Branches..., last>{
            source, std::move(fields), groups,
            std::tuple_cat(std::move(branches),
                           std::tuple{last{spec, spec.make(empty), groups, output, when}})};
    }
};

/// A window that waits for its operator.
template <class Fields, class Spec, class... Branches>
struct window_stage {
    channel* source;
    std::unique_ptr<Fields> fields;
    group_options groups;
    std::tuple<Branches...> branches;
    Spec spec;

    /// @param empty  what each window starts with, for accumulators with options
    template <accumulator Accumulator>
    [[nodiscard]] auto apply(Accumulator empty = Accumulator{}) && {
        static_assert(
            takes_numbers<Accumulator, std::make_index_sequence<Fields::number_count>>::value,
            "this operator cannot take the numbers that the pipeline reads");
        return operator_stage<Fields, Spec, Accumulator, Branches...>{
            source, std::move(fields), groups, std::move(branches), spec, std::move(empty)};
    }
};

/// The fields of JSON payloads, as far as they have been named.
template <std::size_t Numbers>
struct json_stage {
    channel* source;
    std::unique_ptr<json_fields<Numbers>> fields;
    group_options groups;

    /// The field with the event's own time, in units of so many seconds; without it, the time of
    /// publishing is taken, on the clock of the hub.
    [[nodiscard]] json_stage time(std::string_view name, double seconds_per_unit = 1) && {
        fields->time = name;
        fields->seconds_per_unit = seconds_per_unit;
        return std::move(*this);
    }

    /// The next number of each sample.
    [[nodiscard]] json_stage<Numbers + 1> number(std::string_view name) && {
        auto more = std::make_unique<json_fields<Numbers + 1>>();
        for (std::size_t i = 0; i < Numbers; ++i) more->numbers[i] = std::move(fields->numbers[i]);
        more->numbers[Numbers] = name;
        more->key = std::move(fields->key);
        more->time = std::move(fields->time);
        more->seconds_per_unit = fields->seconds_per_unit;
        return {source, std::move(more), groups};
    }

    /// The field by which events are grouped.
    [[nodiscard]] json_stage key(std::string_view name, group_options const& options = {}) && {
        fields->key = name;
        groups = options;
        return std::move(*this);
    }

    template <class Spec>
    [[nodiscard]] window_stage<json_fields<Numbers>, Spec> window(Spec spec) && {
        return {source, std::move(fields), groups, {}, spec};
    }
};

/// The parts of structs, as far as they have been named.
template <class Struct, class Time, class Key, class... Number>
struct struct_stage {
    channel* source;
    struct_fields<Struct, Time, Key, Number...> fields;
    group_options groups{};

    /// The event's own time: a duration or a `time_point`, as a member or what a function gives.
    template <class Projection>
    [[nodiscard]] struct_stage<Struct, Projection, Key, Number...> time(Projection which) && {
        return {source, {which, fields.key, fields.numbers}, groups};
    }

    /// The next number of each sample.
    template <class Projection>
    [[nodiscard]] struct_stage<Struct, Time, Key, Number..., Projection>
    number(Projection which) && {
        return {source,
                {fields.time, fields.key, std::tuple_cat(fields.numbers, std::tuple{which})},
                groups};
    }

    /// That by which events are grouped; must be text that lives as long as the event.
    template <class Projection>
    [[nodiscard]] struct_stage<Struct, Time, Projection, Number...>
    key(Projection which, group_options const& options = {}) && {
        return {source, {fields.time, which, fields.numbers}, options};
    }

    template <class Spec>
    [[nodiscard]] auto window(Spec spec) && {
        using all = struct_fields<Struct, Time, Key, Number...>;
        return window_stage<all, Spec>{
            source, std::make_unique<all>(std::move(fields)), groups, {}, spec};
    }
};

/// A source whose payloads are not understood yet.
struct source_stage {
    channel* source;

    /// The payloads are JSON objects.
    [[nodiscard]] json_stage<0> json() const {
        return {source, std::make_unique<json_fields<0>>(), {}};
    }

    /// The payloads are the bytes of such structs, published by this program.
    template <class Struct>
    requires std::is_trivially_copyable_v<Struct>
    [[nodiscard]] struct_stage<Struct, unnamed, unnamed> structs() const {
        return {source, {}, {}};
    }
};

} // namespace detail

template <class Fields, class... Branches>
template <class Spec>
auto pipeline<Fields, Branches...>::window(Spec spec) && {
    return detail::window_stage<Fields, Spec, Branches...>{source_, std::move(fields_), groups_,
                                                           std::move(branches_), spec};
}

/// Begins a pipeline whose events the host hands over with `take`, without a channel or a text:
/// `from<trade>().time(&trade::time).number(&trade::price).key(&trade::symbol)…`
template <class Struct>
[[nodiscard]] detail::struct_stage<Struct, detail::unnamed, detail::unnamed> from() {
    return {nullptr, {}, {}};
}

/// Begins a pipeline that reads a channel, from the oldest event that is kept.
[[nodiscard]] inline detail::source_stage from(channel& source) { return {&source}; }

} // namespace livetape
