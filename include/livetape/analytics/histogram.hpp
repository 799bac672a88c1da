#pragma once

#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/config.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace livetape {

struct histogram_options {
    double low = 0;
    double high = 1;
    std::size_t buckets = 100;
};

/// Counts of values in buckets of one width. Bucket i holds low + i w <= x < low + (i + 1) w, with
/// w = (high - low) / buckets, up to rounding at the borders; what lies outside is counted below
/// and above. NaN and infinities are left out. 8 bytes per bucket, allocated once; mergeable,
/// exactly.
class histogram {
public:
    /// Precondition: low < high, both finite, and at least one bucket.
    explicit histogram(histogram_options const& options)
        : low_{options.low}, width_{(options.high - options.low) /
                                    static_cast<double>(options.buckets)},
          high_{options.high}, counts_(options.buckets) {
        LIVETAPE_ASSERT(options.low < options.high);
        LIVETAPE_ASSERT(detail::is_finite(width_) && width_ > 0);
        LIVETAPE_ASSERT(options.buckets > 0);
        per_width_ = 1 / width_;
    }

    void add(double value) noexcept {
        if (!detail::is_finite(value)) [[unlikely]] {
            ++left_out_;
            return;
        }
        ++count_;
        if (value < low_) ++below_;
        else if (value >= high_) ++above_;
        else {
            auto const bucket = static_cast<std::size_t>((value - low_) * per_width_);
            ++counts_[bucket < counts_.size() ? bucket : counts_.size() - 1];
        }
    }

    /// Precondition: same options.
    void merge(histogram const& later) noexcept {
        LIVETAPE_ASSERT(low_ == later.low_ && high_ == later.high_);
        LIVETAPE_ASSERT(counts_.size() == later.counts_.size());
        for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += later.counts_[i];
        count_ += later.count_;
        below_ += later.below_;
        above_ += later.above_;
        left_out_ += later.left_out_;
    }

    /// The counts of the buckets; valid until the histogram is changed or gone.
    [[nodiscard]] std::span<std::uint64_t const> value() const noexcept { return counts_; }

    /// Where a bucket begins; `bucket_count()` gives the end of the last one.
    [[nodiscard]] double lower_bound(std::size_t bucket) const noexcept {
        return bucket >= counts_.size() ? high_ : low_ + width_ * static_cast<double>(bucket);
    }
    [[nodiscard]] std::size_t bucket_count() const noexcept { return counts_.size(); }
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] std::uint64_t below() const noexcept { return below_; }
    [[nodiscard]] std::uint64_t above() const noexcept { return above_; }
    [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_; }

private:
    double low_;
    double width_;
    double high_;
    double per_width_ = 0;
    std::vector<std::uint64_t> counts_;
    std::uint64_t count_ = 0;
    std::uint64_t below_ = 0;
    std::uint64_t above_ = 0;
    std::uint64_t left_out_ = 0;
};

struct log_histogram_options {
    double low = 1e-6;
    double high = 1e6;
    unsigned bits = 4; ///< b, up to 16; 4 is 16 buckets per doubling, each at most 6.25 % wide
};

/// Counts of positive values in buckets whose width grows with the value: each power of two is cut
/// into 2^b equal parts, so a bucket is at most 2^-b of its values wide (the log-linear scheme of
/// HdrHistogram, Tene 2012). Exact borders, no logarithm: the bucket is the front of the double's
/// bits. Zero and negative values, and those below `low`, are counted below; from `high` on, above.
/// NaN and infinities are left out. 8 bytes for each of about 2^b log2(high / low) buckets,
/// allocated once; mergeable, exactly.
class log_histogram {
public:
    /// Precondition: 2.3e-308 <= low < high, both finite, bits <= 16.
    explicit log_histogram(log_histogram_options const& options)
        : high_{options.high}, shift_{52 - options.bits}, first_{front_of(options.low)},
          counts_(front_of(options.high) - first_ + 1) {
        LIVETAPE_ASSERT(options.low >= 2.3e-308 && detail::is_finite(options.high));
        LIVETAPE_ASSERT(options.low < options.high);
        LIVETAPE_ASSERT(options.bits <= 16);
        low_ = lower_bound(0);
        // A `high` that is a border begins no bucket.
        if (lower_bound(counts_.size() - 1) >= high_) counts_.pop_back();
    }

    void add(double value) noexcept {
        if (!detail::is_finite(value)) [[unlikely]] {
            ++left_out_;
            return;
        }
        ++count_;
        if (value < low_) ++below_;
        else if (value >= high_) ++above_;
        else ++counts_[front_of(value) - first_];
    }

    /// Precondition: same options.
    void merge(log_histogram const& later) noexcept {
        LIVETAPE_ASSERT(first_ == later.first_ && shift_ == later.shift_);
        LIVETAPE_ASSERT(high_ == later.high_);
        for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += later.counts_[i];
        count_ += later.count_;
        below_ += later.below_;
        above_ += later.above_;
        left_out_ += later.left_out_;
    }

    /// The counts of the buckets; valid until the histogram is changed or gone.
    [[nodiscard]] std::span<std::uint64_t const> value() const noexcept { return counts_; }

    /// Where a bucket begins, exactly. The first begins at or just below `low`.
    [[nodiscard]] double lower_bound(std::size_t bucket) const noexcept {
        return std::bit_cast<double>((first_ + bucket) << shift_);
    }
    [[nodiscard]] std::size_t bucket_count() const noexcept { return counts_.size(); }
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] std::uint64_t below() const noexcept { return below_; }
    [[nodiscard]] std::uint64_t above() const noexcept { return above_; }
    [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_; }

private:
    /// Exponent and first bits of the mantissa; grows with the value, for positive ones.
    [[nodiscard]] std::uint64_t front_of(double value) const noexcept {
        return std::bit_cast<std::uint64_t>(value) >> shift_;
    }

    double low_ = 0;
    double high_;
    unsigned shift_;
    std::uint64_t first_; // front of `low`
    std::vector<std::uint64_t> counts_;
    std::uint64_t count_ = 0;
    std::uint64_t below_ = 0;
    std::uint64_t above_ = 0;
    std::uint64_t left_out_ = 0;
};

} // namespace livetape
