#pragma once

#include <livetape/channel/channel.hpp>
#include <livetape/channel/signal.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <mutex>
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
    void add(std::shared_ptr<channel> created) {
        std::lock_guard const lock{mutex_};
        channels_.push_back(std::move(created));
        for (auto* const each : listeners_) each->raise();
    }

    /// One past the last place.
    [[nodiscard]] std::size_t end() const {
        std::lock_guard const lock{mutex_};
        return channels_.size();
    }

    /// Appends to `out` the channels at the places from `begin` on, at most `count_max` places and
    /// none from `end` on. @return the place to go on at
    std::size_t read(std::size_t begin, std::size_t end, std::size_t count_max,
                     std::vector<std::shared_ptr<channel>>& out) const {
        std::lock_guard const lock{mutex_};
        end = std::min({end, channels_.size(), begin + count_max});
        for (auto place = begin; place < end; ++place) out.push_back(channels_[place]);
        return std::max(begin, end);
    }

    /// @return `end()` at the instant from which on the signal is raised
    std::size_t add_listener(signal& listener) {
        std::lock_guard const lock{mutex_};
        listeners_.push_back(&listener);
        return channels_.size();
    }

    /// After this returns, nothing raises the signal any more.
    void remove_listener(signal& listener) noexcept {
        std::lock_guard const lock{mutex_};
        std::erase(listeners_, &listener);
    }

private:
    mutable std::mutex mutex_;
    std::vector<std::shared_ptr<channel>> channels_;
    std::vector<signal*> listeners_;
};

} // namespace livetape
