#pragma once

#include <livetape/channel/channel.hpp>
#include <livetape/channel/hash_index.hpp>
#include <livetape/channel/signal.hpp>
#include <livetape/short_lock.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace livetape {

/// A hub's channels in the order of their creation: the log that cursors of patterns read.
///
/// A place in the list never changes its meaning: that of a channel that was dropped stays empty.
/// Thread safety: every member function is safe from any thread.
class channel_list {
public:
    /// Appends a channel and raises the listening signals. O(listeners).
    /// Precondition: no channel in the list has its name.
    void add(std::shared_ptr<channel> created) {
        short_lock_guard const lock{lock_};
        places_.add(hash_of(created->name()), static_cast<std::uint32_t>(channels_.size()));
        channels_.push_back(std::move(created));
        for (auto* const each : listeners_) each->raise();
    }

    /// The channel of that name; null if there is none. O(1).
    [[nodiscard]] std::shared_ptr<channel> find(std::string_view name) const {
        short_lock_guard const lock{lock_};
        auto const place = places_.find(
            hash_of(name), [&](std::uint32_t each) { return channels_[each]->name() == name; });
        return place == hash_index::none ? nullptr : channels_[place];
    }

    /// One past the last place.
    [[nodiscard]] std::size_t end() const {
        short_lock_guard const lock{lock_};
        return channels_.size();
    }

    /// Appends to `out` the channels at the places from `begin` on, at most `count_max` places and
    /// none from `end` on. @return the place to go on at
    std::size_t read(std::size_t begin, std::size_t end, std::size_t count_max,
                     std::vector<std::shared_ptr<channel>>& out) const {
        short_lock_guard const lock{lock_};
        end = std::min({end, channels_.size(), begin + count_max});
        for (auto place = begin; place < end; ++place) out.push_back(channels_[place]);
        return std::max(begin, end);
    }

    /// @return `end()` at the instant from which on the signal is raised
    std::size_t add_listener(signal& listener) {
        short_lock_guard const lock{lock_};
        listeners_.push_back(&listener);
        return channels_.size();
    }

    /// After this returns, nothing raises the signal any more.
    void remove_listener(signal& listener) noexcept {
        short_lock_guard const lock{lock_};
        std::erase(listeners_, &listener);
    }

private:
    static std::size_t hash_of(std::string_view name) noexcept {
        return std::hash<std::string_view>{}(name);
    }

    // Held for a look-up or an addition: shorter than what a lock for many readers costs.
    mutable short_lock lock_;
    std::vector<std::shared_ptr<channel>> channels_;
    hash_index places_; // by name
    std::vector<signal*> listeners_;
};

} // namespace livetape
