#pragma once

#include "channel_history.hpp"

#include <livetape/channel/channel.hpp>
#include <livetape/channel/delivery.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace livetape::simulation {

/// What a subscription has in store: the queue of one subscriber to one channel.
///
/// In `latest` mode it is the classical conflating queue: an event of a key that is pending takes
/// its place, adds to its count and moves to the end. With a rate, what is published is pending
/// from the next tick on.
class subscription_queue {
public:
    subscription_queue(channel_history const& source, delivery_options const& delivery)
        : source_{&source}, delivery_{delivery} {}

    [[nodiscard]] channel_history const& source() const { return *source_; }
    [[nodiscard]] delivery_options const& delivery() const { return delivery_; }
    [[nodiscard]] bool is_latest() const { return delivery_.mode == delivery_mode::latest; }
    [[nodiscard]] bool has_rate() const { return delivery_.interval.count() > 0; }

    /// Nothing that is wanted is pending or waits for a tick.
    [[nodiscard]] bool empty() const;
    /// Something that is wanted may be taken and need not wait for a tick; with a rate, if the loop
    /// had noticed it before the last tick.
    [[nodiscard]] bool is_overdue() const;
    [[nodiscard]] bool has_due() const { return !due_.empty(); }
    [[nodiscard]] due_event const& front() const { return due_.front(); }
    /// What became of the events, once nothing wanted is left.
    [[nodiscard]] delivery_counters counters() const;
    [[nodiscard]] std::uint64_t first_live() const { return first_live_; }

    /// Unwanted events that were passed so far, which the reader says; false if it cannot be.
    [[nodiscard]] bool pass(std::uint64_t filtered) {
        return is_latest() || !delivery_.keys || pass_unwanted(filtered);
    }
    [[nodiscard]] std::uint64_t passed() const { return counters_.filtered; }

    /// Whether events are due that are not of the range, or not of the log any more.
    [[nodiscard]] bool is_ahead_of_log() const {
        return std::any_of(due_.begin(), due_.end(),
                           [](auto const& each) { return each.is_ahead; });
    }

    /// The place that a client comes back with which got everything that was taken.
    [[nodiscard]] std::uint64_t reached() const {
        return due_.empty() ? looked_upto_ : due_.front().offset - 1;
    }

    /// Where a subscription starts; nothing of `missed` if it misses nothing.
    struct opening {
        std::optional<gap> missed;
        bool is_recovered = false;
        bool is_ahead = false;
        bool has_snapshot = false; ///< the queue begins with one
    };

    /// Fills the queue with what is due at the beginning, whatever the rate.
    opening open(start_position const& start);

    /// Begins at the beginning of a channel that came, when that was after this event.
    void open_at(std::uint64_t first);

    /// The channel has a new event.
    /// @param is_seen  false if it is published while sessions read, so that this one may conflate
    ///                 it with what it reads, or see it next time
    void publish(std::uint64_t offset, bool is_seen) {
        if (has_rate()) return;
        if (is_seen || !is_latest()) look(offset);
        else limits_.push_back(offset);
    }

    /// The clock ticks: if it is one of the subscription's instants, what has been published may be
    /// flushed from now on, and then all of it is.
    void tick(time_point now) {
        if (!has_rate() || now.time_since_epoch() % delivery_.interval != time_point::duration{0})
            return;
        limits_.push_back(source_->last());
        overdue_upto_ = noticed_upto_;
    }

    /// The loop notices what has been published by now.
    void notice() { noticed_upto_ = source_->last(); }

    /// The session reads.
    /// @param is_alone  true if what has been published by now is seen in any case
    void begin_read(bool is_alone);

    /// Takes the front, which must be that event and stand for so many; false if it is another.
    [[nodiscard]] bool take(std::uint64_t offset, std::uint32_t count, due_event& taken);

    /// What was taken last was not sent after all. If its key has a newer event by now, that one
    /// stands for it as well.
    void give_back(due_event const& unsent);

    /// Whether the subscriber may be told that it missed these. They are then off its queue.
    [[nodiscard]] bool skip(gap const& missed);

    /// The subscriber chooses anew: to `latest`, and what is pending conflates; to `every`, and
    /// what is pending stays as it is, with all that has been published; to keys, and others are
    /// off the queue, and of a key set the newest event of each key that is new there is on it.
    /// @param told  the place that the client is told, after which the change holds
    /// @param filtered  unwanted events that were passed before and after: how far ahead of what it
    ///                  takes a reader looks for them is its own affair
    /// @return false if that is another place than was reached
    [[nodiscard]] bool change(delivery_options const& delivery, std::uint64_t told,
                              std::array<std::uint64_t, 2> filtered);

    /// Whether an event stands for others that retention took, maybe before they were counted, or
    /// will once the newest of each key are read.
    [[nodiscard]] bool has_uncounted(delivery_mode next) const;

    /// By how much the counts that were told are less than the events that they stand for. Once
    /// nothing is left, it is 0, because estimates are exact in sum; or if the range began where
    /// retention had passed, and with keys, it is what other keys were counted too many.
    [[nodiscard]] std::int64_t owed() const { return owed_; }
    [[nodiscard]] bool is_filtered_estimated() const { return is_filtered_estimated_; }

    /// Whether keys were forgotten whose events are not taken yet.
    [[nodiscard]] bool may_miss_forgotten() const { return source_->evicted() > taken_upto_; }

    void give_credit(std::uint32_t flushes) {
        if (delivery_.credit) *delivery_.credit += flushes;
        allow_what_retention_takes();
    }

    /// A flush begins; false if the client has no credit for it.
    [[nodiscard]] bool use_credit() {
        if (!delivery_.credit) return true;
        if (*delivery_.credit == 0) return false;
        --*delivery_.credit;
        return true;
    }

    /// The queue as text, for failures: each event with what it stands for.
    [[nodiscard]] std::string describe() const;

    /// Whether the place that was told is the one that was reached. In `latest` mode it may lie
    /// before events that were superseded since, because they are in no need to be seen.
    [[nodiscard]] bool is_reached(std::uint64_t offset);

private:
    void begin();
    void wait_for_tick();

    using iterator = std::deque<due_event>::iterator;

    [[nodiscard]] iterator find(std::string_view key) {
        return std::find_if(due_.begin(), due_.end(),
                            [&](auto const& each) { return source_->at(each.offset).key == key; });
    }

    [[nodiscard]] bool wants(due_event const& event) const {
        auto const& keys = delivery_.keys;
        return !keys ||
               std::find(keys->begin(), keys->end(), source_->at(event.offset).key) != keys->end();
    }

    /// The front is of a key that is not wanted, and is passed.
    bool filter_front() {
        if (due_.empty() || wants(due_.front())) return false;
        counters_.filtered += due_.front().count;
        due_.pop_front();
        return true;
    }
    void drop_unwanted_front() {
        while (filter_front()) continue;
    }

    /// Events that wait outside the log are judged at once, those of the log when they are read.
    void drop_unwanted();

    [[nodiscard]] iterator log_begin() {
        return std::find_if(due_.begin(), due_.end(),
                            [](auto const& each) { return !each.is_ahead; });
    }

    /// A reader of every event has passed so many unwanted ones.
    [[nodiscard]] bool pass_unwanted(std::uint64_t filtered);

    /// The newest event of each wanted key that is not among `had`, but for those that come anyway.
    void show_newest(std::vector<std::string> const& had);

    /// What was not sent comes before all else, with what was passed since.
    void give_back_to_log(due_event unsent);

    /// Puts an event at the end, in place of an older one of its key.
    void add(due_event newer);

    void look(std::uint64_t upto) {
        for (; looked_upto_ < upto; ++looked_upto_) add({looked_upto_ + 1, 1, looked_upto_ + 1});
    }

    /// If retention has passed what waits for a tick, a subscriber that is looked after meanwhile
    /// may take over all there is at this moment.
    void allow_what_retention_takes() {
        if (is_latest() && has_rate() && looked_upto_ + 1 < source_->first_kept)
            allow(source_->last());
    }

    void allow(std::uint64_t limit) {
        limits_.insert(std::upper_bound(limits_.begin(), limits_.end(), limit), limit);
    }

    /// Looks as far as the next tick allowed, or as far as there is anything if retention takes
    /// away what was to wait.
    bool look_further();

    /// The event, if it is the next that is due.
    [[nodiscard]] iterator find_next(std::uint64_t offset, std::uint32_t count);

    /// An event that retention has passed is gone if its key has a newer one, which comes with the
    /// next tick and stands for both.
    [[nodiscard]] bool waits_for_newer(due_event const& old) const;

    /// Retention has passed events that the subscriber has perhaps not read. How many of each key
    /// they were is then an estimate, for all events that it reads with them. (Whether it has read
    /// them in time, while a write lasted, is its own affair: tests/channel/latest.cpp holds that.
    /// And keys that are chosen have counts of their own.)
    void note_lost_counts() {
        if (is_latest() && !delivery_.keys && source_->first_kept > read_for_sure_ + 1)
            estimated_upto_ = source_->last();
    }

    [[nodiscard]] bool is_estimated(due_event const& event) const {
        return event.count > 0 && event.oldest <= estimated_upto_;
    }

    /// Estimates may share out nothing but what is pending, of which each event stands for itself
    /// at least.
    [[nodiscard]] bool may_be_estimate(due_event const& event, std::uint32_t count) const;

    [[nodiscard]] bool may_stand_for(due_event const& event, std::uint32_t count) const;

    /// In `latest` mode only the events of forgotten keys are ever missed.
    [[nodiscard]] bool skip_forgotten(gap const& missed);

    iterator drop(iterator which) {
        counters_.skipped += which->count;
        return due_.erase(which);
    }

    bool add_snapshot_after(std::uint64_t after);

    /// The last event that the snapshot does not have.
    [[nodiscard]] std::uint64_t last_missed() const;

    channel_history const* source_;
    delivery_options delivery_;
    std::deque<due_event> due_;
    std::deque<std::uint64_t> limits_;
    std::uint64_t looked_upto_ = 0;
    std::uint64_t read_upto_ = 0; ///< the last event when the session began to read
    std::uint64_t read_kept_ = 1; ///< what was kept then
    std::uint64_t first_live_ = 1;
    std::uint64_t floor_ = 0;      ///< what is given back of before it is not of the log any more
    std::uint64_t taken_upto_ = 0; ///< the last event that was taken, or the place of the start
    std::uint64_t read_for_sure_ = 0; ///< the last event that the subscriber must have looked at
    std::uint64_t estimated_upto_ =
        0; ///< events from before it may stand for an estimate of others
    std::uint64_t noticed_upto_ = 0;
    std::uint64_t overdue_upto_ = 0; ///< with a rate: what must be handed out
    std::int64_t owed_ = 0;
    bool is_filtered_estimated_ = false;
    delivery_counters counters_;
};

} // namespace livetape::simulation

#include "conflating_queue.ipp"
#include "subscription_queue.ipp"
