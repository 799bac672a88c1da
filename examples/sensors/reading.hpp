#pragma once

#include <livetape/analytics/event_time.hpp>

#include <functional>
#include <optional>
#include <string>

namespace sensors {

/// What a sensor said once.
struct reading {
    std::string sensor;
    livetape::event_time time{}; ///< since the Unix epoch
    double value = 0;
};

/// Each call gives the next reading; nothing when there is none yet, or no more.
using reading_source = std::function<std::optional<reading>()>;

} // namespace sensors
