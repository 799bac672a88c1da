#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace livetape {

/// Which events of a channel's log a client asks for; offsets are included. With `from` and without
/// `is_reversed` a limit takes the oldest events of the range, else the newest.
struct history_query {
    std::optional<std::uint64_t> from{}; ///< nothing: the oldest that is kept
    std::optional<std::uint64_t> to{};   ///< nothing: the newest
    std::optional<std::uint32_t> limit{};
    bool is_reversed = false; ///< newest first
};

/// What bounds the answer to a history query.
struct history_limits {
    std::size_t events_max = 1000;
    std::size_t bytes_max = std::size_t{256} << 10; ///< of envelopes; one event may be over it
};

} // namespace livetape
