#pragma once

#include <livetape/analytics/accumulator.hpp>
#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/window_result.hpp>
#include <livetape/config.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace livetape {

/// What tumbling and hopping windows may be told.
struct window_options {
    /// How far the watermark trails the latest event time: events that much out of order are in
    /// time. A window closes when the watermark reaches its end, so this is also its delay.
    event_time watermark_delay{0};

    /// For how long after it has closed a window still takes events, each of which makes it come
    /// out again as a correction. 0: late events are dropped, and counted.
    event_time allowed_lateness{0};

    /// A time at which a window begins; the others follow from it. 0 is right for most: windows of
    /// an hour begin at full hours of UTC.
    event_time origin{0};

    /// Whether windows without events are reported, as long as the stream goes on.
    bool has_empty = false;

    /// Of a longer run of empty windows only the last so many are reported: after a jump in time,
    /// nobody wants a year of empty seconds.
    std::size_t empty_run_max = 1000;

    /// Panes with events that are kept at most. What watermark delay and lateness ask for is
    /// usually far below; beyond it the oldest one is forgotten, and counted in `forced`.
    std::size_t panes_max = 65'536;
};

namespace detail {

/// Tumbling and hopping windows over event time.
///
/// Theory of operation. Time is cut into panes of one hop (Li, Maier, Tufte, Papadimos and Tucker,
/// "No pane, no gain", SIGMOD Record 34, 2005). Pane p holds origin + p hop <= time < origin +
/// (p + 1) hop. Window k is the panes k - n + 1 … k and ends with pane k; a tumbling window has n
/// = 1. An event is added to one pane, and a window that closes merges its n panes. Only panes with
/// events exist, in a ring ordered by index.
///
/// The watermark is the claim that no earlier event will come (Akidau et al., "The dataflow model",
/// VLDB 2015). It follows the events alone, so what comes out depends on what goes in and not on
/// when. Window k is due when the watermark reaches its end; `next_window_` is the first that was
/// not handed out. Events of windows that are closed are late; if lateness allows, they are added,
/// and the windows from `correction_begin_` to before `correction_end_` are handed out again.
template <accumulator Accumulator>
class paned_window {
public:
    using accumulator_type = Accumulator;
    using result = window_result<Accumulator>;

    /// Preconditions: 0 < hop, length is a multiple of hop, and no duration is negative or over
    /// `event_time_limit` / 4.
    paned_window(event_time length, event_time hop, window_options const& options,
                 Accumulator empty)
        : options_{options}, hop_{hop.count()},
          panes_per_window_{length.count() / hop.count()}, empty_{std::move(empty)} {
        LIVETAPE_ASSERT(hop.count() > 0 && length.count() % hop.count() == 0);
        LIVETAPE_ASSERT(length.count() > 0 && length <= event_time_limit / 4);
        LIVETAPE_ASSERT(options.watermark_delay.count() >= 0);
        LIVETAPE_ASSERT(options.watermark_delay <= event_time_limit / 4);
        LIVETAPE_ASSERT(options.allowed_lateness.count() >= 0);
        LIVETAPE_ASSERT(options.allowed_lateness <= event_time_limit / 4);
        LIVETAPE_ASSERT(is_event_time(options.origin));
        LIVETAPE_ASSERT(options.panes_max > 0);
        ring_.resize(2, pane{empty_});
    }

    /// Adds an event. If that closes a window, returns it; if it closes several, or corrects some,
    /// returns the first, and `next` returns the others. What is not taken by the next `add` is not
    /// lost, but may then hold later events. O(1); O(length / hop) merges for each window returned.
    template <class... Input>
    requires accumulates<Accumulator, Input...> std::optional<result> add(event_time time,
                                                                          Input const&... input) {
        if (time >= fast_begin_ && time < fast_end_) [[likely]] {
            if (!feed(ring_[newest_].total, time, input...)) [[unlikely]]
                ++counters_.left_out;
            latest_ = std::max(latest_, time);
            return std::nullopt;
        }
        if (pane* const into = find_place(time); into && !feed(into->total, time, input...))
            ++counters_.left_out;
        return next();
    }

    /// States that no event before `time` will come, as when the source is known to be silent.
    /// Returns the first window that this closes; `next` returns the others.
    std::optional<result> advance(event_time time) {
        if (is_event_time(time)) raise_watermark(time);
        return next();
    }

    /// Closes all windows that have events, at the end of the stream.
    std::optional<result> finish() {
        if (size_ > 0) raise_watermark(begin_of(newest().index + panes_per_window_));
        return next();
    }

    /// The next window that is closed or corrected and was not returned yet; corrections first,
    /// then by time.
    std::optional<result> next() {
        auto const due = due_end();
        auto found = next_correction();
        if (!found) found = next_due(due);
        retire(due);
        set_fast_path(due);
        return found;
    }

    /// The window of the latest event as it is now, marked as provisional; nothing before the first
    /// event and when that window has closed.
    [[nodiscard]] std::optional<result> provisional() const {
        if (!has_begun_ || size_ == 0) return std::nullopt;
        auto const index = newest().index;
        if (index < due_end()) return std::nullopt;
        auto shown = total_of(index);
        shown.is_provisional = true;
        return shown;
    }

    /// No event before it is expected; `-event_time_limit` before the first.
    [[nodiscard]] event_time watermark() const noexcept {
        auto const followed = has_begun_ ? latest_ - options_.watermark_delay : -event_time_limit;
        return std::max(followed, stated_);
    }

    [[nodiscard]] event_time length() const noexcept {
        return event_time{hop_ * panes_per_window_};
    }
    [[nodiscard]] event_time hop() const noexcept { return event_time{hop_}; }
    [[nodiscard]] window_counters const& counters() const noexcept { return counters_; }

private:
    struct pane {
        Accumulator total;
        std::int64_t index = 0;
        std::uint64_t late = 0;
    };

    [[nodiscard]] std::int64_t index_of(event_time time) const noexcept {
        return floor_divide((time - options_.origin).count(), hop_);
    }
    [[nodiscard]] event_time begin_of(std::int64_t index) const noexcept {
        return options_.origin + event_time{index * hop_};
    }
    /// Windows below this index have ended at the watermark.
    [[nodiscard]] std::int64_t due_end() const noexcept { return index_of(watermark()); }

    [[nodiscard]] pane& at(std::size_t place) noexcept {
        return ring_[(head_ + place) & (ring_.size() - 1)];
    }
    [[nodiscard]] pane const& at(std::size_t place) const noexcept {
        return ring_[(head_ + place) & (ring_.size() - 1)];
    }
    [[nodiscard]] pane const& newest() const noexcept { return at(size_ - 1); }

    /// How many panes lie before an index: the place of the first that does not.
    [[nodiscard]] std::size_t place_of(std::int64_t index) const noexcept {
        auto place = size_;
        while (place > 0 && at(place - 1).index >= index) --place;
        return place;
    }

    void raise_watermark(event_time time) noexcept { stated_ = std::max(stated_, time); }

    pane* find_place(event_time time);
    pane* add_late(std::int64_t index, std::int64_t closed_end);
    pane* pane_of(std::int64_t index);
    void grow();
    std::optional<result> next_correction();
    std::optional<result> next_due(std::int64_t end);
    [[nodiscard]] result total_of(std::int64_t window) const;
    void retire(std::int64_t due);
    void set_fast_path(std::int64_t due) noexcept;

    window_options options_;
    std::int64_t hop_;
    std::int64_t panes_per_window_;
    Accumulator empty_;

    // While latest_ stays in this range, an event needs no more than its pane.
    event_time fast_begin_ = event_time::max();
    event_time fast_end_ = event_time::min();
    std::size_t newest_ = 0; // where it lies in the ring
    event_time latest_ = event_time::min();
    event_time stated_ = -event_time_limit; // by `advance`

    std::vector<pane> ring_; // a power of two
    std::size_t head_ = 0;
    std::size_t size_ = 0;
    std::int64_t next_window_ = 0;
    std::int64_t correction_begin_ = 0;
    std::int64_t correction_end_ = 0;
    bool has_begun_ = false;
    window_counters counters_;
};

/// The pane that an event goes to, after what it changes besides; null if there is none.
template <accumulator Accumulator>
auto paned_window<Accumulator>::find_place(event_time time) -> pane* {
    if (!is_event_time(time)) {
        ++counters_.left_out;
        return nullptr;
    }
    auto const index = index_of(time);
    auto const closed_end = due_end();
    if (!has_begun_) {
        has_begun_ = true;
        latest_ = time;
        next_window_ = std::max(index, closed_end);
    }
    if (index < closed_end) return add_late(index, closed_end);
    latest_ = std::max(latest_, time);
    next_window_ = std::min(next_window_, index);
    return pane_of(index);
}

/// An event of which the first window has closed: `index` < `closed_end`.
template <accumulator Accumulator>
auto paned_window<Accumulator>::add_late(std::int64_t index, std::int64_t closed_end) -> pane* {
    ++counters_.late;
    auto const windows_end = index + panes_per_window_;
    auto const kept = index_of(watermark() - options_.allowed_lateness);
    auto const begin = std::max(index, kept);
    auto const end = std::min(windows_end, closed_end);
    if (begin >= end && windows_end <= closed_end) {
        ++counters_.dropped;
        return nullptr;
    }
    auto* const into = pane_of(index);
    if (into == nullptr) return nullptr;
    ++into->late;
    // Windows before that of the first event, which are still open, have an event now.
    if (windows_end > closed_end) next_window_ = std::min(next_window_, closed_end);
    if (begin >= end) return into;
    bool const is_first = correction_begin_ == correction_end_;
    correction_begin_ = is_first ? begin : std::min(correction_begin_, begin);
    correction_end_ = is_first ? end : std::max(correction_end_, end);
    return into;
}

/// The pane of an index, made if need be; null if it is older than all of `panes_max`.
template <accumulator Accumulator>
auto paned_window<Accumulator>::pane_of(std::int64_t index) -> pane* {
    auto place = place_of(index);
    if (place < size_ && at(place).index == index) return &at(place);
    if (size_ == options_.panes_max) {
        if (place == 0) {
            ++counters_.dropped;
            return nullptr;
        }
        ++counters_.forced;
        head_ = (head_ + 1) & (ring_.size() - 1);
        --size_;
        --place;
    }
    if (size_ == ring_.size()) grow();
    for (auto i = size_++; i > place; --i) std::swap(at(i), at(i - 1));
    auto& made = at(place);
    made.total = empty_;
    made.index = index;
    made.late = 0;
    return &made;
}

template <accumulator Accumulator>
void paned_window<Accumulator>::grow() {
    std::vector<pane> larger(ring_.size() * 2, pane{empty_});
    for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move(at(i));
    ring_ = std::move(larger);
    head_ = 0;
}

template <accumulator Accumulator>
auto paned_window<Accumulator>::next_correction() -> std::optional<result> {
    if (correction_begin_ == correction_end_) return std::nullopt;
    auto corrected = total_of(correction_begin_++);
    corrected.is_correction = true;
    return corrected;
}

template <accumulator Accumulator>
auto paned_window<Accumulator>::next_due(std::int64_t end) -> std::optional<result> {
    if (!has_begun_) return std::nullopt;
    if (next_window_ >= end) return std::nullopt;
    auto const place = place_of(next_window_ - panes_per_window_ + 1);
    // The first window with events from here on.
    auto filled = end;
    if (place < size_) filled = std::min(end, std::max(next_window_, at(place).index));
    if (options_.has_empty) {
        auto const run = static_cast<std::uint64_t>(filled - next_window_);
        if (run > options_.empty_run_max) {
            auto const skipped = run - options_.empty_run_max;
            counters_.empty_skipped += skipped;
            next_window_ += static_cast<std::int64_t>(skipped);
        }
    } else {
        next_window_ = filled;
    }
    if (next_window_ >= end) return std::nullopt;
    return total_of(next_window_++);
}

template <accumulator Accumulator>
auto paned_window<Accumulator>::total_of(std::int64_t window) const -> result {
    auto const first = window - panes_per_window_ + 1;
    result made{begin_of(first), begin_of(window + 1), empty_};
    for (auto place = place_of(first); place < size_ && at(place).index <= window; ++place) {
        made.total.merge(at(place).total);
        made.late += at(place).late;
    }
    if constexpr (covers_span<Accumulator>) made.total.cover(made.begin, made.end);
    return made;
}

/// Forgets panes of which all windows are closed for good.
template <accumulator Accumulator>
void paned_window<Accumulator>::retire(std::int64_t due) {
    if (size_ == 0 || correction_begin_ != correction_end_) return;
    auto const corrected = options_.allowed_lateness.count() == 0
                               ? due
                               : index_of(watermark() - options_.allowed_lateness);
    auto const kept = std::min(next_window_, corrected);
    while (size_ > 0 && at(0).index + panes_per_window_ <= kept) {
        head_ = (head_ + 1) & (ring_.size() - 1);
        --size_;
    }
}

template <accumulator Accumulator>
void paned_window<Accumulator>::set_fast_path(std::int64_t due) noexcept {
    fast_begin_ = event_time::max();
    fast_end_ = event_time::min();
    if (size_ == 0 || correction_begin_ != correction_end_) return;
    newest_ = (head_ + size_ - 1) & (ring_.size() - 1);
    // Nothing may be due now, and nothing may become due by an event in the range.
    if (next_window_ < due || newest().index < due) return;
    fast_begin_ = begin_of(newest().index);
    fast_end_ =
        std::min(fast_begin_ + event_time{hop_}, begin_of(due + 1) + options_.watermark_delay);
}

} // namespace detail

} // namespace livetape
