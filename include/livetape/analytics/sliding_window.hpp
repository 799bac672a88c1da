#pragma once

#include <livetape/analytics/accumulator.hpp>
#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/detail/sliding_aggregate.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/config.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace livetape {

struct sliding_options {
    /// Events of one such span are kept as one, so that memory is bounded by length / resolution
    /// whatever the rate: the window then is up to one resolution too long. 0: each event is kept.
    event_time resolution{0};

    /// Entries kept at most; beyond it the oldest leaves early, and is counted.
    std::size_t entries_max = 65'536;
};

/// The last so much time, up to the latest event: t_latest - length < t <= t_latest. It has a value
/// after every event.
///
///     sliding_window<mean> load{1min};
///     load.add(sample.time, sample.value);
///     use(load.value());
///
/// At most four merges per event that comes and four per one that leaves, never more at once; no
/// subtraction, so no drift, and no error besides the accumulator's (DABA Lite; Tangwongsan, Hirzel
/// and Schneider, VLDB Journal 30, 2021). Events must come in the order of their times, equal ones
/// allowed; an older one is counted in `late()` and left out: for such streams take
/// `hopping_window`. Memory: an accumulator and a time per event in the window, at most
/// `entries_max`. For sketches of kilobytes set a resolution, or take `hopping_window`. Thread
/// safety: distinct objects safe; shared objects unsafe.
template <accumulator Accumulator>
class sliding_window {
public:
    using accumulator_type = Accumulator;

    /// Preconditions: 0 < length <= `event_time_limit` / 4; the resolution is not negative.
    explicit sliding_window(event_time length, sliding_options const& options = {},
                            Accumulator empty = Accumulator{})
        : length_{length}, options_{options}, empty_{empty}, open_{empty}, closed_{
                                                                               std::move(empty)} {
        LIVETAPE_ASSERT(length.count() > 0 && length <= event_time_limit / 4);
        LIVETAPE_ASSERT(options.resolution.count() >= 0 && options.entries_max > 0);
    }

    template <class... Input>
    requires accumulates<Accumulator, Input...>
    void add(event_time time, Input const&... input) {
        if (!is_event_time(time)) {
            ++left_out_;
            return;
        }
        if (time < latest_) {
            ++late_;
            return;
        }
        if (options_.resolution.count() == 0) {
            open_ = empty_;
            if (!detail::feed(open_, time, input...)) ++left_out_;
            close_entry(time);
        } else {
            auto const pane = detail::floor_divide(time.count(), options_.resolution.count());
            if (has_open_ && pane != open_pane_) close_entry(latest_);
            has_open_ = true;
            open_pane_ = pane;
            if (!detail::feed(open_, time, input...)) ++left_out_;
        }
        slide_to(time);
    }

    /// Lets time pass without an event: what is older than `time` - length leaves.
    void advance(event_time time) {
        if (!is_event_time(time) || time < latest_) return;
        // An entry leaves by the time of its newest event, which is about to change.
        if (has_open_ && time > latest_) close_entry(latest_);
        slide_to(time);
    }

    /// Everything in the window, merged in order.
    [[nodiscard]] Accumulator total() const {
        auto merged = closed_.total();
        if (has_open_) merged.merge(open_);
        if constexpr (detail::covers_span<Accumulator>)
            if (has_begun()) merged.cover(latest_ - length_, latest_);
        return merged;
    }
    [[nodiscard]] auto value() const { return total().value(); }

    /// The time of the latest event, or what `advance` was given.
    [[nodiscard]] event_time time() const noexcept { return latest_; }
    [[nodiscard]] event_time length() const noexcept { return length_; }
    [[nodiscard]] std::size_t entries() const noexcept { return closed_.size() + has_open_; }
    [[nodiscard]] std::uint64_t late() const noexcept { return late_; }
    /// Events with a time or a number that the operator cannot take.
    [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_; }
    /// Entries that left before their time because of `entries_max`.
    [[nodiscard]] std::uint64_t left_early() const noexcept { return left_early_; }

private:
    [[nodiscard]] bool has_begun() const noexcept { return latest_ != event_time::min(); }

    void close_entry(event_time newest) {
        if (closed_.size() == options_.entries_max) {
            closed_.pop();
            ++left_early_;
        }
        closed_.push(newest, open_);
        open_ = empty_;
        has_open_ = false;
    }

    void slide_to(event_time time) {
        latest_ = time;
        while (closed_.size() > 0 && closed_.oldest() <= time - length_) closed_.pop();
    }

    event_time length_;
    sliding_options options_;
    Accumulator empty_;
    Accumulator open_; // the entry that events are still added to
    detail::sliding_aggregate<Accumulator> closed_;
    std::int64_t open_pane_ = 0;
    bool has_open_ = false;
    event_time latest_ = event_time::min();
    std::uint64_t late_ = 0;
    std::uint64_t left_out_ = 0;
    std::uint64_t left_early_ = 0;
};

/// The last so many events, in the order in which they came. Cost and error as `sliding_window`;
/// memory for `events` accumulators, allocated once.
template <accumulator Accumulator>
class sliding_count_window {
public:
    /// Precondition: events > 0.
    explicit sliding_count_window(std::size_t events, Accumulator empty = Accumulator{})
        : events_{events}, empty_{empty}, entries_{std::move(empty)} {
        LIVETAPE_ASSERT(events > 0);
        entries_.reserve(events);
    }

    template <class... Input>
    requires accumulates<Accumulator, Input...>
    void add(event_time time, Input const&... input) {
        auto single = empty_;
        detail::feed(single, time, input...);
        if (entries_.size() == events_) entries_.pop();
        entries_.push(time, single);
    }

    [[nodiscard]] Accumulator total() const { return entries_.total(); }
    [[nodiscard]] auto value() const { return total().value(); }
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] bool is_full() const noexcept { return entries_.size() == events_; }

private:
    std::size_t events_;
    Accumulator empty_;
    detail::sliding_aggregate<Accumulator> entries_;
};

} // namespace livetape
