#pragma once

#include <livetape/analytics/detail/stages.hpp>
#include <livetape/analytics/diagnostics.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/group_by.hpp>
#include <livetape/channel/channel.hpp>

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

namespace livetape {

/// A description of how events of a channel become results in others, that runs when it is told to:
///
///     auto bars = from(ticks).json().time("ts").number("price").number("volume").key("symbol")
///                     .window(tumbling{1s}).apply<ohlcv>().to(bars_1s)
///                     .window(sliding{1min}).apply<mean>().to(averages)
///                     .detect(robust_z_score{}).alert(alerts, {"price", .fire_at = 6}).to(scores)
///                     .whole().window(running{5s}).apply<top_keys>().to(busiest)
///                     .report(problems);
///     while (bars.run() > 0) {}
///
/// Each payload is parsed once, whatever number of branches read it. A branch begins with a window
/// and an operator, with a detector, with two keys that are joined, or with the whole stream, and
/// ends in a channel or a function of the host. What does not fit does not compile, and says why.
/// What comes out depends on the events alone, so a day that is replayed gives what living through
/// it gave.
///
/// Results of windows are `{"key":"A","begin":…,"end":…,"value":…}` with times in milliseconds,
/// `"late"` if events of the window came late, and `"provisional":true` or `"correction":true`;
/// those of detectors `{"key":"A","time":…,"value":…}` and what the detector says. Bad input is
/// counted and reported, never thrown.
///
/// The channels must outlive the pipeline. Memory: that of its operators per key, and of the
/// parser. Thread safety: distinct objects safe; shared objects unsafe. The channels may be used by
/// anybody.
template <class Reader, class... Branches>
class pipeline : public detail::branch_start<pipeline<Reader, Branches...>> {
public:
    /// Made by `from` and what follows it.
    explicit pipeline(detail::description<Reader, Branches...> described)
        : described_{std::move(described)} {}

    /// Where problems are reported, at the end of each `run`, `advance`, `tick` and `finish`;
    /// without it they are counted only. The last word of a description.
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
        auto const read = described_.reader.read(events_max, problems_, into_branches());
        report_problems();
        return read;
    }

    /// Takes one event that did not come from the source: a payload, or a struct.
    /// @param published  its time if no field is named for it
    template <class Input = typename Reader::input>
    void take(Input const& event, event_time published = event_time{0}) {
        static_assert(std::is_convertible_v<Input const&, typename Reader::input const&>,
                      "the pipeline reads other events than this one");
        described_.reader.take(event, published, problems_, into_branches());
    }

    /// Lets event time pass to `time` without an event, so that windows close although the stream
    /// has fallen silent. For hosts whose events are stamped with a clock: call it with that
    /// clock's time. What is older comes late from then on, as after an event of that time.
    void advance(event_time time) {
        described_.reader.advance(time, problems_, into_branches());
        each_branch([&](auto& branch) { branch.advance(time, problems_); });
        report_problems();
    }

    /// Publishes what branches with `emission::on_tick` have held back.
    void tick() {
        each_branch([&](auto& branch) { branch.tick(problems_); });
        report_problems();
    }

    /// Closes all windows at the end of the stream.
    void finish() {
        described_.reader.finish(problems_, into_branches());
        each_branch([&](auto& branch) { branch.finish(problems_); });
        report_problems();
    }

    [[nodiscard]] diagnostics const& problems() const noexcept { return problems_; }

    /// The offset of the last event read, or of the last that was gone before the pipeline began;
    /// of pipelines with one source.
    [[nodiscard]] std::uint64_t last_offset() const noexcept {
        return described_.reader.last_offset();
    }

    /// What the next branch of the description is added to.
    [[nodiscard]] detail::description<Reader, Branches...> describe() && {
        return std::move(described_);
    }

private:
    template <class Function>
    void each_branch(Function function) {
        std::apply([&](auto&... branch) { (function(branch), ...); }, described_.branches);
    }

    auto into_branches() {
        return [this](auto const& event) {
            auto const key_hash = group_hash(event.key, described_.groups);
            each_branch([&](auto& branch) { branch.take(event, key_hash, problems_); });
        };
    }

    void report_problems() {
        if (problems_channel_ != nullptr) problems_.report(*problems_channel_);
    }

    detail::description<Reader, Branches...> described_;
    channel* problems_channel_ = nullptr;
    diagnostics problems_;
};

/// Begins a pipeline whose events the host hands over with `take`, without a channel or a text:
/// `from<trade>().time(&trade::time).number(&trade::price).key(&trade::symbol)…`
template <class Struct>
[[nodiscard]] detail::struct_stage<Struct, detail::unnamed, detail::unnamed> from() {
    return detail::struct_stage<Struct, detail::unnamed, detail::unnamed>{nullptr, {}};
}

/// Begins a pipeline that reads a channel, from the oldest event that is kept.
[[nodiscard]] inline detail::source_stage from(channel& source) { return {&source}; }

/// Begins a pipeline that reads two channels and joins, per key, what each said last:
///
///     join<product>(from(positions).json().time("t").number("amount").key("symbol"),
///                   from(prices).json().time("t").number("price").key("symbol"))
///         .to(worth)
///
/// `difference` and `ratio` are a spread, `product` is what a position is worth, and `paired` gives
/// two numbers, for `correlation` and `covariance`. The first number of each event is joined.
///
/// The channels are merged by event time, so that a replay gives the same. An event waits until the
/// other channel has come as far; where one of them is quiet, call `advance` with the time that it
/// is now. Keys that are not known on both sides give nothing.
/// @param options  `age_max` as for `latest_join`; bounds on keys are those of the left side
template <class Operation, class Left, class Right>
[[nodiscard]] auto join(Left left, Right right, join_options const& options = {}) {
    return detail::joined_stage<Operation, Left, Right>{std::move(left), std::move(right), options};
}

} // namespace livetape
