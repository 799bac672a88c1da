#pragma once

// Clocks and durations alone, where the standard library keeps them apart: since C++20 all of
// <chrono>, with calendars, time zones and their text, costs every file 0.3 s more. libstdc++'s own
// <mutex> and <thread> take them from here as well.
#if __has_include(<bits/chrono.h>)
#include <bits/chrono.h>
#else
#include <chrono>
#endif

namespace livetape {

/// The clock of every deadline and publish time in the library: monotonic, so that a changed wall
/// clock neither expires an event nor closes a connection.
using clock = std::chrono::steady_clock;
using time_point = clock::time_point;

/// Where a component asks for the time; a simulation passes its own.
using time_source = time_point (*)();

/// The latest time there is: "no need to wake me" and "nothing waits".
inline constexpr time_point never = time_point::max();

} // namespace livetape
