#pragma once

#include <livetape/analytics/detail/same_text.hpp>
#include <livetape/analytics/detail/sip_hash.hpp>
#include <livetape/config.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace livetape {

struct group_options {
    /// Keys held at once. Clients may be allowed to choose keys, and each costs its operator; one
    /// key more evicts the one that was idle the longest.
    std::size_t keys_max = 100'000;

    /// Longer keys share the group of their first so many bytes, which bounds a key's memory.
    std::size_t key_bytes_max = 256;

    /// Of the hash (SipHash-1-3). Give a random one where strangers choose the keys: they then
    /// cannot choose such that collide. It does not change what comes out.
    std::uint64_t seed = 0;
};

/// The hash by which a `group_by` with these options finds the key. O(bytes).
[[nodiscard]] inline std::uint64_t group_hash(std::string_view key,
                                              group_options const& options) noexcept {
    return detail::sip_hash(key.substr(0, options.key_bytes_max), options.seed, ~options.seed);
}

/// One operator per key: `group_by<tumbling_window<mean>> loads{tumbling_window<mean>{1s}}`.
///
///     if (auto closed = loads.at(host).add(time, load)) publish(host, *closed);
///
/// A table with open addressing and linear probing (Knuth, TAOCP vol. 3, §6.4, algorithms L and R),
/// at most half full, beside the groups in a list by last use. O(1) expected per event; no
/// allocation once `keys_max` keys were there, apart from keys longer than those before them.
/// Memory: the operator, the key and about 80 bytes per key. Exact until a key is evicted; an
/// evicted key that comes back starts anew. Groups of different servers merge key by key, with
/// `for_each` and `at`. Thread safety: distinct objects safe; shared objects unsafe.
template <std::copyable Operator>
class group_by {
public:
    /// @param initial  what each key starts with
    explicit group_by(Operator initial = Operator{}, group_options const& options = {})
        : initial_{std::move(initial)}, options_{options} {
        LIVETAPE_ASSERT(options.keys_max > 0 && options.keys_max < none / 2);
        slots_.resize(16, slot{0, none});
    }

    /// The operator of a key, made if need be. Valid until the next call of `at` or an eviction.
    Operator& at(std::string_view key) {
        return at(key, [](std::string_view, Operator&) {});
    }

    /// The same; if a key must go for it, `on_evicted(key, operator)` is called before it does.
    template <std::invocable<std::string_view, Operator&> Function>
    Operator& at(std::string_view key, Function on_evicted) {
        return at(key, hash_of(key), on_evicted);
    }

    /// The same where several groupings have these options, so that each key is hashed once.
    /// @param hash  `hash_of(key)`, or what `group_hash` says with the same options
    template <std::invocable<std::string_view, Operator&> Function>
    Operator& at(std::string_view key, std::uint64_t hash, Function on_evicted) {
        key = key.substr(0, options_.key_bytes_max);
        auto const place = find(key, hash);
        if (slots_[place].group != none) {
            auto const index = slots_[place].group;
            touch(index);
            return groups_[index].value;
        }
        return make(key, hash, on_evicted).value;
    }

    /// The operator of a key, without making or touching it; null if there is none.
    [[nodiscard]] Operator const* find(std::string_view key) const noexcept {
        auto const hash = hash_of(key);
        auto const place = find(key.substr(0, options_.key_bytes_max), hash);
        return slots_[place].group == none ? nullptr : &groups_[slots_[place].group].value;
    }

    /// Calls `function(key, operator)` for each key, the idlest first. It must not call `at`.
    template <std::invocable<std::string_view, Operator&> Function>
    void for_each(Function function) {
        for (auto index = idlest_; index != none; index = links_[index].newer)
            function(std::string_view{groups_[index].key}, groups_[index].value);
    }

    /// Forgets the key that was idle the longest, after `on_evicted(key, operator)`.
    /// Precondition: there is a key.
    template <std::invocable<std::string_view, Operator&> Function>
    void evict_idlest(Function on_evicted) {
        LIVETAPE_ASSERT(idlest_ != none);
        auto const index = idlest_;
        on_evicted(std::string_view{groups_[index].key}, groups_[index].value);
        erase_slot(find(groups_[index].key, groups_[index].hash));
        unlink(index);
        links_[index].newer = free_;
        free_ = index;
        --size_;
        ++evicted_;
    }

    [[nodiscard]] std::uint64_t hash_of(std::string_view key) const noexcept {
        return group_hash(key, options_);
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t keys_max() const noexcept { return options_.keys_max; }
    /// How many keys have been evicted.
    [[nodiscard]] std::uint64_t evicted() const noexcept { return evicted_; }

private:
    static constexpr std::uint32_t none = 0xffff'ffff;

    struct slot {
        std::uint32_t tag;   // of the hash, so that most comparisons of keys succeed
        std::uint32_t group; // index, or none
    };

    struct group {
        std::string key;
        std::uint64_t hash;
        Operator value;
    };

    // Where a group stands by last use: apart from the groups, so that those beside it stay out of
    // the way of the cache.
    struct neighbours {
        std::uint32_t older;
        std::uint32_t newer; // also the next free one
    };

    /// The slot of a key, or the free one where it belongs.
    [[nodiscard]] std::size_t find(std::string_view key, std::uint64_t hash) const noexcept {
        auto const mask = slots_.size() - 1;
        auto place = static_cast<std::size_t>(hash) & mask;
        auto const tag = static_cast<std::uint32_t>(hash >> 32);
        for (; slots_[place].group != none; place = (place + 1) & mask)
            if (slots_[place].tag == tag &&
                detail::same_text(groups_[slots_[place].group].key, key))
                break;
        return place;
    }

    template <class Function>
    group& make(std::string_view key, std::uint64_t hash, Function& on_evicted);
    void erase_slot(std::size_t place) noexcept;
    void grow_slots();

    void touch(std::uint32_t index) noexcept {
        if (index == newest_) return;
        unlink(index);
        link(index);
    }

    void link(std::uint32_t index) noexcept {
        links_[index].older = newest_;
        links_[index].newer = none;
        if (newest_ == none) idlest_ = index;
        else links_[newest_].newer = index;
        newest_ = index;
    }

    void unlink(std::uint32_t index) noexcept {
        auto const older = links_[index].older;
        auto const newer = links_[index].newer;
        if (older == none) idlest_ = newer;
        else links_[older].newer = newer;
        if (newer == none) newest_ = older;
        else links_[newer].older = older;
    }

    Operator initial_;
    group_options options_;
    std::vector<slot> slots_; // a power of two, at least twice the groups
    std::vector<group> groups_;
    std::vector<neighbours> links_; // of each group
    std::size_t size_ = 0;
    std::uint32_t idlest_ = none;
    std::uint32_t newest_ = none;
    std::uint32_t free_ = none; // of the groups that were evicted
    std::uint64_t evicted_ = 0;
};

template <std::copyable Operator>
template <class Function>
auto group_by<Operator>::make(std::string_view key, std::uint64_t hash, Function& on_evicted)
    -> group& {
    if (size_ == options_.keys_max) evict_idlest(on_evicted);
    if ((size_ + 1) * 2 > slots_.size()) grow_slots();
    auto index = free_;
    if (index != none) {
        auto& reused = groups_[index];
        free_ = links_[index].newer;
        reused.key.assign(key);
        reused.hash = hash;
        reused.value = initial_;
    } else {
        index = static_cast<std::uint32_t>(groups_.size());
        groups_.push_back({std::string{key}, hash, initial_});
        links_.push_back({none, none});
    }
    ++size_;
    slots_[find(key, hash)] = {static_cast<std::uint32_t>(hash >> 32), index};
    link(index);
    return groups_[index];
}

/// Algorithm R: what would no longer be found moves into the gap.
template <std::copyable Operator>
void group_by<Operator>::erase_slot(std::size_t place) noexcept {
    auto const mask = slots_.size() - 1;
    for (auto next = (place + 1) & mask; slots_[next].group != none; next = (next + 1) & mask) {
        auto const home = static_cast<std::size_t>(groups_[slots_[next].group].hash) & mask;
        if (((next - home) & mask) < ((next - place) & mask)) continue;
        slots_[place] = slots_[next];
        place = next;
    }
    slots_[place].group = none;
}

template <std::copyable Operator>
void group_by<Operator>::grow_slots() {
    std::vector<slot> const smaller(slots_.size() * 2, slot{0, none});
    auto old = std::exchange(slots_, smaller);
    auto const mask = slots_.size() - 1;
    for (auto const& each : old) {
        if (each.group == none) continue;
        auto place = static_cast<std::size_t>(groups_[each.group].hash) & mask;
        while (slots_[place].group != none) place = (place + 1) & mask;
        slots_[place] = each;
    }
}

} // namespace livetape
