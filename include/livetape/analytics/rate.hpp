#pragma once

#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/event_time.hpp>

#include <algorithm>
#include <cstdint>

namespace livetape {

/// How often something happens, per second: events, or the sum of what each adds (bytes, shares).
///
/// In a window, Σ w_i / length: a window tells its bounds (`cover`). Running, without bounds, it is
/// (Σ w_i - w_first) / (t_last - t_first), because n events enclose n - 1 intervals; NaN as long as
/// all happened at one time. Compensated sum: correct to a bit or two. Amounts that are not finite
/// are left out. Events may come in any order. 72 bytes; mergeable.
class rate {
public:
    /// One event.
    constexpr void add(event_time time) noexcept { add(time, 1); }

    /// An event that counts `amount`.
    constexpr void add(event_time time, double amount) noexcept {
        if (!detail::is_finite(amount)) [[unlikely]] {
            ++left_out_;
            return;
        }
        if (time < first_) {
            first_ = time;
            first_amount_ = amount;
        }
        last_ = std::max(last_, time);
        amount_.add(amount);
    }

    /// States the span that the events so far and to come lie in, from `begin` to before `end`.
    constexpr void cover(event_time begin, event_time end) noexcept {
        begin_ = std::min(begin_, begin);
        end_ = std::max(end_, end);
    }

    constexpr void merge(rate const& later) noexcept {
        if (later.first_ < first_) {
            first_ = later.first_;
            first_amount_ = later.first_amount_;
        }
        last_ = std::max(last_, later.last_);
        begin_ = std::min(begin_, later.begin_);
        end_ = std::max(end_, later.end_);
        amount_.add(later.amount_);
        left_out_ += later.left_out_;
    }

    [[nodiscard]] constexpr double value() const noexcept {
        if (begin_ < end_) return amount_.value() / to_seconds(end_ - begin_);
        if (first_ >= last_) return detail::undefined;
        return (amount_.value() - first_amount_) / to_seconds(last_ - first_);
    }
    [[nodiscard]] constexpr double amount() const noexcept { return amount_.value(); }
    [[nodiscard]] constexpr std::uint64_t left_out() const noexcept { return left_out_; }

private:
    detail::compensated_sum amount_;
    double first_amount_ = 0;
    event_time first_ = event_time::max();
    event_time last_ = event_time::min();
    event_time begin_ = event_time::max(); // of the span, once it is known
    event_time end_ = event_time::min();
    std::uint64_t left_out_ = 0;
};

} // namespace livetape
