#pragma once

#include <livetape/analytics/accumulator.hpp>
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

struct session_options {
    /// How far the watermark trails the latest event time: events that much out of order are in
    /// time.
    event_time watermark_delay{0};

    /// For how long after it has closed a session still takes events, each of which makes it come
    /// out again as a correction. 0: late events are dropped, and counted.
    event_time allowed_lateness{0};

    /// A session that has lasted so long ends with the event that makes it so, or a machine that
    /// never pauses would never be heard of. It is not extended any more, but takes what lies
    /// within it while it is kept. 0: it may last for ever.
    event_time length_max{0};

    /// Sessions that are open at once, which only a watermark delay makes more than one or two;
    /// beyond it the oldest is closed, and counted in `forced`.
    std::size_t open_max = 1024;

    /// Closed sessions that are kept for late events. They are a gap apart, so a lateness of up to
    /// a thousand gaps needs no more; beyond it the oldest is forgotten, and counted in `forced`.
    std::size_t kept_max = 1024;
};

/// Windows of activity: events less than `gap` apart are one session, which is over when nothing
/// came for `gap`; it begins at its first event and ends at its last. Usually one per key:
/// `group_by<session_window<count>>`.
///
///     for (auto over = visits.add(time, bytes); over; over = visits.next()) publish(*over);
///
/// An event that lies between two sessions makes them one (Akidau et al., "The dataflow model",
/// VLDB 2015, section 2.2.2). A session closes when the watermark is `gap` behind its last event,
/// and is kept for `allowed_lateness` from then on. An event that joins a kept session extends it,
/// possibly into others; what comes of it is a correction, at once or, if the session is open
/// again, when it closes. A late event that joins none is a session of its own, and a correction
/// too, if it would still be kept; else it is counted and dropped.
///
/// **A correction replaces every earlier result whose begin and end lie within its own.** Whoever
/// goes by that rule has, at the end, the sessions of the sorted stream, if no event was further
/// behind the watermark than `allowed_lateness`. Where `length_max` cuts, and what `open_max` and
/// `kept_max` give up, depends on the order of arrival.
///
/// Adds no error to that of the accumulator. Memory: one accumulator per session that is open or
/// kept. O(sessions held) per event out of order and per result, else O(1). Thread safety: distinct
/// objects safe; shared objects unsafe.
template <accumulator Accumulator>
class session_window {
public:
    using accumulator_type = Accumulator;
    using result = window_result<Accumulator>;

    /// Preconditions: 0 < gap, and no duration is negative or over `event_time_limit` / 4.
    explicit session_window(event_time gap, session_options const& options = {},
                            Accumulator empty = Accumulator{})
        : gap_{gap}, options_{options}, empty_{std::move(empty)} {
        LIVETAPE_ASSERT(gap.count() > 0 && gap <= event_time_limit / 4);
        LIVETAPE_ASSERT(options.watermark_delay.count() >= 0);
        LIVETAPE_ASSERT(options.watermark_delay <= event_time_limit / 4);
        LIVETAPE_ASSERT(options.allowed_lateness.count() >= 0);
        LIVETAPE_ASSERT(options.allowed_lateness <= event_time_limit / 4);
        LIVETAPE_ASSERT(options.length_max.count() >= 0);
        LIVETAPE_ASSERT(options.open_max > 0 && options.kept_max > 0);
        sessions_.reserve(2);
    }

    /// Adds an event. If that ends a session, returns it; if it ends several, or corrects some,
    /// returns the first, and `next` returns the others. Take them before the next `add`.
    template <class... Input>
    requires accumulates<Accumulator, Input...> std::optional<result> add(event_time time,
                                                                          Input const&... input) {
        if (session* const into = find_session(time);
            into && !detail::feed(into->total, time, input...))
            ++counters_.left_out;
        return next();
    }

    /// States that no event before `time` will come; see `add`.
    std::optional<result> advance(event_time time) {
        if (is_event_time(time)) stated_ = std::max(stated_, time);
        retire();
        return next();
    }

    /// Ends all sessions, at the end of the stream.
    std::optional<result> finish() {
        if (!sessions_.empty()) stated_ = std::max(stated_, sessions_.back().last + gap_);
        return next();
    }

    /// The next session that is over or corrected and was not returned yet, by time.
    std::optional<result> next();

    /// The session of the latest event as it is now; nothing if it is over.
    [[nodiscard]] std::optional<result> provisional() const {
        if (sessions_.empty() || !sessions_.back().is_due) return std::nullopt;
        auto shown = result_of(sessions_.back());
        shown.is_provisional = true;
        return shown;
    }

    /// No event before it is expected; `-event_time_limit` before the first.
    [[nodiscard]] event_time watermark() const noexcept {
        return std::max(stated_, latest_ - options_.watermark_delay);
    }
    [[nodiscard]] event_time gap() const noexcept { return gap_; }
    [[nodiscard]] window_counters const& counters() const noexcept { return counters_; }

private:
    struct session {
        event_time first;
        event_time last;
        Accumulator total;
        std::uint64_t late = 0;
        bool is_due = true;         // has changed since it was returned, if it was
        bool is_correction = false; // a part of it was returned, or it began late
        bool is_cut = false;        // ended by `length_max`
    };

    [[nodiscard]] bool is_over(session const& each) const noexcept {
        return each.is_cut || each.last + gap_ <= watermark();
    }
    [[nodiscard]] bool is_crowded() const noexcept {
        return sessions_.size() - kept_ > options_.open_max;
    }

    [[nodiscard]] result result_of(session const& from) const {
        result made{from.first, from.last, from.total, from.late};
        if constexpr (detail::covers_span<Accumulator>) made.total.cover(from.first, from.last);
        made.is_correction = from.is_correction;
        return made;
    }

    session* find_session(event_time time);
    session* begin_session(std::size_t place, event_time time);
    session* extend(session& into, event_time time) noexcept;
    void merge_next(std::size_t place);
    void keep(session& returned);
    void retire();

    event_time gap_;
    session_options options_;
    Accumulator empty_;
    std::vector<session> sessions_; // by time; none begins before the end of another
    std::size_t kept_ = 0;          // those of them that are not due
    event_time latest_ = -event_time_limit;
    event_time stated_ = -event_time_limit;   // by `advance`
    event_time next_due_ = event_time::max(); // until then `next` has nothing to say
    window_counters counters_;
};

template <accumulator Accumulator>
auto session_window<Accumulator>::next() -> std::optional<result> {
    if (watermark() < next_due_ && !is_crowded()) return std::nullopt;
    auto const oldest = std::find_if(sessions_.begin(), sessions_.end(),
                                     [](session const& each) { return each.is_due; });
    next_due_ = event_time::max();
    if (oldest == sessions_.end()) return std::nullopt;
    if (!is_over(*oldest)) {
        if (!is_crowded()) {
            next_due_ = oldest->last + gap_;
            return std::nullopt;
        }
        ++counters_.forced;
    }
    next_due_ = event_time::min(); // there may be more
    auto ended = result_of(*oldest);
    if (options_.allowed_lateness.count() > 0) keep(*oldest);
    else sessions_.erase(oldest);
    return ended;
}

/// The session that an event belongs to, after what it changes besides; null if there is none.
template <accumulator Accumulator>
auto session_window<Accumulator>::find_session(event_time time) -> session* {
    if (!is_event_time(time)) {
        ++counters_.left_out;
        return nullptr;
    }
    if (!sessions_.empty()) {
        auto& newest = sessions_.back();
        bool const goes_on = time >= newest.first && time < newest.last + gap_;
        if (goes_on && newest.is_due && !newest.is_cut) [[likely]]
            return extend(newest, time);
    }
    retire();
    // The first session that does not end before the event, which joins it, the one before it, both
    // or none.
    auto place = sessions_.size();
    while (place > 0 && sessions_[place - 1].last >= time) --place;
    bool const is_within = place < sessions_.size() && sessions_[place].first <= time;
    if (is_within) return extend(sessions_[place], time);
    bool const goes_on =
        place > 0 && !sessions_[place - 1].is_cut && time < sessions_[place - 1].last + gap_;
    bool const leads_on = place < sessions_.size() && !sessions_[place].is_cut &&
                          sessions_[place].first < time + gap_;
    if (goes_on && leads_on) merge_next(place - 1);
    if (goes_on) return extend(sessions_[place - 1], time);
    if (leads_on) return extend(sessions_[place], time);
    return begin_session(place, time);
}

template <accumulator Accumulator>
auto session_window<Accumulator>::begin_session(std::size_t place, event_time time) -> session* {
    bool const is_late = time + gap_ <= watermark();
    if (is_late) {
        ++counters_.late;
        if (time + gap_ + options_.allowed_lateness <= watermark()) {
            ++counters_.dropped;
            return nullptr;
        }
    }
    latest_ = std::max(latest_, time);
    next_due_ = std::min(next_due_, time + gap_);
    auto const made = sessions_.insert(sessions_.begin() + static_cast<std::ptrdiff_t>(place),
                                       session{time, time, empty_});
    made->late = is_late ? 1 : 0;
    made->is_correction = is_late;
    return &*made;
}

template <accumulator Accumulator>
auto session_window<Accumulator>::extend(session& into, event_time time) noexcept -> session* {
    if (!into.is_due) {
        ++counters_.late;
        ++into.late;
        into.is_due = true;
        --kept_;
    }
    latest_ = std::max(latest_, time);
    into.first = std::min(into.first, time);
    into.last = std::max(into.last, time);
    into.is_cut = options_.length_max.count() > 0 && into.last - into.first >= options_.length_max;
    next_due_ = std::min(next_due_, into.is_cut ? event_time::min() : into.last + gap_);
    return &into;
}

/// Makes a session and the one after it one. It counts as kept if either was, so that the event
/// that joins them is late.
template <accumulator Accumulator>
void session_window<Accumulator>::merge_next(std::size_t place) {
    auto& into = sessions_[place];
    auto const& after = sessions_[place + 1];
    if (!into.is_due && !after.is_due) --kept_;
    into.is_due = into.is_due && after.is_due;
    into.is_correction = into.is_correction || after.is_correction;
    into.last = after.last;
    into.late += after.late;
    into.total.merge(after.total);
    sessions_.erase(sessions_.begin() + static_cast<std::ptrdiff_t>(place) + 1);
}

/// Keeps a session that was returned for events that come late.
template <accumulator Accumulator>
void session_window<Accumulator>::keep(session& returned) {
    returned.is_due = false;
    returned.is_correction = true; // whatever is said of it again
    if (++kept_ <= options_.kept_max) return;
    ++counters_.forced;
    --kept_;
    sessions_.erase(std::find_if(sessions_.begin(), sessions_.end(),
                                 [](session const& each) { return !each.is_due; }));
}

/// Forgets the sessions that nothing may join any more.
template <accumulator Accumulator>
void session_window<Accumulator>::retire() {
    auto const ended = watermark() - gap_ - options_.allowed_lateness;
    auto const end = std::find_if(sessions_.begin(), sessions_.end(), [&](session const& each) {
        return each.is_due || each.last > ended;
    });
    kept_ -= static_cast<std::size_t>(end - sessions_.begin());
    sessions_.erase(sessions_.begin(), end);
}

} // namespace livetape
