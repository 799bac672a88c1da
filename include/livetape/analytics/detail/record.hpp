#pragma once

#include <livetape/analytics/diagnostics.hpp>
#include <livetape/analytics/event_time.hpp>

#include <array>
#include <cstddef>
#include <string_view>

namespace livetape::detail {

/// What the operators of a pipeline see of an event, whatever it was read from.
template <std::size_t Numbers>
struct record {
    event_time time{0};
    std::string_view key;
    std::array<double, Numbers> numbers{};
};

/// Why an event could not be read, and which field is to blame.
struct read_failure {
    problem which;
    std::string_view field;
};

} // namespace livetape::detail
