#include "masked_messages.hpp"

#include <livetape/wire/frame_header.hpp>

namespace benchmarks {

masked_messages messages_of(std::size_t message_bytes) {
    constexpr std::size_t buffer_bytes = std::size_t{64} << 10;
    std::string frame;
    livetape::websocket::append_masked_frame(frame, livetape::websocket::opcode::text,
                                             std::string(message_bytes, 'x'),
                                             {0x12, 0x34, 0x56, 0x78});
    masked_messages made;
    for (; made.bytes.size() + frame.size() <= buffer_bytes; ++made.count) made.bytes += frame;
    return made;
}

} // namespace benchmarks
