#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace livetape {

/// Values by key, in an order that the owner chooses, mostly that of the last update: a hash table
/// whose nodes are also a linked list.
///
/// Nodes stay where they are until they are erased. A node need not stand in the list: one that is
/// parked is found by its key alone. An empty list owns no memory. There can be fewer than 2³²
/// keys. Thread safety: shared objects unsafe.
template <class Value>
class keyed_list {
public:
    /// A value with its key behind it, in one piece of memory.
    class node {
    public:
        Value value{};

        node(node const&) = delete;
        node& operator=(node const&) = delete;

        [[nodiscard]] std::string_view key() const noexcept {
            return {reinterpret_cast<char const*>(this + 1), key_bytes_};
        }

        /// The next one in order; null for the last one and for a parked one.
        [[nodiscard]] node* next() const noexcept { return next_; }

    private:
        friend class keyed_list;

        static node* make(std::string_view key) {
            return new (::operator new(sizeof(node) + key.size())) node{key};
        }

        static void destroy(node* which) noexcept {
            which->~node();
            ::operator delete(which);
        }

        explicit node(std::string_view key) noexcept
            : hash_{hash_of(key)}, key_bytes_{static_cast<std::uint32_t>(key.size()) & key_limit},
              is_listed_{0} {
            if (!key.empty())
                std::memcpy(reinterpret_cast<char*>(this + 1), key.data(), key.size());
        }
        ~node() = default;

        static constexpr std::uint32_t key_limit = (1u << 31) - 1;

        node* chain_ = nullptr; // the next one in the same bucket
        node* previous_ = nullptr;
        node* next_ = nullptr;
        std::uint32_t hash_;
        std::uint32_t key_bytes_ : 31;
        std::uint32_t is_listed_ : 1;
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
        auto& added = *node::make(key);
        chain(added);
        ++size_;
        return added;
    }

    [[nodiscard]] static bool is_listed(node const& which) noexcept {
        return which.is_listed_ != 0;
    }

    /// Puts a node at the end, from wherever it is. O(1).
    void move_to_back(node& which) noexcept {
        if (last_ == &which) return;
        park(which);
        which.previous_ = last_;
        (last_ == nullptr ? first_ : last_->next_) = &which;
        last_ = &which;
        which.is_listed_ = 1;
        ++listed_;
    }

    /// Puts a parked node before one that is listed. O(1).
    void insert_before(node& position, node& which) noexcept {
        which.next_ = &position;
        which.previous_ = position.previous_;
        (position.previous_ == nullptr ? first_ : position.previous_->next_) = &which;
        position.previous_ = &which;
        which.is_listed_ = 1;
        ++listed_;
    }

    /// Takes a node out of the list; it is still found by its key. O(1).
    void park(node& which) noexcept {
        if (which.is_listed_ == 0) return;
        (which.previous_ == nullptr ? first_ : which.previous_->next_) = which.next_;
        (which.next_ == nullptr ? last_ : which.next_->previous_) = which.previous_;
        which.previous_ = which.next_ = nullptr;
        which.is_listed_ = 0;
        --listed_;
    }

    void erase(node& which) noexcept {
        park(which);
        auto** at = &bucket_of(which.hash_);
        while (*at != &which) at = &(*at)->chain_;
        *at = which.chain_;
        --size_;
        node::destroy(&which);
    }

    void clear() noexcept {
        for (std::uint32_t i = 0; i < bucket_count_; ++i) {
            auto& bucket = bucket_of(i);
            while (bucket != nullptr) node::destroy(std::exchange(bucket, bucket->chain_));
        }
        if (bucket_count_ > 1) delete[] buckets_;
        only_bucket_ = nullptr;
        bucket_count_ = 1;
        size_ = listed_ = 0;
        first_ = last_ = nullptr;
    }

private:
    static std::uint32_t hash_of(std::string_view key) noexcept {
        return static_cast<std::uint32_t>(std::hash<std::string_view>{}(key));
    }

    [[nodiscard]] node*& bucket_of(std::uint32_t hash) noexcept {
        return bucket_count_ == 1 ? only_bucket_ : buckets_[hash & (bucket_count_ - 1)];
    }

    [[nodiscard]] node* find(std::string_view key, std::uint32_t hash) const noexcept {
        auto* found = bucket_count_ == 1 ? only_bucket_ : buckets_[hash & (bucket_count_ - 1)];
        while (found != nullptr && (found->hash_ != hash || found->key() != key))
            found = found->chain_;
        return found;
    }

    void chain(node& added) noexcept {
        added.chain_ = std::exchange(bucket_of(added.hash_), &added);
    }

    void grow() {
        auto const old_count = bucket_count_;
        auto* const only = only_bucket_;
        auto* const old = old_count == 1 ? &only : buckets_;
        auto const wider = old_count == 1 ? 4 : old_count * 2;
        buckets_ = new node* [wider] {};
        bucket_count_ = wider;
        for (std::uint32_t i = 0; i < old_count; ++i)
            for (auto* next = old[i]; next != nullptr;) {
                auto& moved = *std::exchange(next, next->chain_);
                chain(moved);
            }
        if (old_count > 1) delete[] old;
    }

    // A list of one key has one bucket, which needs no memory of its own.
    union {
        node* only_bucket_ = nullptr;
        node** buckets_;
    };
    std::uint32_t bucket_count_ = 1; // a power of two
    std::uint32_t size_ = 0;
    std::uint32_t listed_ = 0;
    node* first_ = nullptr;
    node* last_ = nullptr;
};

} // namespace livetape
