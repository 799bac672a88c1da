#pragma once

#include <livetape/algorithm.hpp>
#include <livetape/channel/channel.hpp>
#include <livetape/channel/hash_index.hpp>
#include <livetape/channel/signal.hpp>
#include <livetape/compact_vector.hpp>
#include <livetape/short_lock.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace livetape {

/// A channel and its place in the list of its hub.
struct listed_channel {
    std::size_t place = 0;
    std::shared_ptr<channel> source;
};

/// A hub's channels, by name and in the order of their creation: the log that cursors of patterns
/// read.
///
/// A place never changes its meaning, and that of a channel that was dropped is not given again.
/// Memory: that of the channels there are, or were since half of them were dropped.
/// Thread safety: every member function is safe from any thread.
class channel_list {
public:
    /// Appends a channel and raises the listening signals. O(listeners).
    /// Precondition: no channel in the list has its name.
    void add(std::shared_ptr<channel> created) {
        short_lock_guard const lock{lock_};
        index_.add(hash_of(created->name()), static_cast<std::uint32_t>(slots_.size()));
        slots_.push_back({std::move(created), end_++});
        ++count_;
        for (auto* const each : listeners_) each->raise();
    }

    /// The channel of that name; null if there is none. O(1).
    [[nodiscard]] std::shared_ptr<channel> find(std::string_view name) const {
        short_lock_guard const lock{lock_};
        auto const index = index_of(name);
        if (index == hash_index::none) return nullptr;
        slots_[index].was_asked_for = true;
        return slots_[index].source;
    }

    /// Channels there are.
    [[nodiscard]] std::size_t count() const {
        short_lock_guard const lock{lock_};
        return count_;
    }

    /// One past the last place.
    [[nodiscard]] std::size_t end() const {
        short_lock_guard const lock{lock_};
        return end_;
    }

    /// Appends to `out` at most `count_max` of the channels at the places from `begin` on, in their
    /// order, and none from `end` on. @return the place to go on at; `end()`, or `end` if that is
    /// less, when there are no more. O(log channels + channels read).
    std::size_t read(std::size_t begin, std::size_t end, std::size_t count_max,
                     std::vector<listed_channel>& out) const {
        short_lock_guard const lock{lock_};
        auto each = std::lower_bound(
            slots_.begin(), slots_.end(), begin,
            [](slot const& one, std::size_t wanted) { return one.place < wanted; });
        for (; each != slots_.end() && each->place < end; ++each) {
            if (!each->source) continue;
            if (count_max-- == 0) return each->place;
            out.push_back({each->place, each->source});
        }
        return std::max(begin, std::min(end, end_));
    }

    /// @return `end()` at the instant from which on the signal is raised
    std::size_t add_listener(signal& listener) {
        short_lock_guard const lock{lock_};
        listeners_.push_back(&listener);
        return end_;
    }

    /// After this returns, nothing raises the signal any more.
    void remove_listener(signal& listener) noexcept {
        short_lock_guard const lock{lock_};
        listeners_.erase_unordered(&listener);
    }

    /// Marks a channel that is never dropped.
    void keep(channel const& which) {
        short_lock_guard const lock{lock_};
        if (auto* const found = slot_of(which)) found->is_kept = true;
    }

    /// What is known of a channel that may be dropped.
    struct use {
        bool may_be_dropped = false; ///< it is here, and nobody keeps it
        bool was_asked_for = false;  ///< `find` has given it since the last call
    };
    use look(channel const& which) {
        short_lock_guard const lock{lock_};
        auto* const found = slot_of(which);
        if (found == nullptr || found->is_kept) return {};
        return {true, std::exchange(found->was_asked_for, false)};
    }

    /// Forgets a channel, unless `may_go()` is false, which is asked while nobody can find it.
    /// Whoever has read it already is not told. O(1), amortised.
    template <class MayGo>
    bool drop_if(channel const& which, MayGo const& may_go) {
        short_lock_guard const lock{lock_};
        auto* const found = slot_of(which);
        if (found == nullptr || !may_go()) return false;
        index_.erase(hash_of(which.name()), static_cast<std::uint32_t>(found - slots_.begin()));
        found->source.reset();
        if (--count_ < slots_.size() / 2) compact();
        return true;
    }

private:
    struct slot {
        std::shared_ptr<channel> source; // null once dropped
        std::size_t place;
        bool is_kept = false;
        mutable bool was_asked_for = true;
    };

    static std::size_t hash_of(std::string_view name) noexcept {
        return std::hash<std::string_view>{}(name);
    }

    [[nodiscard]] std::uint32_t index_of(std::string_view name) const noexcept {
        return index_.find(hash_of(name),
                           [&](std::uint32_t each) { return slots_[each].source->name() == name; });
    }

    [[nodiscard]] slot* slot_of(channel const& which) noexcept {
        auto const index = index_of(which.name());
        bool const is_here = index != hash_index::none && slots_[index].source.get() == &which;
        return is_here ? &slots_[index] : nullptr;
    }

    void compact() {
        slots_.erase_if([](slot const& each) { return !each.source; });
        index_.clear();
        for (std::size_t i = 0; i < slots_.size(); ++i)
            index_.add(hash_of(slots_[i].source->name()), static_cast<std::uint32_t>(i));
    }

    // Held for a look-up or an addition: shorter than what a lock for many readers costs.
    mutable short_lock lock_;
    compact_vector<slot> slots_; // by place
    hash_index index_;           // of those in `slots_`, by name
    compact_vector<signal*> listeners_;
    std::size_t end_ = 0;
    std::size_t count_ = 0;
};

} // namespace livetape
