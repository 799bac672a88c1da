#pragma once

#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/detail/random_bits.hpp>
#include <livetape/analytics/quantile_summary.hpp>
#include <livetape/config.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace livetape {

struct kll_options {
    /// k, at least 8: the items of the highest level. The rank error goes with 1 / k.
    std::size_t size = 200;
    std::uint64_t seed = 0; ///< of the coins; the sketch is determined by it and the stream
};

/// Quantiles and ranks of a stream with a bound on the rank error, whatever the values are (Karnin,
/// Lang, Liberty, "Optimal quantile approximation in streams", 2016).
///
/// Formula: items of level h stand for 2^h values each. When the sketch is full, the lowest level
/// that has its capacity is sorted and every other item of it, the odd or the even ones as a coin
/// falls, goes up one level; the others go. The level i below the highest one has the capacity
/// max(8, k (2/3)^i).
///
/// Error: halving level h moves the rank of any number by at most 2^h, up or down with equal
/// chances, independently of the halvings before. So by Azuma and Hoeffding, with V the sum of 4^h
/// over all halvings done, |rank error| ≤ √(2 V ln(2 / δ)) with probability 1 - δ for each number
/// asked. The sketch keeps V: `rank_error(δ)` is a proven bound for what it has seen. In the worst
/// case V is about 6 (n / k)², which bounds the error by 3.5 √ln(2 / δ) n / k; usually it is far
/// less: 0.8 % of n with probability 99 % for k = 200 and a million values. Extremes are exact.
/// NaN and infinities are left out and counted.
///
/// Memory: about 8 (3 k + 480) bytes and the object, 9 KiB by default, for up to 2^60 values. The
/// constructor allocates, nothing else does.
/// Mergeable, with the V of both added and that of the halvings in between.
/// Thread safety: distinct objects safe; shared objects unsafe.
class kll_sketch {
public:
    explicit kll_sketch(kll_options options = {});

    /// Adds a value. Amortised O(log k).
    void add(double value) noexcept {
        if (!detail::is_finite(value)) [[unlikely]] {
            ++left_out_;
            return;
        }
        if (starts_[0] == 0) compact();
        items_[--starts_[0]] = value;
        ++count_;
        if (value < min_) min_ = value;
        if (value > max_) max_ = value;
    }

    /// Adds all that `other`, another sketch of the same size, has seen. O(k).
    void merge(kll_sketch const& other) noexcept;

    /// How many values are at most `value`, estimated. O(k).
    [[nodiscard]] std::uint64_t rank(double value) const noexcept;

    /// The q-quantile for 0 ≤ q ≤ 1: the smallest value added whose estimated rank is over ⌊q (n -
    /// 1)⌋; NaN if there was none. O(64 k), without scratch memory.
    [[nodiscard]] double quantile(double q) const noexcept;

    /// The usual quantiles.
    [[nodiscard]] quantile_summary value() const noexcept { return summarize_quantiles(*this); }

    /// The bound of the rank error, as a share of the values, that holds for any one number or
    /// quantile with probability 1 - `failure`. 0 while every value is kept.
    [[nodiscard]] double rank_error(double failure = 0.01) const noexcept {
        if (count_ == 0) return 0;
        return std::sqrt(2 * variance_bound_ * std::log(2 / failure)) / static_cast<double>(count_);
    }

    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_; }
    /// The exact extremes; NaN if there was no value.
    [[nodiscard]] double min() const noexcept { return count_ > 0 ? min_ : detail::undefined; }
    [[nodiscard]] double max() const noexcept { return count_ > 0 ? max_ : detail::undefined; }

    void clear() noexcept;

private:
    static constexpr std::size_t levels_max = 61;
    static constexpr std::size_t capacity_min = 8;

    [[nodiscard]] std::size_t size_of(std::size_t level) const noexcept {
        return starts_[level + 1] - starts_[level];
    }
    [[nodiscard]] std::size_t capacity_of(std::size_t level) const noexcept {
        return capacities_[levels_ - 1 - level];
    }
    void sort_lowest() noexcept;
    void compact() noexcept;
    void halve(std::size_t level) noexcept;
    static void merge_runs(double const* a, double const* a_end, double const* b,
                           double const* b_end, double* out) noexcept;
    void take_level(kll_sketch const& other, std::size_t level) noexcept;

    // Level h lies at positions starts_[h] to starts_[h + 1] of items_, sorted but for level 0, and
    // the free space in front of level 0.
    std::vector<double> items_;
    std::array<std::size_t, levels_max + 1> starts_{};
    std::array<std::size_t, levels_max> capacities_{}; ///< by distance from the highest level
    std::size_t levels_ = 1;
    detail::random_bits coins_;
    double variance_bound_ = 0; ///< V
    std::uint64_t count_ = 0;
    std::uint64_t left_out_ = 0;
    double min_ = std::numeric_limits<double>::infinity();
    double max_ = -std::numeric_limits<double>::infinity();
};

inline kll_sketch::kll_sketch(kll_options options) : coins_{options.seed} {
    LIVETAPE_ASSERT(options.size >= capacity_min && options.size <= 1u << 30);
    auto capacity = static_cast<double>(options.size);
    std::size_t total = 0;
    for (auto& each : capacities_) {
        each = std::max(capacity_min, static_cast<std::size_t>(std::ceil(capacity)));
        total += each;
        capacity *= 2.0 / 3;
    }
    // As much as all levels can hold: whenever it is full, one of them has its capacity.
    items_.resize(total);
    starts_.fill(total);
}

/// Level 0 is the only one that is not kept sorted.
inline void kll_sketch::sort_lowest() noexcept {
    std::sort(items_.data() + starts_[0], items_.data() + starts_[1]);
}

/// Makes free space. Precondition: there is none.
inline void kll_sketch::compact() noexcept {
    std::size_t level = 0;
    while (size_of(level) < capacity_of(level)) ++level;
    if (level == 0) sort_lowest();
    halve(level);
}

/// Merges two sorted runs into one that ends where the second ends: nothing is written over before
/// it is read, and when the first run is used up, the rest is in its place.
inline void kll_sketch::merge_runs(double const* a, double const* a_end, double const* b,
                                   double const* b_end, double* out) noexcept {
    while (a != a_end) *out++ = b == b_end || *a <= *b ? *a++ : *b++;
}

/// Moves every other item of a sorted level up by one level. An odd one out stays where it is.
inline void kll_sketch::halve(std::size_t level) noexcept {
    if (level + 1 == levels_) ++levels_;
    LIVETAPE_ASSERT(levels_ <= levels_max);
    auto const begin = starts_[level];
    auto const middle = starts_[level + 1];
    auto const end = starts_[level + 2];
    auto const left_over = (middle - begin) % 2;
    auto const pairs = (middle - begin) / 2;
    // Copies of one empty sketch, as windows make them, must not toss the same coins.
    coins_.stir(std::bit_cast<std::uint64_t>(items_[begin + pairs]));
    auto const coin = static_cast<std::size_t>(coins_.next() >> 63);

    // The survivors gather in front and meet the level above in the space that the others leave.
    auto* const items = items_.data();
    auto* const survivors = items + begin + left_over;
    for (std::size_t i = 0; i < pairs; ++i) survivors[i] = survivors[2 * i + coin];
    merge_runs(survivors, survivors + pairs, items + middle, items + end, survivors + pairs);
    // Everything below moves up into what became free.
    auto const kept_below = begin + left_over;
    std::move_backward(items + starts_[0], items + kept_below, items + (kept_below + pairs));
    for (std::size_t i = 0; i <= level; ++i) starts_[i] += pairs;
    starts_[level + 1] = middle - pairs;
    variance_bound_ += std::ldexp(1.0, 2 * static_cast<int>(level));
}

/// Adds the items of one level of another sketch to the same level of this one.
inline void kll_sketch::take_level(kll_sketch const& other, std::size_t level) noexcept {
    auto const* from = other.items_.data() + other.starts_[level];
    auto left = other.size_of(level);
    while (left > 0) {
        if (starts_[0] == 0) compact();
        auto const taken = std::min(left, starts_[0]);
        auto* const items = items_.data();
        auto const begin = starts_[level];
        std::move(items + starts_[0], items + begin, items + starts_[0] - taken);
        for (std::size_t i = 0; i <= level; ++i) starts_[i] -= taken;
        if (level == 0) std::copy(from, from + taken, items + starts_[0]);
        else
            merge_runs(from, from + taken, items + begin, items + starts_[level + 1],
                       items + starts_[level]);
        from += taken;
        left -= taken;
    }
}

inline void kll_sketch::merge(kll_sketch const& other) noexcept {
    LIVETAPE_ASSERT(this != &other);
    LIVETAPE_ASSERT(capacities_[0] == other.capacities_[0]);
    levels_ = std::max(levels_, other.levels_);
    for (auto level = other.levels_; level-- > 0;) take_level(other, level);
    variance_bound_ += other.variance_bound_;
    count_ += other.count_;
    left_out_ += other.left_out_;
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
}

inline std::uint64_t kll_sketch::rank(double value) const noexcept {
    std::uint64_t total = 0;
    for (std::size_t level = 0; level < levels_; ++level) {
        std::uint64_t below = 0;
        for (auto i = starts_[level]; i < starts_[level + 1]; ++i) below += items_[i] <= value;
        total += below << level;
    }
    return total;
}

inline double kll_sketch::quantile(double q) const noexcept {
    LIVETAPE_ASSERT(q >= 0 && q <= 1);
    if (count_ == 0) return detail::undefined;
    if (q == 0) return min_;
    if (q == 1) return max_;
    auto const target = static_cast<std::uint64_t>(q * static_cast<double>(count_ - 1));
    // Doubles as numbers in the same order, so that halving an interval of them ends after at most
    // 64 steps.
    constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63;
    auto const order_of = [](double value) {
        auto const bits = std::bit_cast<std::uint64_t>(value);
        return bits & sign_bit ? ~bits : bits | sign_bit;
    };
    auto const value_of = [](std::uint64_t order) {
        return std::bit_cast<double>(order & sign_bit ? order & ~sign_bit : ~order);
    };
    auto first = order_of(min_);
    auto last = order_of(max_);
    while (first < last) {
        auto const middle = first + (last - first) / 2;
        if (rank(value_of(middle)) > target) last = middle;
        else first = middle + 1;
    }
    return value_of(first) + 0.0; // no negative zero
}

inline void kll_sketch::clear() noexcept {
    starts_.fill(items_.size());
    levels_ = 1;
    variance_bound_ = 0;
    count_ = left_out_ = 0;
    min_ = std::numeric_limits<double>::infinity();
    max_ = -min_;
}

} // namespace livetape
