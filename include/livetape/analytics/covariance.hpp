#pragma once

#include <livetape/analytics/detail/co_moments.hpp>
#include <livetape/analytics/detail/numbers.hpp>

#include <cmath>
#include <cstdint>

namespace livetape {

/// The sample covariance of pairs, Σ (x_i - x̄)(y_i - ȳ) / (n - 1), and their correlation, in one
/// pass (Pébay, SAND2008-6212, 2008). Pairs of two keys of a stream come from `latest_join`.
///
/// Error: about n ε κ_x κ_y of σ_x σ_y, in practice some ε κ_x κ_y; κ as in `variance`. A pair with
/// a number that is not finite or over 1e145 is left out. NaN for fewer than two pairs. 56 bytes;
/// mergeable.
class covariance {
public:
    constexpr void add(double x, double y) noexcept {
        if (detail::co_moments::takes(x) && detail::co_moments::takes(y)) [[likely]]
            moments_.add(x, y);
        else ++left_out_;
    }

    constexpr void merge(covariance const& later) noexcept {
        moments_.merge(later.moments_);
        left_out_ += later.left_out_;
    }

    [[nodiscard]] constexpr double value() const noexcept {
        return moments_.count < 2 ? detail::undefined : moments_.products / (moments_.count - 1);
    }

    /// Pearson's r, in [-1, 1]; NaN if one side is constant or there are fewer than two pairs.
    [[nodiscard]] double correlation() const noexcept {
        if (!(moments_.squares_x > 0 && moments_.squares_y > 0)) return detail::undefined;
        // Two roots, because the product of the squares may leave the range of a double.
        double const r =
            moments_.products / std::sqrt(moments_.squares_x) / std::sqrt(moments_.squares_y);
        return r > 1 ? 1 : r < -1 ? -1 : r;
    }

    [[nodiscard]] constexpr std::uint64_t count() const noexcept {
        return static_cast<std::uint64_t>(moments_.count);
    }
    [[nodiscard]] constexpr std::uint64_t left_out() const noexcept { return left_out_; }

private:
    detail::co_moments moments_;
    std::uint64_t left_out_ = 0;
};

/// `covariance` whose value is the correlation.
class correlation : public covariance {
public:
    constexpr void merge(correlation const& later) noexcept { covariance::merge(later); }
    [[nodiscard]] double value() const noexcept { return covariance::correlation(); }
};

} // namespace livetape
