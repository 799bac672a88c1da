#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace livetape {

/// A proxy that is asked by CONNECT for a connection to the server (RFC 9110 §9.3.6).
struct proxy_options {
    std::string host{}; ///< a name or an address; empty: no proxy
    std::uint16_t port = 3128;
    std::string user{}; ///< for Basic credentials; empty: none. Without a colon
    std::string password{};
};

/// How a client connects.
struct dial_options {
    /// Resolving, all attempts and the proxy's answer together. A lost first packet is sent again
    /// after 1 s and 3 s.
    std::chrono::milliseconds connect_timeout{10'000};
    /// Head start of one address before the next is tried beside it (RFC 8305 §5: 250 ms).
    std::chrono::milliseconds attempt_delay{250};
    proxy_options proxy{};
    /// Small messages are what these clients send: they do not wait for each other.
    bool no_delay = true;
};

} // namespace livetape
