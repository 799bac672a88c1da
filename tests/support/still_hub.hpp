#pragma once

#include <livetape/channel/hub.hpp>

#include <string>
#include <vector>

/// A hub whose clock stands still: what comes out of analytics may not depend on it.
struct still_hub : livetape::hub {
    still_hub()
        : hub{{.log_bytes_max = 16u << 20},
              {.seed = 1, .now = [] { return livetape::time_point{}; }}} {}
};

/// What a channel has, as `key: payload`.
inline std::vector<std::string> lines_of(livetape::channel const& from) {
    std::vector<std::string> lines;
    for (auto const& event : from.read(0, {.events_max = 1'000'000}))
        lines.push_back(std::string{event.key} + ": " + std::string{event.payload});
    return lines;
}
