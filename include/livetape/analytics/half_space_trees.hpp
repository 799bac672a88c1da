#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace livetape {

/// How isolated a point lies from the recent ones, for points of a few dimensions: half-space trees
/// (Tan, Ting and Liu, "Fast anomaly detection for streaming data", IJCAI 2011).
///
/// Each tree halves a random work range again and again, along random dimensions, without looking
/// at the data, and counts in each node how many points of the reference window fell there: mass r.
/// While a window passes its points are scored by the masses of the window before and counted for
/// the next.
///
///     density = mean over trees of r 2^depth / ψ,    isolation = 1 / (1 + density)
///
/// at the first node with r <= ψ/10, or a leaf: about 1/2 where points are spread evenly over the
/// work range, towards 1 where there were none, towards 0 in a cluster. For a calibrated score
/// rank it with `tail_probability`.
///
/// Coordinates are meant to lie within 0 to 1; `squash` maps any number there. NaN counts as 1/2.
/// The trees depend on the seed alone. Memory: trees 2^(depth + 1) 16 bytes, by default 200 KiB.
/// Time: O(trees depth).
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class half_space_trees {
public:
    struct options {
        /// How many coordinates a point has. Precondition: 1 to 256.
        std::size_t dimensions = 1;
        /// The paper's choice; the error of the mean falls with its root.
        std::size_t trees = 25;
        /// How often a range is halved. Finer than the masses of a window of 250 can tell is no
        /// use.
        std::size_t depth = 8;
        /// ψ, how many points make a window. The paper's choice.
        std::size_t window = 250;
        std::uint64_t seed = 1;
    };

    explicit half_space_trees(options const& chosen)
        : options_{chosen}, node_count_{(std::size_t{2} << chosen.depth) - 1},
          nodes_(chosen.trees * node_count_) {
        std::uint64_t state = chosen.seed;
        std::vector<range> ranges(chosen.dimensions);
        for (std::size_t tree = 0; tree < chosen.trees; ++tree) {
            for (auto& each : ranges) {
                double const center = next_uniform(state);
                double const reach = 2 * std::fmax(center, 1 - center);
                each = {center - reach, center + reach};
            }
            build(tree * node_count_, 0, 0, ranges, state);
        }
    }

    /// Scores a point, then counts it.
    /// @param point  one number per dimension
    /// @return 0 to 1; 0 during the first window, of which nothing is known
    double add(std::span<double const> point) noexcept {
        double density = 0;
        double const few = static_cast<double>(options_.window) / 10;
        for (std::size_t tree = 0; tree < options_.trees; ++tree) {
            std::size_t at = 0;
            double scale = 1;
            bool is_scored = false;
            for (std::size_t level = 0;; ++level, scale *= 2) {
                node& here = nodes_[tree * node_count_ + at];
                ++here.latest;
                if (!is_scored && (here.reference <= few || level == options_.depth)) {
                    density += here.reference * scale;
                    is_scored = true;
                }
                if (level == options_.depth) break;
                double const x = point[here.dimension];
                at = 2 * at + ((std::isnan(x) ? 0.5 : x) < here.split ? 1 : 2);
            }
        }
        double const isolation =
            has_reference_
                ? 1 / (1 + density / static_cast<double>(options_.trees * options_.window))
                : 0;
        if (++count_ == options_.window) turn();
        return isolation;
    }

    /// Maps a number to 0 to 1, `center` to 1/2 and a `scale` above it to 3/4.
    [[nodiscard]] static double squash(double value, double center, double scale) noexcept {
        double const z = (value - center) / scale;
        return 0.5 + 0.5 * z / (1 + std::fabs(z));
    }

private:
    struct node {
        float split = 0;
        std::uint32_t dimension = 0;
        std::uint32_t reference = 0; // mass of the last whole window
        std::uint32_t latest = 0;    // of the one that passes
    };
    struct range {
        double low;
        double high;
    };

    /// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    static std::uint64_t next(std::uint64_t& state) noexcept {
        std::uint64_t z = state += 0x9e3779b97f4a7c15U;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31);
    }
    static double next_uniform(std::uint64_t& state) noexcept {
        return static_cast<double>(next(state) >> 11) * 0x1p-53;
    }

    void build(std::size_t tree, std::size_t at, std::size_t level, std::vector<range>& ranges,
               std::uint64_t& state) {
        if (level == options_.depth) return;
        auto const dimension = static_cast<std::size_t>(next(state) % options_.dimensions);
        range const whole = ranges[dimension];
        double const middle = (whole.low + whole.high) / 2;
        nodes_[tree + at].split = static_cast<float>(middle);
        nodes_[tree + at].dimension = static_cast<std::uint32_t>(dimension);
        ranges[dimension] = {whole.low, middle};
        build(tree, 2 * at + 1, level + 1, ranges, state);
        ranges[dimension] = {middle, whole.high};
        build(tree, 2 * at + 2, level + 1, ranges, state);
        ranges[dimension] = whole;
    }

    /// The window that has passed becomes the reference.
    void turn() noexcept {
        for (auto& each : nodes_) {
            each.reference = each.latest;
            each.latest = 0;
        }
        count_ = 0;
        has_reference_ = true;
    }

    options options_;
    std::size_t node_count_; // of one tree; its children of i are 2 i + 1 and 2 i + 2
    std::vector<node> nodes_;
    std::size_t count_ = 0;
    bool has_reference_ = false;
};

} // namespace livetape
