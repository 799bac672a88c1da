#pragma once

#include <livetape/config.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace livetape {

/// Values by key, in an order that the owner chooses, mostly that of the last update: a hash table
/// whose nodes are also a linked list.
///
/// Nodes stay where they are until they are erased. A node need not stand in the list: one that is
/// parked is found by its key alone. An empty list owns no memory.
/// Thread safety: shared objects unsafe.
template <class Value>
class keyed_list {
public:
    struct node {
        std::string key;
        Value value{};

        /// The next one in order; null for the last one and for a parked one.
        [[nodiscard]] node* next() const noexcept { return next_; }

    private:
        friend class keyed_list;
        std::size_t hash_ = 0;
        node* chain_ = nullptr; // the next one in the same bucket
        node* previous_ = nullptr;
        node* next_ = nullptr;
        bool is_listed_ = false;
    };

    keyed_list() = default;
    keyed_list(keyed_list const&) = delete;
    keyed_list& operator=(keyed_list const&) = delete;
    ~keyed_list() { clear(); }

    /// Nodes in all, parked ones included.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// Nodes in the list.
    [[nodiscard]] std::size_t listed() const noexcept { return listed_; }

    [[nodiscard]] node* front() const noexcept { return first_; }
    [[nodiscard]] node* back() const noexcept { return last_; }

    /// The node of a key; null if there is none. O(1).
    [[nodiscard]] node* find(std::string_view key) const noexcept {
        return size_ == 0 ? nullptr : find(key, hash_of(key));
    }

    /// The node of a key, made and parked if there is none. O(1) amortised.
    node& find_or_add(std::string_view key) {
        auto const hash = hash_of(key);
        if (size_ > 0)
            if (auto* const found = find(key, hash)) return *found;
        if (size_ == bucket_count_) grow();
        auto& added = *new node;
        added.key = key;
        added.hash_ = hash;
        chain(added);
        ++size_;
        return added;
    }

    [[nodiscard]] static bool is_listed(node const& which) noexcept { return which.is_listed_; }

    /// Puts a node at the end, from wherever it is. O(1).
    void move_to_back(node& which) noexcept {
        if (last_ == &which) return;
        park(which);
        which.previous_ = last_;
        (last_ == nullptr ? first_ : last_->next_) = &which;
        last_ = &which;
        which.is_listed_ = true;
        ++listed_;
    }

    /// Puts a parked node before one that is listed. O(1).
    void insert_before(node& position, node& which) noexcept {
        which.next_ = &position;
        which.previous_ = position.previous_;
        (position.previous_ == nullptr ? first_ : position.previous_->next_) = &which;
        position.previous_ = &which;
        which.is_listed_ = true;
        ++listed_;
    }

    /// Takes a node out of the list; it is still found by its key. O(1).
    void park(node& which) noexcept {
        if (!which.is_listed_) return;
        (which.previous_ == nullptr ? first_ : which.previous_->next_) = which.next_;
        (which.next_ == nullptr ? last_ : which.next_->previous_) = which.previous_;
        which.previous_ = which.next_ = nullptr;
        which.is_listed_ = false;
        --listed_;
    }

    void erase(node& which) noexcept {
        park(which);
        auto** at = &buckets_[which.hash_ & (bucket_count_ - 1)];
        while (*at != &which) at = &(*at)->chain_;
        *at = which.chain_;
        --size_;
        delete &which;
    }

    void clear() noexcept {
        for (std::size_t i = 0; i < bucket_count_; ++i)
            while (buckets_[i] != nullptr) delete std::exchange(buckets_[i], buckets_[i]->chain_);
        buckets_.reset();
        bucket_count_ = size_ = listed_ = 0;
        first_ = last_ = nullptr;
    }

private:
    static std::size_t hash_of(std::string_view key) noexcept {
        return std::hash<std::string_view>{}(key);
    }

    [[nodiscard]] node* find(std::string_view key, std::size_t hash) const noexcept {
        auto* found = buckets_[hash & (bucket_count_ - 1)];
        while (found != nullptr && (found->hash_ != hash || found->key != key))
            found = found->chain_;
        return found;
    }

    void chain(node& added) noexcept {
        auto& bucket = buckets_[added.hash_ & (bucket_count_ - 1)];
        added.chain_ = std::exchange(bucket, &added);
    }

    void grow() {
        auto const old_count = bucket_count_;
        auto const old = std::move(buckets_);
        bucket_count_ = old_count == 0 ? 2 : old_count * 2;
        buckets_ = std::make_unique<node*[]>(bucket_count_);
        for (std::size_t i = 0; i < old_count; ++i)
            for (auto* next = old[i]; next != nullptr;) {
                auto& moved = *std::exchange(next, next->chain_);
                chain(moved);
            }
    }

    std::unique_ptr<node*[]> buckets_;
    std::size_t bucket_count_ = 0; // a power of two
    std::size_t size_ = 0;
    std::size_t listed_ = 0;
    node* first_ = nullptr;
    node* last_ = nullptr;
};

} // namespace livetape
