#pragma once

#include <livetape/algorithm.hpp>
#include <livetape/channel/key_index.hpp>
#include <livetape/compact_vector.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace livetape {

/// One key of a key set: a cursor of its own, over the events of that key.
struct watched_key {
    key_index::node* place = nullptr;

    /// The sequence of its last event that was handed out, modulo 2³².
    std::uint32_t delivered = 0;

    /// 1 if its newest event is due although it precedes the subscription's range, else 0.
    std::uint32_t shows_newest = 0;
};

static_assert(sizeof(void*) != 8 || sizeof(watched_key) == 16);

/// The keys that one subscription watches, ordered by key. Each keeps its place in the channel's
/// index of keys, so that watching costs nothing when something is published.
/// Thread safety: shared objects unsafe. What the places hold is guarded by the channel's lock, all
/// but the keys themselves.
class key_set {
public:
    compact_vector<watched_key> keys;

    /// Events of the subscription's range that wait, and what else is to be shown.
    std::uint64_t pending = 0;
    std::uint32_t shown_newest = 0;

    /// The offset of the first event that waits, if one does.
    std::uint64_t first_pending = 0;

    [[nodiscard]] bool has_pending() const noexcept { return pending > 0 || shown_newest > 0; }

    /// The place of a key in the set; null if it is not in it. O(log keys).
    [[nodiscard]] watched_key* find(std::string_view key) noexcept {
        auto const at = lower_bound(key);
        return at == keys.size() || keys[at].place->key() != key ? nullptr : &keys[at];
    }

    [[nodiscard]] bool has(std::string_view key) noexcept { return find(key) != nullptr; }

    /// The index in `keys` where a key stands or would stand.
    [[nodiscard]] std::size_t lower_bound(std::string_view key) const noexcept {
        auto const* const at = std::lower_bound(
            keys.begin(), keys.end(), key,
            [](watched_key const& each, std::string_view k) { return each.place->key() < k; });
        return static_cast<std::size_t>(at - keys.begin());
    }

    /// Notes that events of a key wait again which stood for `count` events of the range; none if
    /// they precede it.
    void put_back(watched_key& which, std::uint64_t offset, std::uint32_t count) noexcept {
        if (!has_pending() || offset < first_pending) first_pending = offset;
        which.delivered -= count;
        pending += count;
        if (count == 0 && which.shows_newest == 0) {
            which.shows_newest = 1;
            ++shown_newest;
        }
    }
};

} // namespace livetape
