#pragma once

#include <livetape/channel/channel.hpp>
#include <livetape/channel/delivery.hpp>
#include <livetape/channel/keyed_list.hpp>
#include <livetape/channel/rate_class.hpp>
#include <livetape/channel/signal.hpp>
#include <livetape/compact_vector.hpp>
#include <livetape/intrusive_list.hpp>
#include <livetape/owned_ptr.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

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
    bool is_held_ = false; // first, in the room that the base class leaves

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
        auto& cache = chosen().cache;
        if (!cache) cache = make_owned<conflated_cache>();
        if (auto const* const shared = cache->find(after, upto)) return *shared;
        auto events = source_->conflate(after, upto);
        cache->add(events);
        return events;
    }

    void forget_conflated() noexcept {
        if (chosen_) chosen_->cache.reset();
    }
    [[nodiscard]] bool has_conflated() const noexcept { return chosen_ && chosen_->cache; }

    /// A feed whose subscriptions all wait for ticks keeps its signal raised until the next one, so
    /// that publishing wakes nobody meanwhile.
    [[nodiscard]] bool waits_for_tick() const noexcept {
        return subscriptions.empty() && has_groups() && !has_resting();
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
        return subscriptions.empty() && !has_groups() && !has_resting();
    }

    /// Whether there are subscriptions with a rate.
    [[nodiscard]] bool has_groups() const noexcept { return chosen_ && !chosen_->groups.empty(); }

    /// Calls `f` with each group of those with a rate; none of them is empty.
    template <class F>
    void for_each_group(F&& f) const {
        if (!chosen_) return;
        for (auto const& each : chosen_->groups) f(*each);
    }

    rate_group& add_group(rate_class& flushed_by) {
        return *chosen().groups.push_back(make_owned<rate_group>(*this, flushed_by));
    }

    void remove_group(rate_group const& which) noexcept { chosen_->groups.erase_unordered(&which); }

    /// Those with a key set and without a rate of which nothing waits: they want nothing up to
    /// `scanned_upto()`, and are not looked at until one of their keys changes.
    [[nodiscard]] bool has_resting() const noexcept { return chosen_ && !chosen_->resting.empty(); }
    [[nodiscard]] std::uint64_t scanned_upto() const noexcept {
        return chosen_ ? chosen_->scanned_upto : 0;
    }
    void set_scanned_upto(std::uint64_t offset) noexcept {
        if (chosen_) chosen_->scanned_upto = offset;
    }

    inline void rest(subscription& which);

    template <class F>
    void for_each_resting(F&& f) const {
        if (chosen_) chosen_->resting.for_each(f);
    }

    /// Lets a subscription be found by a key that it wants. O(1).
    void add_watcher(std::string_view key, subscription& who) {
        auto& known = chosen().watchers.find_or_add(key).value;
        if (known.empty() || known.back() != &who) known.push_back(&who);
    }

    /// O(watchers of the key).
    void remove_watcher(std::string_view key, subscription& who) noexcept {
        auto* const found = chosen_ ? chosen_->watchers.find(key) : nullptr;
        if (found == nullptr) return;
        found->value.erase_unordered(&who);
        if (found->value.empty()) chosen_->watchers.erase(*found);
    }

    /// Calls `f` with each subscription that wants the key. O(those).
    template <class F>
    void for_each_watcher(std::string_view key, F&& f) const {
        auto* const found = chosen_->watchers.find(key);
        if (found == nullptr) return;
        for (auto* const each : found->value) f(*each);
    }

    /// What became of the channel's events on this thread.
    [[nodiscard]] delivery_counters totals() const noexcept {
        auto all = chosen_ ? chosen_->totals : delivery_counters{};
        all.delivered = delivered_;
        return all;
    }

    void count(delivery_counters const& more) {
        delivered_ += more.delivered;
        if (more.conflated + more.skipped + more.filtered > 0) chosen().totals += more;
    }

    /// Takes back what was counted.
    void count_back(delivery_counters const& back) noexcept {
        delivered_ -= back.delivered;
        if (chosen_) chosen_->totals -= back;
    }

    intrusive_list<subscription> subscriptions; ///< those that are flushed at once

private:
    // What is there once a subscription chose something or missed something: of quiet channels
    // there are many, and most subscriptions are plain.
    struct chosen_delivery {
        compact_vector<owned_ptr<rate_group>> groups;
        owned_ptr<conflated_cache> cache;
        delivery_counters totals; // without those that were delivered
        intrusive_list<subscription> resting;
        keyed_list<compact_vector<subscription*>> watchers; // of all key sets without a rate
        std::uint64_t scanned_upto = 0;
    };

    [[nodiscard]] chosen_delivery& chosen() {
        if (!chosen_) chosen_ = make_owned<chosen_delivery>();
        return *chosen_;
    }

    std::shared_ptr<channel> source_;
    segment_ref recent_;
    std::uint64_t taken_upto_ = 0;
    std::uint64_t delivered_ = 0;
    owned_ptr<chosen_delivery> chosen_; // null while nobody needs it
};

static_assert(sizeof(void*) != 8 || sizeof(channel_feed) <= 88,
              "a quiet channel with a subscription must stay below 1 KiB");

} // namespace livetape
