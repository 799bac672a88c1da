#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <livetape/channel/cursor.hpp>
#include <livetape/channel/encoding.hpp>
#include <livetape/json_text.hpp>
#include <livetape/wire/base64.hpp>
#include <livetape/wire/frame_header.hpp>
#include <livetape/wire/sse_block.hpp>

namespace livetape {

namespace detail {

/// The fields of an envelope that are the same for every kind of payload, without the brace.
inline void append_envelope_head(std::string& out, event_view const& event) {
    out += R"({"channel":)";
    append_json_string(out, event.channel);
    out += R"(,"offset":)";
    append_number(out, event.offset);
    if (!event.key.empty()) append_json_string(out += R"(,"key":)", event.key);
    if (event.count > 1) append_number(out += R"(,"count":)", event.count);
}

} // namespace detail

/// Appends an event as clients see it: `{"channel":"ticks","offset":121,"key":"AAPL","data":…}`,
/// with `"count":n` if it stands for more than one. JSON payloads stand as they are, text as a JSON
/// string, binary as base64 under `data64`. No line feed is added. O(size).
inline void append_envelope(std::string& out, event_view const& event) {
    detail::append_envelope_head(out, event);
    switch (event.kind) {
    case payload_kind::json: out.append(R"(,"data":)").append(event.payload); break;
    case payload_kind::text: append_json_string(out += R"(,"data":)", event.payload); break;
    case payload_kind::binary:
        append_base64(out += R"(,"data64":")", event.payload);
        out += '"';
        break;
    }
    out += '}';
}

/// Appends an event as a WebSocket message holds it: the envelope, or of a binary payload the
/// envelope without data, a line feed, and the bytes. O(size).
/// @return the opcode of the message
inline websocket::opcode append_message(std::string& out, event_view const& event) {
    if (event.kind != payload_kind::binary) {
        append_envelope(out, event);
        return websocket::opcode::text;
    }
    detail::append_envelope_head(out, event);
    out.append("}\n").append(event.payload);
    return websocket::opcode::binary;
}

/// What the envelope adds to a payload, roughly.
[[nodiscard]] inline std::size_t envelope_overhead(event_view const& event) noexcept {
    auto const growth = event.kind == payload_kind::binary ? event.payload.size() / 3 : 0;
    return 48 + event.channel.size() + growth;
}

namespace detail {

/// Puts the header of an unmasked final frame before the payload that `out` ends with.
inline void frame_in_place(std::string& out, std::size_t payload_begin, websocket::opcode code,
                           std::uint8_t reserved_bits = 0) {
    std::array<char, websocket::header_bytes_max> bytes;
    websocket::frame_header header;
    header.opcode = code;
    header.is_final = true;
    header.reserved_bits = reserved_bits;
    header.payload_bytes = out.size() - payload_begin;
    auto const size = websocket::write_header(header, bytes);
    out.insert(payload_begin, bytes.data(), size);
}

inline std::string position_text(event_view const& event) {
    std::string text;
    append_position(text, {event.epoch, event.offset});
    return text;
}

} // namespace detail

/// A WebSocket frame that holds the envelope: a text frame, or a binary one for binary.
struct websocket_json_encoder {
    static void encode(event_view const& event, std::string& out) {
        auto const begin = out.size();
        auto const code = append_message(out, event);
        detail::frame_in_place(out, begin, code);
    }
    static std::size_t overhead(event_view const& event) { return 52 + event.channel.size(); }
};

/// A WebSocket frame that holds the payload alone: a text frame, or a binary one for binary.
struct websocket_raw_encoder {
    static void encode(event_view const& event, std::string& out) {
        auto const is_binary = event.kind == payload_kind::binary;
        websocket::append_frame(
            out, is_binary ? websocket::opcode::binary : websocket::opcode::text, event.payload);
    }
    static std::size_t overhead(event_view const&) { return 10; }
};

/// An SSE block with the envelope as data and the position as id: for streams of one channel.
struct sse_json_encoder {
    static void encode(event_view const& event, std::string& out) {
        std::string envelope;
        append_envelope(envelope, event);
        sse::append_block(out, {.data = envelope, .id = detail::position_text(event)});
    }
    static std::size_t overhead(event_view const& event) { return envelope_overhead(event) + 40; }
};

/// An SSE block with the envelope and no id: several channels share one last event ID, which is
/// sent at the end of each flush.
struct sse_shared_encoder {
    static void encode(event_view const& event, std::string& out) {
        std::string envelope;
        append_envelope(envelope, event);
        sse::append_block(out, {.data = envelope});
    }
    static std::size_t overhead(event_view const& event) { return envelope_overhead(event) + 10; }
};

/// An SSE block with the payload alone as data, binary in base64, and the position as id.
struct sse_raw_encoder {
    static void encode(event_view const& event, std::string& out) {
        std::string base64;
        if (event.kind == payload_kind::binary) append_base64(base64, event.payload);
        sse::append_block(out, {.data = event.kind == payload_kind::binary ? base64 : event.payload,
                                .id = detail::position_text(event)});
    }
    static std::size_t overhead(event_view const& event) {
        return 40 + (event.kind == payload_kind::binary ? event.payload.size() / 3 : 0);
    }
};

/// The envelope after a comma: an element of a JSON array, of which the first comma is cut off.
struct json_list_encoder {
    static void encode(event_view const& event, std::string& out) {
        out += ',';
        append_envelope(out, event);
    }
    static std::size_t overhead(event_view const& event) { return envelope_overhead(event); }
};

} // namespace livetape
