#pragma once

#include <livetape/analytics/detail/record.hpp>
#include <livetape/analytics/diagnostics.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/group_by.hpp>
#include <livetape/analytics/latest_join.hpp>
#include <livetape/analytics/time_guard.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace livetape::detail {

/// How many numbers a joined event has.
template <class Operation>
inline constexpr std::size_t joined_count =
    std::is_same_v<typename latest_join<Operation>::result, number_pair> ? 2 : 1;

[[nodiscard]] constexpr std::array<double, 1> numbers_of(double joined) noexcept {
    return {joined};
}
[[nodiscard]] constexpr std::array<double, 2> numbers_of(number_pair const& joined) noexcept {
    return {joined.left, joined.right};
}

/// Two channels as one stream: per key, what each said last, joined.
///
/// The channels are merged by the times of their events, those of the left first where they are
/// equal, so that what comes out does not depend on when each was read. An event is therefore taken
/// only when the other channel has come as far, or when the host says by `advance` that the time
/// has passed; meanwhile its channel's log keeps it. Of each channel some hundred events are read
/// ahead. O(1) per event.
template <class Left, class Right, class Operation>
class join_reader {
public:
    static constexpr std::size_t number_count = joined_count<Operation>;
    using record_type = record<number_count>;
    struct input {}; ///< events come from the channels alone

    join_reader(Left left, Right right, latest_join<Operation> join, group_options const& groups)
        : left_{std::move(left)}, right_{std::move(right)}, joins_{std::move(join), groups} {}

    template <class Consume>
    std::size_t read(std::size_t events_max, diagnostics& problems, Consume&& consume) {
        std::size_t taken = 0;
        while (taken < events_max && step(problems, consume)) ++taken;
        return taken;
    }

    template <class Consume>
    void advance(event_time time, diagnostics& problems, Consume&& consume) {
        if (!is_event_time(time)) return;
        until_ = std::max(until_, time);
        left_.advance(time, problems);
        right_.advance(time, problems);
        while (step(problems, consume)) {
        }
    }

    /// Takes what is left of both.
    template <class Consume>
    void finish(diagnostics& problems, Consume&& consume) {
        until_ = event_time::max();
        do {
            left_.finish(problems);
            right_.finish(problems);
            while (step(problems, consume)) {
            }
        } while (left_.fill(problems) || right_.fill(problems));
    }

private:
    static constexpr std::size_t read_ahead = 256;

    /// The events of one side that were read and not taken.
    template <class Reader>
    struct side {
        explicit side(Reader from) : reader{std::move(from)} {}

        /// Whether there is an event, after a look at the channel if need be.
        bool fill(diagnostics& problems) {
            if (next < waiting.size()) return true;
            waiting.clear();
            next = 0;
            while (waiting.empty() && reader.read(read_ahead, problems, keep()) > 0) {
            }
            return !waiting.empty();
        }
        void advance(event_time time, diagnostics& problems) {
            reader.advance(time, problems, keep());
        }
        void finish(diagnostics& problems) { reader.finish(problems, keep()); }

        [[nodiscard]] event_time time() const noexcept { return waiting[next].event.time; }

        auto keep() {
            return [this](auto const& event) { waiting.emplace_back(event); };
        }

        Reader reader;
        std::vector<kept_record<Reader::number_count>> waiting;
        std::size_t next = 0;
    };

    /// Takes the earlier of the two events that are next, if it is known to be.
    template <class Consume>
    bool step(diagnostics& problems, Consume& consume) {
        bool const has_left = left_.fill(problems);
        bool const has_right = right_.fill(problems);
        if (!has_left && !has_right) return false;
        bool const is_left = has_left && (!has_right || left_.time() <= right_.time());
        bool const is_certain = has_left && has_right;
        if (!is_certain && (is_left ? left_.time() : right_.time()) > until_) return false;
        if (is_left)
            take(left_, problems, consume,
                 [](auto& join, auto time, double value) { return join.add_left(time, value); });
        else
            take(right_, problems, consume,
                 [](auto& join, auto time, double value) { return join.add_right(time, value); });
        return true;
    }

    template <class Side, class Consume, class Add>
    void take(Side& from, diagnostics& problems, Consume& consume, Add add) {
        auto const event = from.waiting[from.next++].view();
        auto& own = joins_.at(event.key, [&](std::string_view key, auto&) {
            problems.note(problem::key_evicted, key, event.time);
        });
        auto const late = own.late();
        auto const joined = add(own, event.time, event.numbers[0]);
        if (own.late() != late) problems.note(problem::late, event.key, event.time);
        if (joined) consume(record_type{event.time, event.key, numbers_of(*joined)});
    }

    side<Left> left_;
    side<Right> right_;
    group_by<latest_join<Operation>> joins_;
    event_time until_ = event_time::min();
};

} // namespace livetape::detail
