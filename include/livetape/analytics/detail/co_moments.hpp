#pragma once

#include <livetape/analytics/detail/numbers.hpp>

namespace livetape::detail {

/// Means and sums of squares and products about them, of pairs, in one pass (Pébay, "Formulas for
/// robust, one-pass parallel computation of covariances and arbitrary-order statistical moments",
/// SAND2008-6212, 2008, section 3).
struct co_moments {
    static constexpr double magnitude_max = 1e145; // see `variance`

    double count = 0;
    double mean_x = 0;
    double mean_y = 0;
    double squares_x = 0; // Σ (x - mean_x)²
    double squares_y = 0;
    double products = 0; // Σ (x - mean_x)(y - mean_y)

    [[nodiscard]] static constexpr bool takes(double value) noexcept {
        return value >= -magnitude_max && value <= magnitude_max;
    }

    constexpr void add(double x, double y) noexcept {
        count += 1;
        double const share = 1 / count;
        double const before_x = x - mean_x;
        double const before_y = y - mean_y;
        mean_x += before_x * share;
        mean_y += before_y * share;
        squares_x += before_x * (x - mean_x);
        squares_y += before_y * (y - mean_y);
        products += before_x * (y - mean_y);
    }

    constexpr void merge(co_moments const& other) noexcept {
        if (other.count == 0) return;
        double const total = count + other.count;
        double const share = other.count / total;
        double const distance_x = other.mean_x - mean_x;
        double const distance_y = other.mean_y - mean_y;
        mean_x += distance_x * share;
        mean_y += distance_y * share;
        squares_x += other.squares_x + square(distance_x) * count * share;
        squares_y += other.squares_y + square(distance_y) * count * share;
        products += other.products + distance_x * distance_y * count * share;
        count = total;
    }
};

} // namespace livetape::detail
