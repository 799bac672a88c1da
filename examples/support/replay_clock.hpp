#pragma once

#include <livetape/analytics/event_time.hpp>

#include <chrono>
#include <optional>

namespace examples {

/// Lets the time of a recording pass at some speed: what happened when the recording began is now.
class replay_clock {
public:
    /// @param speed  seconds of the recording in one second; above 0
    explicit replay_clock(double speed) : speed_{speed} {}

    /// Whether the recording has come to a time. The first one asked about is its beginning.
    [[nodiscard]] bool has_come(livetape::event_time time) {
        auto const now = std::chrono::steady_clock::now();
        if (!began_) began_ = {time, now};
        std::chrono::duration<double> const passed = now - began_->in_world;
        return livetape::to_seconds(time - began_->in_recording) <= passed.count() * speed_;
    }

private:
    struct beginning {
        livetape::event_time in_recording;
        std::chrono::steady_clock::time_point in_world;
    };

    double speed_;
    std::optional<beginning> began_;
};

} // namespace examples
