#pragma once

#include <livetape/analytics/counted_key.hpp>
#include <livetape/analytics/detail/slot_index.hpp>
#include <livetape/config.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace livetape {

/// The heaviest keys of a stream with bounds on their counts (Space-Saving: Metwally, Agrawal, El
/// Abbadi, "Efficient computation of frequent and top-k elements in data streams", 2005).
///
/// Formula: k counters. A key that has one adds to it. Any other key takes over a counter with the
/// least count m: its count becomes m + weight, and its error m, which is the most it may have had
/// before.
///
/// Error: with N the weight of the whole stream, count - error ≤ true count ≤ count, and error ≤ N
/// / k. Every key with a true count over N / k has a counter. A key without one has at most the
/// least count, which `estimate` says.
/// Memory: 88 to 120 bytes a counter, 24 more for strings, and their characters. The constructor
/// allocates; after it only a string longer than all those that its counter held before does.
/// Mergeable, with the same bounds for the two streams together (`detail::merged_keys`).
/// Thread safety: distinct objects safe; shared objects unsafe.
///
/// The counters stand in ascending order of their counts, those of one count in a block that knows
/// its two ends (an array in the place of the paper's linked stream summary). A count that grows by
/// one moves its counter to the end of its block, which then ends one earlier: O(1).
template <countable_key Key>
class space_saving {
public:
    using key_view = detail::key_view<Key>;
    using item = counted_key<key_view, std::uint64_t>;

    /// @param counters  how many keys are counted at a time, 1 to 2^30
    explicit space_saving(std::size_t counters)
        : index_{counters}, counters_(counters), order_(counters), blocks_(counters + 1) {
        LIVETAPE_ASSERT(counters >= 1 && counters <= 1u << 30);
        free_blocks_.reserve(blocks_.size());
        lay_out();
    }

    /// Counts a key, `weight` times. O(1) for a weight of 1, otherwise O(different counts passed).
    void add(key_view key, std::uint64_t weight = 1) {
        if (weight == 0) return;
        total_ += weight;
        auto const tag = detail::tag_of(key);
        auto slot = find(tag, key);
        if (slot == detail::slot_index::none) slot = take_over(tag, key, least_count());
        raise(slot, weight);
    }

    /// What is known of any key's count: for a key without a counter, both the count and the error
    /// are the least count, and the key's true count is between 0 and it.
    [[nodiscard]] item estimate(key_view key) const noexcept {
        auto const slot = find(detail::tag_of(key), key);
        if (slot != detail::slot_index::none) return item_of(slot);
        return {key, least_count(), least_count()};
    }

    [[nodiscard]] bool contains(key_view key) const noexcept {
        return find(detail::tag_of(key), key) != detail::slot_index::none;
    }

    /// Writes the heaviest keys into `out`, heaviest first, and returns how many there are. The
    /// views of strings are valid until the sketch changes. O(written).
    [[nodiscard]] std::size_t top(std::span<item> out) const noexcept {
        auto const written = out.size() < size_ ? out.size() : size_;
        for (std::size_t i = 0; i < written; ++i) out[i] = item_of(order_[order_.size() - 1 - i]);
        return written;
    }

    /// The keys that have a counter, heaviest first, as copies: what a window gives when it closes.
    [[nodiscard]] std::vector<counted_key<Key, std::uint64_t>> value() const {
        std::vector<counted_key<Key, std::uint64_t>> all;
        all.reserve(size_);
        for (auto i = order_.size(); all.size() < size_;) {
            auto const each = item_of(order_[--i]);
            all.push_back({Key{each.key}, each.count, each.error});
        }
        return all;
    }

    /// Calls `visit(item)` for each key that has a counter, in no order.
    template <class Visit>
    void for_each(Visit visit) const {
        for (std::uint32_t slot = 0; slot < counters_.size(); ++slot)
            if (counters_[slot].is_used) visit(item_of(slot));
    }

    /// Adds all that `other`, which must have as many counters, has seen. O(k log k); allocates
    /// scratch memory for 2 k keys.
    void merge(space_saving const& other) {
        LIVETAPE_ASSERT(other.counters_.size() == counters_.size());
        auto const all = detail::merged_keys<Key>(*this, other, counters_.size());
        auto const total = total_ + other.total_;
        clear();
        total_ = total;
        // The heaviest first: each is then raised from 0 to below all that are there.
        for (auto const& each : all)
            raise(take_over(detail::tag_of(each.key), each.key, each.error), each.count);
    }

    /// Keys that have a counter.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// The weight of the whole stream.
    [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
    /// The most that a key without a counter may have had; 0 while there are fewer keys than
    /// counters.
    [[nodiscard]] std::uint64_t least_count() const noexcept {
        return blocks_[counters_[order_.front()].block].count;
    }

    void clear() noexcept {
        index_.clear();
        for (auto& each : counters_) each.is_used = false;
        size_ = 0;
        total_ = 0;
        lay_out();
    }

private:
    struct counter {
        Key key{};
        std::uint64_t error = 0;
        std::uint32_t tag = 0;
        std::uint32_t block = 0;
        std::uint32_t position = 0; ///< in `order_`
        bool is_used = false;
    };
    /// The counters of one count: positions `first` to `last` of `order_`.
    struct block {
        std::uint64_t count;
        std::uint32_t first;
        std::uint32_t last;
    };

    [[nodiscard]] std::uint32_t find(std::uint32_t tag, key_view key) const noexcept {
        return index_.find(tag, [&](std::uint32_t slot) { return counters_[slot].key == key; });
    }

    [[nodiscard]] item item_of(std::uint32_t slot) const noexcept {
        auto const& each = counters_[slot];
        return {each.key, blocks_[each.block].count, each.error};
    }

    /// Gives a counter with the least count to a key that has none. While keys are few, that is an
    /// unused one.
    std::uint32_t take_over(std::uint32_t tag, key_view key, std::uint64_t error) {
        // The last of its block is already where `raise` wants it.
        auto const slot = order_[blocks_[counters_[order_.front()].block].last];
        auto& taken = counters_[slot];
        if (taken.is_used) index_.erase(taken.tag, slot);
        else ++size_;
        taken.key = key;
        taken.error = error;
        taken.tag = tag;
        taken.is_used = true;
        index_.insert(tag, slot);
        return slot;
    }

    /// Every counter unused, in one block with count 0.
    void lay_out() noexcept {
        free_blocks_.clear();
        for (auto i = static_cast<std::uint32_t>(blocks_.size()); i-- > 1;)
            free_blocks_.push_back(i);
        blocks_[0] = {0, 0, static_cast<std::uint32_t>(order_.size()) - 1};
        for (std::uint32_t i = 0; i < order_.size(); ++i) {
            order_[i] = i;
            counters_[i].position = i;
            counters_[i].block = 0;
        }
    }

    void place(std::uint32_t slot, std::uint32_t position) noexcept {
        order_[position] = slot;
        counters_[slot].position = position;
    }

    /// Adds to a count and moves its counter up behind all the smaller ones.
    void raise(std::uint32_t slot, std::uint64_t weight) noexcept {
        auto& raised = counters_[slot];
        auto const own = raised.block;
        auto const count = blocks_[own].count + weight;
        auto position = blocks_[own].last;
        place(order_[position], raised.position);

        bool const was_alone = blocks_[own].first == position;
        std::uint32_t above = own;
        for (; position + 1 < order_.size(); position = blocks_[above].last--) {
            above = counters_[order_[position + 1]].block;
            if (blocks_[above].count >= count) break;
            // The last of the block above takes the place below it: the block moves down by one.
            place(order_[blocks_[above].last], position);
            blocks_[above].first = position;
        }
        place(slot, position);
        bool const joins = position + 1 < order_.size() && blocks_[above].count == count;
        if (joins) {
            blocks_[above].first = position;
            raised.block = above;
        }
        if (!was_alone) {
            --blocks_[own].last;
            if (!joins) {
                raised.block = free_blocks_.back();
                free_blocks_.pop_back();
            }
        } else if (joins) {
            free_blocks_.push_back(own);
        }
        if (!joins) blocks_[raised.block] = {count, position, position};
    }

    detail::slot_index index_;
    std::vector<counter> counters_;
    std::vector<std::uint32_t> order_; ///< slots of counters, lightest first
    std::vector<block> blocks_;
    std::vector<std::uint32_t> free_blocks_;
    std::size_t size_ = 0;
    std::uint64_t total_ = 0;
};

} // namespace livetape
