#pragma once

#include <livetape/channel/channel.hpp>

namespace livetape {

/// Brings what waits up to date. The lock must be held.
inline channel::watched_events channel::examine(key_set& watched) const noexcept {
    watched_events result;
    result.upto = log_.next_offset() - 1;
    auto const before = watched.pending;
    watched.pending = 0;
    watched.first_pending = std::numeric_limits<std::uint64_t>::max();
    for (auto const& each : watched.keys) {
        auto const& entry = each.place->value;
        if (entry.sequence == each.delivered && each.shows_newest == 0) continue;
        watched.pending += entry.sequence - each.delivered;
        watched.first_pending = std::min(watched.first_pending, entry.offset);
    }
    result.arrived = watched.pending - before;
    return result;
}

inline channel::watched_events channel::take(key_set& watched, take_options const& options) const {
    struct waiting_key {
        std::uint64_t offset;
        watched_key* which;
    };
    compact_vector<waiting_key> waiting;
    compact_vector<event_view> events;
    std::size_t bytes = 0;
    short_lock_guard const lock{lock_};
    auto result = examine(watched);
    if (!watched.has_pending()) return result;
    for (auto& each : watched.keys)
        if (each.place->value.sequence != each.delivered || each.shows_newest != 0)
            waiting.push_back({each.place->value.offset, &each});
    std::sort(waiting.begin(), waiting.end(),
              [](waiting_key const& a, waiting_key const& b) { return a.offset < b.offset; });
    for (auto const& [offset, which] : waiting) {
        watched.first_pending = offset;
        auto event = find_event(which->place->key(), offset);
        bool const is_lost = event.offset == 0;
        if (is_lost && !events.empty()) break;
        if (is_lost) result.lost_upto = offset;
        if (is_lost && !options.drops_lost) break;
        auto const more = event.key.size() + event.payload.size();
        if (events.size() == options.events_max ||
            (!events.empty() && bytes + more > options.bytes_max))
            break;
        event.count = which->place->value.sequence - which->delivered;
        watched.pending -= event.count;
        watched.shown_newest -= which->shows_newest;
        which->delivered += event.count;
        which->shows_newest = 0;
        if (is_lost) {
            result.dropped = event.count;
            return result;
        }
        bytes += more;
        events.push_back(event);
    }
    if (events.empty()) return result;
    result.events =
        segment::make(log_.shared_identity(), events.front().offset,
                      static_cast<std::uint32_t>(events.size()), bytes, segment_role::newest);
    for (auto const& event : events) result.events->append(event);
    return result;
}

inline channel::watched_events channel::watch(key_set& watched, std::span<std::string const> keys,
                                              bool shows_newest) {
    short_lock_guard const lock{lock_};
    return begin_watch(watched, keys, shows_newest);
}

inline conflated_events channel::watch_after(key_set& watched, std::span<std::string const> keys,
                                             std::uint64_t after) {
    conflatable_events found;
    {
        short_lock_guard const lock{lock_};
        found = find_conflatable(after, begin_watch(watched, keys, false).upto);
    }
    return conflate(std::move(found));
}

/// Adds keys to a set. The lock must be held.
inline channel::watched_events
channel::begin_watch(key_set& watched, std::span<std::string const> keys, bool shows_newest) {
    auto result = examine(watched);
    // Most sets are given once; growing by doubling would leave half of them empty.
    if (watched.keys.empty()) watched.keys.reserve(keys.size());
    for (auto const& key : keys) {
        auto const at = watched.lower_bound(key);
        if (at < watched.keys.size() && watched.keys[at].place->key() == key) continue;
        auto& place = index_after(result.upto).watch(key);
        auto const& entry = place.value;
        bool const is_shown = shows_newest && entry.offset > 0;
        if (is_shown) watched.first_pending = std::min(watched.first_pending, entry.offset);
        watched.shown_newest += is_shown ? 1 : 0;
        watched.keys.insert(at, {&place, entry.sequence, is_shown ? 1u : 0u});
    }
    return result;
}

inline channel::watched_events channel::unwatch(key_set& watched,
                                                std::span<std::string const> keys) noexcept {
    short_lock_guard const lock{lock_};
    auto result = examine(watched);
    for (auto const& key : keys) {
        auto* const which = watched.find(key);
        if (which == nullptr) continue;
        auto const waiting = which->place->value.sequence - which->delivered;
        result.dropped += waiting;
        watched.pending -= waiting;
        watched.shown_newest -= which->shows_newest;
        keys_->unwatch(*which->place);
        watched.keys.erase(static_cast<std::size_t>(which - watched.keys.begin()));
    }
    return result;
}

inline void channel::unwatch(key_set& watched) noexcept {
    short_lock_guard const lock{lock_};
    for (auto const& each : watched.keys) keys_->unwatch(*each.place);
    watched.keys.clear();
    watched.pending = 0;
    watched.shown_newest = 0;
}

} // namespace livetape
