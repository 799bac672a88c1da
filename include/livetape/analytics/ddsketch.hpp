#pragma once

#include <livetape/analytics/detail/log_buckets.hpp>
#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/quantile_summary.hpp>
#include <livetape/config.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace livetape {

struct ddsketch_options {
    /// The largest relative error of a quantile, from 0.0001 to 0.5.
    double relative_error = 0.01;
    /// Counters, 8 bytes each, at least 2. At 1 % an octave takes 35, so the default spans 17
    /// decades between the smallest and the largest magnitude if all values have one sign.
    std::size_t buckets_max = 2000;
};

/// Quantiles of a stream with a bound on the relative error (Masson, Rim, Lee, "DDSketch: a fast
/// and fully-mergeable quantile sketch with relative-error guarantees", 2019).
///
/// Formula: a value is counted in a bucket chosen by its sign and `detail::log_buckets`; the
/// q-quantile of n values is what stands for the bucket of the value with rank ⌊q (n - 1)⌋ (from 0)
/// in ascending order.
///
/// Error: |answer - exact| ≤ α |exact| for every quantile whose magnitude is at least
/// `magnitude_min()`. That is 0 until the span of magnitudes needs more than `buckets_max` buckets;
/// then the buckets of the smallest magnitudes, of both signs, are counted together ("collapsed"),
/// and a quantile among them is only known to be no larger in magnitude. Quantiles 0 and 1 are
/// exact. Zeros are exact, and subnormal numbers (below 2.3e-308) count as zeros.
/// NaN and infinities are left out and counted.
///
/// Memory: 8 `buckets_max` bytes and the object: under 16 KiB by default. The constructor
/// allocates, nothing else does.
/// Mergeable: the result does not depend on the order of values or on how they were spread over
/// sketches.
/// Thread safety: distinct objects safe; shared objects unsafe.
class ddsketch {
public:
    explicit ddsketch(ddsketch_options options = {})
        : buckets_{options.relative_error}, counts_(options.buckets_max), options_{options} {
        LIVETAPE_ASSERT(options.relative_error >= 1e-4 && options.relative_error <= 0.5);
        LIVETAPE_ASSERT(options.buckets_max >= 2 && options.buckets_max <= 1u << 30);
    }

    /// Adds a value, as often as `times` says. O(1); O(buckets) where the span of magnitudes grows,
    /// which a stream can make happen as often as there are buckets, not as there are values.
    void add(double value, std::uint64_t times = 1) noexcept {
        if (times == 0) return;
        auto const bits = std::bit_cast<std::uint64_t>(value);
        auto const exponent = detail::log_buckets::exponent_of(bits);
        if (exponent - 1 >= 2046) [[unlikely]]
            return add_special(value, times);
        add_to_bucket(bits >> 63, buckets_.bucket_of(bits), times);
        include(value, times);
    }

    /// Adds all that `other`, which must have the same options, has seen. O(buckets).
    void merge(ddsketch const& other) noexcept;

    /// The q-quantile for 0 ≤ q ≤ 1; NaN if there was no value. O(buckets).
    [[nodiscard]] double quantile(double q) const noexcept;

    /// The usual quantiles. O(buckets).
    [[nodiscard]] quantile_summary value() const noexcept { return summarize_quantiles(*this); }

    /// Values added.
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_; }
    /// The exact extremes, save that a subnormal one is 0; NaN if there was no value.
    [[nodiscard]] double min() const noexcept { return count_ > 0 ? min_ : detail::undefined; }
    [[nodiscard]] double max() const noexcept { return count_ > 0 ? max_ : detail::undefined; }
    /// The magnitude from which on quantiles keep the promised error; 0 if all of them do.
    [[nodiscard]] double magnitude_min() const noexcept {
        return is_collapsed_ ? buckets_.lower_edge_of(lowest_ + 1) : 0.0;
    }
    [[nodiscard]] ddsketch_options const& options() const noexcept { return options_; }

    void clear() noexcept;

private:
    // The counters of both signs share one array: slot i of the positive side lies at its position
    // i, slot i of the negative side at position i from the end, and on both sides slot i counts
    // the bucket lowest_ + i. So a stream of one sign has the whole array to itself.
    using side = bool; // is the value negative

    [[nodiscard]] std::uint64_t& slot(side of, std::size_t i) noexcept {
        return counts_[of ? counts_.size() - 1 - i : i];
    }
    [[nodiscard]] std::uint64_t slot(side of, std::size_t i) const noexcept {
        return counts_[of ? counts_.size() - 1 - i : i];
    }

    void include(double value, std::uint64_t times) noexcept {
        count_ += times;
        if (value < min_) min_ = value;
        if (value > max_) max_ = value;
    }

    void add_to_bucket(side of, std::int32_t bucket, std::uint64_t times) noexcept {
        auto i = static_cast<std::uint32_t>(bucket - lowest_);
        if (i >= used_[of]) [[unlikely]]
            i = make_room(of, bucket);
        slot(of, i) += times;
    }

    void add_special(double value, std::uint64_t times) noexcept {
        if (!detail::is_finite(value)) {
            left_out_ += times;
            return;
        }
        zeros_ += times;
        include(0.0, times);
    }

    std::uint32_t make_room(side of, std::int32_t bucket) noexcept;
    [[nodiscard]] std::int32_t lowest_that_fits(std::array<std::int32_t, 2> highest) const noexcept;
    void raise_lowest(std::int32_t lowest) noexcept;
    void reduce_lowest(std::int32_t lowest) noexcept;

    detail::log_buckets buckets_;
    std::vector<std::uint64_t> counts_;
    std::array<std::uint32_t, 2> used_{}; ///< slots in use, by side
    std::int32_t lowest_ = 0;             ///< the bucket of slot 0
    bool is_collapsed_ = false;           ///< slot 0 counts lower buckets too
    double min_ = std::numeric_limits<double>::infinity();
    double max_ = -std::numeric_limits<double>::infinity();
    std::uint64_t count_ = 0;
    std::uint64_t zeros_ = 0;
    std::uint64_t left_out_ = 0;
    ddsketch_options options_;
};

/// Brings a bucket that has no slot into the array and returns its slot. At any time the lowest
/// bucket is the smallest one seen, or the smallest one that fits under the highest ones seen; so
/// it depends on what was seen, not on the order.
inline std::uint32_t ddsketch::make_room(side of, std::int32_t bucket) noexcept {
    constexpr auto none = std::numeric_limits<std::int32_t>::min();
    std::array<std::int32_t, 2> highest{none, none};
    for (side const each : {false, true})
        if (used_[each] > 0) highest[each] = lowest_ + static_cast<std::int32_t>(used_[each]) - 1;
    bool const is_first = highest[0] == none && highest[1] == none;
    if (bucket > highest[of]) highest[of] = bucket;

    auto lowest = is_first || bucket < lowest_ ? bucket : lowest_;
    auto const fitting = lowest_that_fits(highest);
    if (lowest < fitting) lowest = fitting;
    if (is_first) lowest_ = lowest;
    else if (lowest > lowest_) raise_lowest(lowest);
    else if (lowest < lowest_) reduce_lowest(lowest);
    if (bucket < lowest_) is_collapsed_ = true;

    for (side const each : {false, true})
        if (highest[each] != none)
            used_[each] = highest[each] < lowest_
                              ? 1
                              : static_cast<std::uint32_t>(highest[each] - lowest_) + 1;
    return bucket < lowest_ ? 0 : static_cast<std::uint32_t>(bucket - lowest_);
}

/// The lowest bucket with which the slots up to the highest bucket of each side fit in the array; a
/// side whose buckets all lie below it still has slot 0.
inline std::int32_t ddsketch::lowest_that_fits(std::array<std::int32_t, 2> highest) const noexcept {
    auto const room = static_cast<std::int64_t>(counts_.size());
    std::int64_t const upper = highest[0] > highest[1] ? highest[0] : highest[1];
    std::int64_t const lower = highest[0] > highest[1] ? highest[1] : highest[0];
    if (lower == std::numeric_limits<std::int32_t>::min())
        return static_cast<std::int32_t>(upper - room + 1);
    auto const alone = upper - room + 2;
    // The sum is never negative where this is used: buckets are not, and room is then exceeded.
    auto const shared = (upper + lower + 3 - room) >> 1;
    return static_cast<std::int32_t>(shared <= lower ? shared : alone);
}

inline void ddsketch::raise_lowest(std::int32_t lowest) noexcept {
    auto const distance = static_cast<std::uint32_t>(lowest - lowest_);
    for (side const each : {false, true}) {
        std::uint32_t const used = used_[each];
        std::uint64_t collapsed = 0;
        for (std::uint32_t i = 0; i < distance && i < used; ++i) {
            collapsed += slot(each, i);
            slot(each, i) = 0;
        }
        for (std::uint32_t i = distance; i < used; ++i) {
            slot(each, i - distance) = slot(each, i);
            slot(each, i) = 0;
        }
        if (collapsed > 0) {
            slot(each, 0) += collapsed;
            is_collapsed_ = true;
        }
    }
    lowest_ = lowest;
}

inline void ddsketch::reduce_lowest(std::int32_t lowest) noexcept {
    auto const distance = static_cast<std::uint32_t>(lowest_ - lowest);
    for (side const each : {false, true}) {
        for (std::uint32_t i = used_[each]; i-- > 0;) {
            slot(each, i + distance) = slot(each, i);
            slot(each, i) = 0;
        }
    }
    lowest_ = lowest;
}

inline void ddsketch::merge(ddsketch const& other) noexcept {
    LIVETAPE_ASSERT(options_.relative_error == other.options_.relative_error &&
                    options_.buckets_max == other.options_.buckets_max);
    for (side const each : {false, true}) {
        auto const add_slot = [&](std::uint32_t i) {
            if (auto const times = other.slot(each, i); times > 0)
                add_to_bucket(each, other.lowest_ + static_cast<std::int32_t>(i), times);
        };
        // The highest first and then upwards from the lowest, so that counters move at most twice.
        auto const used = other.used_[each];
        if (used > 0) add_slot(used - 1);
        for (std::uint32_t i = 0; i + 1 < used; ++i) add_slot(i);
    }
    is_collapsed_ = is_collapsed_ || other.is_collapsed_;
    if (other.min_ < min_) min_ = other.min_;
    if (other.max_ > max_) max_ = other.max_;
    count_ += other.count_;
    zeros_ += other.zeros_;
    left_out_ += other.left_out_;
}

inline double ddsketch::quantile(double q) const noexcept {
    LIVETAPE_ASSERT(q >= 0 && q <= 1);
    if (count_ == 0) return detail::undefined;
    if (q == 0) return min_;
    if (q == 1) return max_;
    auto left = static_cast<std::uint64_t>(q * static_cast<double>(count_ - 1));
    auto const is_among = [&left](std::uint64_t times) {
        if (left < times) return true;
        left -= times;
        return false;
    };
    // What stands for a bucket may lie beyond the extremes, which are known exactly.
    auto const within = [this](double value) {
        return value < min_ ? min_ : value > max_ ? max_ : value;
    };
    for (std::uint32_t i = used_[1]; i-- > 0;)
        if (is_among(slot(true, i)))
            return within(-buckets_.value_of(lowest_ + static_cast<std::int32_t>(i)));
    if (is_among(zeros_)) return 0.0;
    for (std::uint32_t i = 0; i < used_[0]; ++i)
        if (is_among(slot(false, i)))
            return within(buckets_.value_of(lowest_ + static_cast<std::int32_t>(i)));
    return max_;
}

inline void ddsketch::clear() noexcept {
    for (auto& each : counts_) each = 0;
    used_ = {};
    lowest_ = 0;
    is_collapsed_ = false;
    min_ = std::numeric_limits<double>::infinity();
    max_ = -min_;
    count_ = zeros_ = left_out_ = 0;
}

} // namespace livetape
