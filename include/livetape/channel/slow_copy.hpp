#pragma once

#include <livetape/algorithm.hpp>
#include <livetape/channel/agenda.hpp>
#include <livetape/channel/channel.hpp>
#include <livetape/channel/delivery.hpp>
#include <livetape/channel/keyed_list.hpp>
#include <livetape/channel/signal.hpp>
#include <livetape/short_lock.hpp>
#include <livetape/time.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace livetape {

/// How a channel is copied into another.
struct slow_copy_options {
    /// The time between two publishes into the target; at least a millisecond.
    std::chrono::milliseconds interval{1'000};

    /// `latest`: of what came since the last time, the newest event of each key, in the order of
    /// last update; of events without a key, the newest. `every`: all that the source still has.
    delivery_mode mode = delivery_mode::latest;

    /// Whether the copy begins with what the source has already: for whoever learns of a channel
    /// by its first event. Otherwise it begins with what comes.
    bool from_oldest = false;
};

/// A cursor of one channel that publishes into another, at a slower pace: the copy for screens.
///
/// It begins with what is published into the source after it was made, unless it is told to begin
/// with what is there. A quiet source costs nothing: the source's first publish after a copy sets
/// the time of the next one. The hub owns it and keeps it until `stop`. Thread safety: every member
/// function is safe from any thread.
class slow_copy : public std::enable_shared_from_this<slow_copy> {
public:
    /// Use `hub::copy`. Precondition: the two are different channels.
    slow_copy(std::shared_ptr<channel> source, std::shared_ptr<channel> target,
              slow_copy_options const& options, std::shared_ptr<agenda> due, time_source now)
        : source_{std::move(source)}, target_{std::move(target)}, options_{options},
          agenda_{std::move(due)}, now_{now}, queue_{&slow_copy::wake, this}, changed_{queue_} {
        options_.interval = std::max(options_.interval, std::chrono::milliseconds{1});
    }
    slow_copy(slow_copy const&) = delete;
    slow_copy& operator=(slow_copy const&) = delete;
    ~slow_copy() { source_->remove_listener(changed_); }

    /// Begins, with the next event of the source or the oldest. `hub::copy` calls it once.
    void start() {
        short_lock_guard const lock{lock_};
        source_->add_listener(changed_);
        auto const last = source_->last_offset();
        if (!options_.from_oldest) reached_ = last;
        else if (last > 0) changed_.raise();
    }

    /// Ends the copying; a copy that is under way on another thread is ended first.
    void stop() {
        source_->remove_listener(changed_);
        short_lock_guard const lock{lock_};
        is_stopped_ = true;
    }

    [[nodiscard]] bool is_stopped() const {
        short_lock_guard const lock{lock_};
        return is_stopped_;
    }

    /// Events of the source that are not in the target because the source no longer had them; in
    /// mode `latest` those that its snapshot superseded count too.
    [[nodiscard]] std::uint64_t missed_events() const {
        short_lock_guard const lock{lock_};
        return missed_;
    }

private:
    /// Called inside the source's publish, at most once until `run` has looked.
    static void wake(void* self) noexcept {
        auto& me = *static_cast<slow_copy*>(self);
        me.agenda_->add(next_aligned(me.now_(), me.options_.interval), me.weak_from_this(),
                        [](void* copy, time_point) { static_cast<slow_copy*>(copy)->run(); });
    }

    void run() {
        short_lock_guard const lock{lock_};
        if (is_stopped_) return;
        // Lowered before the look, so that a publish during it sets a time of its own.
        if (queue_.take_all() != nullptr) changed_.lower();
        if (options_.mode == delivery_mode::latest) copy_latest();
        else copy_every();
    }

    void copy_every() {
        auto const end = source_->last_offset();
        while (reached_ < end) {
            auto const events = source_->read(reached_);
            auto const first = events.empty() ? end + 1 : (*events.begin()).offset;
            missed_ += first - 1 - reached_;
            reached_ = first - 1;
            for (auto const& each : events) publish(each);
        }
    }

    /// Where retention has passed the cursor, the source's snapshot has the newest of each key.
    void copy_latest() {
        auto const opened = source_->open_cursor(
            {start_position::kind::after, {source_->epoch(), reached_}, false});
        if (opened.missed) missed_ += opened.missed->last - opened.missed->first + 1;
        if (auto const& newest = opened.snapshot)
            for (auto index = opened.snapshot_index; index < newest->count(); ++index)
                publish(newest->at(index));
        auto const events =
            source_->read(opened.next_offset - 1, {std::numeric_limits<std::size_t>::max()});
        reached_ = std::max(reached_, opened.next_offset - 1);
        keyed_list<std::uint64_t> newest_of;
        for (auto const& each : events) newest_of.find_or_add(each.key).value = each.offset;
        for (auto const& each : events) {
            if (newest_of.find(each.key)->value == each.offset) publish(each);
            reached_ = each.offset;
        }
    }

    void publish(event_view const& event) {
        target_->publish(event.payload, {event.key, event.kind, {}});
        reached_ = event.offset;
    }

    std::shared_ptr<channel> source_;
    std::shared_ptr<channel> target_;
    slow_copy_options options_;
    std::shared_ptr<agenda> agenda_;
    time_source now_;
    signal_queue queue_;
    signal changed_;
    mutable short_lock lock_;
    std::uint64_t reached_ = 0; // the last event seen
    std::uint64_t missed_ = 0;
    bool is_stopped_ = false;
};

} // namespace livetape
