#pragma once

#include <livetape/channel/channel.hpp>

#include <algorithm>
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

/// An event as its publisher knew it.
struct published_event {
    std::string key;      ///< empty: none
    std::string envelope; ///< as JSON, when it stands for itself alone
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
        if (key.empty() || keys_max == 0) return;
        std::erase_if(newest_, [&](auto offset) { return at(offset).key == key; });
        if (newest_.size() == keys_max) newest_.erase(newest_.begin());
        newest_.push_back(last());
    }

    /// The newest event of each of the `keys_max` keys that were updated last; of a channel without
    /// keys, its newest event.
    [[nodiscard]] std::vector<std::uint64_t> snapshot() const {
        if (newest_.empty() && last() >= first_kept) return {last()};
        return newest_;
    }

private:
    std::vector<std::uint64_t> newest_;
};

/// Something that a subscriber is still to get.
struct due_event {
    std::uint64_t offset = 0;
    std::uint32_t count = 1; ///< events that it stands for
};

/// What a subscription has in store: the queue of one subscriber to one channel.
class subscription_queue {
public:
    explicit subscription_queue(channel_history const& source) : source_{&source} {}

    [[nodiscard]] channel_history const& source() const { return *source_; }
    [[nodiscard]] bool empty() const { return due_.empty(); }
    [[nodiscard]] std::size_t size() const { return due_.size(); }
    [[nodiscard]] due_event const& front() const { return due_.front(); }

    /// The place that a client comes back with which got everything that was taken.
    [[nodiscard]] std::uint64_t reached() const {
        return due_.empty() ? source_->last() : due_.front().offset - 1;
    }

    /// Where a subscription starts; nothing of `missed` if it misses nothing.
    struct opening {
        std::optional<gap> missed;
        bool is_recovered = false;
        bool is_ahead = false;
        bool has_snapshot = false; ///< the queue begins with one
    };

    /// Fills the queue with what is due at the beginning.
    opening open(start_position const& start) {
        opening result;
        auto const last = source_->last();
        switch (start.from) {
        case start_position::kind::now:
            if (start.has_snapshot) add_snapshot_after(0);
            break;
        case start_position::kind::oldest: add_all_after(source_->first_kept - 1); break;
        case start_position::kind::after:
            auto const after = start.after.offset;
            if (start.after.epoch != source_->epoch) {
                result.missed = gap{1, add_snapshot_after(0), gap_reason::epoch};
            } else if (after > last) {
                result.is_ahead = true;
            } else if (after + 1 >= source_->first_kept) {
                add_all_after(after);
                result.is_recovered = true;
            } else {
                auto const last_missed = add_snapshot_after(after);
                if (last_missed > after)
                    result.missed = gap{after + 1, last_missed, gap_reason::retention};
                result.is_recovered = !result.missed;
            }
        }
        result.has_snapshot = has_snapshot_;
        return result;
    }

    /// The channel has a new event.
    void publish(std::uint64_t offset) { due_.push_back({offset}); }

    /// The subscriber gets the front of its queue.
    due_event take() {
        auto const taken = due_.front();
        due_.pop_front();
        return taken;
    }

    /// What was taken last was not sent after all.
    void give_back(due_event const& unsent) { due_.push_front(unsent); }

    /// Whether the subscriber may be told that it missed these. They are then off its queue.
    [[nodiscard]] bool skip(gap const& missed) {
        if (due_.empty() || due_.front().offset != missed.first) return false;
        if (missed.last < missed.first || missed.last + 1 != source_->first_kept) return false;
        while (!due_.empty() && due_.front().offset <= missed.last) due_.pop_front();
        return true;
    }

private:
    void add_all_after(std::uint64_t offset) {
        while (++offset <= source_->last()) due_.push_back({offset});
    }

    /// Answers the last event that the snapshot does not have.
    std::uint64_t add_snapshot_after(std::uint64_t after) {
        for (auto const offset : source_->snapshot())
            if (offset > after) due_.push_back({offset});
        has_snapshot_ = !due_.empty();
        auto last_missed = source_->last();
        for (auto i = due_.rbegin(); i != due_.rend() && i->offset == last_missed; ++i)
            --last_missed;
        return last_missed;
    }

    channel_history const* source_;
    std::deque<due_event> due_;
    bool has_snapshot_ = false;
};

} // namespace livetape::simulation
