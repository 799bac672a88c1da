#pragma once

#include <livetape/analytics/json_object.hpp>

#include <chrono>

namespace dashboard {

/// Milliseconds since the Unix epoch, as every payload carries them under `t`.
[[nodiscard]] inline double wall_clock_milliseconds() {
    using milliseconds = std::chrono::duration<double, std::milli>;
    return milliseconds{std::chrono::system_clock::now().time_since_epoch()}.count();
}

/// Begins the JSON object that is published: `{"t":1700000000000.1,…`. The time of publishing is
/// always in it, so that a page can tell how old what it shows is.
[[nodiscard]] inline livetape::json_object payload() {
    livetape::json_object begun;
    begun.rounded("t", wall_clock_milliseconds(), 1);
    return begun;
}

/// Prices have nine significant digits: enough for any, and none that rounding made up.
inline constexpr int price_digits = 9;

} // namespace dashboard
