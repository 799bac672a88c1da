#pragma once

#include <livetape/channel/dispatcher.hpp>
#include <livetape/channel/subscription.hpp>
#include <livetape/channel/write_batch.hpp>
#include <livetape/config.hpp>
#include <livetape/intrusive_list.hpp>
#include <livetape/prefetch.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

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

    /// Asks for another turn, after those who are ready already.
    void make_ready() {
        if (!is_writing_ && !is_linked() && call_ready_ != nullptr) dispatcher_->push_ready(*this);
    }

    /// Adds a subscription at a cursor that `open_cursor` decided. O(1).
    subscription& add(std::shared_ptr<channel> const& source, encoding const& format,
                      start_position const& start, opened_cursor& opened);

    /// Ends a subscription; nothing more of that channel is taken.
    void remove(subscription& which);

    /// Ends all subscriptions.
    void clear() {
        while (!subscriptions_.empty()) remove(*subscriptions_.back());
    }

    /// The subscription to a channel; null if there is none. O(subscriptions).
    [[nodiscard]] subscription* find(std::string_view channel_name) const noexcept {
        for (auto const& s : subscriptions_)
            if (s->source().name() == channel_name) return s.get();
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
        gap,     ///< events are missing; `missed` says which, and the next call goes on after them
    };

    struct missed_events {
        subscription* of = nullptr;
        gap range;
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

    subscription& pop_due() noexcept {
        auto& front = *std::exchange(first_due_, first_due_->next_due_);
        front.is_due_ = false;
        return front;
    }

    void unlink_due(subscription& which) noexcept;
    static void take_snapshot(subscription& from, write_batch& batch, std::uint32_t events_max);

    dispatcher* dispatcher_;
    ready_function call_ready_ = nullptr;
    void* ready_context_ = nullptr;
    std::vector<intrusive_ref<subscription>> subscriptions_;
    subscription* first_due_ = nullptr;
    subscription* last_due_ = nullptr;
    bool is_writing_ = false;
};

inline subscription& subscriber::add(std::shared_ptr<channel> const& source, encoding const& format,
                                     start_position const& start, opened_cursor& opened) {
    // The feed listens before the cursor is set, so an event in between wakes us for nothing
    // rather than not at all.
    auto& feed = dispatcher_->feed(source);
    opened = source->open_cursor(start);
    subscriptions_.emplace_back(new subscription{feed, *this, format, opened});
    auto& added = *subscriptions_.back();
    if (added.is_behind()) mark_due(added);
    return added;
}

inline void subscriber::remove(subscription& which) {
    if (which.is_due_) unlink_due(which);
    which.unlink();
    dispatcher_->drop_if_unused(*std::exchange(which.feed_, nullptr));
    for (auto& s : subscriptions_) {
        if (s.get() != &which) continue;
        std::swap(s, subscriptions_.back());
        subscriptions_.pop_back();
        break;
    }
}

inline void subscriber::unlink_due(subscription& which) noexcept {
    subscription* previous = nullptr;
    for (auto* s = first_due_; s != &which; s = s->next_due_) previous = s;
    (previous == nullptr ? first_due_ : previous->next_due_) = which.next_due_;
    if (last_due_ == &which) last_due_ = previous;
    which.is_due_ = false;
}

inline subscriber::taken subscriber::take(write_batch& batch, missed_events& missed,
                                          std::uint32_t events_max) {
    while (first_due_ != nullptr) {
        auto& from = pop_due();
        if (from.snapshot_) {
            take_snapshot(from, batch, events_max);
        } else {
            if (!from.is_behind()) continue;
            std::uint64_t first_kept = 0;
            auto const& holder = from.feed_->locate(from.next_offset_, first_kept);
            if (!holder) {
                // Runs in the batch may yet be given back, and the gap would then begin earlier.
                if (!batch.empty()) {
                    mark_due(from);
                    return taken::nothing;
                }
                missed = {&from, {from.next_offset_, first_kept - 1, gap_reason::retention}};
                from.next_offset_ = first_kept;
                mark_due(from);
                return taken::gap;
            }
            auto const index =
                static_cast<std::uint32_t>(from.next_offset_ - holder->first_offset());
            auto const& area = holder->encoded(*from.format_, index);
            auto const available = std::min(area.end_index() - index, events_max);
            auto const end = area.fit(index, index + available, batch.bytes_left());
            batch.add_run(from, holder, area, index, end);
            from.next_offset_ = holder->first_offset() + end;
        }
        // Who takes a part of what is due gets another turn for the rest, who takes all needs none.
        if (from.is_behind()) mark_due(from);
        else if (first_due_ != nullptr) make_ready();
        return taken::run;
    }
    unlink();
    return taken::nothing;
}

inline void subscriber::take_snapshot(subscription& from, write_batch& batch,
                                      std::uint32_t events_max) {
    auto& events = *from.snapshot_;
    auto const index = from.snapshot_index_;
    auto const& area = events.encoded(*from.format_, index);
    auto const available = std::min(area.end_index() - index, events_max);
    auto const end = area.fit(index, index + available, batch.bytes_left());
    batch.add_run(from, from.snapshot_, area, index, end);
    from.snapshot_index_ = end;
    if (end == events.count()) from.snapshot_.reset();
}

inline void subscription::rewind(segment_ref const& unsent, std::uint32_t index) {
    if (feed_ == nullptr || index == unsent->count()) return;
    if (unsent->offset_at(index) < first_live_offset_) {
        snapshot_ = unsent;
        snapshot_index_ = index;
    } else {
        next_offset_ = unsent->first_offset() + index;
    }
    owner_->mark_due(*this);
}

inline void dispatcher::push_ready(subscriber& behind) {
    ready_.push_back(behind);
    if (std::exchange(is_run_due_, true)) return;
    wake_(context_);
}

inline bool dispatcher::run(std::size_t subscribers_max) {
    is_run_due_ = true;
    take_signals();
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
    is_run_due_ = !ready_.empty();
    return is_run_due_;
}

inline std::optional<std::uint64_t> dispatcher::slowest_offset(channel& of) const noexcept {
    auto const feed = feeds_.find(&of);
    if (feed == feeds_.end()) return std::nullopt;
    std::optional<std::uint64_t> slowest;
    feed->second->subscriptions.for_each([&](subscription const& each) {
        auto const offset = each.reached().offset;
        if (!slowest || offset < *slowest) slowest = offset;
    });
    return slowest;
}

inline void dispatcher::take_signals() {
    for (auto* raised = queue_.take_all(); raised != nullptr;) {
        auto& feed = static_cast<channel_feed&>(*std::exchange(raised, raised->next()));
        feed.lower();
        // Who has subscribed after the publish has the event already, and must not be called for
        // it.
        feed.subscriptions.for_each([](subscription& s) {
            if (s.is_behind()) s.owner_->mark_due(s);
        });
    }
    retired_.clear();
}

} // namespace livetape
