#pragma once

#include <cstdint>
#include <string>

namespace livetape {

/// What a client is told whose connections the host ends: on WebSocket by the close frame, on an
/// event stream by a last notice, in a waiting poll by the answer 403, the latter two with the code
/// of `error::dismissed`.
struct dismissal {
    /// For people; empty: that of `error::dismissed`. A close frame has room for 123 bytes of it.
    std::string reason{};

    /// On WebSocket, one that `websocket::may_be_sent`: livetape's clients come back after 4000 to
    /// 4499, and do not after 4500 to 4999. An `EventSource` comes back whatever it is told.
    std::uint16_t close_code = 4500;
};

} // namespace livetape
