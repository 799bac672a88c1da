#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <livetape/channel/encoding.hpp>
#include <livetape/transport/encodings.hpp>
#include <livetape/wire/compression.hpp>
#include <livetape/wire/frame_header.hpp>

namespace livetape {

namespace detail {

/// A frame with the payload compressed, or plain where that gains nothing.
inline void append_shared_frame(std::string& out, websocket::opcode code, std::string_view payload,
                                websocket::shared_compressor const& compressor) {
    auto const begin = out.size();
    if (compressor.deflate(payload, out))
        return frame_in_place(out, begin, code, websocket::reserved_bit_1);
    websocket::append_frame(out, code, payload);
}

} // namespace detail

/// The WebSocket encodings whose messages one shared compressor makes: an event is compressed once
/// for all subscribers whose connections agreed on it, and costs each of them the send alone.
struct compressed_encodings {
    encoding json; ///< as `websocket_json_encoder`
    encoding raw;  ///< as `websocket_raw_encoder`

    /// The only ones with that compressor in the program; they live until it ends, as it does.
    /// Takes a lock: ask once per connection. Thread safety: safe.
    [[nodiscard]] static compressed_encodings const& of(websocket::shared_compressor const& by);
};

inline compressed_encodings const&
compressed_encodings::of(websocket::shared_compressor const& by) {
    using websocket::shared_compressor;
    static constexpr auto append_json = [](event_view const& event, std::string& out,
                                           void const* compressor) {
        std::string message;
        auto const code = append_message(message, event);
        detail::append_shared_frame(out, code, message,
                                    *static_cast<shared_compressor const*>(compressor));
    };
    static constexpr auto append_raw = [](event_view const& event, std::string& out,
                                          void const* compressor) {
        auto const is_binary = event.kind == payload_kind::binary;
        detail::append_shared_frame(
            out, is_binary ? websocket::opcode::binary : websocket::opcode::text, event.payload,
            *static_cast<shared_compressor const*>(compressor));
    };
    // Never destroyed, because segments may be.
    static auto& mutex = *new std::mutex;
    static auto& known = *new std::vector<std::unique_ptr<compressed_encodings const>>;
    std::lock_guard const lock{mutex};
    for (auto const& each : known)
        if (each->json.settings == &by) return *each;
    return *known.emplace_back(
        new compressed_encodings{{append_json, &websocket_json_encoder::overhead, &by},
                                 {append_raw, &websocket_raw_encoder::overhead, &by}});
}

} // namespace livetape
