#pragma once

#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/sum.hpp>

#include <cstdint>

namespace livetape {

/// The arithmetic mean, Σ x_i / n, of a compensated sum: the error of `sum` and one rounding, so it
/// does not grow with n as that of an incremental mean does.
///
/// NaN and infinities are left out; infinite if the sum exceeds 1.8e308. Empty: NaN.
/// 32 bytes; mergeable.
class mean {
public:
    constexpr void add(double value) noexcept { sum_.add(value); }
    constexpr void merge(mean const& later) noexcept { sum_.merge(later.sum_); }

    [[nodiscard]] constexpr double value() const noexcept {
        return count() == 0 ? detail::undefined : sum_.value() / static_cast<double>(count());
    }
    [[nodiscard]] constexpr std::uint64_t count() const noexcept { return sum_.count(); }
    [[nodiscard]] constexpr std::uint64_t left_out() const noexcept { return sum_.left_out(); }

private:
    sum sum_;
};

} // namespace livetape
