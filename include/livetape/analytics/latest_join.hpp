#pragma once

#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/event_time.hpp>

#include <cstdint>
#include <optional>

namespace livetape {

/// left - right: a spread.
struct difference {
    [[nodiscard]] constexpr double operator()(double left, double right) const noexcept {
        return left - right;
    }
};

/// left / right; NaN if right is 0.
struct ratio {
    [[nodiscard]] constexpr double operator()(double left, double right) const noexcept {
        return right == 0 ? detail::undefined : left / right;
    }
};

/// left × right: profit and loss from position and price.
struct product {
    [[nodiscard]] constexpr double operator()(double left, double right) const noexcept {
        return left * right;
    }
};

/// Two numbers that were valid at the same time.
struct number_pair {
    double left;
    double right;
};

/// Both numbers as they are, for operators that take pairs, such as `covariance`.
struct paired {
    [[nodiscard]] constexpr number_pair operator()(double left, double right) const noexcept {
        return {left, right};
    }
};

/// Joins two streams by what each said last: as soon as both sides are known, every update of one
/// is combined with the newest value of the other, `operation(left, right)`. The last value of a
/// side is the one with the latest event time; one that comes after a later one changes nothing and
/// is counted. One join per key: `group_by<latest_join<difference>>`.
///
/// The join of Arasu, Babu and Widom ("The CQL continuous query language", VLDB Journal 15, 2006)
/// with a window of one row per side. Exact; 72 bytes. Not mergeable: what belongs together must
/// meet in one place. Values that are not finite are left out and counted.
template <class Operation>
class latest_join {
public:
    using result = decltype(Operation{}(0.0, 0.0));

    /// @param age_max  a side whose value is older than this at the time of the other's update does
    ///                 not join; 0 means that it never ages
    explicit constexpr latest_join(event_time age_max = event_time{0}, Operation operation = {})
        : age_max_{age_max}, operation_{operation} {}

    /// @return the combination, unless the other side is unknown or too old, or this value is late
    constexpr std::optional<result> add_left(event_time time, double value) noexcept {
        return add(left_, time, value);
    }
    constexpr std::optional<result> add_right(event_time time, double value) noexcept {
        return add(right_, time, value);
    }

    /// The newest combination; nothing as long as a side is unknown or too old.
    [[nodiscard]] constexpr std::optional<result> value() const noexcept {
        if (!left_.is_known || !right_.is_known) return std::nullopt;
        auto const apart =
            left_.time < right_.time ? right_.time - left_.time : left_.time - right_.time;
        if (age_max_.count() > 0 && apart > age_max_) return std::nullopt;
        return operation_(left_.value, right_.value);
    }

    [[nodiscard]] constexpr std::uint64_t left_out() const noexcept { return left_out_; }
    [[nodiscard]] constexpr std::uint64_t late() const noexcept { return late_; }

private:
    struct side {
        event_time time{0};
        double value = 0;
        bool is_known = false;
    };

    constexpr std::optional<result> add(side& own, event_time time, double value) noexcept {
        if (!detail::is_finite(value)) {
            ++left_out_;
            return std::nullopt;
        }
        if (own.is_known && time < own.time) {
            ++late_;
            return std::nullopt;
        }
        own = {time, value, true};
        return this->value();
    }

    event_time age_max_;
    side left_;
    side right_;
    std::uint64_t left_out_ = 0;
    std::uint64_t late_ = 0;
    [[no_unique_address]] Operation operation_;
};

} // namespace livetape
