#pragma once

#include "channel_history.hpp"
#include "presence_book.hpp"
#include "publish_memory.hpp"
#include "virtual_clock.hpp"

#include <livetape/channel/agenda.hpp>
#include <livetape/channel/channel.hpp>
#include <livetape/channel/slow_copy.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace livetape::simulation {

/// A channel that follows another one at a slower pace: what must be published into it, and when.
struct copying {
    std::size_t from; ///< the channel's index
    slow_copy_options options;
    std::uint64_t reached = 0; ///< the last event of the source that was copied or passed
    time_point due = never;

    /// The source has a new event: from the next instant on it may be copied.
    void note() {
        if (due == never) due = next_aligned(virtual_now, options.interval);
    }

    /// What is copied at an instant: of what came since the last one, each event that the source
    /// still has, or the newest of each key.
    [[nodiscard]] std::vector<std::uint64_t> copied(channel_history const& source) const {
        std::vector<std::uint64_t> all;
        if (options.mode == delivery_mode::latest && reached + 1 < source.first_kept) {
            for (auto const offset : source.snapshot())
                if (offset > reached) all.push_back(offset);
            return all;
        }
        auto const first = std::max(reached + 1, source.first_kept);
        for (auto offset = first; offset <= source.last(); ++offset) {
            if (options.mode == delivery_mode::latest)
                std::erase_if(
                    all, [&](auto older) { return source.at(older).key == source.at(offset).key; });
            all.push_back(offset);
        }
        return all;
    }
};

/// A channel beside the history that its subscribers must see.
struct served_channel {
    std::shared_ptr<channel> source;
    channel_history history;
    publish_memory memory;
    std::uint64_t keyless_in_ten = 0;       ///< events of ten that have no key
    std::optional<copying> copies{};        ///< it follows another channel, besides what else comes
    bool is_copied = false;                 ///< another one follows it
    std::optional<presence_book> members{}; ///< who is on it

    /// Of a channel that is dropped when it is idle: nothing here keeps it.
    bool is_idling = false;
    std::weak_ptr<channel> idling{};
    std::chrono::nanoseconds idle_time_max{0};
    time_point used{};    ///< when it was surely not idle
    time_point touched{}; ///< the last time that it may have been asked for, or that it had readers

    /// Whether it may be gone, and whether it must be: it is dropped after `idle_time_max`, or a
    /// while more, because it is looked at now and then.
    [[nodiscard]] bool may_be_dropped() const {
        return is_idling && virtual_now - used >= idle_time_max;
    }
    [[nodiscard]] bool must_be_dropped() const {
        return is_idling && virtual_now - touched >= 2 * idle_time_max;
    }

    /// Events that were published and are not to be seen yet, because the channel is on a timer.
    std::deque<published_event> collected{};
    std::chrono::nanoseconds interval{0}; ///< of the timer; 0: none
    time_point due = never;               ///< when they must be seen
    std::size_t just_copied = 0;          ///< the last of them, which came at this instant

    /// The offset that the next event gets.
    [[nodiscard]] std::uint64_t next_offset() const {
        return history.last() + collected.size() + 1;
    }

    /// Whether retention never passes anybody.
    [[nodiscard]] bool keeps_all() const {
        auto const& limits = source->options();
        return limits.log_events_max > 1000 && limits.log_bytes_max > 4096 &&
               limits.log_age_max.count() == 0;
    }

    /// An event was published.
    void collect(std::string_view key, std::string_view payload, payload_kind kind) {
        collected.push_back(event_of(history.name, next_offset(), key, payload, kind));
        if (interval.count() > 0 && due == never) due = next_aligned(virtual_now, interval);
    }

    void set_interval(std::chrono::nanoseconds chosen) {
        source->set_publish_interval(chosen);
        if (chosen.count() == 0) due = never;
        else if (chosen != interval && !collected.empty()) due = next_aligned(virtual_now, chosen);
        interval = chosen;
    }

    /// Whether so much is collected that it need not wait.
    [[nodiscard]] bool is_full() const {
        std::size_t bytes = 0;
        for (auto const& each : collected) bytes += each.key.size() + each.payload.size() + 64;
        return bytes >= source->options().collected_bytes_max;
    }

    /// What was collected is seen when its time has come, and all of it then.
    /// @param has_waited  whether the time was looked at
    /// @return what is wrong; else empty
    [[nodiscard]] std::string check_collected(bool has_waited) const {
        auto const seen = source->last_offset() - history.last();
        bool const is_early = interval.count() > 0 && due > virtual_now && !is_full();
        // What is copied at the instant of a flush may come with it or with the next one.
        if (seen > collected.size() || (seen != 0 && seen + just_copied < collected.size()))
            return "not all events are flushed";
        if (seen != 0 && is_early) return "collected events are seen before their time";
        bool const is_late = has_waited && due <= virtual_now;
        if (seen == 0 && !collected.empty() && (interval.count() == 0 || is_late))
            return "collected events are not flushed";
        return {};
    }
};

} // namespace livetape::simulation
