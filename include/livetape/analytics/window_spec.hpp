#pragma once

#include <livetape/analytics/accumulator.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/hopping_window.hpp>
#include <livetape/analytics/running_window.hpp>
#include <livetape/analytics/session_window.hpp>
#include <livetape/analytics/sliding_window.hpp>
#include <livetape/analytics/tumbling_window.hpp>

#include <utility>

namespace livetape {

/// The windows of a pipeline, each made of an accumulator once that is known:
/// `.window(tumbling{1s}).apply<ohlc>()`. Preconditions as for the windows themselves.
struct tumbling {
    event_time length;
    window_options options{};

    template <accumulator Accumulator>
    [[nodiscard]] tumbling_window<Accumulator> make(Accumulator empty) const {
        return tumbling_window<Accumulator>{length, options, std::move(empty)};
    }
    /// How far the watermark must go for a window to close.
    [[nodiscard]] event_time step() const noexcept { return length; }
    [[nodiscard]] event_time watermark_delay() const noexcept { return options.watermark_delay; }
};

struct hopping {
    event_time length;
    event_time hop;
    window_options options{};

    template <accumulator Accumulator>
    [[nodiscard]] hopping_window<Accumulator> make(Accumulator empty) const {
        return hopping_window<Accumulator>{length, hop, options, std::move(empty)};
    }
    [[nodiscard]] event_time step() const noexcept { return hop; }
    [[nodiscard]] event_time watermark_delay() const noexcept { return options.watermark_delay; }
};

struct sessions {
    event_time gap;
    session_options options{};

    template <accumulator Accumulator>
    [[nodiscard]] session_window<Accumulator> make(Accumulator empty) const {
        return session_window<Accumulator>{gap, options, std::move(empty)};
    }
    [[nodiscard]] event_time step() const noexcept { return gap; }
    [[nodiscard]] event_time watermark_delay() const noexcept { return options.watermark_delay; }
};

/// All since the beginning, said at every full `every` of event time; 0: only when asked to by the
/// emission.
struct running {
    event_time every{0};

    template <accumulator Accumulator>
    [[nodiscard]] running_window<Accumulator> make(Accumulator empty) const {
        return running_window<Accumulator>{every, std::move(empty)};
    }
    [[nodiscard]] event_time step() const noexcept {
        return every.count() > 0 ? every : event_time_limit;
    }
    [[nodiscard]] event_time watermark_delay() const noexcept { return event_time{0}; }
};

struct sliding {
    event_time length;
    sliding_options options{};

    template <accumulator Accumulator>
    [[nodiscard]] sliding_window<Accumulator> make(Accumulator empty) const {
        return sliding_window<Accumulator>{length, options, std::move(empty)};
    }
};

namespace detail {

/// A window that ends, as opposed to one that slides.
template <class Window>
concept closes = requires(Window window, event_time time) {
    window.advance(time)->is_correction;
};

} // namespace detail

} // namespace livetape
