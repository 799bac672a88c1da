#pragma once

#include <livetape/analytics/detail/paned_window.hpp>

#include <utility>

namespace livetape {

/// Windows of one length, of which a new one begins every `hop`: each event lies in length / hop of
/// them. `hopping_window<mean> load{1min, 1s}` says every second what the last minute was.
///
/// Each event is added once, to a pane of one hop; a window that closes merges its panes (Li et
/// al., "No pane, no gain", SIGMOD Record 34, 2005). The first window ends with the hop of the
/// first event. Adds no error to that of the accumulator. Memory: an accumulator per pane with
/// events, of (length + watermark delay + allowed lateness) / hop + 2. Else as `tumbling_window`.
template <accumulator Accumulator>
class hopping_window : public detail::paned_window<Accumulator> {
public:
    /// Preconditions: 0 < hop, length is a multiple of hop, and no duration is over
    /// `event_time_limit` / 4.
    hopping_window(event_time length, event_time hop, window_options const& options = {},
                   Accumulator empty = Accumulator{})
        : detail::paned_window<Accumulator>{length, hop, options, std::move(empty)} {}
};

} // namespace livetape
