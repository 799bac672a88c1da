#pragma once

#include <livetape/analytics/detail/numbers.hpp>

#include <cstdint>

namespace livetape {

/// The sum of all values, compensated: Σ x_i with an error of at most
/// ε |Σ x_i| + 2 n² ε² Σ |x_i|, ε = 2^-53, which for up to some 10^7 values means correct to the
/// last bit or two (Ogita, Rump and Oishi, "Accurate sum and dot product", SIAM J. Sci. Comput. 26,
/// 2005, proposition 4.5; the algorithm is Neumaier's, ZAMM 54, 1974).
///
/// NaN and infinities are left out. A sum beyond 1.8e308 becomes infinite and stays so. Empty: 0.
/// 32 bytes; mergeable with the same bound.
class sum {
public:
    constexpr void add(double value) noexcept {
        if (!detail::is_finite(value)) [[unlikely]] {
            ++left_out_;
            return;
        }
        sum_.add(value);
        ++count_;
    }

    constexpr void merge(sum const& later) noexcept {
        sum_.add(later.sum_);
        count_ += later.count_;
        left_out_ += later.left_out_;
    }

    [[nodiscard]] constexpr double value() const noexcept { return sum_.value(); }
    [[nodiscard]] constexpr std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] constexpr std::uint64_t left_out() const noexcept { return left_out_; }

private:
    detail::compensated_sum sum_;
    std::uint64_t count_ = 0;
    std::uint64_t left_out_ = 0;
};

} // namespace livetape
