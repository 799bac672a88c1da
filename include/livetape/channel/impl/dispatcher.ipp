#pragma once

#include <livetape/channel/subscriber.hpp>

namespace livetape {

inline void channel_feed::rest(subscription& which) { chosen().resting.push_back(which); }

inline void dispatcher::push_ready(subscriber& behind) {
    ready_.push_back(behind);
    if (std::exchange(is_run_due_, true)) return;
    wake_(context_);
}

inline bool dispatcher::run(std::size_t subscribers_max, time_point now) {
    is_run_due_ = is_running_ = true;
    take_signals(now);
    for (std::size_t i = 0; i < subscribers_max; ++i) {
        auto* const next = ready_.pop_front();
        if (next == nullptr) break;
        // While this one writes, which takes microseconds in the kernel, the processor can fetch
        // what the next one will touch: many connections do not fit into its caches.
        if (!ready_.empty()) {
            auto const& following = ready_.front();
            detail::prefetch(following.ready_context_, ready_context_bytes);
            detail::prefetch(following.first_due_, sizeof(subscription));
            if (auto const* const after = ready_.second()) detail::prefetch(after, sizeof *after);
        }
        next->call_ready_(next->ready_context_);
    }
    is_running_ = false;
    is_run_due_ = !ready_.empty();
    if (!is_run_due_) forget_conflated();
    return is_run_due_;
}

inline std::optional<std::uint64_t> dispatcher::slowest_offset(channel const& of) const noexcept {
    auto const* const feed = find_feed(of);
    if (feed == nullptr) return std::nullopt;
    std::optional<std::uint64_t> slowest;
    auto const look = [&](subscription const& each) {
        auto const offset = each.reached().offset;
        if (!slowest || offset < *slowest) slowest = offset;
    };
    feed->subscriptions.for_each(look);
    feed->for_each_resting(look);
    feed->for_each_group([&look](rate_group const& group) { group.members.for_each(look); });
    return slowest;
}

/// What those that rest have not wanted is in no counter yet.
inline delivery_counters dispatcher::totals_of(channel_feed const& feed) noexcept {
    auto all = feed.totals();
    feed.for_each_resting(
        [&all](subscription const& s) { all.filtered += s.next_offset() - s.next_offset_; });
    return all;
}

inline void dispatcher::take_signals(time_point now) {
    for (auto* raised = queue_.take_all(); raised != nullptr;) {
        auto& taken = *std::exchange(raised, raised->next());
        if (taken.source_kind() == signal_source::channel_list) {
            taken.lower();
            static_cast<pattern_feed&>(taken).run();
            continue;
        }
        auto& feed = static_cast<channel_feed&>(taken);
        feed.take();
        wake_watchers(feed);
        if (feed.source().is_closed())
            feed.for_each_resting(
                [next = feed.taken_upto() + 1](subscription& s) { s.wake(next); });
        // Who has subscribed after the publish has the event already, and must not be called for
        // it.
        bool const is_over = feed.source().is_closed();
        feed.subscriptions.for_each([&feed, is_over](subscription& s) {
            if (s.state_) s.look();
            if (is_over) {
                s.owner_->mark_due(s);
            } else if (s.can_rest(feed.taken_upto())) {
                feed.rest(s);
                s.state_->is_resting = true;
            } else if (s.is_open()) {
                s.owner_->mark_due(s);
            }
        });
        feed.for_each_group([now](rate_group& group) { group.flushed_by().arm(group, now); });
        if (feed.source().is_overdrawn()) cut_holders(feed);
    }
    retired_.clear();
}

/// Wakes those that rest of whose keys the feed has new events: the cost is that of the events and
/// of their watchers, however many there are of other keys. Where events are gone unseen, each must
/// find out for itself what it missed.
inline void dispatcher::wake_watchers(channel_feed& feed) {
    auto next = feed.scanned_upto() + 1;
    auto const end = feed.taken_upto() + 1;
    feed.set_scanned_upto(feed.taken_upto());
    while (next < end && feed.has_resting()) {
        std::uint64_t first_kept = 0;
        auto const& holder = feed.locate(next, first_kept);
        if (!holder) return feed.for_each_resting([next](subscription& s) { s.wake(next); });
        for (auto const end_here = std::min(holder->end_offset(), end); next < end_here; ++next) {
            auto const key =
                holder->at(static_cast<std::uint32_t>(next - holder->first_offset())).key;
            feed.for_each_watcher(key, [next](subscription& s) {
                if (next >= s.next_offset_) s.wake(next);
            });
        }
    }
}

/// Cuts those who hold what has left the log: runs in a batch under way that they have been handed
/// before what is kept, or a run that is in no log and waits for their write to end.
inline void dispatcher::cut_holders(channel_feed& feed) {
    feed.forget_recent();
    auto const first_kept = feed.source().first_offset();
    auto const cut = [first_kept](subscription& s) {
        bool const is_in_batch = s.references_ > 1;
        if ((is_in_batch && s.next_offset() <= first_kept) ||
            (s.owner_->is_writing_ && s.snapshot_))
            s.owner_->cut();
    };
    feed.subscriptions.for_each(cut);
    feed.for_each_resting(cut);
    feed.for_each_group([&cut](rate_group const& group) { group.members.for_each(cut); });
}

inline void dispatcher::tick(time_point now) {
    for (auto const& rate : rates_) {
        if (rate->deadline() > now) continue;
        intrusive_list<rate_group> fired;
        while (auto* const group = rate->waiting.pop_front()) fired.push_back(*group);
        while (auto* const group = fired.pop_front()) {
            group->feed().let_go();
            auto const upto = group->feed().source().last_offset();
            // A tick with nothing new is the last one, until something is published.
            if (group->flushed_upto == upto) group->feed().forget_conflated();
            else rate->arm(*group, now);
            group->flushed_upto = upto;
            bool const is_over = group->feed().source().is_closed();
            group->members.for_each([upto, is_over](subscription& s) {
                s.state_->flush_upto = upto;
                s.look();
                if (s.is_open() || is_over) s.owner_->mark_due(s);
            });
        }
    }
}

/// Shared runs are for those who are flushed together; they go when all have been. Groups keep
/// theirs for the members whose last write is still under way.
inline void dispatcher::forget_conflated() {
    for (; !conflating_.empty(); conflating_.pop_back())
        if (auto& feed = *conflating_.back(); !feed.has_groups()) feed.forget_conflated();
}

inline void dispatcher::join(subscription& which, std::chrono::milliseconds interval) {
    auto& feed = *which.feed_;
    // While all waited for ticks, publishing woke nobody.
    if (feed.is_held()) feed.rouse();
    if (interval.count() <= 0) {
        feed.subscriptions.push_back(which);
        return;
    }
    rate_group* group = nullptr;
    feed.for_each_group([&](rate_group& each) {
        if (each.flushed_by().interval() == interval) group = &each;
    });
    if (group == nullptr) {
        rate_class* rate = nullptr;
        for (auto const& each : rates_)
            if (each->interval() == interval) rate = each.get();
        if (rate == nullptr) rate = rates_.push_back(make_owned<rate_class>(interval)).get();
        group = &feed.add_group(*rate);
        ++rate->group_count;
    }
    group->members.push_back(which);
    which.state_->group = group;
}

inline void dispatcher::leave(subscription& which) noexcept {
    which.unlink();
    if (!which.state_ || which.state_->group == nullptr) return;
    auto& group = *std::exchange(which.state_->group, nullptr);
    if (!group.members.empty()) return;
    auto& feed = group.feed();
    auto& rate = group.flushed_by();
    bool const was_waiting = group.is_linked();
    feed.remove_group(group);
    if (--rate.group_count == 0) rates_.erase_unordered(&rate);
    // The owner's timer may stand for a tick that nobody waits for any more; and a signal that was
    // kept raised for that tick must be looked at again.
    if (!was_waiting) return;
    if (feed.is_unused()) feed.let_go();
    else feed.rouse();
    if (!std::exchange(is_run_due_, true)) wake_(context_);
}

} // namespace livetape
