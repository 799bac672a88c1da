#pragma once

#include "support/client_socket.hpp"

#include <sys/types.h>

#include <cstddef>
#include <string>

namespace benchmarks {

/// What all modes of the load client share.
struct load_options {
    server_address server{};
    std::string path = "/live/ws/raw/feed";
    std::size_t connections = 1000;
    bool offers_deflate = false; ///< permessage-deflate, as browsers do
    double warm_up_seconds = 1;
    double seconds = 5;
    pid_t server_process = 0; ///< 0: its use is not measured
};

} // namespace benchmarks
