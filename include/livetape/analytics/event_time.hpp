#pragma once

#include <livetape/time.hpp>

#include <chrono>
#include <cstdint>
#include <optional>

namespace livetape {

/// When something happened, in nanoseconds since an epoch that the source of the data chooses: the
/// Unix epoch for files and feeds, the clock's own for `time_point`. One stream has one epoch.
///
/// It is a plain duration, so that seconds and milliseconds convert by themselves, and it has
/// nothing to do with the time at which the program runs: a day that is replayed in a second gives
/// what living through it gave. Times in use lie within `event_time_limit` of the epoch.
using event_time = std::chrono::nanoseconds;

/// 2^61 ns, 73 years before and after the epoch. Sums of a time, a window and a lateness that each
/// lie within it fit 64 bits. Pipelines and operators with windows leave out and count what lies
/// beyond; for operators that are used alone it is a precondition.
inline constexpr event_time event_time_limit{std::int64_t{1} << 61};

[[nodiscard]] constexpr bool is_event_time(event_time time) noexcept {
    return time >= -event_time_limit && time <= event_time_limit;
}

/// The time of a channel's event, or of anything on the library's clock, as an event time.
[[nodiscard]] constexpr event_time to_event_time(time_point time) noexcept {
    return std::chrono::duration_cast<event_time>(time.time_since_epoch());
}

/// Seconds since the epoch with a fraction, as data files have them. A double holds the seconds of
/// the Unix epoch to about 0.2 µs; the result is rounded to the nearest nanosecond.
/// @return nothing for NaN, infinities and times beyond `event_time_limit`
[[nodiscard]] constexpr std::optional<event_time> seconds_to_event_time(double seconds) noexcept {
    constexpr double limit = static_cast<double>(event_time_limit.count());
    double const nanoseconds = seconds * 1e9;
    if (!(nanoseconds >= -limit && nanoseconds <= limit)) return std::nullopt;
    double const half = nanoseconds < 0 ? -0.5 : 0.5;
    return event_time{static_cast<std::int64_t>(nanoseconds + half)};
}

/// A span as seconds; the error is 2^-53 of it.
[[nodiscard]] constexpr double to_seconds(event_time span) noexcept {
    return static_cast<double>(span.count()) * 1e-9;
}

} // namespace livetape
