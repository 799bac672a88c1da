#pragma once

#include <livetape/algorithm.hpp>
#include <livetape/channel/pattern_feed.hpp>
#include <livetape/channel/rate_class.hpp>
#include <livetape/channel/subscription.hpp>
#include <livetape/compact_vector.hpp>
#include <livetape/intrusive_list.hpp>
#include <livetape/owned_ptr.hpp>
#include <livetape/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace livetape {

class subscriber;

/// Carries wake-ups from channels to the sessions of one thread: a shard's share of the fan-out.
///
/// Publishing raises the signal of a channel's feed, which calls the wake function at most once per
/// burst; the shard then calls `run`, which marks the subscribers that have something to read and
/// lets each of them flush once.
/// Thread safety: shared objects unsafe; only raising signals, inside `publish`, is safe from any
/// thread. Everything else belongs to the shard's thread.
class dispatcher {
public:
    dispatcher(signal_queue::wake_function wake, void* context) noexcept
        : queue_{wake, context}, wake_{wake}, context_{context} {}
    dispatcher(dispatcher const&) = delete;
    dispatcher& operator=(dispatcher const&) = delete;
    ~dispatcher() = default;

    /// Lets at most `subscribers_max` ready subscribers flush; true if more are ready, and then the
    /// owner must call it again without being woken.
    inline bool run(std::size_t subscribers_max, time_point now);

    /// When `tick` is due; `time_point::max()` if nobody with a rate waits. It changes in `run` and
    /// `tick` only, or else the wake function is called. O(rates).
    [[nodiscard]] time_point next_tick() const noexcept {
        auto next = time_point::max();
        for (auto const& each : rates_) next = std::min(next, each->deadline());
        return next;
    }

    /// Makes those with a rate whose time has come ready to flush; `run` then lets them. Does
    /// nothing before `next_tick()`.
    inline void tick(time_point now);

    /// Puts a subscriber that is not ready yet behind those that are.
    inline void push_ready(subscriber& behind);

    /// Whether nobody is ready: everybody has been handed what there is, but for those whose write
    /// is in flight. A publisher on this thread that publishes only then makes each write carry one
    /// burst.
    [[nodiscard]] bool is_idle() const noexcept { return !is_run_due_ && queue_.is_empty(); }

    /// The offset that the last of this thread's subscriptions to a channel has been handed;
    /// nothing if there is no subscription. `last_offset()` minus it is the largest lag: a
    /// publisher that can wait, waits while that is large, and then retention passes nobody.
    /// O(subscriptions).
    [[nodiscard]] inline std::optional<std::uint64_t>
    slowest_offset(channel const& of) const noexcept;

    /// What became of a channel's events in all subscriptions that this thread has had since the
    /// first of those that it has now. O(subscriptions with key sets).
    [[nodiscard]] delivery_counters totals(channel const& of) const noexcept {
        auto const* const feed = find_feed(of);
        return feed == nullptr ? delivery_counters{} : totals_of(*feed);
    }

    /// This thread's feed of a channel, made with its first subscription here, which must follow.
    /// It is owned by its subscriptions: `drop_if_unused` follows each that goes.
    [[nodiscard]] channel_feed& feed(std::shared_ptr<channel> const& source) {
        auto* const known = find_feed(*source);
        return known != nullptr ? *known : *new channel_feed{source, queue_};
    }

    /// This thread's cursor over the channels of a hub, made with its first pattern here:
    /// `patterns(hub.channels())`.
    [[nodiscard]] pattern_feed& patterns(std::shared_ptr<channel_list> const& channels) {
        for (auto const& each : patterns_)
            if (&each->channels() == channels.get()) return *each;
        return *patterns_.push_back(make_owned<pattern_feed>(channels, queue_));
    }

    /// Lets go of a feed without subscriptions, unless its signal is still in the queue.
    void drop_if_unused(channel_feed& feed) {
        if (!feed.is_unused()) return;
        feed.source().remove_listener(feed);
        conflating_.erase_if([&feed](channel_feed const* each) { return each == &feed; });
        owned_ptr<channel_feed> dropped{&feed};
        if (feed.is_queued()) retired_.push_back(std::move(dropped));
    }

private:
    // What a flush touches of the object behind a ready function: a connection with its session.
    static constexpr std::size_t ready_context_bytes = 640;

    friend class subscriber;

    /// The channel knows who listens, so that no table of ours must say it again. O(shards).
    [[nodiscard]] channel_feed* find_feed(channel const& of) const noexcept {
        return static_cast<channel_feed*>(of.find_listener(queue_));
    }

    inline void take_signals(time_point now);
    inline static void wake_watchers(channel_feed& feed);
    [[nodiscard]] inline static delivery_counters totals_of(channel_feed const& feed) noexcept;
    inline void forget_conflated();
    inline static void cut_holders(channel_feed& feed);

    /// Puts a subscription among those that are flushed at once, or at that interval.
    inline void join(subscription& which, std::chrono::milliseconds interval);
    inline void leave(subscription& which) noexcept;

    /// Notes that a feed holds runs that are to be shared in this turn.
    void note_conflated(channel_feed& feed) {
        if (!feed.has_conflated()) conflating_.push_back(&feed);
    }

    signal_queue queue_;
    signal_queue::wake_function wake_;
    void* context_;
    intrusive_list<subscriber> ready_;
    bool is_run_due_ = false; // a run is under way or has been asked for
    bool is_running_ = false;
    compact_vector<owned_ptr<channel_feed>>
        retired_; // freed once their signals are out of the queue
    compact_vector<owned_ptr<pattern_feed>> patterns_;
    compact_vector<owned_ptr<rate_class>> rates_;
    compact_vector<channel_feed*> conflating_; // those with shared runs that may be forgotten
};

} // namespace livetape

#include <livetape/channel/subscriber.hpp>
