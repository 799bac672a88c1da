#pragma once

#include <livetape/analytics/accumulator.hpp>
#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/window_result.hpp>
#include <livetape/config.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

namespace livetape {

/// All since the beginning, reported at every full `every` of event time that has seen events: a
/// landmark window (Gehrke, Korn and Srivastava, "On computing correlated aggregates over continual
/// data streams", SIGMOD 2001).
///
///     running_window<sum> points{5s};
///     if (auto so_far = points.add(play.time, play.points)) publish(*so_far);
///
/// For operators that forget by themselves, such as `ewma` and `decayed_top_k`, and for totals. A
/// result ends at the first boundary after its last event. What comes later than a boundary that
/// was reported counts from then on, and in `counters().late`; nothing is dropped. Adds no error to
/// that of the accumulator. Memory: one accumulator. O(1) per event.
///
/// Thread safety: distinct objects safe; shared objects unsafe.
template <accumulator Accumulator>
class running_window {
public:
    using accumulator_type = Accumulator;
    using result = window_result<Accumulator>;

    /// @param every  0: nothing is reported before `finish`; ask for `provisional`.
    ///        Precondition: 0 <= every <= `event_time_limit` / 4
    explicit running_window(event_time every, Accumulator empty = Accumulator{})
        : every_{every}, total_{std::move(empty)} {
        LIVETAPE_ASSERT(every.count() >= 0 && every <= event_time_limit / 4);
    }

    /// Adds an event; returns what there was before it if it comes after a boundary.
    template <class... Input>
    requires accumulates<Accumulator, Input...> std::optional<result> add(event_time time,
                                                                          Input const&... input) {
        if (!is_event_time(time)) {
            ++counters_.left_out;
            return std::nullopt;
        }
        auto due = advance(time);
        if (time < reported_) ++counters_.late;
        begin_ = std::min(begin_, time);
        if (time > latest_) {
            latest_ = time;
            boundary_ = boundary_after(time);
        }
        if (!detail::feed(total_, time, input...)) ++counters_.left_out;
        has_changed_ = true;
        return due;
    }

    /// States that no event before `time` will come.
    std::optional<result> advance(event_time time) {
        if (!has_changed_ || time < boundary_ || !is_event_time(time)) return std::nullopt;
        return report();
    }

    /// Reports what there is, at the end of the stream.
    std::optional<result> finish() {
        if (!has_changed_) return std::nullopt;
        return report();
    }

    /// There is never a second result.
    [[nodiscard]] std::optional<result> next() const noexcept { return std::nullopt; }

    /// What there is so far, marked as provisional; nothing before the first event.
    [[nodiscard]] std::optional<result> provisional() const {
        if (begin_ == event_time::max()) return std::nullopt;
        auto shown = result_until(latest_);
        shown.is_provisional = true;
        return shown;
    }

    [[nodiscard]] window_counters const& counters() const noexcept { return counters_; }

private:
    [[nodiscard]] event_time boundary_after(event_time time) const noexcept {
        if (every_.count() == 0) return event_time::max();
        return event_time{(detail::floor_divide(time.count(), every_.count()) + 1) *
                          every_.count()};
    }

    [[nodiscard]] result result_until(event_time end) const {
        result made{begin_, end, total_};
        if constexpr (detail::covers_span<Accumulator>) made.total.cover(begin_, end);
        return made;
    }

    result report() {
        has_changed_ = false;
        reported_ = every_.count() == 0 ? latest_ : boundary_;
        // An event that is late changes a total that was reported up to here already.
        boundary_ = boundary_after(reported_);
        return result_until(reported_);
    }

    event_time every_;
    Accumulator total_;
    event_time begin_ = event_time::max();
    event_time latest_ = event_time::min();
    event_time boundary_ = event_time::min();
    event_time reported_ = event_time::min();
    bool has_changed_ = false; // since the last report
    window_counters counters_;
};

} // namespace livetape
