#pragma once

namespace livetape::simulation {

// The network, and the connection as `net/connection.hpp` drives it.

inline void client::flush() {
    world_.notice_matches(world_.world, loop_index_);
    world_.during_callback(world_.world);
    write_some();
    if (session_ && session_->end() != session_end::none) pump();
    if (session_ && world_.random->one_in(500)) {
        ++covered_.deaths_in_callback;
        disconnect();
    }
}

inline void client::pump() {
    if (!session_) return;
    notice_matches();
    wakes_at_ = wake();
    for (;;) {
        if (session_->end() == session_end::abort) return conclude();
        if (is_writing()) break;
        bool const wrote = write_some();
        if (!session_) return;
        if (is_writing() || session_->end() == session_end::none) break;
        if (!wrote) return conclude();
    }
    if (is_writing()) wakes_at_ = std::min(wakes_at_, wake());
}

inline time_point client::wake() {
    auto const next = session_->wake();
    settle_presence();
    return next;
}

inline bool client::write_some() {
    if (!session_ || is_writing() || !world_.judge->is_right()) return false;
    notice_matches();
    is_gathering_ = true;
    bool const is_alone = !world_.on->loops[loop_index_].is_running();
    for (auto& each : subscriptions_) each.queue.begin_read(is_alone);
    for (auto const i : world_.on->opened()) kept_at_run_[i] = world_.on->at(i).history.first_kept;
    session_->gather(batch_);
    is_gathering_ = false;
    plan_.clear();
    for (std::size_t i = 0; i < batch_.count(); ++i) plan_ += batch_.piece(i);
    read_plan();
    settle_presence();
    take_credit();
    if (batch_.empty()) return false;
    if (!std::exchange(has_unsent_, true)) progress_at_ = virtual_now;
    if (is_async_) {
        is_in_flight_ = true;
        session_->cursors().set_writing(true);
        wakes_at_ = std::min(wakes_at_, wake());
        return true;
    }
    auto written = plan_.size();
    if (world_.random->one_in(4)) written = world_.random->below(plan_.size() + 1);
    bool const is_cut = written < plan_.size();
    settle(written);
    if (is_cut) {
        ++covered_.partial_writes;
        is_blocked_ = true;
        session_->cursors().set_writing(true);
        wakes_at_ = std::min(wakes_at_, wake());
    } else if (session_->cursors().is_due()) {
        session_->cursors().make_ready();
    }
    return true;
}

inline void client::let_through(std::size_t bytes_max) {
    if (is_blocked_) {
        is_blocked_ = false;
        session_->cursors().set_writing(false);
        return pump();
    }
    if (!is_in_flight_) return;
    auto const written = std::min(bytes_max, plan_.size());
    if (written < plan_.size()) ++covered_.partial_writes;
    is_in_flight_ = false;
    session_->cursors().set_writing(false);
    settle(written);
    if (!write_some() || (session_ && session_->end() != session_end::none)) pump();
}

inline void client::tick() {
    for (auto& each : subscriptions_) each.queue.tick(virtual_now);
}

/// The first events of a subscription in a batch use one credit.
inline void client::take_credit() {
    for (auto& each : subscriptions_) {
        bool const is_flushed = std::any_of(items_.begin(), items_.end(), [&](auto const& item) {
            return item.what == planned_item::kind::event && item.subscription == each.number;
        });
        if (is_flushed && !each.queue.use_credit()) fail("a flush without credit");
    }
}

/// A flush of which nothing was sent gives its credit back.
inline void client::refund(std::size_t written) {
    for (auto& each : subscriptions_) {
        auto const first = std::find_if(items_.begin(), items_.end(), [&](auto const& item) {
            return item.what == planned_item::kind::event && item.subscription == each.number;
        });
        if (first != items_.end() && first->begin >= written) each.queue.give_credit(1);
    }
}

/// The session has no more to write and wants to end.
inline void client::conclude() {
    auto const stalled_at = progress_at_ + world_.on->endpoint.options().write_timeout;
    bool const has_stalled =
        session_->end() == session_end::abort && has_unsent_ && virtual_now >= stalled_at;
    if (has_stalled) ++covered_.stalls;
    if (!may_end_ && !has_stalled && !was_silent()) fail("the session ended for no reason");
    disconnect();
}

inline void client::disconnect() {
    // A write in flight ends with its connection, and the batch lets go of what it holds.
    batch_.clear();
    session_.reset();
    leave();
    subscriptions_.clear();
    replies_.clear();
    deferred_.clear();
    patterns_.clear();
    is_orderly_ = is_shared_ = false;
    items_.clear();
    cut_rest_.clear();
    poll_gaps_.clear();
    poll_gap_channels_.clear();
    is_gathering_ = is_in_flight_ = is_blocked_ = is_ending_ = may_end_ = has_planned_events_ =
        has_unsent_ = false;
    wakes_at_ = never;
}

} // namespace livetape::simulation
