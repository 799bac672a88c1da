#pragma once

#include <cmath>
#include <cstddef>

namespace livetape {

/// Says once what is news: after a surprise, another one counts only if it clearly exceeds the
/// first, which is forgotten evenly over a while.
///
///     level(n) = last (1 - n / length),    n values after the last surprise that counted
///
/// A surprise counts if it exceeds (1 + margin) level; it is then the last. So an anomaly that goes
/// on is reported at its onset and when it gets much worse, whatever threshold is applied
/// afterwards, and one threshold need not be known here. This is the refractory period of neurons
/// and of seizure detectors, made relative. Memory: 32 bytes. Time: O(1).
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class alarm_cooldown {
public:
    struct options {
        /// After how many values a surprise is forgotten. 0 turns the cool-down off.
        std::size_t length = 400;
        /// By which share a later surprise must exceed what is left of the last.
        double margin = 0.1;
    };

    alarm_cooldown() noexcept : alarm_cooldown(options{}) {}
    explicit alarm_cooldown(options const& chosen) noexcept : options_{chosen} {}

    /// @param surprise  0 for what is expected, larger for what is less so
    /// @return the surprise if it is news, else 0
    double add(double surprise) noexcept {
        double level = 0;
        if (remaining_ > 0) {
            --remaining_;
            level = last_ * static_cast<double>(remaining_) / static_cast<double>(options_.length);
        }
        if (!(surprise > level * (1 + options_.margin))) return 0;
        last_ = surprise;
        remaining_ = options_.length;
        return surprise;
    }

private:
    options options_;
    double last_ = 0;
    std::size_t remaining_ = 0;
};

} // namespace livetape
