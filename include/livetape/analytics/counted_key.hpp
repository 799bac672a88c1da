#pragma once

#include <livetape/analytics/hash.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace livetape {

/// What the heavy-hitter sketches count: integers of at most 64 bits, or strings.
template <class Key>
concept countable_key = std::integral<Key> || std::same_as<Key, std::string>;

namespace detail {

/// How a key is passed: a string as a view, so that looking one up copies nothing.
template <countable_key Key>
using key_view = std::conditional_t<std::integral<Key>, Key, std::string_view>;

template <std::integral Key>
[[nodiscard]] inline std::uint32_t tag_of(Key key) noexcept {
    return static_cast<std::uint32_t>(hash_of(static_cast<std::uint64_t>(key)));
}

[[nodiscard]] inline std::uint32_t tag_of(std::string_view key) noexcept {
    return static_cast<std::uint32_t>(hash_of(key));
}

} // namespace detail

/// A key of a heavy-hitter sketch and what is known of it: its true count is at most `count` and at
/// least `count - error`.
template <class Key, class Count>
struct counted_key {
    Key key{};
    Count count{};
    Count error{};

    friend bool operator==(counted_key const&, counted_key const&) = default;
};

namespace detail {

/// The keys of two heavy-hitter sketches together, heaviest first, cut to `keys_max` (Agarwal,
/// Cormode, Huang, Phillips, Wei, Yi, "Mergeable summaries", 2013, section 3).
///
/// Both counts of a key are added, and a sketch that does not hold it contributes the most that it
/// may have missed: its least count. Why the bound N/k survives: let the k heaviest come from both
/// sketches (c of them), from the first alone (a) or from the second alone (b). Their counts add up
/// to at most n1 - (k - a - c) m1 + n2 - (k - b - c) m2 + a m2 + b m1 = n1 + n2, where m1 and m2
/// are the least counts; so the lightest of the k, which bounds every error and every count left
/// out, is at most (n1 + n2) / k.
template <class Key, class Sketch>
[[nodiscard]] auto merged_keys(Sketch const& a, Sketch const& b, std::size_t keys_max) {
    using item = typename Sketch::item;
    using kept = counted_key<Key, decltype(item::count)>;
    std::vector<kept> all;
    all.reserve(a.size() + b.size());
    a.for_each([&](item const& each) {
        auto const other = b.estimate(each.key);
        all.push_back({Key{each.key}, each.count + other.count, each.error + other.error});
    });
    b.for_each([&](item const& each) {
        if (a.contains(each.key)) return;
        auto const other = a.estimate(each.key);
        all.push_back({Key{each.key}, each.count + other.count, each.error + other.error});
    });
    // Ties by key: the result must not depend on where the keys lay.
    std::sort(all.begin(), all.end(), [](kept const& x, kept const& y) {
        return x.count != y.count ? x.count > y.count : x.key < y.key;
    });
    if (all.size() > keys_max) all.resize(keys_max);
    return all;
}

} // namespace detail
} // namespace livetape
