#pragma once

#include <livetape/analytics/detail/decay_factor.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/config.hpp>

#include <cstdint>

namespace livetape::detail {

/// exp(-age / time constant), correct to about |age / time constant| ε and 2 ε relative. Remembers
/// the last age, since many streams have a steady beat: then there is no exponential to compute.
class decay {
public:
    /// Precondition: the time constant is positive.
    explicit decay(event_time time_constant) noexcept
        : time_constant_{time_constant}, per_nanosecond_{
                                             -1 / static_cast<double>(time_constant.count())} {
        LIVETAPE_ASSERT(time_constant.count() > 0);
    }

    /// Precondition: `age` is not negative.
    [[nodiscard]] double over(event_time age) noexcept {
        if (age != last_age_) {
            last_age_ = age;
            last_factor_ = factor(age);
        }
        return last_factor_;
    }

    [[nodiscard]] double factor(event_time age) const noexcept {
        return decay_factor(static_cast<double>(age.count()) * per_nanosecond_);
    }

    [[nodiscard]] event_time time_constant() const noexcept { return time_constant_; }

private:
    event_time time_constant_;
    double per_nanosecond_;
    event_time last_age_{0};
    double last_factor_ = 1;
};

/// What decayed sums have in common: sums of values that each weigh exp(-age / time constant), as
/// of the latest time that was seen.
class decayed_sums {
public:
    [[nodiscard]] event_time time() const noexcept { return time_; }
    [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_; }

protected:
    explicit decayed_sums(event_time time_constant) noexcept : decay_{time_constant} {}

    /// What the sums of two weigh when they are added up.
    struct shares {
        double own;
        double other; // 0 if it has nothing
    };

    /// Comes to the later of both times. Precondition: the time constants are the same.
    shares meet(decayed_sums const& other) noexcept {
        LIVETAPE_ASSERT(decay_.time_constant() == other.decay_.time_constant());
        left_out_ += other.left_out_;
        if (!other.has_begun_) return {1, 0};
        if (!has_begun_) {
            has_begun_ = true;
            time_ = other.time_;
        }
        if (other.time_ <= time_) return {1, decay_.factor(time_ - other.time_)};
        double const own = decay_.over(other.time_ - time_);
        time_ = other.time_;
        return {own, 1};
    }

    decay decay_;
    event_time time_{0};
    std::uint64_t left_out_ = 0;
    bool has_begun_ = false;
};

} // namespace livetape::detail
