#pragma once

#include <cstddef>
#include <string>

namespace benchmarks {

/// What a receive buffer holds: masked text messages one after another.
struct masked_messages {
    std::string bytes;
    std::size_t count = 0;
};

/// As many messages of one size as 64 KiB hold. In a file of its own, because a peer that cannot
/// be compiled as C++20 calls it.
masked_messages messages_of(std::size_t message_bytes);

} // namespace benchmarks
