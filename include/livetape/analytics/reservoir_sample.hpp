#pragma once

#include <livetape/analytics/detail/random_bits.hpp>
#include <livetape/config.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace livetape {

/// A uniform sample, without replacement, of a stream of unknown length (algorithm L: Li,
/// "Reservoir-sampling algorithms of time complexity O(n (1 + log(N/n)))", 1994; the plain form is
/// Vitter's algorithm R, 1985).
///
/// Formula: give each value a random key in (0, 1] and keep the k values with the smallest keys.
/// The largest kept key w is all of the keys that is needed: the next value that gets in is the
/// (⌊ln u / ln(1 - w)⌋ + 1)-th from here with u uniform, takes the place of any of the kept, and w
/// shrinks to w times the k-th root of another u.
///
/// Error: none in the sampling, every set of k values is equally likely; what is computed from the
/// sample has the error of k independent draws, such as deviation / √k for a mean.
/// Memory: k values. The constructor allocates, copying values apart.
/// Mergeable: with the keys drawn anew, the k smallest of both. Give different sketches different
/// seeds, else their choices are not independent. A sketch is determined by seed and stream.
/// Thread safety: distinct objects safe; shared objects unsafe.
template <class Value>
class reservoir_sample {
public:
    /// @param size  k, at least 1
    reservoir_sample(std::size_t size, std::uint64_t seed) : size_max_{size}, random_{seed} {
        LIVETAPE_ASSERT(size >= 1);
        values_.reserve(size);
    }

    reservoir_sample(reservoir_sample const& other) : reservoir_sample{other.size_max_, 0} {
        *this = other;
    }
    reservoir_sample(reservoir_sample&&) noexcept = default;
    reservoir_sample& operator=(reservoir_sample const&) = default;
    reservoir_sample& operator=(reservoir_sample&&) noexcept = default;
    ~reservoir_sample() = default;

    /// Offers a value. O(1), and most values beyond the first k cost one comparison: only about k
    /// ln(n / k) of n draw random numbers.
    void add(Value const& value) {
        ++count_;
        if (count_ < next_) return;
        if (values_.size() < size_max_) {
            values_.push_back(value);
            if (values_.size() == size_max_) {
                largest_key_ = shrink();
                choose_next();
            }
            return;
        }
        values_[random_.below(size_max_)] = value;
        largest_key_ *= shrink();
        choose_next();
    }

    /// Makes this a sample of both streams. Precondition: the sizes are the same. O(k log k);
    /// allocates scratch memory for 2 k values.
    void merge(reservoir_sample const& other);

    /// The sample, in no order; valid until the sketch changes. All values while they are fewer
    /// than k.
    [[nodiscard]] std::span<Value const> value() const noexcept { return values_; }
    /// Values offered.
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

    void clear() noexcept {
        values_.clear();
        count_ = 0;
        next_ = 0;
        largest_key_ = 1;
    }

private:
    using keyed = std::pair<double, Value>;

    /// How much smaller the largest of k uniform keys is than their bound.
    [[nodiscard]] double shrink() noexcept {
        return std::exp(std::log(random_.unit()) / static_cast<double>(size_max_));
    }

    void choose_next() noexcept {
        double const skipped = std::log(random_.unit()) / std::log1p(-largest_key_);
        // What is not finite or does not fit lies beyond any stream; w = 1 is drawn and skips none.
        constexpr double far = 0x1p62;
        next_ = count_ + 1 + (skipped < far ? static_cast<std::uint64_t>(skipped) : 1ull << 62);
    }

    /// Appends the values with keys such as they may have had: the largest is known when the
    /// reservoir is full, and any of the values may have had it; the others are uniform below.
    void append_keyed(reservoir_sample const& from, std::vector<keyed>& to) {
        bool const is_full = from.values_.size() == size_max_;
        auto const largest = is_full ? random_.below(size_max_) : size_max_;
        for (std::size_t i = 0; i < from.values_.size(); ++i) {
            double const drawn = i == largest ? 1.0 : random_.unit();
            to.emplace_back(drawn * from.largest_key_, from.values_[i]);
        }
    }

    std::size_t size_max_;
    detail::random_bits random_;
    std::vector<Value> values_;
    std::uint64_t count_ = 0;
    std::uint64_t next_ = 0; ///< the count at which a value gets in
    double largest_key_ = 1; ///< 1 until the reservoir is full
};

template <class Value>
void reservoir_sample<Value>::merge(reservoir_sample const& other) {
    LIVETAPE_ASSERT(size_max_ == other.size_max_);
    std::vector<keyed> all;
    all.reserve(values_.size() + other.values_.size());
    append_keyed(*this, all);
    append_keyed(other, all);
    count_ += other.count_;
    values_.clear();
    auto const kept = std::min(all.size(), size_max_);
    auto const by_key = [](keyed const& x, keyed const& y) { return x.first < y.first; };
    std::sort(all.begin(), all.end(), by_key);
    for (std::size_t i = 0; i < kept; ++i) values_.push_back(std::move(all[i].second));
    if (kept < size_max_) return;
    largest_key_ = all[kept - 1].first;
    choose_next();
}

} // namespace livetape
