#pragma once

#include <livetape/analytics/detail/paned_window.hpp>

#include <utility>

namespace livetape {

/// Windows of one length, one after the other, over event time: each event lies in one of them.
///
///     tumbling_window<mean> load{1s};
///     if (auto closed = load.add(sample.time, sample.value)) publish(*closed);
///
/// A window closes when an event comes that lies `watermark_delay` behind its end or later; with a
/// delay, with corrections or with empty windows one event can close several:
///
///     for (auto closed = load.add(time, value); closed; closed = load.next()) publish(*closed);
///
/// Adds no error to that of the accumulator. Memory: one accumulator per open or correctable window
/// that has events. Watermark and lateness are those of Akidau et al. ("The dataflow model", VLDB
/// 2015). Two windows of one kind fed with parts of a stream merge result by result. Thread safety:
/// distinct objects safe; shared objects unsafe.
template <accumulator Accumulator>
class tumbling_window : public detail::paned_window<Accumulator> {
public:
    /// Preconditions: 0 < length, and no duration is over `event_time_limit` / 4.
    /// @param empty  what each window starts with, for accumulators with options
    explicit tumbling_window(event_time length, window_options const& options = {},
                             Accumulator empty = Accumulator{})
        : detail::paned_window<Accumulator>{length, length, options, std::move(empty)} {}
};

} // namespace livetape
