#pragma once

#include <cstdint>

namespace livetape {

/// When a branch of a pipeline says what it has found.
enum class emission : std::uint8_t {
    at_close,  ///< each window once, when it has closed, and its corrections
    on_update, ///< besides, after each event: the open window of its key, or the detector's score
    on_tick,   ///< besides, what changed since, whenever the host says `tick`
};

} // namespace livetape
