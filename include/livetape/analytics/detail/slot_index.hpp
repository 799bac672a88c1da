#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace livetape::detail {

/// Finds the slot of a key in a table of fixed size: a hash table of (tag, slot) with linear
/// probing; the keys themselves stay in the slots, with their owner. A tag is 32 bits of the key's
/// hash. At most a quarter is full: the sketches search in vain half of the time, and a search in
/// vain ends at the first free place.
///
/// 32 to 64 bytes a slot; only the constructor allocates. Expected O(1).
/// Thread safety: distinct objects safe; shared objects unsafe.
class slot_index {
public:
    static constexpr std::uint32_t none = 0xffffffffu;

    explicit slot_index(std::size_t slots) : places_(std::bit_ceil(4 * slots)) {}

    /// The slot with this tag of which `is_key(slot)` is true, or `none`.
    template <class IsKey>
    [[nodiscard]] std::uint32_t find(std::uint32_t tag, IsKey is_key) const noexcept {
        for (std::size_t at = home_of(tag);; at = next_to(at)) {
            auto const& held = places_[at];
            if (held.slot == none) return none;
            if (held.tag == tag && is_key(held.slot)) return held.slot;
        }
    }

    /// Precondition: the slot is not in the index, and fewer slots are than the constructor was
    /// told.
    void insert(std::uint32_t tag, std::uint32_t slot) noexcept {
        auto at = home_of(tag);
        while (places_[at].slot != none) at = next_to(at);
        places_[at] = {tag, slot};
    }

    /// Precondition: the slot is in the index under this tag.
    void erase(std::uint32_t tag, std::uint32_t slot) noexcept {
        auto hole = home_of(tag);
        while (places_[hole].slot != slot) hole = next_to(hole);
        // Whoever was pushed past the hole moves back into it, so that no search ends too early.
        for (auto at = next_to(hole); places_[at].slot != none; at = next_to(at)) {
            auto const from_home = (at - home_of(places_[at].tag)) & mask();
            if (from_home < ((at - hole) & mask())) continue;
            places_[hole] = places_[at];
            hole = at;
        }
        places_[hole].slot = none;
    }

    void clear() noexcept {
        for (auto& each : places_) each.slot = none;
    }

private:
    struct place {
        std::uint32_t tag = 0;
        std::uint32_t slot = none;
    };

    [[nodiscard]] std::size_t mask() const noexcept { return places_.size() - 1; }
    [[nodiscard]] std::size_t home_of(std::uint32_t tag) const noexcept { return tag & mask(); }
    [[nodiscard]] std::size_t next_to(std::size_t at) const noexcept { return (at + 1) & mask(); }

    std::vector<place> places_;
};

} // namespace livetape::detail
