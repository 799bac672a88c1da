#pragma once

#include "subscription_queue.hpp"

namespace livetape::simulation {

inline bool subscription_queue::empty() const {
    for (auto next = looked_upto_ + 1; next <= source_->last(); ++next)
        if (wants({next})) return false;
    return std::all_of(due_.begin(), due_.end(), [&](auto const& each) { return !wants(each); });
}

inline bool subscription_queue::is_overdue() const {
    if (!has_rate()) return !empty();
    for (auto next = looked_upto_ + 1; next <= overdue_upto_; ++next)
        if (wants({next})) return true;
    return std::any_of(due_.begin(), due_.end(), [&](auto const& each) {
        return each.offset <= overdue_upto_ && wants(each);
    });
}

inline delivery_counters subscription_queue::counters() const {
    auto result = counters_;
    for (auto const& each : due_)
        if (!wants(each)) result.filtered += each.count;
    if (delivery_.keys) result.filtered += source_->last() - looked_upto_;
    return result;
}

inline subscription_queue::opening subscription_queue::open(start_position const& start) {
    opening result;
    auto const last = source_->last();
    auto const after = start.after.offset;
    bool const is_same_life = start.after.epoch == source_->epoch;
    looked_upto_ = noticed_upto_ = overdue_upto_ = last;
    if (start.from == start_position::kind::oldest) {
        looked_upto_ = source_->first_kept - 1;
    } else if (start.from == start_position::kind::now) {
        if (start.has_snapshot) result.has_snapshot = add_snapshot_after(0);
    } else if (!is_same_life) {
        result.has_snapshot = add_snapshot_after(0);
        result.missed = gap{1, last_missed(), gap_reason::epoch};
    } else if (after > last) {
        result.is_ahead = true;
    } else if (after + 1 >= source_->first_kept || (is_latest() && after >= source_->evicted())) {
        looked_upto_ = after;
        result.is_recovered = true;
    } else {
        result.has_snapshot = add_snapshot_after(after);
        if (last_missed() > after)
            result.missed = gap{after + 1, last_missed(), gap_reason::retention};
        result.is_recovered = !result.missed;
    }
    begin();
    drop_unwanted_front();
    return result;
}

inline void subscription_queue::open_at(std::uint64_t first) {
    looked_upto_ = first;
    noticed_upto_ = overdue_upto_ = first;
    begin();
}

/// What is there already is due, whatever the rate.
inline void subscription_queue::begin() {
    auto const last = source_->last();
    first_live_ = looked_upto_ + 1;
    read_for_sure_ = looked_upto_;
    if (is_latest() && source_->first_kept > read_for_sure_ + 1) {
        estimated_upto_ = last;
        is_filtered_estimated_ = delivery_.keys.has_value();
    }
    drop_unwanted();
    taken_upto_ = due_.empty() ? looked_upto_ : due_.front().offset - 1;
    if (is_latest() && has_rate()) limits_.push_back(last);
    else look(last);
}

inline void subscription_queue::begin_read(bool is_alone) {
    read_upto_ = source_->last();
    read_kept_ = source_->first_kept;
    note_lost_counts();
    if (has_rate() || !is_alone) return;
    look(read_upto_);
    limits_.clear();
}

inline bool subscription_queue::take(std::uint64_t offset, std::uint32_t count, due_event& taken) {
    note_lost_counts();
    auto which = find_next(offset, count);
    if (which == due_.end()) {
        auto const before = *this;
        while (which == due_.end()) {
            if (!look_further()) {
                *this = before;
                return false;
            }
            which = find_next(offset, count);
        }
    }
    if (!is_latest())
        while (!wants(due_.front())) filter_front();
    which = std::find_if(due_.begin(), due_.end(),
                         [&](auto const& each) { return each.offset == offset; });
    taken = *which;
    due_.erase(which);
    taken_upto_ = offset;
    read_for_sure_ = std::max(read_for_sure_, offset);
    if (taken.count == 0) return true;
    if (is_estimated(taken)) {
        owed_ += std::int64_t{taken.count} - std::int64_t{count};
        taken.count = count;
    }
    ++counters_.delivered;
    counters_.conflated += taken.count - 1;
    return true;
}

inline void subscription_queue::give_back(due_event const& unsent) {
    if (unsent.count > 0) {
        --counters_.delivered;
        counters_.conflated -= unsent.count - 1;
    }
    taken_upto_ = std::min(taken_upto_, unsent.offset - 1);
    allow_what_retention_takes();
    if (is_latest())
        if (auto const newer = find(source_->at(unsent.offset).key); newer != due_.end()) {
            newer->count += unsent.count;
            newer->oldest = std::min(newer->oldest, unsent.oldest);
            return;
        }
    if (!is_latest()) {
        read_for_sure_ = std::min(read_for_sure_, unsent.offset - 1);
        return give_back_to_log(unsent);
    }
    auto const after = std::find_if(due_.begin(), due_.end(),
                                    [&](auto const& each) { return each.offset > unsent.offset; });
    due_.insert(after, unsent);
}

inline bool subscription_queue::skip(gap const& missed) {
    if (missed.last < missed.first) return false;
    if (is_latest()) return skip_forgotten(missed);
    auto const before = *this;
    while (due_.empty() || due_.front().offset != missed.first)
        if (!filter_front() && !look_further()) {
            *this = before;
            return false;
        }
    if (missed.last + 1 < read_kept_ || missed.last >= source_->first_kept) return false;
    look(missed.last);
    read_for_sure_ = std::max(read_for_sure_, missed.last);
    while (!due_.empty() && due_.front().offset <= missed.last) drop(due_.begin());
    return true;
}

inline bool subscription_queue::change(delivery_options const& delivery, std::uint64_t told,
                                       std::array<std::uint64_t, 2> filtered) {
    if (!is_latest() && delivery_.keys && !pass_unwanted(filtered[0])) return false;
    taken_upto_ = std::min(taken_upto_, reached());
    note_lost_counts();
    bool const was_latest = is_latest();
    bool const leaves_latest = is_latest() && delivery.mode == delivery_mode::every;
    if (leaves_latest || delivery.interval.count() == 0 ||
        (is_latest() && (delivery_.keys || delivery.keys)))
        look(source_->last());
    auto const had = std::exchange(delivery_, delivery).keys;
    if (!was_latest && is_latest() && has_rate()) wait_for_tick();
    if (had && was_latest) read_for_sure_ = looked_upto_;
    while (!limits_.empty() && limits_.front() <= looked_upto_) limits_.pop_front();
    if (leaves_latest) {
        floor_ = looked_upto_ + 1;
        for (auto& each : due_) each.is_ahead = true;
    }
    drop_unwanted();
    if (had && delivery.keys) show_newest(*had);
    if (is_latest())
        for (auto const& each : std::exchange(due_, {})) add(each);
    if ((is_latest() && delivery.keys) || (leaves_latest && had))
        std::sort(due_.begin(), due_.end(),
                  [](auto const& a, auto const& b) { return a.offset < b.offset; });
    // Of an event that retention took nobody knows any more whether it was wanted.
    if (was_latest && filtered[1] < counters_.filtered) {
        if (is_filtered_estimated_)
            owed_ += static_cast<std::int64_t>(counters_.filtered - filtered[1]);
        counters_.filtered = filtered[1];
    }
    if (!was_latest && !is_latest() && delivery.keys && !pass_unwanted(filtered[1])) return false;
    return is_reached(told);
}

/// Begins to conflate at a rate: what was not looked at waits for the next tick, and only what is
/// ahead of the log need not. A key set looks at everything.
inline void subscription_queue::wait_for_tick() {
    if (delivery_.keys) return look(source_->last());
    auto const waiting = log_begin();
    if (waiting != due_.end()) looked_upto_ = waiting->offset - 1;
    due_.erase(waiting, due_.end());
}

inline bool subscription_queue::has_uncounted(delivery_mode next) const {
    bool const is_counted = is_latest() && delivery_.keys;
    bool const is_passed = !is_counted && source_->first_kept > read_for_sure_ + 1;
    if (is_filtered_estimated_ || (is_passed && (is_latest() || next == delivery_mode::latest)))
        return true;
    return std::any_of(due_.begin(), due_.end(), [&](auto const& each) {
        return is_estimated(each) ||
               (each.oldest < each.offset && each.oldest < source_->first_kept);
    });
}

inline std::string subscription_queue::describe() const {
    std::string text;
    for (auto const& each : due_)
        text += ' ' + std::to_string(each.offset) + 'x' + std::to_string(each.count) + '<' +
                std::to_string(each.oldest);
    text += " looked at " + std::to_string(looked_upto_) + ", limits";
    for (auto const limit : limits_) text += ' ' + std::to_string(limit);
    return text;
}

inline bool subscription_queue::is_reached(std::uint64_t offset) {
    auto const furthest = has_rate() ? source_->last() : reached();
    if (is_latest() && offset >= taken_upto_ && offset <= furthest) return true;
    // Or among events that wait for newer ones while later ones were taken.
    if (is_latest() && offset >= reached() && offset <= furthest &&
        std::all_of(due_.begin(), due_.end(), [&](auto const& each) {
            return each.offset > offset || waits_for_newer(each);
        }))
        return true;
    while (reached() != offset)
        if (!filter_front() && ((!is_latest() && !due_.empty()) || !look_further())) return false;
    return true;
}

} // namespace livetape::simulation
