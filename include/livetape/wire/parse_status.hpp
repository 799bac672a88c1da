#pragma once

#include <cstdint>

namespace livetape {

/// What an incremental parser says after it was fed. Wanting more input is a status, not an error.
enum class parse_status : std::uint8_t {
    need_more, ///< all input was taken and the unit is not complete
    done,      ///< one unit is complete; what follows it was left in the input
    failed,    ///< the input is refused; the parser says why and ignores what comes later
};

} // namespace livetape
