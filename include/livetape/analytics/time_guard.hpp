#pragma once

#include <livetape/analytics/detail/record.hpp>
#include <livetape/analytics/diagnostics.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/config.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace livetape {

/// What a pipeline believes of the times that events name. The latest one moves the watermark of
/// all keys, so that a single clock that runs a year ahead would make everything else late.
struct time_guard_options {
    /// How far an event may be ahead of all before it, beyond twice the stream's widest step of
    /// late, to be believed at once. An hour: what is wrong is usually wrong by a time zone, a day
    /// or more, and streams that pause for longer lose nothing, they only wait (see
    /// `believed_after`). 0 believes everything. At most `event_time_limit` / 4.
    event_time jump_max = std::chrono::hours{1};

    /// So many events in a row that agree on such a time are believed, and none of them is lost;
    /// until then they wait. If the stream goes on as before instead, those that wait are dropped
    /// and reported as `problem::far_ahead`. Five: one sender with a wrong clock among several does
    /// not get as far, and a stream that really has jumped is back after five events. At least 1.
    std::size_t believed_after = 5;
};

namespace detail {

/// An event that is kept for later, with a key of its own.
template <std::size_t Numbers>
struct kept_record {
    record<Numbers> event;
    std::string key;

    explicit kept_record(record<Numbers> const& from) : event{from}, key{from.key} {}
    /// Valid as long as this is.
    [[nodiscard]] record<Numbers> view() const {
        auto seen = event;
        seen.key = key;
        return seen;
    }
};

/// Lets events pass whose times can be believed, and holds back those that jump ahead until the
/// next ones tell which of the two it was. Jumps back pass, for windows may still want such events,
/// but are reported as `problem::far_behind`.
///
/// The first event is believed, there being nothing to compare it with: if it is wrong, all that
/// follows is reported. It follows the events alone, so that a replay gives the same. O(1) per
/// event; memory for `believed_after` events.
template <std::size_t Numbers>
class time_guard {
public:
    explicit time_guard(time_guard_options const& options) : options_{options} {
        LIVETAPE_ASSERT(options.jump_max.count() >= 0);
        LIVETAPE_ASSERT(options.jump_max <= event_time_limit / 4);
        LIVETAPE_ASSERT(options.believed_after > 0);
    }

    /// Calls `consume(event)` for the event, for those that waited and are believed now, or for
    /// none. @param example  what is reported if it is not believed
    template <class Consume>
    void pass(record<Numbers> const& event, std::string_view example, diagnostics& problems,
              Consume&& consume) {
        if (event.time > limit_) [[unlikely]] {
            hold(event, example, problems, consume);
            return;
        }
        if (event.time < floor_) [[unlikely]]
            problems.note(problem::far_behind, event.key, event.time);
        else if (!held_.empty()) [[unlikely]] drop(problems);
        follow(event.time);
        consume(event);
    }

    /// The host says that it is so late: what waits and is not far ahead of that is believed.
    template <class Consume>
    void advance(event_time time, Consume&& consume) {
        if (options_.jump_max.count() == 0 || !has_begun_ || !is_event_time(time)) return;
        if (time <= latest_) return;
        latest_ = time;
        set_limits();
        for (auto& each : std::exchange(held_, {})) {
            if (each.event.time > limit_) {
                held_.push_back(std::move(each));
                continue;
            }
            follow(each.event.time);
            consume(each.view());
        }
    }

    /// At the end of the stream nothing is left that could be made late.
    template <class Consume>
    void finish(Consume&& consume) {
        release(consume);
    }

private:
    // So that twice the pace and the limits fit 64 bits.
    static constexpr event_time pace_max = event_time_limit / 4;

    void follow(event_time time) noexcept {
        if (time <= latest_ || options_.jump_max.count() == 0) return;
        auto const step = has_begun_ ? time - latest_ : event_time{0};
        // It halves in 44 events: a stream of daily values is not suspected each day, and a weekend
        // among milliseconds is soon forgotten.
        pace_ = std::min(std::max(step, pace_ - pace_ / 64), pace_max);
        has_begun_ = true;
        latest_ = time;
        set_limits();
    }

    void set_limits() noexcept {
        limit_ = latest_ + options_.jump_max + 2 * pace_;
        floor_ = latest_ - options_.jump_max - 2 * pace_;
    }

    template <class Consume>
    void hold(record<Numbers> const& event, std::string_view example, diagnostics& problems,
              Consume& consume) {
        // Far from those that wait already, on this side of them: they disagree.
        if (!held_.empty() && event.time < held_.front().event.time - options_.jump_max)
            drop(problems);
        if (held_.empty()) example_.assign(example.substr(0, diagnostics::example_bytes_max));
        held_.emplace_back(event);
        if (held_.size() >= options_.believed_after) release(consume);
    }

    template <class Consume>
    void release(Consume& consume) {
        auto const believed = std::exchange(held_, {});
        for (auto const& each : believed) {
            follow(each.event.time);
            consume(each.view());
        }
    }

    void drop(diagnostics& problems) {
        auto const& first = held_.front();
        if (example_.empty()) problems.note(problem::far_ahead, first.key, first.event.time);
        else problems.note(problem::far_ahead, {}, example_);
        problems.note(problem::far_ahead, {}, {}, held_.size() - 1);
        held_.clear();
    }

    time_guard_options options_;
    event_time latest_ = event_time::min();
    event_time pace_{0};
    event_time limit_ = event_time::max();
    event_time floor_ = event_time::min();
    bool has_begun_ = false;
    std::vector<kept_record<Numbers>> held_;
    std::string example_;
};

} // namespace detail

} // namespace livetape
