#pragma once

#include "channel_history.hpp"

#include <livetape/channel/cursor.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What sessions write, cut into items and written down independently of the library's own
/// encoders: expected texts are compared as a whole, so nothing unexpected is read over.
namespace livetape::simulation {

enum class transport_kind : std::uint8_t { websocket, sse, long_poll, short_poll, plain };

/// One item of what a session writes: a head, a message, a block, an answer.
struct wire_item {
    enum class kind : std::uint8_t {
        malformed,
        head,   ///< of a response that goes on
        text,   ///< a message or a block with content
        binary, ///< a binary message
        ping,   ///< or a comment
        close,  ///< a close frame
        answer, ///< of a poll
    };
    kind what = kind::malformed;
    std::size_t size = 0;
    std::string_view content; ///< of a text or close frame its payload, else all of it
};

inline std::uint64_t big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (auto const c : bytes) value = value << 8 | static_cast<unsigned char>(c);
    return value;
}

/// The first item of `bytes`, which the session wrote at the place where an item begins.
inline wire_item next_item(transport_kind transport, std::string_view bytes) {
    using kind = wire_item::kind;
    if (bytes.starts_with("HTTP/1.1 ")) {
        auto const end = bytes.find("\r\n\r\n");
        if (end == std::string_view::npos) return {};
        if (transport == transport_kind::websocket || transport == transport_kind::sse)
            return {kind::head, end + 4, bytes.substr(0, end + 4)};
        constexpr std::string_view length = "\r\nContent-Length: ";
        auto const at = bytes.substr(0, end + 2).find(length);
        std::size_t body = 0;
        if (at != std::string_view::npos)
            std::from_chars(bytes.data() + at + length.size(), bytes.data() + end + 2, body);
        if (bytes.size() - end - 4 < body) return {};
        return {kind::answer, end + 4 + body, bytes.substr(0, end + 4 + body)};
    }
    if (transport == transport_kind::sse) {
        auto const end = bytes.find("\n\n");
        if (end == std::string_view::npos) return {};
        auto const what = bytes.front() == ':' ? kind::ping : kind::text;
        return {what, end + 2, bytes.substr(0, end + 2)};
    }
    if (bytes.size() < 2) return {};
    auto const first = static_cast<unsigned char>(bytes[0]);
    std::size_t header = 2;
    std::uint64_t payload = static_cast<unsigned char>(bytes[1]);
    if (payload == 126 || payload == 127) {
        header += payload == 126 ? 2 : 8;
        if (bytes.size() < header) return {};
        payload = big_endian(bytes.substr(2, header - 2));
        if (header == 4 ? payload < 126 : payload < 65536) return {};
    }
    // What servers send is unmasked, and nothing here is fragmented.
    auto const what = first == 0x81   ? kind::text
                      : first == 0x82 ? kind::binary
                      : first == 0x89 ? kind::ping
                      : first == 0x88 ? kind::close
                                      : kind::malformed;
    if (payload > bytes.size() - header) return {};
    auto const size = static_cast<std::size_t>(payload);
    return {what, header + size, bytes.substr(header, size)};
}

/// A client's text frame; its masking key is zero, so the payload stands as it is.
inline std::string client_frame(std::string_view payload, char opcode = '\x81') {
    std::string frame{opcode};
    if (payload.size() < 126) {
        frame += static_cast<char>(0x80 | payload.size());
    } else {
        frame += '\xfe';
        frame += static_cast<char>(payload.size() >> 8);
        frame += static_cast<char>(payload.size() & 255);
    }
    frame.append(4, '\0');
    frame += payload;
    return frame;
}

inline std::string position_text(std::uint64_t epoch, std::uint64_t offset) {
    char digits[13];
    auto const end = std::to_chars(digits, digits + sizeof digits, epoch, 32).ptr;
    return std::string(digits, end) + '-' + std::to_string(offset);
}

/// The answer to a publish.
inline std::string published_text(std::string_view channel, std::string_view with_id,
                                  position const& at, bool is_duplicate) {
    return "{\"published\":\"" + std::string{channel} + '"' + std::string{with_id} +
           ",\"offset\":" + std::to_string(at.offset) + ",\"cursor\":\"" +
           position_text(at.epoch, at.offset) + (is_duplicate ? "\",\"duplicate\":true}" : "\"}");
}

inline std::string gap_text(std::string_view channel, gap const& missed) {
    return "{\"gap\":\"" + std::string{channel} + "\",\"from\":" + std::to_string(missed.first) +
           ",\"to\":" + std::to_string(missed.last) + ",\"reason\":\"" +
           (missed.reason == gap_reason::epoch ? "epoch" : "retention") + "\"}";
}

/// The text as `data` of an SSE block: one line for each of its own.
inline std::string sse_data(std::string_view text) {
    std::string lines = "data: ";
    for (auto const c : text) {
        lines += c;
        if (c == '\n') lines += "data: ";
    }
    return lines += '\n';
}

/// The text of such a block from its first `data: ` on, which the block may have left out.
inline std::string sse_text(std::string_view lines) {
    std::string text;
    if (lines.ends_with("\n\n")) lines.remove_suffix(2);
    for (std::size_t begin = 0; begin < lines.size();) {
        auto const end = std::min(lines.find("\ndata: ", begin), lines.size());
        text.append(text.empty() && begin == 0 ? "" : "\n").append(lines, begin, end - begin);
        begin = end + 7;
    }
    return text;
}

/// Reads a JSON text that must have an exact shape, from front to back.
class strict_reader {
public:
    explicit strict_reader(std::string_view text) : rest_{text} {}

    [[nodiscard]] std::string_view rest() const { return rest_; }

    bool skip(std::string_view literal) {
        if (!rest_.starts_with(literal)) return false;
        rest_.remove_prefix(literal.size());
        return true;
    }
    bool read(std::uint64_t& number) {
        auto const result = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
        if (result.ec != std::errc{}) return false;
        rest_.remove_prefix(static_cast<std::size_t>(result.ptr - rest_.data()));
        return true;
    }
    /// Up to a quotation mark, which is skipped; there are no escapes in names and cursors.
    bool read_string(std::string_view& text) {
        auto const end = rest_.find('"');
        if (end == std::string_view::npos) return false;
        text = rest_.substr(0, end);
        rest_.remove_prefix(end + 1);
        return true;
    }

private:
    std::string_view rest_;
};

/// Reads what `position_text` makes.
inline bool read_position(strict_reader& reader, position& at) {
    auto const text = reader.rest();
    auto const result = std::from_chars(text.data(), text.data() + text.size(), at.epoch, 32);
    if (result.ec != std::errc{}) return false;
    return reader.skip(text.substr(0, static_cast<std::size_t>(result.ptr - text.data()))) &&
           reader.skip("-") && reader.read(at.offset);
}

/// What an envelope begins with.
struct envelope_start {
    std::string_view channel;
    std::uint64_t offset = 0;
    std::uint64_t count = 1;
};

/// An event's envelope when it stands for so many.
/// @param has_frames  the transport has binary frames
inline std::string envelope_text(published_event const& event, std::uint64_t count,
                                 bool has_frames = false) {
    auto text = event.envelope_head;
    if (count > 1) text += ",\"count\":" + std::to_string(count);
    return text +=
           has_frames && !event.binary_rest.empty() ? event.binary_rest : event.envelope_rest;
}

inline std::optional<envelope_start> read_envelope_start(std::string_view envelope) {
    strict_reader reader{envelope};
    envelope_start start;
    if (!reader.skip("{\"channel\":\"") || !reader.read_string(start.channel) ||
        !reader.skip(",\"offset\":") || !reader.read(start.offset))
        return std::nullopt;
    std::string_view key;
    if (reader.skip(",\"key\":\"") && !reader.read_string(key)) return std::nullopt;
    if (reader.skip(",\"count\":") && (!reader.read(start.count) || start.count < 2))
        return std::nullopt;
    return start;
}

inline std::optional<gap> read_gap(std::string_view text, std::string_view& channel) {
    strict_reader reader{text};
    gap missed;
    if (!reader.skip("{\"gap\":\"") || !reader.read_string(channel) || !reader.skip(",\"from\":") ||
        !reader.read(missed.first) || !reader.skip(",\"to\":") || !reader.read(missed.last) ||
        !reader.skip(",\"reason\":\"retention\"}") || !reader.rest().empty())
        return std::nullopt;
    return missed;
}

} // namespace livetape::simulation
