#pragma once

#include <livetape/channel/dispatcher.hpp>
#include <livetape/channel/hash_index.hpp>
#include <livetape/channel/subscription.hpp>
#include <livetape/channel/write_batch.hpp>
#include <livetape/compact_vector.hpp>
#include <livetape/config.hpp>
#include <livetape/intrusive_list.hpp>
#include <livetape/prefetch.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace livetape {

/// The cursors of one client: subscriptions to any number of channels, read in turn.
///
/// A session owns one. When a channel changes, its subscriptions become due and the subscriber
/// ready; the dispatcher then calls the ready function once, and the session takes what is due.
/// Thread safety: shared objects unsafe; the dispatcher's thread owns it.
class subscriber : public list_hook<subscriber> {
public:
    /// Called by the dispatcher when something is due; may destroy the subscriber.
    using ready_function = void (*)(void* context) noexcept;

    explicit subscriber(dispatcher& wakes) noexcept : dispatcher_{&wakes} {}
    subscriber(subscriber const&) = delete;
    subscriber& operator=(subscriber const&) = delete;
    ~subscriber() { clear(); }

    /// Who is told that something is due; without it the subscriber is only ever asked.
    void on_ready(ready_function call, void* context) noexcept {
        call_ready_ = call;
        ready_context_ = context;
    }

    /// A subscriber whose write is in flight is not called; it looks again when the write ends.
    void set_writing(bool is_writing) noexcept {
        is_writing_ = is_writing;
        if (is_writing) unlink();
    }

    /// Whether its writes hold too much memory that would be free without them: the owner, who is
    /// called for it even while a write is in flight, must end the connection.
    [[nodiscard]] bool is_overdrawn() const noexcept { return is_overdrawn_; }

    /// Asks for another turn, after those who are ready already.
    void make_ready() {
        if (!is_writing_ && !is_linked() && call_ready_ != nullptr) dispatcher_->push_ready(*this);
    }

    /// Adds a subscription at a cursor that `open_cursor` decided. What is there already is due at
    /// once, whatever the rate. O(1).
    subscription& add(std::shared_ptr<channel> const& source, encoding const& format,
                      start_position const& start, delivery_options const& delivery,
                      opened_cursor& opened);

    /// The same for each event, at once.
    subscription& add(std::shared_ptr<channel> const& source, encoding const& format,
                      start_position const& start, opened_cursor& opened) {
        return add(source, format, start, {}, opened);
    }

    /// Changes what a subscription chose. The change holds from the next event that is taken, and
    /// nothing is lost or comes twice over it:
    /// - to `latest`: what is pending and what comes conflates from here on;
    /// - to `every`: what is pending is still handed out conflated, as it is now, and every event
    ///   that is published later follows;
    /// - to a key set: what is pending of other keys is dropped; if there was a key set, the newest
    ///   event of each key that is new is due at once, as with `add_keys`;
    /// - to a rate: what comes waits for the next tick, and so does what was not looked at yet.
    ///
    /// A reader of `every` event judges by its keys what it reads: a change of them holds for all
    /// that it has not read. In `latest` mode it holds for all that is published later.
    void change(subscription& which, delivery_options const& delivery);

    /// Adds keys to a key set; the newest event of each that is new there is due at once. Does
    /// nothing if all keys are wanted. O(keys) each.
    void add_keys(subscription& which, std::span<std::string const> keys);

    /// Takes keys out of a key set, with what is pending of them. Does nothing if all keys are
    /// wanted. O(keys) each.
    void remove_keys(subscription& which, std::span<std::string const> keys);

    /// Lets the client have so many more flushes; nothing changes without a limit of credit.
    void give_credit(subscription& which, std::uint32_t flushes);

    /// Ends a subscription; nothing more of that channel is taken. O(1), and O(subscriptions due)
    /// if it is due.
    void remove(subscription& which);

    /// Ends all subscriptions.
    void clear() {
        while (first_due_ != nullptr) pop_due();
        while (!subscriptions_.empty()) remove(*subscriptions_.back());
    }

    /// A subscription to a channel; null if there is none. O(1).
    [[nodiscard]] subscription* find(std::string_view channel_name) const noexcept {
        auto const is_wanted = [&](std::size_t place) {
            return subscriptions_[place]->source().name() == channel_name;
        };
        if (places_.size() > 0) {
            auto const place = places_.find(hash_of(channel_name), is_wanted);
            return place == hash_index::none ? nullptr : subscriptions_[place].get();
        }
        for (std::size_t place = 0; place < subscriptions_.size(); ++place)
            if (is_wanted(place)) return subscriptions_[place].get();
        return nullptr;
    }

    [[nodiscard]] std::size_t count() const noexcept { return subscriptions_.size(); }
    [[nodiscard]] subscription& at(std::size_t index) const noexcept {
        return *subscriptions_[index];
    }

    [[nodiscard]] bool is_due() const noexcept { return first_due_ != nullptr; }

    enum class taken : std::uint8_t {
        nothing, ///< no subscription is behind, or a gap is next and must wait for an empty batch
        run,     ///< a run was added to the batch
        gap,     ///< events are missing; `missed` says which, and the next call goes on after them;
                 ///< or nothing follows, because the channel was closed
    };

    struct missed_events {
        subscription* of = nullptr;
        gap range;
        bool is_end = false; ///< no gap: the channel was closed, and the subscription is of no use
    };

    /// Takes the next run that is due into `batch`, at most `events_max` events and what fits into
    /// the batch, but at least one event; channels take turns. Precondition: the batch is not full.
    taken take(write_batch& batch, missed_events& missed,
               std::uint32_t events_max = std::numeric_limits<std::uint32_t>::max());

private:
    friend class dispatcher;
    friend class subscription;

    void mark_due(subscription& behind) {
        if (!behind.is_due_) {
            behind.is_due_ = true;
            behind.next_due_ = nullptr;
            (first_due_ == nullptr ? first_due_ : last_due_->next_due_) = &behind;
            last_due_ = &behind;
        }
        make_ready();
    }

    void cut() {
        is_overdrawn_ = true;
        if (!is_linked() && call_ready_ != nullptr) dispatcher_->push_ready(*this);
    }

    subscription& pop_due() noexcept {
        auto& front = *std::exchange(first_due_, first_due_->next_due_);
        front.is_due_ = false;
        return front;
    }

    void unlink_due(subscription& which) noexcept;

    static std::size_t hash_of(std::string_view channel_name) noexcept {
        return std::hash<std::string_view>{}(channel_name);
    }

    void note_place_of_last();

    /// The place of a subscription, which the last one is about to take over.
    [[nodiscard]] std::size_t vacate(subscription const& which) noexcept;

    /// What taking from one subscription came to.
    enum class step : std::uint8_t {
        none, ///< it has nothing
        run,  ///< a run was added
        gap,  ///< events are missing
        wait, ///< a gap is next and must wait for an empty batch
    };

    step take_from(subscription& from, write_batch& batch, missed_events& missed,
                   std::uint32_t events_max);
    step take_log(subscription& from, write_batch& batch, missed_events& missed,
                  std::uint32_t events_max);
    step take_latest(subscription& from, write_batch& batch, missed_events& missed,
                     std::uint32_t events_max);
    step refresh(subscription& from, write_batch const& batch, missed_events& missed,
                 std::uint64_t upto);
    step take_queue(subscription& from, write_batch& batch, missed_events& missed,
                    std::uint32_t events_max);
    step take_watched(subscription& from, write_batch& batch, missed_events& missed,
                      std::uint32_t events_max);
    step take_filtered(subscription& from, write_batch& batch, missed_events& missed,
                       std::uint32_t events_max);
    static step report_gap(subscription& from, write_batch const& batch, missed_events& missed,
                           std::uint64_t first_kept);
    [[nodiscard]] conflated_events conflate(channel_feed& feed, std::uint64_t after,
                                            std::uint64_t upto) {
        dispatcher_->note_conflated(feed);
        return feed.conflate(after, upto);
    }
    [[nodiscard]] bool goes_on(subscription const& from) const noexcept;
    [[nodiscard]] std::uint64_t end_of_read(subscription const& from) const noexcept;
    static void take_snapshot(subscription& from, write_batch& batch, std::uint32_t events_max);
    static void hand_out(subscription& from, write_batch& batch, segment_ref const& holder,
                         encoded_area const& area, std::uint32_t begin, std::uint32_t end);

    // From so many on, subscriptions are found by a table: a pattern may cover thousands of
    // channels, but most clients have one or a few.
    static constexpr std::size_t listed_max = 16;

    // Events of a queue that are looked at for one run: more would hardly fit into a batch.
    static constexpr std::size_t events_at_once = 1024;

    // From so many events on it is worth while that those who read at the same time read the same.
    static constexpr std::uint64_t shared_events_min = 64;

    /// Lets a subscription that may have something to hand out do so: now, or at its next tick.
    void schedule(subscription& which);

    dispatcher* dispatcher_;
    ready_function call_ready_ = nullptr;
    void* ready_context_ = nullptr;
    compact_vector<intrusive_ref<subscription>> subscriptions_;
    hash_index places_; // in `subscriptions_` by the channel's name; empty while there are few
    subscription* first_due_ = nullptr;
    subscription* last_due_ = nullptr;
    bool is_writing_ = false;
    bool is_overdrawn_ = false;
};

} // namespace livetape

#include <livetape/channel/impl/dispatcher.ipp>
#include <livetape/channel/impl/key_set_delivery.ipp>
#include <livetape/channel/impl/subscriber.ipp>
#include <livetape/channel/impl/subscription.ipp>
