#pragma once

#include <livetape/channel/subscriber.hpp>

namespace livetape {

inline subscription& subscriber::add(std::shared_ptr<channel> const& source, encoding const& format,
                                     start_position const& start, delivery_options const& delivery,
                                     opened_cursor& opened) {
    auto& feed = dispatcher_->feed(source);
    auto& added = *subscriptions_.push_back(
        intrusive_ref<subscription>{new subscription{feed, *this, format}});
    note_place_of_last();
    source->count_subscriber(1);
    // The feed listens before the cursor is set, so an event in between wakes us for nothing
    // rather than not at all.
    added.choose(delivery);
    dispatcher_->join(added, delivery.interval);
    opened = source->open_cursor(start, delivery.mode);
    added.open(opened);
    if (delivery.keys) added.enter_keys(*delivery.keys);
    added.index_keys();
    added.look();
    if (added.is_open() || source->is_closed()) mark_due(added);
    return added;
}

inline void subscriber::change(subscription& which, delivery_options const& delivery) {
    which.wake();
    which.unindex_keys();
    dispatcher_->leave(which);
    bool const had_keys = which.state_ && which.state_->keys;
    bool const was_latest = which.mode_ == delivery_mode::latest;
    // Also if the mode changes with them: the newest events of new keys are pending before it does.
    if (had_keys && delivery.keys) which.change_keys(*delivery.keys);
    bool const keeps_keys = had_keys && delivery.keys && which.mode_ == delivery.mode;
    if (had_keys && !keeps_keys) which.leave_keys();
    if (was_latest && delivery.mode == delivery_mode::every) which.leave_latest();
    which.choose(delivery);
    if (!was_latest && delivery.mode == delivery_mode::latest && which.snapshot_)
        which.queue_snapshot();
    dispatcher_->join(which, delivery.interval);
    if (delivery.keys && !keeps_keys) which.enter_keys(*delivery.keys);
    which.index_keys();
    if (which.state_) which.state_->flush_upto = which.next_offset_ - 1;
    schedule(which);
}

inline void subscriber::add_keys(subscription& which, std::span<std::string const> keys) {
    if (!which.state_ || !which.state_->keys) return;
    which.wake();
    compact_vector<std::string_view> added;
    for (auto const& key : keys)
        if (which.state_->is_indexed && !which.state_->keys->has(key)) added.push_back(key);
    which.add_keys(keys);
    for (auto const key : added) which.feed_->add_watcher(key, which);
    schedule(which);
}

inline void subscriber::remove_keys(subscription& which, std::span<std::string const> keys) {
    if (!which.state_ || !which.state_->keys) return;
    which.wake();
    for (auto const& key : keys)
        if (which.state_->is_indexed && which.state_->keys->has(key))
            which.feed_->remove_watcher(key, which);
    which.remove_keys(keys);
}

inline void subscriber::give_credit(subscription& which, std::uint32_t flushes) {
    if (!which.state_ || !which.state_->has_credit_limit) return;
    auto& credit = which.state_->credit;
    credit += std::min(flushes, std::numeric_limits<std::uint32_t>::max() - credit);
    schedule(which);
}

inline void subscriber::schedule(subscription& which) {
    which.wake();
    which.look();
    if (which.is_open()) mark_due(which);
    // What lies beyond this flush waits for a tick, and so does the end; the signal that asks for
    // it may be gone.
    bool const waits = which.has_credit() && which.limit() < which.source().last_offset();
    if (waits || which.source().is_closed()) which.feed_->rouse();
}

inline void subscriber::remove(subscription& which) {
    if (which.is_due_) unlink_due(which);
    auto const place = vacate(which);
    which.wake();
    which.unindex_keys();
    dispatcher_->leave(which);
    if (which.state_ && which.state_->keys) which.source().unwatch(*which.state_->keys);
    which.source().count_subscriber(-1);
    dispatcher_->drop_if_unused(*std::exchange(which.feed_, nullptr));
    std::swap(subscriptions_[place], subscriptions_.back());
    subscriptions_.pop_back();
    if (!subscriptions_.empty()) return;
    subscriptions_.clear();
    places_.clear();
}

inline void subscriber::note_place_of_last() {
    if (subscriptions_.size() <= listed_max && places_.size() == 0) return;
    for (auto place = places_.size(); place < subscriptions_.size(); ++place)
        places_.add(hash_of(subscriptions_[place]->source().name()),
                    static_cast<std::uint32_t>(place));
}

inline std::size_t subscriber::vacate(subscription const& which) noexcept {
    auto const is_this = [&](std::size_t place) { return subscriptions_[place].get() == &which; };
    if (places_.size() == 0) {
        std::size_t place = 0;
        while (!is_this(place)) ++place;
        return place;
    }
    auto const hash = hash_of(which.source().name());
    auto const place = places_.find(hash, is_this);
    places_.erase(hash, place);
    auto const last = static_cast<std::uint32_t>(subscriptions_.size() - 1);
    places_.replace(hash_of(subscriptions_[last]->source().name()), last, place);
    return place;
}

inline void subscriber::unlink_due(subscription& which) noexcept {
    subscription* previous = nullptr;
    for (auto* s = first_due_; s != &which; s = s->next_due_) previous = s;
    (previous == nullptr ? first_due_ : previous->next_due_) = which.next_due_;
    if (last_due_ == &which) last_due_ = previous;
    which.is_due_ = false;
}

inline subscriber::taken subscriber::take(write_batch& batch, missed_events& missed,
                                          std::uint32_t events_max) {
    while (first_due_ != nullptr) {
        auto& from = pop_due();
        // The flush that took the last credit goes on in its batch.
        bool const has_credit = from.has_credit() || batch.holds(from);
        bool const is_over = from.source().is_closed();
        // Without credit, the end waits behind what there is.
        if (!has_credit && (!is_over || from.is_behind())) continue;
        missed.is_end = false;
        switch (has_credit ? take_from(from, batch, missed, events_max) : step::none) {
        case step::none:
            // What waits for a tick comes before the end.
            if (!is_over || from.limit() < from.source().last_offset()) continue;
            if (!batch.empty()) return mark_due(from), taken::nothing;
            missed = {&from, {}, true};
            return taken::gap;
        case step::wait: mark_due(from); return taken::nothing;
        case step::gap: mark_due(from); return taken::gap;
        case step::run: break;
        }
        // Who takes a part of what is due gets another turn for the rest, who takes all needs none.
        if (goes_on(from) || is_over) mark_due(from);
        else if (first_due_ != nullptr) make_ready();
        return taken::run;
    }
    unlink();
    return taken::nothing;
}

inline subscriber::step subscriber::take_from(subscription& from, write_batch& batch,
                                              missed_events& missed, std::uint32_t events_max) {
    bool const has_keys = from.state_ && from.state_->keys;
    from.wake();
    if (from.state_ && from.state_->has_lost()) {
        if (!batch.empty()) return step::wait;
        auto& chosen = *from.state_;
        missed = {&from, {chosen.lost_first, chosen.lost_last, gap_reason::retention}};
        chosen.lost_first = chosen.lost_last = 0;
        return step::gap;
    }
    if (from.mode_ == delivery_mode::latest)
        return has_keys ? take_watched(from, batch, missed, events_max)
                        : take_latest(from, batch, missed, events_max);
    if (!from.snapshot_)
        return has_keys ? take_filtered(from, batch, missed, events_max)
                        : take_log(from, batch, missed, events_max);
    take_snapshot(from, batch, events_max);
    return step::run;
}

inline subscriber::step subscriber::take_log(subscription& from, write_batch& batch,
                                             missed_events& missed, std::uint32_t events_max) {
    auto const limit = from.limit();
    if (from.next_offset_ > limit) return step::none;
    std::uint64_t first_kept = 0;
    auto const& holder = from.feed_->locate(from.next_offset_, first_kept);
    if (!holder) return report_gap(from, batch, missed, first_kept);
    auto const index = static_cast<std::uint32_t>(from.next_offset_ - holder->first_offset());
    auto const& area = holder->encoded(*from.format_, index);
    auto available = std::min(area.end_index() - index, events_max);
    if (limit - from.next_offset_ < available)
        available = static_cast<std::uint32_t>(limit - from.next_offset_) + 1;
    auto const end = area.fit(index, index + available, batch.bytes_left());
    hand_out(from, batch, holder, area, index, end);
    from.next_offset_ = holder->first_offset() + end;
    return step::run;
}

/// The cursor goes on at the first event that is kept. Runs in the batch may yet be given back, and
/// the gap would then begin earlier, so it waits until the batch is empty.
inline subscriber::step subscriber::report_gap(subscription& from, write_batch const& batch,
                                               missed_events& missed, std::uint64_t first_kept) {
    if (!batch.empty()) return step::wait;
    missed = {&from, {from.next_offset_, first_kept - 1, gap_reason::retention}};
    from.state();
    from.count({0, 0, first_kept - from.next_offset_, 0});
    from.next_offset_ = first_kept;
    return step::gap;
}

/// Copies the wanted events of the log that fit into the batch.
inline subscriber::step subscriber::take_filtered(subscription& from, write_batch& batch,
                                                  missed_events& missed, std::uint32_t events_max) {
    auto& wanted = *from.state_->keys;
    auto const limit = from.limit();
    from.skip_unwanted();
    if (from.next_offset_ > limit) return step::none;
    compact_vector<event_view> events;
    compact_vector<segment_ref> holders;
    std::size_t bytes = 0;
    bool is_full = false;
    auto const first = from.next_offset_;
    for (auto next = first; next <= limit && !is_full;) {
        std::uint64_t first_kept = 0;
        auto const& holder = from.feed_->locate(next, first_kept);
        if (!holder && holders.empty()) return report_gap(from, batch, missed, first_kept);
        if (!holder) break;
        holders.push_back(holder);
        auto const end = std::min(holder->end_offset(), limit + 1);
        for (; next < end && !is_full; ++next) {
            auto const event =
                holder->at(static_cast<std::uint32_t>(next - holder->first_offset()));
            if (!wanted.has(event.key)) continue;
            auto const more = event.key.size() + event.payload.size();
            is_full = events.size() == events_max ||
                      (!events.empty() && bytes + more > batch.bytes_left());
            if (is_full) break;
            bytes += more;
            events.push_back(event);
        }
    }
    segment_ref const run =
        segment::make(holders.front()->identity(), first, static_cast<std::uint32_t>(events.size()),
                      bytes, segment_role::filtered);
    for (auto const& event : events) run->append(event);
    auto const& area = run->encoded(*from.format_, 0);
    auto const end = area.fit(0, area.end_index(), batch.bytes_left());
    hand_out(from, batch, run, area, 0, end);
    from.next_offset_ = run->offset_at(end - 1) + 1;
    from.count({0, 0, 0, from.next_offset_ - first - end});
    return step::run;
}

/// Takes the newest events of the watched keys that wait.
inline subscriber::step subscriber::take_watched(subscription& from, write_batch& batch,
                                                 missed_events& missed, std::uint32_t events_max) {
    if (!from.has_more()) return step::none;
    auto& watched = *from.state_->keys;
    auto const seen = from.source().take(watched, {events_max, batch.bytes_left(), batch.empty()});
    from.note_look(seen);
    if (seen.lost_upto > 0 && !seen.events) {
        if (!batch.empty()) return step::wait;
        from.count({0, 0, seen.dropped, 0});
        missed = {&from, {seen.lost_upto, seen.lost_upto, gap_reason::retention}};
        return step::gap;
    }
    if (!seen.events) return step::none;
    auto const& events = *seen.events;
    auto const& area = seen.events->encoded(*from.format_, 0);
    auto const end = area.fit(0, area.end_index(), batch.bytes_left());
    hand_out(from, batch, seen.events, area, 0, end);
    from.wait_for(events, end, events.count(), watched);
    return step::run;
}

inline void subscriber::take_snapshot(subscription& from, write_batch& batch,
                                      std::uint32_t events_max) {
    auto& events = *from.snapshot_;
    auto const index = from.snapshot_index_;
    auto const& area = events.encoded(*from.format_, index);
    auto const available = std::min(area.end_index() - index, events_max);
    auto const end = area.fit(index, index + available, batch.bytes_left());
    hand_out(from, batch, from.snapshot_, area, index, end);
    from.snapshot_index_ = end;
    if (end == events.count()) from.snapshot_.reset();
}

inline void subscriber::hand_out(subscription& from, write_batch& batch, segment_ref const& holder,
                                 encoded_area const& area, std::uint32_t begin, std::uint32_t end) {
    from.note_taken(*holder, begin, end, !batch.holds(from));
    batch.add_run(from, holder, area, begin, end);
}

inline subscriber::step subscriber::take_latest(subscription& from, write_batch& batch,
                                                missed_events& missed, std::uint32_t events_max) {
    if (auto const upto = end_of_read(from); from.next_offset_ <= upto) {
        auto const refreshed = refresh(from, batch, missed, upto);
        if (refreshed == step::gap || refreshed == step::wait) return refreshed;
    }
    if (from.snapshot_) {
        take_snapshot(from, batch, events_max);
        return step::run;
    }
    return from.state().has_queue() ? take_queue(from, batch, missed, events_max) : step::none;
}

/// Whether a subscription has more to hand out in this turn. What was published since a conflating
/// reader was let read has raised the signal, and is for the next turn.
inline bool subscriber::goes_on(subscription const& from) const noexcept {
    bool const reads_together = dispatcher_->is_running_ && from.mode_ == delivery_mode::latest &&
                                from.state_->group == nullptr;
    if (!reads_together) return from.has_more();
    return from.snapshot_ || from.state_->has_waiting() ||
           from.next_offset_ <= from.feed_->taken_upto();
}

/// Where a conflating read ends: mostly at the end of the log. Subscribers who are let read one
/// after another, while somebody publishes, read the same, if that is more than a few events.
inline std::uint64_t subscriber::end_of_read(subscription const& from) const noexcept {
    auto const shared = from.feed_->taken_upto();
    bool const is_shared = dispatcher_->is_running_ && from.state_->group == nullptr &&
                           shared >= from.next_offset_ + shared_events_min;
    return is_shared ? shared : from.limit();
}

/// Brings what is pending up to the event `upto`: newer events take the place of those of their key
/// that still wait.
inline subscriber::step subscriber::refresh(subscription& from, write_batch const& batch,
                                            missed_events& missed, std::uint64_t upto) {
    auto const after = from.next_offset_ - 1;
    auto const newer = conflate(*from.feed_, after, upto);
    if (newer.lost_upto > 0 && !batch.empty()) return step::wait;
    from.absorb(newer);
    if (newer.lost_upto == 0) return step::none;
    missed = {&from, {after + 1, newer.lost_upto, gap_reason::retention}};
    return step::gap;
}

/// Hands out from the front of the queue what fits into the batch.
inline subscriber::step subscriber::take_queue(subscription& from, write_batch& batch,
                                               missed_events& missed, std::uint32_t events_max) {
    auto& queue = *from.state_->queue;
    compact_vector<wanted_event> wanted;
    compact_vector<conflating_queue::node*> nodes;
    for (auto* each = queue.front(); each != nullptr && wanted.size() < events_at_once;
         each = each->next()) {
        wanted.push_back({each->key(), each->value.offset, each->value.count});
        nodes.push_back(each);
    }
    auto const events = from.source().copy(wanted, 0, events_max, batch.bytes_left());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        using state = wanted_event::state;
        if (wanted[i].is == state::copied) queue.erase(*nodes[i]);
        if (wanted[i].is != state::lost) continue;
        if (events) break;
        if (!batch.empty()) return step::wait;
        missed = {&from, {wanted[i].offset, wanted[i].offset, gap_reason::retention}};
        from.count({0, 0, nodes[i]->value.count, 0});
        queue.erase(*nodes[i]);
        return step::gap;
    }
    if (events) {
        auto const& area = events->encoded(*from.format_, 0);
        auto const end = area.fit(0, area.end_index(), batch.bytes_left());
        hand_out(from, batch, events, area, 0, end);
        from.put_back_latest(*events, end, events->count());
    }
    if (queue.empty()) from.state_->queue.reset();
    return events ? step::run : step::none;
}

} // namespace livetape
