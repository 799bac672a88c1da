#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace livetape {

/// Numbers by the hash of what they stand for, which somebody else keeps: an open-addressing table
/// (linear probing) with eight bytes a slot, a third to three quarters of them used.
///
/// Numbers are below 2³² - 1. An empty index owns no memory.
/// Thread safety: shared objects unsafe.
class hash_index {
public:
    static constexpr std::uint32_t none = 0xffff'ffff;

    hash_index() = default;
    hash_index(hash_index const&) = delete;
    hash_index& operator=(hash_index const&) = delete;
    ~hash_index() { delete[] slots_; }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// The first number with that hash for which `matches(number)` holds; `none` if there is none.
    /// O(1).
    template <class Matches>
    [[nodiscard]] std::uint32_t find(std::size_t hash, Matches&& matches) const noexcept {
        auto const at = find_slot(hash, matches);
        return at == slot_count_ ? none : slots_[at].number;
    }

    /// Adds a number; the same hash may have others. O(1) amortised.
    void add(std::size_t hash, std::uint32_t number) {
        if ((size_ + 1) * 4 > slot_count_ * 3) grow();
        put({fold(hash), number});
        ++size_;
    }

    /// Puts another number in the place of one that is here. O(1).
    void replace(std::size_t hash, std::uint32_t number, std::uint32_t with) noexcept {
        auto const at = find_slot(hash, [number](std::uint32_t each) { return each == number; });
        if (at != slot_count_) slots_[at].number = with;
    }

    /// Takes out a number, if it is here. O(1).
    void erase(std::size_t hash, std::uint32_t number) noexcept {
        auto gap = find_slot(hash, [number](std::uint32_t each) { return each == number; });
        if (gap == slot_count_) return;
        // What probing has led past the gap moves back into it, so that searches may end at gaps.
        auto const mask = slot_count_ - 1;
        for (auto at = (gap + 1) & mask; slots_[at].number != none; at = (at + 1) & mask) {
            auto const wanted = slots_[at].hash & mask;
            if (((at - wanted) & mask) < ((at - gap) & mask)) continue;
            slots_[gap] = slots_[at];
            gap = at;
        }
        slots_[gap] = {};
        --size_;
    }

    void clear() noexcept {
        delete[] std::exchange(slots_, nullptr);
        slot_count_ = size_ = 0;
    }

private:
    struct slot {
        std::uint32_t hash = 0;
        std::uint32_t number = none;
    };

    static std::uint32_t fold(std::size_t hash) noexcept {
        return static_cast<std::uint32_t>(hash ^ (std::uint64_t{hash} >> 32));
    }

    /// The slot of a match; `slot_count_` if there is none.
    template <class Matches>
    [[nodiscard]] std::size_t find_slot(std::size_t hash, Matches const& matches) const noexcept {
        if (size_ == 0) return slot_count_;
        auto const folded = fold(hash);
        auto const mask = slot_count_ - 1;
        for (auto at = folded & mask; slots_[at].number != none; at = (at + 1) & mask)
            if (slots_[at].hash == folded && matches(slots_[at].number)) return at;
        return slot_count_;
    }

    void put(slot const& added) noexcept {
        auto const mask = slot_count_ - 1;
        auto at = added.hash & mask;
        while (slots_[at].number != none) at = (at + 1) & mask;
        slots_[at] = added;
    }

    void grow() {
        auto const old_count = slot_count_;
        auto const wider = old_count == 0 ? 4 : old_count * 2;
        auto const* const old = std::exchange(slots_, new slot[wider]);
        slot_count_ = wider;
        for (std::size_t i = 0; i < old_count; ++i)
            if (old[i].number != none) put(old[i]);
        delete[] old;
    }

    slot* slots_ = nullptr;
    std::size_t slot_count_ = 0; // a power of two
    std::size_t size_ = 0;
};

} // namespace livetape
