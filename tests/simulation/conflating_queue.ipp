#pragma once

#include "subscription_queue.hpp"

namespace livetape::simulation {

inline void subscription_queue::drop_unwanted() {
    std::erase_if(due_, [&](auto const& each) {
        if (wants(each) || (!is_latest() && !each.is_ahead)) return false;
        counters_.filtered += each.count;
        return true;
    });
}

inline bool subscription_queue::pass_unwanted(std::uint64_t filtered) {
    while (counters_.filtered < filtered) {
        auto const next = log_begin();
        if (next == due_.end()) {
            if (!look_further()) return false;
            continue;
        }
        if (wants(*next)) return false;
        ++counters_.filtered;
        due_.erase(next);
    }
    return counters_.filtered == filtered;
}

inline void subscription_queue::show_newest(std::vector<std::string> const& had) {
    for (auto const offset : source_->newest_of_each()) {
        auto const& key = source_->at(offset).key;
        if (offset > looked_upto_ || !wants({offset}) ||
            std::find(had.begin(), had.end(), key) != had.end())
            continue;
        auto const next = log_begin();
        if (std::any_of(due_.begin(), due_.end(),
                        [&](auto const& each) { return each.offset == offset; }))
            continue;
        due_.insert(next, {offset, 0, offset, true});
        taken_upto_ = std::min(taken_upto_, offset - 1);
    }
}

inline void subscription_queue::give_back_to_log(due_event unsent) {
    if (unsent.offset < floor_) unsent.is_ahead = true;
    if (!unsent.is_ahead && delivery_.keys) {
        auto next = due_.empty() ? looked_upto_ : due_.front().offset - 1;
        for (; next > unsent.offset; --next) {
            due_.push_front({next, 1, next});
            --counters_.filtered;
        }
    }
    due_.push_front(unsent);
}

inline void subscription_queue::add(due_event newer) {
    newer.is_ahead = newer.is_ahead && !is_latest();
    if (is_latest() && !wants(newer)) {
        counters_.filtered += newer.count;
        return;
    }
    if (is_latest())
        if (auto const older = find(source_->at(newer.offset).key); older != due_.end()) {
            newer.count += older->count;
            if (older->count > 0) newer.oldest = std::min(newer.oldest, older->oldest);
            due_.erase(older);
        }
    due_.push_back(newer);
}

inline bool subscription_queue::look_further() {
    if (is_latest() && (delivery_.keys || looked_upto_ + 1 < source_->first_kept))
        for (auto const limit : {read_upto_, source_->last()}) allow(limit);
    auto upto = looked_upto_;
    while (upto == looked_upto_ && !limits_.empty()) {
        upto = std::max(upto, limits_.front());
        limits_.pop_front();
    }
    if (upto == looked_upto_) return false;
    look(upto);
    return true;
}

inline subscription_queue::iterator subscription_queue::find_next(std::uint64_t offset,
                                                                  std::uint32_t count) {
    for (auto each = due_.begin(); each != due_.end(); ++each) {
        if (each->offset == offset && may_stand_for(*each, count)) return each;
        bool const is_passed = !is_latest() && !wants(*each);
        if (!is_passed && !waits_for_newer(*each)) break;
    }
    return due_.end();
}

inline bool subscription_queue::waits_for_newer(due_event const& old) const {
    return is_latest() && old.offset < source_->first_kept && !source_->is_indexed(old.offset) &&
           source_->has_newer(old.offset);
}

inline bool subscription_queue::may_be_estimate(due_event const& event, std::uint32_t count) const {
    auto to_share = owed_ + std::int64_t{event.count};
    for (auto const& each : due_)
        if (each.offset != event.offset && each.count > 0) to_share += each.count - 1;
    to_share += static_cast<std::int64_t>(source_->last() - looked_upto_);
    if (is_filtered_estimated_) to_share += static_cast<std::int64_t>(counters_.filtered);
    return count >= 1 && count <= to_share;
}

inline bool subscription_queue::may_stand_for(due_event const& event, std::uint32_t count) const {
    auto const expected = std::max(event.count, std::uint32_t{1});
    // Events of a forgotten key are lost in the one count and may be found in the other.
    if (source_->evicted() > 0) return true;
    if (is_estimated(event)) return may_be_estimate(event, count);
    // Of events that retention took before anybody counted them the number may be missing.
    if (event.count > 0 && event.oldest < source_->first_kept) return count <= expected;
    return count == expected;
}

inline bool subscription_queue::skip_forgotten(gap const& missed) {
    if (missed.last >= source_->first_kept || missed.last > source_->evicted()) return false;
    auto const is_due = [&] {
        return std::any_of(due_.begin(), due_.end(),
                           [&](auto const& each) { return each.offset == missed.first; });
    };
    // One event that waited is gone, or all that was not looked at is looked at.
    while (has_rate() && missed.first == missed.last && !is_due() && look_further()) continue;
    if (missed.first != missed.last || !is_due()) look(read_upto_);
    for (auto each = due_.begin(); each != due_.end();) {
        bool const is_lost = each->offset >= missed.first && each->offset <= missed.last &&
                             !source_->is_indexed(each->offset) &&
                             !source_->was_indexed(each->offset, read_upto_);
        each = is_lost ? drop(each) : each + 1;
    }
    return true;
}

inline bool subscription_queue::add_snapshot_after(std::uint64_t after) {
    for (auto const offset : source_->snapshot())
        if (offset > after) due_.push_back({offset, 0, offset, true});
    return !due_.empty();
}

inline std::uint64_t subscription_queue::last_missed() const {
    auto last = source_->last();
    for (auto i = due_.rbegin(); i != due_.rend() && i->offset == last; ++i) --last;
    return last;
}

} // namespace livetape::simulation
