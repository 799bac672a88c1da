#pragma once

#include <array>
#include <cmath>
#include <cstddef>

namespace livetape {

/// How rare a magnitude is among those seen before: the probability that one of them is as large.
///
///     p(x) = (Σ w_i [x_i >= x] + 1) / (Σ w_i + 1)
///
/// the rank of conformal prediction (Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random
/// World", 2005, section 2.2; the count within the bin of x is interpolated, at least half of it),
/// with weights w_i that halve every 0.69 `memory` values, so that a stream may change its nature.
/// Beyond the largest magnitude seen a rank says nothing more; there p goes on as a power law, with
/// the index that Hill ("A simple general approach to inference about the tail of a distribution",
/// Annals of Statistics 3, 1975) estimates from the top of what was seen:
///
///     p(x) = p(max) (x / max)^(-1/γ),    γ = mean of ln(x_i / threshold) over the top
///
/// but no farther than (n + 1)^-2: n values cannot vouch for more.
///
/// Under exchangeable magnitudes p is uniform, up to the width of a bin: values are counted in bins
/// of an eighth of an octave, ratio 1.09, from 2^-64 to 2^64; magnitudes outside count in the
/// outermost bins. Zero has no bin: p(0) = 1. Memory: 4.6 KiB. Time: O(1), at most some 140
/// additions, and about 1,000 for a magnitude beyond all seen.
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class tail_probability {
public:
    struct options {
        /// For how many values a magnitude is remembered. Precondition: at least 1.
        double memory = 5000;
        /// The share of the weight that the power law is fitted to, at least `tail_weight_min`.
        double tail_share = 0.01;
        double tail_weight_min = 10;
        /// The least γ, as the tail of a bounded magnitude has none and would be overtaken by
        /// anything.
        double tail_index_min = 0.1;
    };

    tail_probability() noexcept : tail_probability(options{}) {}
    explicit tail_probability(options const& chosen) noexcept
        : options_{chosen}, growth_{static_cast<float>(1 + 1 / chosen.memory)} {}

    /// Remembers a magnitude. NaN is left out; a negative one counts as zero.
    void add(double magnitude) noexcept {
        if (std::isnan(magnitude)) return;
        total_ += increment_;
        if (magnitude > 0) {
            auto const bin = bin_of(position_of(magnitude));
            bins_[bin] += increment_;
            octaves_[bin / bins_per_octave] += increment_;
        }
        // Older weights do not shrink, newer ones grow: O(1) instead of O(bins) per value.
        increment_ *= growth_;
        if (increment_ > rescale_above) rescale();
    }

    /// The negative decimal logarithm of p: 0 for what is always seen, 3 for one in a thousand. It
    /// is 0 for NaN and before the first value, when nothing can be said.
    [[nodiscard]] double surprise(double magnitude) const noexcept {
        if (!(magnitude > 0) || total_ <= 0) return 0;
        double const position = position_of(magnitude);
        auto const bin = bin_of(position);
        double above = 0;
        for (std::size_t octave = octave_count - 1; octave > bin / bins_per_octave; --octave)
            above += octaves_[octave];
        for (std::size_t i = bin | (bins_per_octave - 1); i > bin; --i) above += bins_[i];
        double const share = std::fmin(std::fmax(position - static_cast<double>(bin), 0), 1);
        // Half a bin at least: in streams of few values the bin may hold nothing but ties.
        double const within = bins_[bin] * std::fmax(1 - share, 0.5);
        double const rank = -std::log10(((above + within) / increment_ + 1) / (weight() + 1));
        if (above > 0) return rank;
        return std::fmin(rank + excess(position), 2 * std::log10(weight() + 1));
    }

    /// p(x), 0 to 1.
    [[nodiscard]] double probability(double magnitude) const noexcept {
        return std::pow(10.0, -surprise(magnitude));
    }

    /// The weight of all that was seen: the number of values at first, towards `memory`.
    [[nodiscard]] double weight() const noexcept { return total_ / increment_; }

private:
    static constexpr std::size_t bins_per_octave = 8;
    static constexpr std::size_t octave_count = 128;
    static constexpr std::size_t bin_count = bins_per_octave * octave_count;
    static constexpr double middle = bin_count / 2.0;
    // Far below the 2^24 at which a float ceases to see its smallest addend.
    static constexpr float rescale_above = 1000;

    /// Where a magnitude lies on the logarithmic scale, in bins.
    [[nodiscard]] static double position_of(double magnitude) noexcept {
        return std::log2(magnitude) * bins_per_octave + middle;
    }
    [[nodiscard]] static std::size_t bin_of(double position) noexcept {
        return static_cast<std::size_t>(
            std::fmin(std::fmax(position, 0), static_cast<double>(bin_count - 1)));
    }

    /// What the power law adds to the surprise of something beyond the largest bin in use.
    [[nodiscard]] double excess(double position) const noexcept {
        double const wanted =
            std::fmax(options_.tail_weight_min, options_.tail_share * weight()) * increment_;
        double weight = 0;
        double sum = 0; // of positions
        double largest = -1;
        std::size_t lowest = 0;
        for (std::size_t octave = octave_count; octave-- > 0 && weight < wanted;) {
            if (octaves_[octave] <= 0) continue;
            for (std::size_t i = bins_per_octave; i-- > 0 && weight < wanted;) {
                auto const bin = octave * bins_per_octave + i;
                if (bins_[bin] <= 0) continue;
                if (largest < 0) largest = static_cast<double>(bin + 1);
                weight += bins_[bin];
                sum += bins_[bin] * (static_cast<double>(bin) + 0.5);
                lowest = bin;
            }
        }
        if (largest < 0 || position <= largest) return 0;
        double const bins_per_e = bins_per_octave / ln2;
        double const index = std::fmax((sum / weight - static_cast<double>(lowest)) / bins_per_e,
                                       options_.tail_index_min);
        return (position - largest) / bins_per_e / index / ln10;
    }

    void rescale() noexcept {
        for (auto& bin : bins_) bin /= increment_;
        for (auto& octave : octaves_) octave /= increment_;
        total_ /= increment_;
        increment_ = 1;
    }

    static constexpr double ln2 = 0.693147180559945309;
    static constexpr double ln10 = 2.302585092994045684;

    options options_;
    float growth_;
    float increment_ = 1; // the weight of the next value
    double total_ = 0;
    std::array<float, bin_count> bins_{};
    std::array<float, octave_count> octaves_{};
};

} // namespace livetape
