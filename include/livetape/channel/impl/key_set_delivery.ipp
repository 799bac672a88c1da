#pragma once

#include <livetape/channel/subscriber.hpp>

namespace livetape {

inline void subscription::look() {
    if (!state_ || next_offset_ > limit()) return;
    if (!state_->keys) {
        if (mode_ == delivery_mode::latest) keep_up();
    } else if (mode_ == delivery_mode::latest) note_look(source().look(*state_->keys));
    else skip_unwanted();
}

inline void subscription::wake(std::uint64_t next) {
    if (!state_ || !std::exchange(state_->is_resting, false)) return;
    feed_->subscriptions.push_back(*this);
    if (next <= next_offset_) return;
    count({0, 0, 0, next - next_offset_});
    next_offset_ = next;
}

/// Lets the feed find the subscription by its keys, if it is flushed at once: what waits for ticks
/// is looked at by each tick, which is seldom.
inline void subscription::index_keys() {
    if (!state_ || !state_->keys || state_->group != nullptr) return;
    for (auto const& each : state_->keys->keys) feed_->add_watcher(each.place->key(), *this);
    state_->is_indexed = true;
}

inline void subscription::unindex_keys() noexcept {
    if (!state_ || !std::exchange(state_->is_indexed, false)) return;
    for (auto const& each : state_->keys->keys) feed_->remove_watcher(each.place->key(), *this);
}

/// What the look passed and does not wait was of other keys.
inline void subscription::note_look(channel::watched_events const& seen) noexcept {
    auto const passed = seen.upto + 1 - next_offset_;
    next_offset_ = seen.upto + 1;
    count({0, 0, 0, passed - seen.arrived});
}

/// Moves the cursor to the next event that is wanted.
inline void subscription::skip_unwanted() {
    auto const end = limit() + 1;
    while (next_offset_ < end) {
        std::uint64_t first_kept = 0;
        auto const& holder = feed_->locate(next_offset_, first_kept);
        if (!holder) return;
        auto next = next_offset_;
        auto const end_here = std::min(holder->end_offset(), end);
        while (next < end_here &&
               !state_->keys->has(
                   holder->at(static_cast<std::uint32_t>(next - holder->first_offset())).key))
            ++next;
        count({0, 0, 0, next - next_offset_});
        next_offset_ = next;
        if (next < end_here) return;
    }
}

/// Lets events wait in a key set; those that it does not have are dropped.
inline void subscription::wait_for(segment const& events, std::uint32_t begin, std::uint32_t end,
                                   key_set& watched) {
    for (auto index = begin; index < end; ++index) {
        auto const events_counted = events.count_at(index);
        if (auto* const which = watched.find(events.at(index).key))
            watched.put_back(*which, events.offset_at(index), events_counted);
        else count({0, 0, 0, events_counted});
    }
}

/// Begins to want some keys only. What is pending of them stays so.
inline void subscription::enter_keys(std::span<std::string const> keys) {
    auto watched = make_owned<key_set>();
    if (mode_ == delivery_mode::every) {
        source().watch(*watched, keys, false);
        state_->keys = std::move(watched);
        state_->floor_offset = next_offset_;
        drop_unwanted_from_snapshot();
        return;
    }
    auto const newer = source().watch_after(*watched, keys, next_offset_ - 1);
    if (snapshot_) wait_for(*snapshot_, snapshot_index_, snapshot_->count(), *watched);
    snapshot_.reset();
    for (auto const* each = state_->has_queue() ? state_->queue->front() : nullptr; each != nullptr;
         each = each->next()) {
        if (auto* const which = watched->find(each->key()))
            watched->put_back(*which, each->value.offset, each->value.count);
        else count({0, 0, 0, each->value.count});
    }
    state_->queue.reset();
    if (newer.events) wait_for(*newer.events, 0, newer.events->count(), *watched);
    if (newer.lost_upto > 0) lose(next_offset_, newer.lost_upto, newer.uncounted);
    next_offset_ = newer.upto + 1;
    state_->keys = std::move(watched);
}

/// Begins to want all keys. What is pending stays so, what was passed does not come back.
inline void subscription::leave_keys() {
    auto& watched = *state_->keys;
    if (mode_ == delivery_mode::latest) {
        constexpr auto no_limit = std::numeric_limits<std::size_t>::max();
        do {
            auto const seen = source().take(watched, {no_limit, no_limit, true});
            note_look(seen);
            if (seen.events) append_snapshot(seen.events);
            else if (seen.lost_upto > 0) lose(seen.lost_upto, seen.lost_upto, seen.dropped);
        } while (watched.has_pending());
    }
    state_->floor_offset = next_offset_;
    source().unwatch(watched);
    state_->keys.reset();
}

inline void subscription::add_keys(std::span<std::string const> keys) {
    auto& watched = *state_->keys;
    if (mode_ == delivery_mode::latest) {
        note_look(source().watch(watched, keys, true));
        return;
    }
    std::vector<std::string> added;
    for (auto const& key : keys)
        if (!watched.has(key)) added.push_back(key);
    // As const, like all others: each kind of vector that becomes a span costs a file that includes
    // this, as `benchmarks/include_cost` prints.
    source().watch(watched, std::as_const(added), false);
    watched.pending = 0; // what waits is in the log
    state_->floor_offset = next_offset_;
    // Their newest events come before the log, but for those that the cursor has yet to pass.
    key_set shown;
    source().watch(shown, std::as_const(added), true);
    constexpr auto no_limit = std::numeric_limits<std::size_t>::max();
    auto const newest = source().take(shown, {no_limit, no_limit, true}).events;
    source().unwatch(shown);
    auto const rest = snapshot_ ? snapshot_->count() : 0;
    if (newest)
        join_snapshot(snapshot_, snapshot_index_, rest, newest, 0, [this](event_view const& event) {
            return event.offset < next_offset_ || event.count > 0;
        });
}

inline void subscription::remove_keys(std::span<std::string const> keys) {
    auto const seen = source().unwatch(*state_->keys, keys);
    if (mode_ == delivery_mode::every) {
        state_->keys->pending = 0;
        state_->floor_offset = next_offset_;
        drop_unwanted_from_snapshot();
    } else {
        note_look(seen);
        count({0, 0, 0, seen.dropped});
    }
}

inline void subscription::change_keys(std::span<std::string const> keys) {
    keyed_list<char> wanted;
    for (auto const& key : keys) wanted.find_or_add(key);
    std::vector<std::string> removed;
    for (auto const& each : state_->keys->keys)
        if (wanted.find(each.place->key()) == nullptr)
            removed.push_back(std::string{each.place->key()});
    remove_keys(std::as_const(removed));
    add_keys(keys);
}

inline void subscription::drop_unwanted_from_snapshot() {
    if (!snapshot_) return;
    auto const all = snapshot_;
    join_snapshot(all, snapshot_index_, all->count(), {}, 0,
                  [this](event_view const& event) { return state_->keys->has(event.key); });
}

} // namespace livetape
