#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <livetape/config.hpp>
#include <livetape/error.hpp>
#include <livetape/wire/masking.hpp>
#include <livetape/wire/parse_status.hpp>

namespace livetape::websocket {

/// What a frame carries (RFC 6455 §11.8).
enum class opcode : std::uint8_t {
    continuation = 0x0,
    text = 0x1,
    binary = 0x2,
    close = 0x8,
    ping = 0x9,
    pong = 0xA,
};

/// Whether frames of that opcode are control frames (RFC 6455 §5.5).
[[nodiscard]] constexpr bool is_control(opcode code) noexcept {
    return (static_cast<std::uint8_t>(code) & 0x8u) != 0;
}

/// The most payload bytes of a control frame (RFC 6455 §5.5).
inline constexpr std::size_t control_payload_bytes_max = 125;

/// The most bytes of a frame header: 2, a length of 8, and a masking key (RFC 6455 §5.2).
inline constexpr std::size_t header_bytes_max = 14;

/// The reserved bits as `frame_header::reserved_bits` holds them.
inline constexpr std::uint8_t reserved_bit_1 = 0b100;
inline constexpr std::uint8_t reserved_bit_2 = 0b010;
inline constexpr std::uint8_t reserved_bit_3 = 0b001;

/// The header of one frame (RFC 6455 §5.2).
struct frame_header {
    websocket::opcode opcode = websocket::opcode::text;
    bool is_final = true;           ///< FIN: the last fragment of its message
    std::uint8_t reserved_bits = 0; ///< RSV1 to RSV3, an or of `reserved_bit_1` to `reserved_bit_3`
    bool is_masked = false;
    masking_key_type masking_key{};  ///< meaningful only if `is_masked`
    std::uint64_t payload_bytes = 0; ///< 0 to 2^63-1

    friend bool operator==(frame_header const&, frame_header const&) = default;
};

/// What `parse_header` found.
struct header_result {
    parse_status status = parse_status::need_more;
    error failure = error::none;  ///< set if the status is `failed`
    std::size_t header_bytes = 0; ///< 2 to 14 if the status is `done`: the payload starts there
};

/// Parses the header of one frame from the front of `input` (RFC 6455 §5.2).
///
/// Every rule that needs only the header is checked, each as soon as its byte is there.
/// Whether a frame has to be masked, or may come now, is for `message_reader` to know.
///
/// @param input                  bytes from the start of a frame on; not kept
/// @param header                 written only when the status is `done`
/// @param allowed_reserved_bits  bits that a negotiated extension defines for the first frame of a
///                               message; other frames never carry them (RFC 7692 §6)
/// @return `failed` with error::bad_reserved_bits, error::bad_opcode, error::fragmented_control,
///         error::control_too_long or error::non_minimal_length
[[nodiscard]] constexpr header_result
parse_header(std::string_view input, frame_header& header,
             std::uint8_t allowed_reserved_bits = 0) noexcept {
    auto const byte = [input](std::size_t i) { return static_cast<unsigned char>(input[i]); };
    auto const failed = [](error e) { return header_result{parse_status::failed, e, 0}; };
    if (input.empty()) return {};

    frame_header found;
    found.opcode = static_cast<opcode>(byte(0) & 0x0Fu);
    found.is_final = (byte(0) & 0x80u) != 0;
    found.reserved_bits = static_cast<std::uint8_t>(byte(0) >> 4 & 0b111u);
    bool const starts_message = found.opcode == opcode::text || found.opcode == opcode::binary;
    std::uint8_t const allowed_bits = starts_message ? allowed_reserved_bits : std::uint8_t{0};
    if ((found.reserved_bits & ~allowed_bits) != 0) return failed(error::bad_reserved_bits);
    if ((byte(0) & 0x07u) > 2) return failed(error::bad_opcode);
    if (is_control(found.opcode) && !found.is_final) return failed(error::fragmented_control);

    if (input.size() < 2) return {};
    found.is_masked = (byte(1) & 0x80u) != 0;
    found.payload_bytes = byte(1) & 0x7Fu;
    if (is_control(found.opcode) && found.payload_bytes > control_payload_bytes_max)
        return failed(error::control_too_long);

    std::size_t position = 2;
    if (found.payload_bytes > 125) {
        std::size_t const length_bytes = found.payload_bytes == 126 ? 2 : 8;
        if (input.size() < position + length_bytes) return {};
        std::uint64_t length = 0;
        for (std::size_t i = 0; i < length_bytes; ++i) length = length << 8 | byte(position + i);
        // §5.2: the minimal number of bytes must be used, and the most significant bit must be 0.
        std::uint64_t const shortest = length_bytes == 2 ? 126 : 0x10000;
        if (length < shortest || length >> 63 != 0) return failed(error::non_minimal_length);
        found.payload_bytes = length;
        position += length_bytes;
    }
    if (found.is_masked) {
        if (input.size() < position + found.masking_key.size()) return {};
        for (auto& key_byte : found.masking_key) key_byte = byte(position++);
    }
    header = found;
    return {parse_status::done, error::none, position};
}

/// Writes a header in its shortest form to the front of `out` (RFC 6455 §5.2); the fields must keep
/// the rules that `parse_header` checks.
/// @return its size, 2 to 14 bytes
constexpr std::size_t write_header(frame_header const& header,
                                   std::span<char, header_bytes_max> out) noexcept {
    LIVETAPE_ASSERT(header.payload_bytes >> 63 == 0);
    std::size_t position = 0;
    auto const put = [&](std::uint64_t value) {
        out[position++] = static_cast<char>(static_cast<unsigned char>(value & 0xFFu));
    };
    put((header.is_final ? 0x80u : 0u) | (header.reserved_bits & 0b111u) << 4 |
        static_cast<unsigned>(header.opcode));
    std::uint64_t const mask_bit = header.is_masked ? 0x80u : 0u;
    if (header.payload_bytes < 126) {
        put(mask_bit | header.payload_bytes);
    } else if (header.payload_bytes < 0x10000) {
        put(mask_bit | 126u);
        put(header.payload_bytes >> 8);
        put(header.payload_bytes);
    } else {
        put(mask_bit | 127u);
        for (int shift = 56; shift >= 0; shift -= 8) put(header.payload_bytes >> shift);
    }
    if (header.is_masked)
        for (auto const key_byte : header.masking_key) put(key_byte);
    return position;
}

/// Appends a frame with `header` and `payload` to `out`: the length is the payload's, and the
/// payload is masked in `out` if the header says so. `payload` must not be a view into `out`.
inline void append_frame(std::string& out, frame_header header, std::string_view payload) {
    header.payload_bytes = payload.size();
    std::array<char, header_bytes_max> head;
    out.append(head.data(), write_header(header, head));
    std::size_t const start = out.size();
    out.append(payload);
    if (header.is_masked)
        apply_mask(std::span{out.data() + start, payload.size()}, header.masking_key);
}

/// Appends a whole message as one frame without a mask, as a server sends it (RFC 6455 §5.1).
/// A control frame takes at most 125 bytes of payload.
inline void append_frame(std::string& out, opcode code, std::string_view payload) {
    LIVETAPE_ASSERT(!is_control(code) || payload.size() <= control_payload_bytes_max);
    append_frame(out, frame_header{.opcode = code}, payload);
}

/// The same as a client sends it: masked with `key`, which should be unpredictable and fresh for
/// each frame (RFC 6455 §5.3).
inline void append_masked_frame(std::string& out, opcode code, std::string_view payload,
                                masking_key_type key) {
    LIVETAPE_ASSERT(!is_control(code) || payload.size() <= control_payload_bytes_max);
    append_frame(out, frame_header{.opcode = code, .is_masked = true, .masking_key = key}, payload);
}

} // namespace livetape::websocket
