#pragma once

#include <livetape/channel/conflating_queue.hpp>
#include <livetape/channel/delivery.hpp>
#include <livetape/channel/key_set.hpp>
#include <livetape/owned_ptr.hpp>
#include <livetape/time.hpp>

#include <cstdint>

namespace livetape {

class rate_group;

/// What a subscription has beyond a place in the log; only one that chose something has it, so that
/// a plain one stays small.
/// Thread safety: shared objects unsafe; the subscriber's thread owns it.
struct delivery_state {
    delivery_counters counters; ///< what was handed out, until it is given back

    /// With a rate, the subscription stands in a group and flushes what lies up to here, which each
    /// tick moves to the end of the log. Null without a rate.
    rate_group* group = nullptr;
    std::uint64_t flush_upto = 0;

    bool has_credit_limit = false;
    std::uint32_t credit = 0; ///< flushes left, if there is a limit

    /// In `latest` mode: what was handed out once and was not sent; null if nothing is.
    owned_ptr<conflating_queue> queue;

    /// The keys that are wanted; null if all are.
    owned_ptr<key_set> keys;

    /// Whether the feed finds the subscription by these keys, and whether it rests there until one
    /// of them changes.
    bool is_indexed = false;
    bool is_resting = false;

    /// The events before it were handed out, or wait in `snapshot_`, under another mode: a cursor
    /// does not go back to them.
    std::uint64_t floor_offset = 0;

    /// Events that were lost while the choice changed, from the first to the last one; the next
    /// read tells the gap. 0 if none were.
    std::uint64_t lost_first = 0;
    std::uint64_t lost_last = 0;

    [[nodiscard]] bool has_lost() const noexcept { return lost_last > 0; }

    [[nodiscard]] bool has_queue() const noexcept { return queue && !queue->empty(); }

    /// Whether events wait that the cursor has passed.
    [[nodiscard]] bool has_waiting() const noexcept {
        return has_queue() || (keys && keys->has_pending());
    }
};

} // namespace livetape
