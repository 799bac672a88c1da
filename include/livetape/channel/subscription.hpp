#pragma once

#include <livetape/algorithm.hpp>
#include <livetape/channel/channel_feed.hpp>
#include <livetape/channel/delivery.hpp>
#include <livetape/channel/delivery_state.hpp>
#include <livetape/channel/encoding.hpp>
#include <livetape/channel/segment.hpp>
#include <livetape/intrusive_list.hpp>
#include <livetape/intrusive_ref.hpp>
#include <livetape/owned_ptr.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace livetape {

class dispatcher;
class subscriber;
class write_batch;

/// A cursor: one subscriber's place in one channel, read in one encoding.
///
/// Owned by its subscriber; a write in flight may hold it a little longer, and then it is detached:
/// it belongs to no feed and what is written back to it is ignored.
/// Thread safety: shared objects unsafe; the subscriber's thread owns it.
class subscription : public list_hook<subscription> {
public:
    /// The subscriber makes and opens it.
    subscription(channel_feed& feed, subscriber& owner, encoding const& format) noexcept
        : feed_{&feed}, owner_{&owner}, format_{&format} {}

    [[nodiscard]] channel& source() const noexcept { return feed_->source(); }

    /// What the subscriber chose, with the credit that is left.
    [[nodiscard]] delivery_options delivery() const;

    /// What became of the events from the subscription's start up to `reached()`, and of those that
    /// newer events superseded since.
    [[nodiscard]] delivery_counters counters() const noexcept {
        if (state_) {
            auto counted = state_->counters;
            counted.filtered += next_offset() - next_offset_;
            return counted;
        }
        return {next_offset_ - first_live_offset_, 0, 0, 0};
    }

    /// The place after which everything is still to be handed out; mostly the last event that was.
    /// Within a snapshot it lies before the snapshot's next event, so that a client which comes
    /// back with it misses nothing, but may see superseded events that the snapshot left out.
    [[nodiscard]] position reached() const noexcept {
        auto next = next_offset();
        if (snapshot_) next = snapshot_->offset_at(snapshot_index_);
        else if (state_ && state_->has_queue()) next = state_->queue->front()->value.offset;
        else if (state_ && state_->has_waiting()) next = state_->keys->first_pending;
        if (state_ && state_->has_lost()) next = std::min(next, state_->lost_first);
        return {source().epoch(), next - 1};
    }

    /// Whether there is something to hand out, now or when its rate and credit let it go.
    [[nodiscard]] bool is_behind() const noexcept {
        return snapshot_ || next_offset() <= source().last_offset() ||
               (state_ && (state_->has_waiting() || state_->has_lost()));
    }

    void retain() noexcept { ++references_; }
    void release() noexcept {
        if (--references_ == 0) delete this;
    }

private:
    friend class subscriber;
    friend class dispatcher;
    friend class write_batch;

    /// Whether there is something to hand out now, as far as the rate goes.
    [[nodiscard]] bool has_more() const noexcept {
        return snapshot_ || next_offset() <= limit() ||
               (state_ && (state_->has_waiting() || state_->has_lost()));
    }
    [[nodiscard]] bool has_credit() const noexcept {
        return !state_ || !state_->has_credit_limit || state_->credit > 0;
    }
    [[nodiscard]] bool is_open() const noexcept { return has_credit() && has_more(); }

    /// The last offset that may be handed out now.
    [[nodiscard]] std::uint64_t limit() const noexcept {
        return state_ && state_->group != nullptr ? state_->flush_upto : source().last_offset();
    }

    /// The cursor; while the subscription rests, beyond all that the feed has seen it not want.
    [[nodiscard]] std::uint64_t next_offset() const noexcept {
        return state_ && state_->is_resting ? std::max(next_offset_, feed_->scanned_upto() + 1)
                                            : next_offset_;
    }

    /// Whether nothing up to that offset is to be handed out, so that it need not be looked at
    /// until one of its keys changes.
    [[nodiscard]] bool can_rest(std::uint64_t upto) const noexcept {
        return state_ && state_->is_indexed && next_offset_ > upto && !snapshot_ &&
               !state_->has_waiting() && !state_->has_lost();
    }

    /// Lets it be looked at again by each burst.
    void wake() { wake(next_offset()); }

    /// The same; the events before `next` are not wanted.
    void wake(std::uint64_t next);

    /// The state of one that chose something, made if need be.
    delivery_state& state();

    void choose(delivery_options const& delivery);
    void open(opened_cursor const& opened);

    /// Counts events that are handed out, and the flush if they are its first ones.
    void note_taken(segment const& holder, std::uint32_t begin, std::uint32_t end,
                    bool is_new_flush) noexcept;
    void note_given_back(segment const& holder, std::uint32_t begin, std::uint32_t end) noexcept;
    void count(delivery_counters const& more) noexcept;
    void count_back(delivery_counters const& back) noexcept;

    [[nodiscard]] delivery_counters counted(segment const& holder, std::uint32_t begin,
                                            std::uint32_t end) const noexcept;

    /// Gives back the events of `unsent` from `begin` to `end`. Does nothing on a detached
    /// subscription.
    void rewind(segment_ref const& unsent, std::uint32_t begin, std::uint32_t end);
    void rewind_every(segment_ref const& unsent, std::uint32_t begin, std::uint32_t end);
    void put_back_latest(segment const& unsent, std::uint32_t begin, std::uint32_t end);

    /// Gives back the credit of a flush of which nothing was sent.
    void refund() noexcept;

    /// Moves what is left of a conflated run into the queue, because newer events have come.
    void queue_snapshot();

    /// Finds out whether a key set has something to hand out; steps over what it does not want.
    void look();
    void note_look(channel::watched_events const& seen) noexcept;
    void skip_unwanted();

    void index_keys();
    void unindex_keys() noexcept;
    void enter_keys(std::span<std::string const> keys);
    void leave_keys();
    void wait_for(segment const& events, std::uint32_t begin, std::uint32_t end, key_set& watched);
    void add_keys(std::span<std::string const> keys);
    void remove_keys(std::span<std::string const> keys);
    void change_keys(std::span<std::string const> keys);
    void drop_unwanted_from_snapshot();

    /// Puts the wanted ones of two runs together, of which one or both may be null, as what is
    /// handed out before the log.
    template <class Wanted>
    void join_snapshot(segment_ref const& first, std::uint32_t first_begin, std::uint32_t first_end,
                       segment_ref const& second, std::uint32_t second_begin, Wanted&& wanted);

    /// Puts a run behind what is handed out before the log.
    void append_snapshot(segment_ref const& later);

    /// Takes over newer events: they take the place of those of their key that still wait. If none
    /// do, they become the run that is handed out next, or are put where events wait.
    enum class then : std::uint8_t { hand_out, wait };
    void absorb(conflated_events const& newer, then what = then::hand_out);

    /// While a write lasts or credit lacks, takes over what the log will soon let go of, so that it
    /// is counted by key. O(1) for a reader in the newer half of the log.
    void keep_up();

    /// Notes that events are lost, which the next read tells, and that they stood for `events`.
    void lose(std::uint64_t first, std::uint64_t last, std::uint64_t events) noexcept;

    /// Makes what is pending a run of its own, because the events after it do not conflate.
    void leave_latest();

    channel_feed* feed_;
    subscriber* owner_;
    encoding const* format_;
    std::uint64_t next_offset_ = 1;
    std::uint64_t first_live_offset_ = 1; // everything before it came from the snapshot
    segment_ref snapshot_; // what is handed out before the log: a snapshot, or a conflated run
    std::uint32_t snapshot_index_ = 0;
    std::uint16_t references_ = 0;
    delivery_mode mode_ = delivery_mode::every;
    bool is_due_ = false;
    subscription* next_due_ = nullptr;
    owned_ptr<delivery_state> state_;
};

static_assert(sizeof(void*) != 8 || sizeof(subscription) <= 88,
              "an idle connection with one subscription must stay below 1 KiB");

} // namespace livetape
