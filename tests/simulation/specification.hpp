#pragma once

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

/// What a subscriber must see, said so plainly that it can be checked by reading it. Nothing here
/// is fast, shares bytes or knows of segments: a channel is the list of all that was ever
/// published, and every subscriber has a queue of its own.
namespace livetape::simulation {

/// An event as its publisher knew it, and as the envelope of it has it, in two parts: between them
/// goes for how many events it stands.
struct published_event {
    std::string key; ///< empty: none
    std::string envelope_head, envelope_rest;
    std::string binary_rest{}; ///< of a binary payload: what follows instead in a binary frame
};

/// One life of a channel: everything that was published in it, in order.
class channel_history {
public:
    channel_history(std::string_view channel, std::uint64_t epoch_of_it,
                    channel_options const& options)
        : name{channel}, epoch{epoch_of_it}, keys_max{options.keys_max} {}

    std::string name;
    std::uint64_t epoch;
    std::size_t keys_max;
    std::vector<published_event> events; ///< that of offset 1 first
    std::uint64_t first_kept = 1;        ///< what retention has left begins here

    [[nodiscard]] std::uint64_t last() const { return events.size(); }
    [[nodiscard]] published_event const& at(std::uint64_t offset) const {
        return events[offset - 1];
    }

    void publish(published_event event) {
        events.push_back(std::move(event));
        auto const& key = events.back().key;
        if (key.empty()) {
            unkeyed_ = last();
            return;
        }
        std::erase_if(newest_, [&](auto offset) { return at(offset).key == key; });
        newest_.push_back(last());
        if (newest_.size() <= keys_max) return;
        evicted_ = std::max(evicted_, newest_.front());
        newest_.erase(newest_.begin());
    }

    /// The newest event of each of the `keys_max` keys that were updated last; of a channel without
    /// keys, its newest event.
    [[nodiscard]] std::vector<std::uint64_t> snapshot() const {
        if (newest_.empty() && last() >= first_kept) return {last()};
        return newest_;
    }

    /// The newest event of each key, those without a key among them.
    [[nodiscard]] std::vector<std::uint64_t> newest_of_each() const {
        auto all = newest_;
        if (unkeyed_ > 0) all.insert(std::lower_bound(all.begin(), all.end(), unkeyed_), unkeyed_);
        return all;
    }

    /// Whether an event that retention has passed can still be had, as the newest of its key.
    [[nodiscard]] bool is_indexed(std::uint64_t offset) const {
        return offset == unkeyed_ ||
               std::find(newest_.begin(), newest_.end(), offset) != newest_.end();
    }

    /// Whether the key of an event has a newer one that can be had.
    [[nodiscard]] bool has_newer(std::uint64_t offset) const {
        auto const& key = at(offset).key;
        for (auto newer = last(); newer > offset; --newer)
            if (at(newer).key == key) return newer >= first_kept || is_indexed(newer);
        return false;
    }

    /// Events of keys that were forgotten because there were too many lie at or before this one.
    [[nodiscard]] std::uint64_t evicted() const { return evicted_; }

private:
    std::vector<std::uint64_t> newest_; // of each key, by offset
    std::uint64_t unkeyed_ = 0;
    std::uint64_t evicted_ = 0;
};

/// Something that a subscriber is still to get.
struct due_event {
    std::uint64_t offset = 0;
    std::uint32_t count =
        1; ///< events of the subscription's range that it stands for; 0: of a snapshot
    std::uint64_t oldest = 0; ///< the first of them
    bool is_ahead = false;    ///< comes before the log goes on, whatever its offset
};

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
    [[nodiscard]] bool empty() const {
        for (auto next = looked_upto_ + 1; next <= source_->last(); ++next)
            if (wants({next})) return false;
        return std::all_of(due_.begin(), due_.end(),
                           [&](auto const& each) { return !wants(each); });
    }
    [[nodiscard]] bool has_due() const { return !due_.empty(); }
    [[nodiscard]] due_event const& front() const { return due_.front(); }
    /// What became of the events, once nothing wanted is left.
    [[nodiscard]] delivery_counters counters() const {
        auto result = counters_;
        for (auto const& each : due_)
            if (!wants(each)) result.filtered += each.count;
        if (delivery_.keys) result.filtered += source_->last() - looked_upto_;
        return result;
    }
    [[nodiscard]] std::uint64_t first_live() const { return first_live_; }

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
    opening open(start_position const& start) {
        opening result;
        auto const last = source_->last();
        auto const after = start.after.offset;
        bool const is_same_life = start.after.epoch == source_->epoch;
        looked_upto_ = last;
        if (start.from == start_position::kind::oldest) {
            looked_upto_ = source_->first_kept - 1;
        } else if (start.from == start_position::kind::now) {
            if (start.has_snapshot) result.has_snapshot = add_snapshot_after(0);
        } else if (!is_same_life) {
            result.has_snapshot = add_snapshot_after(0);
            result.missed = gap{1, last_missed(), gap_reason::epoch};
        } else if (after > last) {
            result.is_ahead = true;
        } else if (after + 1 >= source_->first_kept ||
                   (is_latest() && after >= source_->evicted())) {
            looked_upto_ = after;
            result.is_recovered = true;
        } else {
            result.has_snapshot = add_snapshot_after(after);
            if (last_missed() > after)
                result.missed = gap{after + 1, last_missed(), gap_reason::retention};
            result.is_recovered = !result.missed;
        }
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
        drop_unwanted_front();
        return result;
    }

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
        if (has_rate() && now.time_since_epoch() % delivery_.interval == time_point::duration{0})
            limits_.push_back(source_->last());
    }

    /// The session reads.
    /// @param is_alone  true if what has been published by now is seen in any case
    void begin_read(bool is_alone) {
        read_upto_ = source_->last();
        read_kept_ = source_->first_kept;
        note_lost_counts();
        if (has_rate() || !is_alone) return;
        look(read_upto_);
        limits_.clear();
    }

    /// Takes the front, which must be that event and stand for so many; false if it is another.
    [[nodiscard]] bool take(std::uint64_t offset, std::uint32_t count, due_event& taken) {
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

    /// What was taken last was not sent after all. If its key has a newer event by now, that one
    /// stands for it as well.
    void give_back(due_event const& unsent) {
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
        auto const after = std::find_if(due_.begin(), due_.end(), [&](auto const& each) {
            return each.offset > unsent.offset;
        });
        due_.insert(after, unsent);
    }

    /// Whether the subscriber may be told that it missed these. They are then off its queue.
    [[nodiscard]] bool skip(gap const& missed) {
        if (missed.last < missed.first) return false;
        if (is_latest()) return skip_forgotten(missed);
        while (due_.empty() || due_.front().offset != missed.first)
            if (!filter_front() && !look_further()) return false;
        if (missed.last + 1 < read_kept_ || missed.last >= source_->first_kept) return false;
        look(missed.last);
        read_for_sure_ = std::max(read_for_sure_, missed.last);
        while (!due_.empty() && due_.front().offset <= missed.last) drop(due_.begin());
        return true;
    }

    /// The subscriber chooses anew: to `latest`, and what is pending conflates; to `every`, and
    /// what is pending stays as it is, with all that has been published; to keys, and others are
    /// off the queue, and of a key set the newest event of each key that is new there is on it.
    /// @param told  the place that the client is told, after which the change holds
    /// @param filtered  unwanted events that were passed before and after: how far ahead of what it
    ///                  takes a reader looks for them is its own affair
    /// @return false if that is another place than was reached
    [[nodiscard]] bool change(delivery_options const& delivery, std::uint64_t told,
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
            std::stable_sort(due_.begin(), due_.end(),
                             [](auto const& a, auto const& b) { return a.offset < b.offset; });
        // Of an event that retention took nobody knows any more whether it was wanted.
        if (was_latest && filtered[1] < counters_.filtered) {
            if (is_filtered_estimated_)
                owed_ += static_cast<std::int64_t>(counters_.filtered - filtered[1]);
            counters_.filtered = filtered[1];
        }
        if (!was_latest && !is_latest() && delivery.keys && !pass_unwanted(filtered[1]))
            return false;
        return is_reached(told);
    }

    /// Whether an event stands for others that retention took, maybe before they were counted, or
    /// will once the newest of each key are read.
    [[nodiscard]] bool has_uncounted(delivery_mode next) const {
        bool const is_counted = is_latest() && delivery_.keys;
        bool const is_passed = !is_counted && source_->first_kept > read_for_sure_ + 1;
        if (is_filtered_estimated_ || (is_passed && next == delivery_mode::latest)) return true;
        return std::any_of(due_.begin(), due_.end(), [&](auto const& each) {
            return is_estimated(each) ||
                   (each.oldest < each.offset && each.oldest < source_->first_kept);
        });
    }

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
    [[nodiscard]] std::string describe() const {
        std::string text;
        for (auto const& each : due_)
            text += ' ' + std::to_string(each.offset) + 'x' + std::to_string(each.count) + '<' +
                    std::to_string(each.oldest);
        text += " looked at " + std::to_string(looked_upto_) + ", limits";
        for (auto const limit : limits_) text += ' ' + std::to_string(limit);
        return text;
    }

    /// Whether the place that was told is the one that was reached. In `latest` mode it may lie
    /// before events that were superseded since, because they are in no need to be seen.
    [[nodiscard]] bool is_reached(std::uint64_t offset) {
        auto const furthest = has_rate() ? source_->last() : reached();
        if (is_latest() && offset >= taken_upto_ && offset <= furthest) return true;
        // Or among events that wait for newer ones while later ones were taken.
        if (is_latest() && offset >= reached() && offset <= furthest &&
            std::all_of(due_.begin(), due_.end(), [&](auto const& each) {
                return each.offset > offset || waits_for_newer(each);
            }))
            return true;
        while (reached() != offset)
            if (!filter_front() && ((!is_latest() && !due_.empty()) || !look_further()))
                return false;
        return true;
    }

private:
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
    void drop_unwanted() {
        std::erase_if(due_, [&](auto const& each) {
            if (wants(each) || (!is_latest() && !each.is_ahead)) return false;
            counters_.filtered += each.count;
            return true;
        });
    }

    [[nodiscard]] iterator log_begin() {
        return std::find_if(due_.begin(), due_.end(),
                            [](auto const& each) { return !each.is_ahead; });
    }

    /// A reader of every event has passed so many unwanted ones.
    [[nodiscard]] bool pass_unwanted(std::uint64_t filtered) {
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

    /// The newest event of each wanted key that is not among `had`, but for those that come anyway.
    void show_newest(std::vector<std::string> const& had) {
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

    /// What was not sent comes before all else, with what was passed since.
    void give_back_to_log(due_event unsent) {
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

    /// Puts an event at the end, in place of an older one of its key.
    void add(due_event newer) {
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
    bool look_further() {
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

    /// The event, if it is the next that is due.
    [[nodiscard]] iterator find_next(std::uint64_t offset, std::uint32_t count) {
        for (auto each = due_.begin(); each != due_.end(); ++each) {
            if (each->offset == offset && may_stand_for(*each, count)) return each;
            bool const is_passed = !is_latest() && !wants(*each);
            if (!is_passed && !waits_for_newer(*each)) break;
        }
        return due_.end();
    }

    /// An event that retention has passed is gone if its key has a newer one, which comes with the
    /// next tick and stands for both.
    [[nodiscard]] bool waits_for_newer(due_event const& old) const {
        return is_latest() && old.offset < source_->first_kept &&
               !source_->is_indexed(old.offset) && source_->has_newer(old.offset);
    }

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
    [[nodiscard]] bool may_be_estimate(due_event const& event, std::uint32_t count) const {
        auto to_share = owed_ + std::int64_t{event.count};
        for (auto const& each : due_)
            if (each.offset != event.offset && each.count > 0) to_share += each.count - 1;
        to_share += static_cast<std::int64_t>(source_->last() - looked_upto_);
        if (is_filtered_estimated_) to_share += static_cast<std::int64_t>(counters_.filtered);
        return count >= 1 && count <= to_share;
    }

    [[nodiscard]] bool may_stand_for(due_event const& event, std::uint32_t count) const {
        auto const expected = std::max(event.count, std::uint32_t{1});
        // Events of a forgotten key are lost in the one count and may be found in the other.
        if (source_->evicted() > 0) return true;
        if (is_estimated(event)) return may_be_estimate(event, count);
        // Of events that retention took before anybody counted them the number may be missing.
        if (event.count > 0 && event.oldest < source_->first_kept) return count <= expected;
        return count == expected;
    }

    /// In `latest` mode only the events of forgotten keys are ever missed.
    [[nodiscard]] bool skip_forgotten(gap const& missed) {
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
                                 !source_->is_indexed(each->offset);
            each = is_lost ? drop(each) : each + 1;
        }
        return true;
    }

    iterator drop(iterator which) {
        counters_.skipped += which->count;
        return due_.erase(which);
    }

    bool add_snapshot_after(std::uint64_t after) {
        for (auto const offset : source_->snapshot())
            if (offset > after) due_.push_back({offset, 0, offset, true});
        return !due_.empty();
    }

    /// The last event that the snapshot does not have.
    [[nodiscard]] std::uint64_t last_missed() const {
        auto last = source_->last();
        for (auto i = due_.rbegin(); i != due_.rend() && i->offset == last; ++i) --last;
        return last;
    }

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
    std::int64_t owed_ = 0;
    bool is_filtered_estimated_ = false;
    delivery_counters counters_;
};

} // namespace livetape::simulation
