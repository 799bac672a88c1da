#pragma once

#include <livetape/channel/channel_list.hpp>
#include <livetape/channel/pattern_index.hpp>
#include <livetape/channel/signal.hpp>
#include <livetape/compact_vector.hpp>
#include <livetape/config.hpp>

#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace livetape {

class pattern_subscription;

/// A cursor over a hub's list of channels, for the patterns of one thread's sessions: each channel
/// that is created is matched once against all of them. `dispatcher::patterns` gives it.
/// Thread safety: shared objects unsafe; the dispatcher's thread owns it.
class pattern_feed : public signal {
public:
    pattern_feed(std::shared_ptr<channel_list> channels, signal_queue& queue) noexcept
        : signal{queue, signal_source::channel_list}, channels_{std::move(channels)} {}
    ~pattern_feed() { channels_->remove_listener(*this); }

    [[nodiscard]] channel_list const& channels() const noexcept { return *channels_; }

    /// Reports channels that were created since the last call, a bounded number of them: if there
    /// are more, the signal is raised again.
    inline void run();

private:
    friend class pattern_subscription;

    // Channels matched in one turn of the dispatcher: about a millisecond.
    static constexpr std::size_t channels_per_turn = 1000;

    inline void add(pattern_subscription& added);
    inline void remove(pattern_subscription& removed);

    std::shared_ptr<channel_list> channels_;
    pattern_index<pattern_subscription*> index_;
    std::size_t subscription_count_ = 0;
    std::size_t next_ = 0;                           // the first place that has not been matched
    compact_vector<pattern_subscription*> matching_; // those who are being called; null: gone
};

/// Watches the channels of a hub whose names match a pattern, those to come included. Destroying it
/// ends that; it may be destroyed in the function that it calls.
/// Thread safety: shared objects unsafe; the dispatcher's thread owns it.
class pattern_subscription {
public:
    /// Called once per matching channel.
    using match_function = void (*)(void* context, std::shared_ptr<channel> const& matching);

    /// From now on each matching channel that is created is reported, in `dispatcher::run`. Events
    /// that were published into it before the call are found after offset 0.
    /// Precondition: `is_channel_pattern(pattern)`.
    pattern_subscription(pattern_feed& feed, std::string_view pattern, match_function call,
                         void* context)
        : feed_{feed}, pattern_{pattern}, call_{call}, context_{context} {
        feed_.add(*this);
    }
    pattern_subscription(pattern_subscription const&) = delete;
    pattern_subscription& operator=(pattern_subscription const&) = delete;
    ~pattern_subscription() {
        if (is_gone_ != nullptr) *is_gone_ = true;
        feed_.remove(*this);
    }

    /// Reports the matching channels that existed when this object was made, in the order of their
    /// creation. Together with those reported later, every channel is reported once. The function
    /// may destroy this object. O(channels).
    inline void report_existing();

    [[nodiscard]] std::string_view pattern() const noexcept { return pattern_; }

private:
    friend class pattern_feed;

    pattern_feed& feed_;
    std::string pattern_;
    match_function call_;
    void* context_;
    std::size_t existing_end_ = 0; // places before it are `report_existing`'s
    bool* is_gone_ = nullptr;      // set while `report_existing` runs
};

inline void pattern_feed::add(pattern_subscription& added) {
    index_.add(added.pattern_, &added);
    if (++subscription_count_ == 1) next_ = channels_->add_listener(*this);
    added.existing_end_ = channels_->end();
}

inline void pattern_feed::remove(pattern_subscription& removed) {
    index_.remove(removed.pattern_, &removed);
    for (auto& each : matching_)
        if (each == &removed) each = nullptr;
    if (--subscription_count_ == 0) channels_->remove_listener(*this);
}

inline void pattern_feed::run() {
    if (subscription_count_ == 0) return;
    std::vector<listed_channel> created;
    next_ =
        channels_->read(next_, std::numeric_limits<std::size_t>::max(), channels_per_turn, created);
    if (created.size() == channels_per_turn) raise();
    for (auto const& [place, each] : created) {
        matching_.erase_front(matching_.size());
        auto const here = place;
        index_.match(each->name(), [&](pattern_subscription* s) {
            if (s->existing_end_ <= here) matching_.push_back(s);
        });
        // A callee may end any of these subscriptions, and begin others, which do not count here.
        for (std::size_t i = 0; i < matching_.size(); ++i)
            if (auto* const s = matching_[i]) s->call_(s->context_, each);
    }
    matching_.clear();
}

inline void pattern_subscription::report_existing() {
    LIVETAPE_ASSERT(is_gone_ == nullptr);
    constexpr std::size_t channels_per_lock = 256;
    bool is_gone = false;
    is_gone_ = &is_gone;
    auto const list = feed_.channels_;
    auto const end = existing_end_;
    std::vector<listed_channel> some;
    for (std::size_t next = 0; next < end;) {
        some.clear();
        next = list->read(next, end, channels_per_lock, some);
        for (auto const& each : some) {
            if (!matches_channel_pattern(pattern_, each.source->name())) continue;
            call_(context_, each.source);
            if (is_gone) return;
        }
    }
    is_gone_ = nullptr;
}

} // namespace livetape
