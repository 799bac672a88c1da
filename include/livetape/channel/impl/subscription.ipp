#pragma once

#include <livetape/channel/subscriber.hpp>

namespace livetape {

inline delivery_state& subscription::state() {
    if (!state_) {
        state_ = make_owned<delivery_state>();
        state_->counters.delivered = next_offset_ - first_live_offset_;
    }
    return *state_;
}

inline delivery_options subscription::delivery() const {
    delivery_options chosen;
    chosen.mode = mode_;
    if (!state_) return chosen;
    if (state_->group != nullptr) chosen.interval = state_->group->flushed_by().interval();
    if (state_->has_credit_limit) chosen.credit = state_->credit;
    if (state_->keys) {
        auto& keys = chosen.keys.emplace();
        for (auto const& each : state_->keys->keys) keys.emplace_back(each.place->key());
    }
    return chosen;
}

inline void subscription::choose(delivery_options const& delivery) {
    mode_ = delivery.mode;
    bool const is_plain = delivery.mode == delivery_mode::every && delivery.interval.count() <= 0 &&
                          !delivery.credit && !delivery.keys;
    if (is_plain && !state_) return;
    auto& chosen = state();
    chosen.has_credit_limit = delivery.credit.has_value();
    chosen.credit = delivery.credit.value_or(0);
}

inline void subscription::open(opened_cursor const& opened) {
    next_offset_ = first_live_offset_ = opened.next_offset;
    snapshot_ = opened.snapshot;
    snapshot_index_ = opened.snapshot_index;
    if (state_) state_->flush_upto = source().last_offset();
}

inline void subscription::count(delivery_counters const& more) noexcept {
    if (state_) state_->counters += more;
    feed_->count(more);
}

inline delivery_counters subscription::counted(segment const& holder, std::uint32_t begin,
                                               std::uint32_t end) const noexcept {
    if (holder.role() != segment_role::newest) return {end - begin, 0, 0, 0};
    delivery_counters result;
    for (auto index = begin; index < end; ++index) {
        auto const events = holder.count_at(index);
        if (events == 0) continue;
        ++result.delivered;
        result.conflated += events - 1;
    }
    return result;
}

inline void subscription::note_taken(segment const& holder, std::uint32_t begin, std::uint32_t end,
                                     bool is_new_flush) noexcept {
    count(counted(holder, begin, end));
    if (state_ && state_->has_credit_limit && is_new_flush && state_->credit > 0) --state_->credit;
}

inline void subscription::note_given_back(segment const& holder, std::uint32_t begin,
                                          std::uint32_t end) noexcept {
    count_back(counted(holder, begin, end));
}

inline void subscription::count_back(delivery_counters const& back) noexcept {
    if (state_) state_->counters -= back;
    feed_->count_back(back);
}

inline void subscription::refund() noexcept {
    if (feed_ != nullptr && state_ && state_->has_credit_limit) ++state_->credit;
}

inline void subscription::rewind(segment_ref const& unsent, std::uint32_t begin,
                                 std::uint32_t end) {
    if (feed_ == nullptr || begin == end) return;
    wake();
    note_given_back(*unsent, begin, end);
    if (mode_ == delivery_mode::every) {
        rewind_every(unsent, begin, end);
    } else if (state_->keys) {
        wait_for(*unsent, begin, end, *state_->keys);
    } else {
        if (snapshot_) queue_snapshot();
        put_back_latest(*unsent, begin, end);
    }
    owner_->schedule(*this);
}

inline void subscription::rewind_every(segment_ref const& unsent, std::uint32_t begin,
                                       std::uint32_t end) {
    auto const& events = *unsent;
    auto const first = events.offset_at(begin);
    if (events.role() != segment_role::newest && (!state_ || first >= state_->floor_offset)) {
        // What lies between and was not handed out was stepped over, and will be again.
        if (state_) count_back({0, 0, 0, next_offset_ - first - (end - begin)});
        next_offset_ = first;
        return;
    }
    bool const continues = snapshot_ ? snapshot_.get() == unsent.get() && snapshot_index_ == end
                                     : end == events.count();
    if (events.role() == segment_role::newest && continues) {
        snapshot_ = unsent;
        snapshot_index_ = begin;
        return;
    }
    // The mode was changed while these were on their way: they come before what is pending now.
    join_snapshot(unsent, begin, end, snapshot_, snapshot_index_,
                  [](event_view const&) { return true; });
}

template <class Wanted>
void subscription::join_snapshot(segment_ref const& first, std::uint32_t first_begin,
                                 std::uint32_t first_end, segment_ref const& second,
                                 std::uint32_t second_begin, Wanted&& wanted) {
    compact_vector<event_view> events;
    std::size_t bytes = 0;
    std::uint64_t unwanted = 0;
    auto const add = [&](segment const& from, std::uint32_t begin, std::uint32_t end) {
        for (auto index = begin; index < end; ++index) {
            auto event = from.at(index);
            event.count = from.count_at(index);
            if (!wanted(event)) {
                unwanted += event.count;
                continue;
            }
            bytes += event.key.size() + event.payload.size();
            events.push_back(event);
        }
    };
    if (first) add(*first, first_begin, first_end);
    if (second) add(*second, second_begin, second->count());
    segment_ref joined;
    if (!events.empty())
        joined =
            segment::make((first ? first : second)->identity(), events.front().offset,
                          static_cast<std::uint32_t>(events.size()), bytes, segment_role::newest);
    for (auto const& event : events) joined->append(event);
    snapshot_ = std::move(joined);
    snapshot_index_ = 0;
    if (unwanted > 0) count({0, 0, 0, unwanted});
}

inline void subscription::append_snapshot(segment_ref const& later) {
    if (snapshot_) {
        join_snapshot(snapshot_, snapshot_index_, snapshot_->count(), later, 0,
                      [](event_view const&) { return true; });
        return;
    }
    snapshot_ = later;
    snapshot_index_ = 0;
}

inline void subscription::put_back_latest(segment const& unsent, std::uint32_t begin,
                                          std::uint32_t end) {
    if (begin == end) return;
    if (!state().queue) state_->queue = make_owned<conflating_queue>();
    for (auto i = end; i > begin; --i)
        state_->queue->put_back(unsent.at(i - 1).key,
                                {unsent.offset_at(i - 1), unsent.count_at(i - 1)});
}

inline void subscription::queue_snapshot() {
    put_back_latest(*snapshot_, snapshot_index_, snapshot_->count());
    snapshot_.reset();
}

inline void subscription::absorb(conflated_events const& newer, then what) {
    if (snapshot_) queue_snapshot();
    if (state_->has_queue() || what == then::wait) {
        if (!state_->queue) state_->queue = make_owned<conflating_queue>();
        for (std::uint32_t i = 0; newer.events && i < newer.events->count(); ++i) {
            auto const event = newer.events->at(i);
            state_->queue->push(event.key, {event.offset, event.count});
        }
    } else {
        snapshot_ = newer.events;
        snapshot_index_ = 0;
    }
    next_offset_ = newer.upto + 1;
    count({0, 0, newer.uncounted, 0});
}

inline void subscription::keep_up() {
    if (!owner_->is_writing_ && has_credit()) return;
    auto const upto = limit();
    auto const first_kept = source().first_offset();
    if (next_offset_ > first_kept + (upto - std::min(upto, first_kept)) / 2) return;
    auto const newer = owner_->conflate(*feed_, next_offset_ - 1, upto);
    // A gap is told when it is read.
    if (newer.lost_upto == 0) absorb(newer, then::wait);
}

inline void subscription::leave_latest() {
    auto const last = source().last_offset();
    if (next_offset_ <= last) {
        auto const newer = owner_->conflate(*feed_, next_offset_ - 1, last);
        // If keys were evicted, the events that follow one by one tell the gap.
        if (newer.lost_upto == 0) absorb(newer);
    }
    state_->floor_offset = next_offset_;
    if (!state_->has_queue()) return;
    auto const queue = std::move(state_->queue);
    compact_vector<wanted_event> wanted;
    for (auto const* each = queue->front(); each != nullptr; each = each->next())
        wanted.push_back({each->key(), each->value.offset, each->value.count});
    constexpr auto no_limit = std::numeric_limits<std::size_t>::max();
    for (std::size_t next = 0; next < wanted.size();) {
        auto const copies = source().copy(wanted, next, no_limit, no_limit);
        if (copies) append_snapshot(copies);
        // A copy ends at an event that is lost.
        for (; next < wanted.size() && wanted[next].is != wanted_event::state::waiting; ++next) {
            auto const& [key, offset, events, is] = wanted[next];
            if (is == wanted_event::state::superseded) count({0, events, 0, 0});
            if (is == wanted_event::state::lost) lose(offset, offset, events);
        }
    }
}

inline void subscription::lose(std::uint64_t first, std::uint64_t last,
                               std::uint64_t events) noexcept {
    state_->lost_first = state_->has_lost() ? std::min(state_->lost_first, first) : first;
    state_->lost_last = std::max(state_->lost_last, last);
    count({0, 0, events, 0});
}

} // namespace livetape
