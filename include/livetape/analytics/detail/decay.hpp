#pragma once

#include <livetape/analytics/detail/decay_factor.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/config.hpp>

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

} // namespace livetape::detail
