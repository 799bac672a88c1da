#pragma once

#include <livetape/time.hpp>

#include <chrono>

namespace livetape::simulation {

/// The clock of the simulation. It is a variable of the program because a hub asks a function.
inline time_point virtual_now{std::chrono::hours{1}};
inline time_point read_virtual_now() { return virtual_now; }

} // namespace livetape::simulation
