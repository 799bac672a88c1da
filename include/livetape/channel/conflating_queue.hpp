#pragma once

#include <livetape/channel/keyed_list.hpp>
#include <livetape/channel/segment.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace livetape {

/// Events that wait for one subscriber, the newest of each key, in the order of last update.
///
/// Only a subscriber that could not be sent all that it was handed has one, and gives it up when it
/// has caught up: everybody else reads what all share. It holds no payloads, so it is as large as
/// the keys that changed, however long the subscriber waits.
/// Thread safety: shared objects unsafe.
class conflating_queue {
public:
    struct pending {
        std::uint64_t offset = 0; ///< of the newest event
        std::uint32_t count = 0;  ///< events of the subscription's range that it stands for
    };

    using node = keyed_list<pending>::node;

    [[nodiscard]] bool empty() const noexcept { return events_.size() == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return events_.size(); }

    /// The event that is due first; the others follow by `next()`. Null if there is none.
    [[nodiscard]] node* front() const noexcept { return events_.front(); }

    /// Adds an event that is newer than all others. O(1).
    void push(std::string_view key, pending const& newer) {
        auto& which = events_.find_or_add(key);
        which.value = {newer.offset, which.value.count + newer.count};
        events_.move_to_back(which);
    }

    /// Gives back an event that was taken; mostly it is older than all others, and then it is O(1).
    void put_back(std::string_view key, pending const& older) {
        auto const known = events_.size();
        auto& which = events_.find_or_add(key);
        which.value.count += older.count;
        if (events_.size() == known) return;
        which.value.offset = older.offset;
        auto* next = events_.front();
        while (next != nullptr && next->value.offset < older.offset) next = next->next();
        if (next == nullptr) events_.move_to_back(which);
        else events_.insert_before(*next, which);
    }

    void erase(node& which) noexcept { events_.erase(which); }

private:
    keyed_list<pending> events_;
};

} // namespace livetape
