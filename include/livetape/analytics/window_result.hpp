#pragma once

#include <livetape/analytics/accumulator.hpp>
#include <livetape/analytics/event_time.hpp>

#include <cstdint>

namespace livetape {

/// What a window came to.
template <accumulator Accumulator>
struct window_result {
    event_time begin; ///< of the window, which holds begin <= time < end
    event_time end;
    Accumulator total;           ///< of its events; merges with that of the same window elsewhere
    std::uint64_t late = 0;      ///< events among them that were late: see `window_counters`
    bool is_provisional = false; ///< the window is still open
    bool is_correction = false;  ///< replaces the earlier results that lie within its bounds

    [[nodiscard]] decltype(auto) value() const { return total.value(); }
};

/// What became of the events that a window operator was given and that were not simply added.
struct window_counters {
    std::uint64_t late = 0;          ///< came when a window that they belong to had closed
    std::uint64_t dropped = 0;       ///< of those, found none that could still take them
    std::uint64_t left_out = 0;      ///< had a time or a number that the operator cannot take
    std::uint64_t forced = 0;        ///< panes or sessions given up early, because of a limit
    std::uint64_t empty_skipped = 0; ///< empty windows not reported, because of `empty_run_max`
};

} // namespace livetape
