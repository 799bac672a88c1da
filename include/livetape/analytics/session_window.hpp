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

    /// A session that has lasted so long ends with the event that makes it so, or a machine that
    /// never pauses would never be heard of. 0: it may last for ever.
    event_time length_max{0};

    /// Sessions that are open at once, which only a watermark delay makes more than one or two;
    /// beyond it the oldest is closed.
    std::size_t open_max = 1024;
};

/// Windows of activity: events less than `gap` apart are one session, which is over when nothing
/// came for `gap`; it begins at its first event and ends at its last. Usually one per key:
/// `group_by<session_window<count>>`.
///
///     for (auto over = visits.add(time, bytes); over; over = visits.next()) publish(*over);
///
/// An event that lies between two open sessions makes them one (Akidau et al., "The dataflow
/// model", VLDB 2015, section 2.2.2). A session closes when the watermark is `gap` behind its last
/// event; what comes later and joins no open session is late: counted and dropped, because a
/// correction might have to merge sessions that were reported apart. Adds no error to that of the
/// accumulator. Memory: one accumulator per open session. O(open sessions) per event out of order,
/// else O(1). Thread safety: distinct objects safe; shared objects unsafe.
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
        LIVETAPE_ASSERT(options.length_max.count() >= 0);
        LIVETAPE_ASSERT(options.open_max > 0);
        open_.reserve(2);
    }

    /// Adds an event. If that ends a session, returns it; if it ends several, returns the first,
    /// and `next` returns the others. Take them before the next `add`.
    template <class... Input>
    requires accumulates<Accumulator, Input...> std::optional<result> add(event_time time,
                                                                          Input const&... input) {
        if (session* const into = find_session(time)) detail::feed(into->total, time, input...);
        return next();
    }

    /// States that no event before `time` will come; see `add`.
    std::optional<result> advance(event_time time) {
        if (is_event_time(time)) stated_ = std::max(stated_, time);
        return next();
    }

    /// Ends all sessions, at the end of the stream.
    std::optional<result> finish() {
        if (!open_.empty()) stated_ = std::max(stated_, open_.back().last + gap_);
        return next();
    }

    /// The next session that is over and was not returned yet.
    std::optional<result> next() {
        if (open_.empty()) return std::nullopt;
        auto const oldest = open_.begin();
        bool const is_over = oldest->is_cut || oldest->last + gap_ <= watermark();
        if (!is_over && open_.size() <= options_.open_max) return std::nullopt;
        if (!is_over) ++counters_.forced;
        auto ended = result_of(*oldest);
        open_.erase(oldest);
        return ended;
    }

    /// The session of the latest event as it is now; nothing if it is over.
    [[nodiscard]] std::optional<result> provisional() const {
        if (open_.empty()) return std::nullopt;
        auto shown = result_of(open_.back());
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
        bool is_cut = false; // ended by `length_max`
    };

    [[nodiscard]] result result_of(session const& from) const {
        result made{from.first, from.last, from.total};
        if constexpr (detail::covers_span<Accumulator>) made.total.cover(from.first, from.last);
        return made;
    }

    session* find_session(event_time time) {
        if (!is_event_time(time)) {
            ++counters_.left_out;
            return nullptr;
        }
        // The first session that the event joins or precedes, by the order of their times.
        auto place = open_.size();
        while (place > 0 && !open_[place - 1].is_cut && open_[place - 1].last + gap_ > time)
            --place;
        if (place < open_.size() && time + gap_ > open_[place].first) return join(place, time);
        if (time + gap_ <= watermark()) {
            ++counters_.late;
            ++counters_.dropped;
            return nullptr;
        }
        latest_ = std::max(latest_, time);
        auto const made = open_.insert(open_.begin() + static_cast<std::ptrdiff_t>(place),
                                       session{time, time, empty_});
        return &*made;
    }

    session* join(std::size_t place, event_time time) {
        latest_ = std::max(latest_, time);
        auto& into = open_[place];
        into.first = std::min(into.first, time);
        into.last = std::max(into.last, time);
        auto const after = open_.begin() + static_cast<std::ptrdiff_t>(place) + 1;
        if (after != open_.end() && after->first < into.last + gap_) {
            into.last = after->last;
            into.total.merge(after->total);
            open_.erase(after);
        }
        into.is_cut =
            options_.length_max.count() > 0 && into.last - into.first >= options_.length_max;
        return &open_[place];
    }

    event_time gap_;
    session_options options_;
    Accumulator empty_;
    std::vector<session> open_; // by time
    event_time latest_ = -event_time_limit;
    event_time stated_ = -event_time_limit; // by `advance`
    window_counters counters_;
};

} // namespace livetape
