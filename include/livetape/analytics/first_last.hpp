#pragma once

#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/event_time.hpp>

#include <cstdint>

namespace livetape {

namespace detail {

/// The value whose event time is the latest, or the earliest.
template <bool IsLatest>
class value_in_time {
public:
    constexpr void add(event_time time, double value) noexcept {
        if (!is_finite(value)) [[unlikely]] {
            ++left_out_;
            return;
        }
        take(time, value);
    }

    constexpr void merge(value_in_time const& later) noexcept {
        if (is_finite(later.value_)) take(later.time_, later.value_);
        left_out_ += later.left_out_;
    }

    [[nodiscard]] constexpr double value() const noexcept { return value_; }
    [[nodiscard]] constexpr event_time time() const noexcept { return time_; }
    [[nodiscard]] constexpr std::uint64_t left_out() const noexcept { return left_out_; }

private:
    constexpr void take(event_time time, double value) noexcept {
        if (IsLatest ? time < time_ : time >= time_) return;
        time_ = time;
        value_ = value;
    }

    event_time time_ = IsLatest ? event_time::min() : event_time::max();
    double value_ = undefined;
    std::uint64_t left_out_ = 0;
};

} // namespace detail

/// The value with the earliest event time; of several at that time, the one that came first. So an
/// event that is late changes nothing but its place. Exact. NaN and infinities are left out.
/// Empty: NaN. 24 bytes; mergeable in any order but for equal times.
class first : public detail::value_in_time<false> {};

/// The value with the latest event time; of several at that time, the one that came last. Else as
/// `first`.
class last : public detail::value_in_time<true> {};

} // namespace livetape
