#pragma once

#include <livetape/channel/channel.hpp>
#include <livetape/channel/delivery.hpp>
#include <livetape/channel/rate_class.hpp>
#include <livetape/channel/signal.hpp>
#include <livetape/intrusive_list.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace livetape {

/// What the conflating readers of one channel on one thread share: whoever reads the same events
/// gets the same run, encoded once.
/// Thread safety: shared objects unsafe; the dispatcher's thread owns it.
class conflated_cache {
public:
    [[nodiscard]] conflated_events const* find(std::uint64_t after,
                                               std::uint64_t upto) const noexcept {
        for (auto const& each : recent_)
            if (each.after == after && each.upto == upto && upto != 0) return &each;
        return nullptr;
    }

    /// Takes the place of the one that was added longest ago.
    void add(conflated_events const& events) {
        recent_[next_] = events;
        next_ = (next_ + 1) % recent_.size();
    }

    void clear() noexcept { recent_ = {}; }

private:
    // Those in time share one run, those who missed a tick or two another.
    std::array<conflated_events, 4> recent_{};
    std::size_t next_ = 0;
};

/// A channel as one thread sees it: the subscriptions of that thread's sessions, the signal that
/// publishing raises, and the segment that was read last, so that most reads need no lock.
/// Thread safety: shared objects unsafe; the dispatcher's thread owns it. Only raising is safe.
class channel_feed : public signal {
public:
    channel_feed(std::shared_ptr<channel> source, signal_queue& queue)
        : signal{queue}, source_{std::move(source)} {
        source_->add_listener(*this);
    }
    ~channel_feed() { source_->remove_listener(*this); }

    [[nodiscard]] channel& source() const noexcept { return *source_; }

    /// The segment that holds `offset`; null if retention has passed it. O(1) for a reader near the
    /// others, else one lock.
    [[nodiscard]] segment_ref const& locate(std::uint64_t offset, std::uint64_t& first_kept) {
        if (!recent_ || offset < recent_->first_offset() || offset >= recent_->end_offset())
            recent_ = source_->find(offset, first_kept);
        return recent_;
    }

    /// Lets go of the segment that was read last.
    void forget_recent() noexcept { recent_.reset(); }

    /// See `channel::conflate`; the result is shared with others who ask the same.
    [[nodiscard]] conflated_events conflate(std::uint64_t after, std::uint64_t upto) {
        if (!cache_) cache_ = std::make_unique<conflated_cache>();
        if (auto const* const shared = cache_->find(after, upto)) return *shared;
        auto events = source_->conflate(after, upto);
        cache_->add(events);
        return events;
    }

    void forget_conflated() noexcept { cache_.reset(); }
    [[nodiscard]] bool has_conflated() const noexcept { return cache_ != nullptr; }

    /// A feed whose subscriptions all wait for ticks keeps its signal raised until the next one, so
    /// that publishing wakes nobody meanwhile.
    [[nodiscard]] bool waits_for_tick() const noexcept {
        return subscriptions.empty() && !groups.empty();
    }

    /// Takes the signal out of the queue: lowers it, or keeps it raised until a tick.
    void take() noexcept {
        is_held_ = waits_for_tick();
        if (!is_held_) lower();
        taken_upto_ = source_->last_offset();
    }

    /// The end of the log when the signal was taken last; whatever follows has raised it again.
    [[nodiscard]] std::uint64_t taken_upto() const noexcept { return taken_upto_; }

    [[nodiscard]] bool is_held() const noexcept { return is_held_; }

    /// Lowers the signal if it was kept raised.
    void let_go() noexcept {
        if (std::exchange(is_held_, false)) lower();
    }

    /// Whether the signal stands in the queue.
    [[nodiscard]] bool is_queued() const noexcept { return is_raised() && !is_held_; }

    /// Makes the dispatcher look at the feed again.
    void rouse() noexcept {
        let_go();
        raise();
    }

    [[nodiscard]] bool is_unused() const noexcept {
        return subscriptions.empty() && groups.empty();
    }

    intrusive_list<subscription> subscriptions;      ///< those that are flushed at once
    std::vector<std::unique_ptr<rate_group>> groups; ///< the others; none of them is empty

    /// Adds to what became of the channel's events on this thread.
    delivery_counters totals;

private:
    std::shared_ptr<channel> source_;
    segment_ref recent_;
    std::unique_ptr<conflated_cache> cache_;
    std::uint64_t taken_upto_ = 0;
    bool is_held_ = false;
};

} // namespace livetape
