#pragma once

#include <livetape/analytics/event_time.hpp>

#include <cstdint>
#include <string>

namespace trends {

/// Something that somebody wrote.
struct post {
    livetape::event_time time{}; ///< since the beginning of the stream
    std::string author;
    std::uint64_t followers = 0; ///< of the author: how far a post reaches
    std::string text;            ///< UTF-8
};

} // namespace trends
