#pragma once

#include <livetape/config.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace livetape::detail {

/// A multiset of numbers, bounded and allocated at once, that knows its k-th smallest: a treap
/// (Seidel and Aragon, "Randomized search trees", Algorithmica 16, 1996) whose nodes know the sizes
/// of their subtrees. All operations take O(log n) on average over the priorities, which are a hash
/// of the node's place, so that equal inputs give equal trees. Memory: 28 bytes per number.
class order_statistic_set {
public:
    using index = std::uint32_t;
    static constexpr index none = 0; // the node of empty subtrees, of size 0

    /// Precondition: capacity is below 2^32 - 1.
    explicit order_statistic_set(std::size_t capacity) : nodes_(capacity + 1) {
        free_.reserve(capacity);
        for (std::size_t i = capacity; i > 0; --i) free_.push_back(static_cast<index>(i));
    }

    [[nodiscard]] std::size_t size() const noexcept { return nodes_[root_].size; }
    [[nodiscard]] index root() const noexcept { return root_; }
    [[nodiscard]] double key(index at) const noexcept { return nodes_[at].key; }
    [[nodiscard]] index left(index at) const noexcept { return nodes_[at].left; }
    [[nodiscard]] index right(index at) const noexcept { return nodes_[at].right; }
    [[nodiscard]] std::size_t size(index at) const noexcept { return nodes_[at].size; }

    /// Preconditions: not NaN; not full.
    void insert(double key) noexcept {
        LIVETAPE_ASSERT(!free_.empty());
        index const made = free_.back();
        free_.pop_back();
        nodes_[made] = {key, priority_of(made), none, none, 1};
        index below = none;
        index above = none;
        split(root_, key, below, above);
        root_ = join(join(below, made), above);
    }

    /// Removes one of the numbers equal to `key`.
    /// @return whether there was one
    bool erase(double key) noexcept {
        index* link = &root_;
        // The way down is walked twice, because sizes change only if the number is there.
        for (index at = root_; nodes_[at].key != key || at == none;) {
            if (at == none) return false;
            at = key < nodes_[at].key ? nodes_[at].left : nodes_[at].right;
        }
        while (nodes_[*link].key != key) {
            --nodes_[*link].size;
            link = key < nodes_[*link].key ? &nodes_[*link].left : &nodes_[*link].right;
        }
        index const gone = *link;
        *link = join(nodes_[gone].left, nodes_[gone].right);
        free_.push_back(gone);
        return true;
    }

    /// The k-th smallest, from 0. Precondition: k < size().
    [[nodiscard]] double nth(std::size_t k) const noexcept {
        LIVETAPE_ASSERT(k < size());
        for (index at = root_;;) {
            std::size_t const before = size(nodes_[at].left);
            if (k == before) return nodes_[at].key;
            if (k < before) {
                at = nodes_[at].left;
            } else {
                k -= before + 1;
                at = nodes_[at].right;
            }
        }
    }

private:
    struct node {
        double key = 0;
        std::uint32_t priority = 0;
        index left = none;
        index right = none;
        std::uint32_t size = 0;
    };

    /// A mixture of the bits as at the end of MurmurHash3 (Appleby).
    [[nodiscard]] static std::uint32_t priority_of(index place) noexcept {
        std::uint32_t h = place;
        h = (h ^ (h >> 16)) * 0x85ebca6bU;
        h = (h ^ (h >> 13)) * 0xc2b2ae35U;
        return h ^ (h >> 16);
    }

    void count(index at) noexcept {
        nodes_[at].size = nodes_[nodes_[at].left].size + nodes_[nodes_[at].right].size + 1;
    }

    /// Cuts a tree into what is below `key` and the rest.
    void split(index at, double key, index& below, index& above) noexcept {
        if (at == none) {
            below = above = none;
        } else if (nodes_[at].key < key) {
            index cut = none;
            split(nodes_[at].right, key, cut, above);
            nodes_[at].right = cut;
            count(below = at);
        } else {
            index cut = none;
            split(nodes_[at].left, key, below, cut);
            nodes_[at].left = cut;
            count(above = at);
        }
    }

    /// Joins two trees, nothing in the first being above anything in the second.
    [[nodiscard]] index join(index below, index above) noexcept {
        if (below == none) return above;
        if (above == none) return below;
        if (nodes_[below].priority > nodes_[above].priority) {
            nodes_[below].right = join(nodes_[below].right, above);
            count(below);
            return below;
        }
        nodes_[above].left = join(below, nodes_[above].left);
        count(above);
        return above;
    }

    std::vector<node> nodes_;
    std::vector<index> free_;
    index root_ = none;
};

} // namespace livetape::detail
