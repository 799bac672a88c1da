#pragma once

#include <livetape/algorithm.hpp>
#include <livetape/channel/agenda.hpp>
#include <livetape/channel/cursor.hpp>
#include <livetape/channel/delivery.hpp>
#include <livetape/channel/key_index.hpp>
#include <livetape/channel/key_set.hpp>
#include <livetape/channel/log.hpp>
#include <livetape/channel/newest_events.hpp>
#include <livetape/channel/publish_collector.hpp>
#include <livetape/channel/publish_options.hpp>
#include <livetape/channel/publish_window.hpp>
#include <livetape/channel/signal.hpp>
#include <livetape/compact_vector.hpp>
#include <livetape/owned_ptr.hpp>
#include <livetape/short_lock.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace livetape {

class presence;

/// What the channels of a hub share, so that 100,000 quiet ones do not each have their own.
struct channel_settings {
    channel_options options{};
    time_source now = clock::now;          ///< what stamps published events
    std::shared_ptr<agenda> due = nullptr; ///< where what needs time is put down; may be null
};

/// Why events are missing between a cursor and what it gets next.
enum class gap_reason : std::uint8_t {
    retention, ///< the log no longer has them
    epoch,     ///< the cursor is from another life of the channel
};

/// Events `first` to `last` that a cursor can no longer get. Empty (`last < first`) when a channel
/// began a new life and all that it has had since then follows.
struct gap {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    gap_reason reason = gap_reason::retention;
};

/// Where a subscription starts.
struct start_position {
    enum class kind : std::uint8_t { now, oldest, after };
    kind from = kind::now;
    position after{}; ///< for `kind::after`: the last event seen
    bool has_snapshot =
        false; ///< for `now`: begin with the newest event per key, or the newest event
};

/// Where a cursor was set by `channel::open_cursor`.
struct opened_cursor {
    std::uint64_t next_offset = 1;    ///< the first live event, after the snapshot if there is one
    segment_ref snapshot;             ///< newest event of each key, by offset; may be null
    std::uint32_t snapshot_index = 0; ///< the first event of the snapshot that is due
    std::optional<gap> missed;
    bool is_recovered = false; ///< the cursor continues exactly where the client was
    bool is_ahead = false;     ///< the position lies after the end: the client made it up
};

/// Events read from a channel, kept alive as long as the range.
class event_range {
public:
    class iterator {
    public:
        using value_type = event_view;
        using difference_type = std::ptrdiff_t;
        iterator() = default;
        iterator(event_range const& range, std::uint64_t offset) noexcept
            : range_{&range}, offset_{offset} {}
        event_view operator*() const noexcept { return range_->at(offset_); }
        iterator& operator++() noexcept {
            ++offset_;
            return *this;
        }
        iterator operator++(int) noexcept {
            auto const old = *this;
            ++offset_;
            return old;
        }
        friend bool operator==(iterator const& a, iterator const& b) noexcept {
            return a.offset_ == b.offset_;
        }

    private:
        event_range const* range_ = nullptr;
        std::uint64_t offset_ = 0;
    };

    event_range() = default;
    event_range(compact_vector<segment_ref> segments, std::uint64_t first,
                std::uint64_t end) noexcept
        : segments_{std::move(segments)}, first_{first}, end_{end} {}

    [[nodiscard]] iterator begin() const noexcept { return {*this, first_}; }
    [[nodiscard]] iterator end() const noexcept { return {*this, end_}; }
    [[nodiscard]] std::size_t size() const noexcept {
        return static_cast<std::size_t>(end_ - first_);
    }
    [[nodiscard]] bool empty() const noexcept { return first_ == end_; }

    /// Precondition: the offset lies in the range. O(log segments).
    [[nodiscard]] event_view at(std::uint64_t offset) const noexcept {
        auto const after = std::upper_bound(
            segments_.begin(), segments_.end(), offset,
            [](std::uint64_t value, segment_ref const& s) { return value < s->first_offset(); });
        auto const& holder = **(after - 1);
        return holder.at(static_cast<std::uint32_t>(offset - holder.first_offset()));
    }

private:
    compact_vector<segment_ref> segments_;
    std::uint64_t first_ = 1;
    std::uint64_t end_ = 1;
};

/// A named log of events that any thread publishes into and any number of cursors read.
///
/// Thread safety: every member function is safe from any thread; each takes one short lock.
class channel : public std::enable_shared_from_this<channel> {
public:
    channel(log_identity_ref identity, std::shared_ptr<channel_settings const> settings)
        : settings_{std::move(settings)}, log_{std::move(identity), options()} {
        set_publish_interval(options().publish_interval);
    }

    channel(log_identity_ref identity, channel_options const& options, time_source now)
        : channel{std::move(identity), std::make_shared<channel_settings const>(
                                           channel_settings{options, now, nullptr})} {}

    channel(channel const&) = delete;
    channel& operator=(channel const&) = delete;

    [[nodiscard]] std::string_view name() const noexcept { return log_.identity().name(); }
    [[nodiscard]] std::uint64_t epoch() const noexcept { return log_.identity().epoch(); }
    [[nodiscard]] channel_options const& options() const noexcept { return settings_->options; }

    /// The offset of the newest event, 0 before the first. Lock-free.
    [[nodiscard]] std::uint64_t last_offset() const noexcept {
        return last_offset_.load(std::memory_order_acquire);
    }

    /// Appends an event and wakes the shards that have subscribers; on a timer, that is what the
    /// next flush does. The payload is copied.
    ///
    /// The default kind is JSON: `payload` is then one JSON value, and text must be UTF-8; neither
    /// is checked here, because the publisher is the host's own code.
    /// @return the event's offset; 0 if the payload, the key or the id is over its limit in
    ///         `channel_options`, in which case nothing was published
    std::uint64_t publish(std::string_view payload, publish_options const& options = {}) {
        return try_publish(payload, options).offset;
    }

    /// The same, and says what was refused, and whether it was a retry of an earlier publish.
    publish_result try_publish(std::string_view payload, publish_options const& options = {});

    /// Whether events are published on every update (0), or on a timer: collected, and appended and
    /// announced together at multiples of the interval. A collected event has its offset and its
    /// time, but nobody sees it before the flush. Can be changed at any time; what has been
    /// collected is flushed by a change to 0. The hub's `advance` drives the timer.
    void set_publish_interval(std::chrono::nanoseconds interval);

    [[nodiscard]] std::chrono::nanoseconds publish_interval() const {
        short_lock_guard const lock{lock_};
        auto const* const timer = collecting();
        return timer != nullptr ? timer->interval : std::chrono::nanoseconds{0};
    }

    /// Publishes what has been collected without waiting for the time.
    void flush_collected() {
        short_lock_guard const lock{lock_};
        append_collected();
    }

    /// Who is on this channel; null if `channel_options::presence` is off. Lock-free.
    [[nodiscard]] presence* members() const noexcept { return members_.get(); }

    /// Called once by whoever makes the channel, before others see it.
    void set_members(std::shared_ptr<presence> members) noexcept { members_ = std::move(members); }

    struct read_options {
        std::size_t events_max = 1000;
    };

    /// The events after `offset` (the last one seen) that are still kept, oldest first.
    [[nodiscard]] event_range read(std::uint64_t offset, read_options options = {1000}) const {
        short_lock_guard const lock{lock_};
        if (offset >= log_.next_offset() - 1 || options.events_max == 0) return {};
        auto const first = std::max(offset + 1, log_.first_offset());
        auto const end =
            first + std::min<std::uint64_t>(log_.next_offset() - first, options.events_max);
        compact_vector<segment_ref> segments;
        for (auto next = first; next < end; next = segments.back()->end_offset())
            segments.push_back(log_.find(next));
        return {std::move(segments), first, end};
    }

    /// The oldest offset that is still kept; `last_offset() + 1` if nothing is.
    [[nodiscard]] std::uint64_t first_offset() const {
        short_lock_guard const lock{lock_};
        return log_.first_offset();
    }

    /// Drops events and ids of publishes over their age limits; publishing does not, so a quiet
    /// channel needs it. The hub's `advance` does it.
    void expire(time_point now) {
        short_lock_guard const lock{lock_};
        drop_aged(now);
    }

    /// Decides, at one instant, where a subscription starts and what it must be told first.
    /// A conflating cursor that retention has passed misses nothing as long as the index of keys
    /// has forgotten none: it begins where it is. One at an event that is still collected, as its
    /// publisher has it, flushes what is collected.
    [[nodiscard]] opened_cursor open_cursor(start_position const& start,
                                            delivery_mode mode = delivery_mode::every);

    /// The segment that holds `offset`; null if retention has passed it, and then `first_kept` is
    /// the oldest offset that can still be had. Precondition: `offset <= last_offset()`.
    [[nodiscard]] segment_ref find(std::uint64_t offset, std::uint64_t& first_kept) const {
        short_lock_guard const lock{lock_};
        first_kept = log_.first_offset();
        return offset < first_kept ? segment_ref{} : log_.find(offset);
    }

    /// What is left of the events `after` + 1 to `upto` when each key's newest supersedes the
    /// others. Where the log has let go of a part, the index of keys stands in for it, and `upto`
    /// becomes the newest offset; how many events of a key are gone is then an estimate, but their
    /// sum is exact. The lock is held for O(keys) then, else not for long; O(upto - after).
    /// Precondition: `after <= upto <= last_offset()`.
    [[nodiscard]] conflated_events conflate(std::uint64_t after, std::uint64_t upto) const;

    /// Copies wanted events from the one at `begin` on in their order, at most so many and so many
    /// bytes, but at least one, and none after one that is lost; null if there is none. O(events
    /// wanted).
    [[nodiscard]] segment_ref copy(compact_vector<wanted_event>& wanted, std::size_t begin,
                                   std::size_t events_max, std::size_t bytes_max) const;

    /// What a look at a key set found.
    struct watched_events {
        std::uint64_t upto = 0;      ///< the newest offset at that instant
        std::uint64_t arrived = 0;   ///< events of the keys that wait now and did not before
        std::uint64_t dropped = 0;   ///< events that wait no more and are not handed out
        segment_ref events;          ///< the first that wait, in order; null if there are none
        std::uint64_t lost_upto = 0; ///< not 0 if the next one that waits is gone
    };

    /// Looks which keys of a set have events that wait. O(keys).
    watched_events look(key_set& watched) const {
        short_lock_guard const lock{lock_};
        return examine(watched);
    }

    /// The same, and takes the first of them: at most so many and so many bytes, but at least one.
    /// One that neither the log nor the index of keys has any more is dropped only if nothing else
    /// is taken and `drops_lost`. O(keys), and the events taken.
    struct take_options {
        std::size_t events_max;
        std::size_t bytes_max;
        bool drops_lost;
    };
    watched_events take(key_set& watched, take_options const& options) const;

    /// Adds keys to a set, whether they have events yet or not. Of a key that is new there, nothing
    /// waits but its newest event if that is to be shown. O(keys) each.
    watched_events watch(key_set& watched, std::span<std::string const> keys, bool shows_newest);

    /// The same for a reader that has passed the events up to `after`: of what came since, which it
    /// gets conflated, the set lets nothing wait. The two meet at one instant, so that an event is
    /// in one of them, whatever is published meanwhile. Precondition: `after <= last_offset()`.
    [[nodiscard]] conflated_events watch_after(key_set& watched, std::span<std::string const> keys,
                                               std::uint64_t after);

    /// Takes keys out of a set and drops what waits of them. O(keys) each.
    watched_events unwatch(key_set& watched, std::span<std::string const> keys) noexcept;

    /// Takes all keys out.
    void unwatch(key_set& watched) noexcept;

    /// Ends the channel: nothing is published into it any more, and its subscribers are told once
    /// they have what there is. `hub::close` calls it.
    void close() {
        short_lock_guard const lock{lock_};
        append_collected();
        is_closed_.store(true, std::memory_order_release);
        for (auto* const listener : listeners_) listener->raise();
    }

    /// Whether it has been ended. Lock-free.
    [[nodiscard]] bool is_closed() const noexcept {
        return is_closed_.load(std::memory_order_acquire);
    }

    /// Subscriptions on all threads, those of polls that wait included. Lock-free.
    [[nodiscard]] std::size_t subscriber_count() const noexcept {
        return subscribers_.load(std::memory_order_relaxed);
    }

    /// Called by `subscriber`, for each that comes (1) or goes (-1).
    void count_subscriber(int change) noexcept {
        subscribers_.fetch_add(static_cast<std::uint32_t>(change), std::memory_order_relaxed);
    }

    /// Adds a signal that each publish raises; it must be removed before it is destroyed.
    void add_listener(signal& listener) {
        short_lock_guard const lock{lock_};
        listeners_.push_back(&listener);
    }

    /// After this returns, no publish raises the signal any more.
    void remove_listener(signal& listener) noexcept {
        short_lock_guard const lock{lock_};
        listeners_.erase_unordered(&listener);
    }

    /// The signal that was added and goes to that queue; null if there is none. O(listeners).
    [[nodiscard]] signal* find_listener(signal_queue const& queue) const noexcept {
        short_lock_guard const lock{lock_};
        for (auto* const each : listeners_)
            if (&each->queue() == &queue) return each;
        return nullptr;
    }

    /// Memory of the log's events and index in bytes, without encodings.
    [[nodiscard]] std::size_t footprint_bytes() const {
        short_lock_guard const lock{lock_};
        return log_.footprint_bytes();
    }

    /// Whether sessions hold more of what has left the log than `pinned_bytes_max`. O(1) unless the
    /// channel's memory is over that limit in all.
    [[nodiscard]] bool is_overdrawn() const {
        auto const living = log_.identity().living_bytes();
        return living > options().pinned_bytes_max && pinned_bytes() > options().pinned_bytes_max;
    }

    /// Memory of the events that have left the log but are still held for somebody, with their
    /// encodings. O(log segments).
    [[nodiscard]] std::size_t pinned_bytes() const {
        short_lock_guard const lock{lock_};
        auto const living = log_.identity().living_bytes();
        auto const in_log = log_.total_bytes();
        return living > in_log ? living - in_log : 0;
    }

private:
    struct timed_publishing {
        std::chrono::nanoseconds interval;
        publish_collector events;
        time_point due = never; // when what is there is flushed
    };

    // What few channels have: most publish on every update, without ids, and forget by count.
    struct timed_matters {
        owned_ptr<timed_publishing> publishing; // null on every update
        owned_ptr<publish_window> window;       // null until a publish has an id
        time_point aging_due = never;           // when the agenda lets us look at ages
    };

    [[nodiscard]] timed_matters& timed() {
        if (!timed_) timed_ = make_owned<timed_matters>();
        return *timed_;
    }
    [[nodiscard]] timed_publishing* collecting() const noexcept {
        return timed_ ? timed_->publishing.get() : nullptr;
    }

    std::uint64_t append(event_view& event);
    [[nodiscard]] key_index& index_after(std::uint64_t last);
    void announce() noexcept;
    void append_collected();
    void collect(std::string_view payload, publish_options const& options, time_point now);
    void drop_aged(time_point now);
    void expect_flush(time_point now);
    void expect_aging(time_point now);

    [[nodiscard]] segment_ref snapshot();
    [[nodiscard]] event_view find_event(std::string_view key, std::uint64_t offset) const noexcept;
    watched_events examine(key_set& watched) const noexcept;
    [[nodiscard]] compact_vector<changed_key> changed_after(std::uint64_t after) const;
    /// What a conflating reader needs from under the lock.
    struct conflatable_events {
        conflated_events result;             // without events and counts
        compact_vector<changed_key> changed; // if the log has let go of a part
        held_events held;
    };

    watched_events begin_watch(key_set& watched, std::span<std::string const> keys,
                               bool shows_newest);
    [[nodiscard]] conflatable_events find_conflatable(std::uint64_t after,
                                                      std::uint64_t upto) const;
    [[nodiscard]] conflated_events conflate(conflatable_events found) const;
    [[nodiscard]] held_events hold(std::uint64_t after, std::uint64_t upto) const;
    void open_at_snapshot(opened_cursor& opened, std::uint64_t after);

    std::shared_ptr<channel_settings const> settings_;
    mutable short_lock lock_;
    log log_;
    owned_ptr<key_index> keys_; // null while the log alone says what it would
    compact_vector<signal*> listeners_;
    segment_ref snapshot_cache_; // shared by all who come before the next publish drops it
    std::atomic<std::uint64_t> last_offset_{0};
    std::atomic<std::uint32_t> subscribers_{0};
    std::atomic<bool> is_closed_{false};
    std::shared_ptr<presence> members_;
    owned_ptr<timed_matters> timed_; // null while nothing of it is there
};

inline opened_cursor channel::open_cursor(start_position const& start, delivery_mode mode) {
    short_lock_guard const lock{lock_};
    // Whoever published a collected event was told its offset and may go on after it.
    if (auto const* const timer = collecting();
        timer != nullptr && start.from == start_position::kind::after &&
        start.after.epoch == epoch() && start.after.offset >= log_.next_offset() &&
        start.after.offset < log_.next_offset() + timer->events.count())
        append_collected();
    opened_cursor opened;
    opened.next_offset = log_.next_offset();
    if (start.from == start_position::kind::oldest) {
        opened.next_offset = log_.first_offset();
    } else if (start.from == start_position::kind::now) {
        if (start.has_snapshot) open_at_snapshot(opened, 0);
    } else if (start.after.epoch != epoch()) {
        open_at_snapshot(opened, 0);
        opened.missed = gap{1, opened.missed->last, gap_reason::epoch};
    } else if (start.after.offset >= log_.next_offset()) {
        opened.is_ahead = true;
    } else if (start.after.offset + 1 >= log_.first_offset() ||
               (mode == delivery_mode::latest &&
                start.after.offset >= (keys_ ? keys_->evicted_offset() : 0))) {
        opened.next_offset = start.after.offset + 1;
        opened.is_recovered = true;
    } else {
        open_at_snapshot(opened, start.after.offset);
        if (opened.missed->last < opened.missed->first) opened.missed.reset();
        opened.is_recovered = !opened.missed;
    }
    if (start.from != start_position::kind::after) opened.missed.reset();
    return opened;
}

/// Starts with the snapshot's events after `after`; `missed` then spans what lies between and is
/// not in the snapshot.
inline void channel::open_at_snapshot(opened_cursor& opened, std::uint64_t after) {
    auto last_missed = log_.next_offset() - 1;
    opened.snapshot = snapshot();
    if (opened.snapshot) {
        auto const& events = *opened.snapshot;
        auto index = events.count();
        for (; index > 0 && events.offset_at(index - 1) > after; --index)
            if (events.offset_at(index - 1) == last_missed) --last_missed;
        opened.snapshot_index = index;
        if (index == events.count()) opened.snapshot.reset();
    }
    opened.missed = gap{after + 1, last_missed, gap_reason::retention};
}

/// The newest event of each key, or the newest event of a channel without keys, as a segment of its
/// own whose events are ordered by offset. O(keys) once per publish that lies between.
inline segment_ref channel::snapshot() {
    auto const last = log_.next_offset() - 1;
    if (snapshot_cache_) return snapshot_cache_;

    compact_vector<event_view> events;
    compact_vector<segment_ref> sources;
    auto const add_from_log = [&](std::uint64_t offset) {
        sources.push_back(log_.find(offset));
        auto const& holder = *sources.back();
        events.push_back(holder.at(static_cast<std::uint32_t>(offset - holder.first_offset())));
    };
    for (auto const* each = keys_ ? keys_->front() : nullptr; each != nullptr;
         each = each->next()) {
        auto const& entry = each->value;
        if (!keys_->merges() && entry.offset >= log_.held_offset()) add_from_log(entry.offset);
        else
            events.push_back({{},
                              0,
                              entry.offset,
                              each->key(),
                              entry.kept->payload,
                              entry.kept->kind,
                              entry.kept->time});
    }
    if ((!keys_ || keys_->empty()) && last >= log_.first_offset()) {
        if (options().merge != nullptr) events.push_back(find_event({}, last));
        else add_from_log(last);
    }
    if (events.empty()) return {};

    std::size_t bytes = 0;
    for (auto const& event : events) bytes += event.key.size() + event.payload.size();
    snapshot_cache_ =
        segment::make(log_.shared_identity(), events.front().offset,
                      static_cast<std::uint32_t>(events.size()), bytes, segment_role::newest);
    for (auto& event : events) {
        event.count = 0; // who begins with a snapshot reads what comes after it
        snapshot_cache_->append(event);
    }
    return snapshot_cache_;
}

} // namespace livetape

#include <livetape/channel/impl/conflate.ipp>
#include <livetape/channel/impl/key_set.ipp>
#include <livetape/channel/impl/publish.ipp>
