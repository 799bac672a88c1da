#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <livetape/error.hpp>
#include <livetape/owned_ptr.hpp>
#include <livetape/wire/close_code.hpp>
#include <livetape/wire/frame_header.hpp>
#include <livetape/wire/masking.hpp>
#include <livetape/wire/message_codec.hpp>
#include <livetape/wire/parse_status.hpp>
#include <livetape/wire/utf8.hpp>

namespace livetape::websocket {

/// The side of the connection that a machine works for (RFC 6455 §5.1): only clients mask.
enum class role : std::uint8_t { server, client };

/// What a peer may make a `message_reader` hold.
struct message_limits {
    /// Bytes of one message, all fragments together, after inflating.
    std::size_t message_bytes_max = std::size_t{1} << 20;
};

/// Turns received bytes into messages and control frames (RFC 6455 §5, §6.2, §8.1).
///
/// The reader is between frames, or inside one. Between frames it collects a header, at most 14
/// bytes kept in the object. A frame that is a whole item and lies whole in the input is unmasked
/// where it is and handed out at once. Any other frame puts the reader inside it: what arrives is
/// unmasked, checked and copied as it comes, a control frame's payload to a place of its own since
/// it may come between two fragments of a message. That state is on the heap, only while needed.
/// A compressed message is inflated as it comes, a few KiB at a time, so that one that inflates to
/// more than the limit fails before it takes more memory than that.
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class message_reader {
public:
    enum class item_kind : std::uint8_t {
        none,   ///< the input is used up; more is needed
        text,   ///< a whole text message, valid UTF-8
        binary, ///< a whole binary message
        ping,
        pong,
        close,  ///< the peer's close frame; nothing is read after it (RFC 6455 §1.4)
        failed, ///< the peer broke the protocol or a limit; nothing is read after it (§7.1.7)
    };

    struct item {
        item_kind kind = item_kind::none;
        /// The message, the control frame's payload, or the close reason. Points into the input or
        /// into the reader; valid until the next call of `next` and while both live unchanged.
        std::string_view payload;
        std::uint16_t close_code = 0; ///< of `close`: the peer's code, 1005 if it gave none
        error failure = error::none;  ///< of `failed`: one of the errors of frames and messages
        bool is_first =
            true; ///< of `text` and `binary`: a message begins with it; see `give_pieces`
        bool is_final = true; ///< the message ends with it
    };

    explicit message_reader(role side, message_limits limits = {}) noexcept
        : limits_{limits}, side_{side} {}

    /// Takes compressed messages from now on (RFC 7692 §6); before, RSV1 is an error. `codec` must
    /// outlive the reader.
    void set_compression(message_codec& codec) noexcept { codec_ = &codec; }

    /// Gives messages in pieces from now on, as they arrive, whatever the frames: text and binary
    /// items are parts of a message, of which nothing is kept but the state of its checks and, if
    /// it is compressed, a buffer of 16 KiB. A piece may end inside a code point, and only the
    /// final one may be empty. To be called between messages.
    void give_pieces() noexcept { gives_pieces_ = true; }

    /// Takes bytes from the front of `input`, unmasking in place, until one item is complete.
    ///
    /// Call it until the kind is `none`: then all input has been taken, none of it is needed any
    /// more, and a reader in the middle of no message holds no heap memory. After `close` or
    /// `failed`, further calls take all input and give `none`.
    /// O(bytes taken); memory grows with the bytes received, never with a declared length.
    [[nodiscard]] item next(std::span<char>& input);

private:
    /// What is known of a frame or message that has begun and not ended.
    struct progress {
        std::vector<char> message; // so far, unmasked; or the last piece, if it had to be inflated
        std::uint64_t message_bytes = 0; // so far, inflated
        frame_header frame;              // the frame being received
        std::uint64_t frame_bytes_left = 0;
        std::size_t unmasked_bytes = 0; // at the front of the input, from the call before
        std::array<char, control_payload_bytes_max> control;
        std::uint8_t control_bytes = 0;
        std::uint8_t mask_phase = 0;
        utf8_validator utf8;
        opcode message_opcode = opcode::text;
        bool is_in_frame = false;
        bool is_in_message = false; // a data frame has begun and the final one has not ended
        bool is_compressed = false;
        bool has_given_piece = false;
    };

    /// A finished message's buffer over this size is not kept for the next one.
    static constexpr std::size_t kept_bytes_max = std::size_t{16} << 10;

    /// Inflated bytes between two looks at the limit and at the text: what stays in the first
    /// cache.
    static constexpr std::size_t inflated_bytes_at_once = std::size_t{4} << 10;

    /// The largest piece of a compressed message.
    static constexpr std::size_t inflated_piece_bytes_max = kept_bytes_max;

    [[nodiscard]] bool is_in_frame() const noexcept { return progress_ && progress_->is_in_frame; }
    [[nodiscard]] bool is_in_message() const noexcept {
        return progress_ && progress_->is_in_message;
    }

    [[nodiscard]] bool begins_short_message(std::span<char const> input) const noexcept;
    item take_short_message(std::span<char>& input) noexcept;
    item next_of_any_kind(std::span<char>& input);
    void release_finished_message() noexcept;
    header_result take_header(std::span<char>& input, frame_header& header) noexcept;
    [[nodiscard]] error check_frame(frame_header const& header) const noexcept;
    item take_whole_frame(frame_header const& header, std::span<char>& input) noexcept;
    void begin_frame(frame_header const& header);
    item continue_frame(std::span<char>& input);
    error take_message_bytes(std::string_view piece);
    error inflate(std::string_view piece, bool ends_message);
    std::span<char> take_unmasked(std::span<char> input) noexcept;
    item take_piece(std::string_view piece);
    item inflate_piece(std::span<char>& input);
    item give_piece(std::string_view piece);
    error inflate_into(std::string_view& from, bool ends_message, std::span<char> buffer,
                       message_codec::inflated& result);
    item finish_message() noexcept;
    item finish_control(opcode code, std::string_view payload) noexcept;
    void append(std::string_view bytes, std::size_t size_possible);

    item fail(error failure) noexcept {
        has_ended_ = true;
        return {.kind = item_kind::failed,
                .payload = {},
                .close_code = 0,
                .failure = failure,
                .is_first = true,
                .is_final = true};
    }

    static item make_item(item_kind kind, std::string_view payload) noexcept {
        return {.kind = kind,
                .payload = payload,
                .close_code = 0,
                .failure = error::none,
                .is_first = true,
                .is_final = true};
    }

    message_limits limits_;
    owned_ptr<progress> progress_;
    message_codec* codec_ = nullptr;
    std::array<char, header_bytes_max> header_{}; // the front of a header that came in pieces
    std::uint8_t header_bytes_ = 0;
    role side_;
    bool has_ended_ = false;
    bool gives_pieces_ = false;
};

inline message_reader::item message_reader::next(std::span<char>& input) {
    return begins_short_message(input) ? take_short_message(input) : next_of_any_kind(input);
}

/// Whether the input begins with the usual message, whole: in one frame of at most 125 bytes, from
/// the side that must mask or must not, and with nothing unfinished before it. Nothing but its text
/// can be wrong. `next_of_any_kind` makes the same of it; this way is short because it is frequent.
inline bool message_reader::begins_short_message(std::span<char const> input) const noexcept {
    constexpr std::size_t masked_header_bytes = 6;
    if (has_ended_ || progress_ || header_bytes_ != 0 || input.size() < masked_header_bytes)
        return false;
    auto const first = static_cast<unsigned char>(input[0]);
    auto const second = static_cast<unsigned char>(input[1]);
    std::size_t const payload_bytes = second & 0x7Fu;
    bool const is_message = first == 0x81 || first == 0x82; // FIN, and text or binary
    bool const is_masked = (second & 0x80u) != 0;
    return is_message && is_masked == (side_ == role::server) && payload_bytes <= 125 &&
           payload_bytes <= limits_.message_bytes_max &&
           payload_bytes <= input.size() - (is_masked ? masked_header_bytes : 2);
}

inline message_reader::item message_reader::take_short_message(std::span<char>& input) noexcept {
    bool const is_text = input[0] == static_cast<char>(0x81);
    std::size_t const header_bytes = side_ == role::server ? 6 : 2;
    auto const bytes = input.subspan(header_bytes, static_cast<unsigned char>(input[1]) & 0x7Fu);
    if (side_ == role::server) {
        masking_key_type key;
        std::memcpy(key.data(), input.data() + 2, key.size());
        apply_mask(bytes, key);
    }
    input = input.subspan(header_bytes + bytes.size());
    std::string_view const payload{bytes.data(), bytes.size()};
    if (!is_text) return make_item(item_kind::binary, payload);
    return is_utf8(payload) ? make_item(item_kind::text, payload) : fail(error::bad_utf8);
}

inline message_reader::item message_reader::next_of_any_kind(std::span<char>& input) {
    if (has_ended_) {
        input = input.last(0);
        progress_.reset();
        return {};
    }
    release_finished_message();
    for (;;) {
        if (!is_in_frame()) {
            frame_header header;
            auto const result = take_header(input, header);
            if (result.status == parse_status::failed) return fail(result.failure);
            if (result.status == parse_status::need_more) {
                if (!is_in_message()) progress_.reset();
                return {};
            }
            if (auto const e = check_frame(header); e != error::none) return fail(e);
            bool const is_whole_item =
                is_control(header.opcode) || (header.is_final && header.reserved_bits == 0 &&
                                              header.opcode != opcode::continuation);
            if (is_whole_item && header.payload_bytes <= input.size())
                return take_whole_frame(header, input);
            begin_frame(header);
        }
        auto const found = continue_frame(input);
        if (found.kind != item_kind::none || is_in_frame()) return found;
    }
}

inline void message_reader::release_finished_message() noexcept {
    if (!progress_ || progress_->is_in_frame || progress_->is_in_message) return;
    if (progress_->message.capacity() > kept_bytes_max) progress_.reset();
}

/// Parses a header from what was kept of it and the input, and takes its bytes from the input.
inline header_result message_reader::take_header(std::span<char>& input,
                                                 frame_header& header) noexcept {
    // RFC 7692 §6: RSV1 is set on the first frame of a compressed message and nowhere else.
    auto const allowed_bits = codec_ == nullptr ? std::uint8_t{0} : reserved_bit_1;
    if (header_bytes_ == 0) {
        auto const result = parse_header({input.data(), input.size()}, header, allowed_bits);
        if (result.status == parse_status::done) {
            input = input.subspan(result.header_bytes);
            return result;
        }
        if (result.status == parse_status::failed) return result;
    }
    std::size_t const kept = header_bytes_;
    std::size_t const lacking = header_.size() - kept;
    std::size_t const taken = lacking < input.size() ? lacking : input.size();
    if (taken > 0) std::memcpy(header_.data() + kept, input.data(), taken);
    auto const result = parse_header({header_.data(), kept + taken}, header, allowed_bits);
    if (result.status == parse_status::done) {
        input = input.subspan(result.header_bytes - kept);
        header_bytes_ = 0;
    } else if (result.status == parse_status::need_more) {
        input = input.subspan(taken);
        header_bytes_ = static_cast<std::uint8_t>(kept + taken);
    }
    return result;
}

/// The rules that need the side and what came before.
inline error message_reader::check_frame(frame_header const& header) const noexcept {
    // §5.1: a server must not take an unmasked frame, nor a client a masked one.
    if (side_ == role::server && !header.is_masked) return error::unmasked_frame;
    if (side_ == role::client && header.is_masked) return error::masked_frame;
    if (is_control(header.opcode)) return error::none;
    bool const continues = header.opcode == opcode::continuation;
    if (continues && !is_in_message()) return error::unexpected_continuation;
    if (!continues && is_in_message()) return error::expected_continuation;
    // How much a compressed frame comes to is known when it has been inflated.
    if (continues ? progress_->is_compressed : header.reserved_bits != 0) return error::none;
    std::uint64_t const bytes_before = is_in_message() ? progress_->message_bytes : 0;
    if (header.payload_bytes > limits_.message_bytes_max - bytes_before)
        return error::message_too_large;
    return error::none;
}

/// A control frame or an unfragmented message that lies whole in the input: nothing is copied.
inline message_reader::item message_reader::take_whole_frame(frame_header const& header,
                                                             std::span<char>& input) noexcept {
    auto const bytes = input.first(static_cast<std::size_t>(header.payload_bytes));
    input = input.subspan(bytes.size());
    if (header.is_masked) apply_mask(bytes, header.masking_key);
    std::string_view const payload{bytes.data(), bytes.size()};
    if (is_control(header.opcode)) return finish_control(header.opcode, payload);
    if (header.opcode == opcode::binary) return make_item(item_kind::binary, payload);
    return is_utf8(payload) ? make_item(item_kind::text, payload) : fail(error::bad_utf8);
}

inline void message_reader::begin_frame(frame_header const& header) {
    if (!progress_) progress_ = make_owned<progress>();
    auto& p = *progress_;
    p.frame = header;
    p.frame_bytes_left = header.payload_bytes;
    p.mask_phase = 0;
    p.is_in_frame = true;
    if (is_control(header.opcode)) {
        p.control_bytes = 0;
    } else if (header.opcode != opcode::continuation) {
        p.message.clear();
        p.message_bytes = 0;
        p.has_given_piece = false;
        p.message_opcode = header.opcode;
        p.utf8 = {};
        p.is_in_message = true;
        p.is_compressed = header.reserved_bits != 0;
    }
}

/// Takes what the input has of the frame's payload; `none` inside it, and after a fragment.
inline message_reader::item message_reader::continue_frame(std::span<char>& input) {
    auto& p = *progress_;
    if (gives_pieces_ && p.is_compressed && !is_control(p.frame.opcode))
        return inflate_piece(input);
    auto const bytes = take_unmasked(input);
    input = input.subspan(bytes.size());
    p.unmasked_bytes = 0;
    p.frame_bytes_left -= bytes.size();
    std::string_view const piece{bytes.data(), bytes.size()};

    if (is_control(p.frame.opcode)) {
        p.control_bytes = static_cast<std::uint8_t>(
            p.control_bytes + piece.copy(p.control.data() + p.control_bytes, piece.size()));
    } else if (gives_pieces_) {
        return take_piece(piece);
    } else if (auto const e = take_message_bytes(piece); e != error::none) {
        return fail(e);
    }
    if (p.frame_bytes_left > 0) return {};

    p.is_in_frame = false;
    if (is_control(p.frame.opcode))
        return finish_control(p.frame.opcode, {p.control.data(), p.control_bytes});
    return p.frame.is_final ? finish_message() : item{};
}

/// What the front of the input has of the frame's payload, unmasked in place.
inline std::span<char> message_reader::take_unmasked(std::span<char> input) noexcept {
    auto& p = *progress_;
    auto const bytes = p.frame_bytes_left < input.size()
                           ? input.first(static_cast<std::size_t>(p.frame_bytes_left))
                           : input;
    auto const fresh = bytes.subspan(p.unmasked_bytes);
    if (p.frame.is_masked) apply_mask(fresh, p.frame.masking_key, p.mask_phase);
    p.mask_phase = static_cast<std::uint8_t>((p.mask_phase + fresh.size()) % 4);
    return bytes;
}

/// The next bytes of a message, `frame_bytes_left` behind them in their frame.
inline error message_reader::take_message_bytes(std::string_view piece) {
    auto& p = *progress_;
    if (p.is_compressed) return inflate(piece, p.frame.is_final && p.frame_bytes_left == 0);
    // §8.1 as early as can be: text that cannot become valid is not waited for.
    if (p.message_opcode == opcode::text && !p.utf8.feed(piece)) return error::bad_utf8;
    p.message_bytes += piece.size();
    append(piece, p.frame.is_final ? p.message.size() + piece.size() +
                                         static_cast<std::size_t>(p.frame_bytes_left)
                                   : limits_.message_bytes_max);
    return error::none;
}

/// Inflates by way of a small buffer, so that the message grows by what is there.
inline error message_reader::inflate(std::string_view piece, bool ends_message) {
    std::array<char, inflated_bytes_at_once> buffer;
    message_codec::inflated result;
    do {
        auto const e = inflate_into(piece, ends_message, buffer, result);
        if (e != error::none) return e;
        append({buffer.data(), result.bytes}, limits_.message_bytes_max);
    } while (result.has_more);
    return error::none;
}

/// Inflates and checks what fits into the buffer; a message over the limit fails one byte past it.
inline error message_reader::inflate_into(std::string_view& from, bool ends_message,
                                          std::span<char> buffer, message_codec::inflated& result) {
    auto& p = *progress_;
    auto const room = limits_.message_bytes_max - p.message_bytes;
    auto const out =
        room < buffer.size() ? buffer.first(static_cast<std::size_t>(room) + 1) : buffer;
    result = codec_->inflate(from, ends_message, out);
    // What was inflated before a failure or the limit is checked first: it may have come in a call
    // of its own.
    auto const bytes = std::string_view{buffer.data(), result.bytes}.substr(0, room);
    if (p.message_opcode == opcode::text && !p.utf8.feed(bytes)) return error::bad_utf8;
    if (result.bytes > room) return error::message_too_large;
    p.message_bytes += bytes.size();
    return result.failure;
}

/// A piece of a message that is not compressed, where it lies.
inline message_reader::item message_reader::take_piece(std::string_view piece) {
    auto& p = *progress_;
    if (p.message_opcode == opcode::text && !p.utf8.feed(piece)) return fail(error::bad_utf8);
    p.message_bytes += piece.size();
    if (p.frame_bytes_left == 0) p.is_in_frame = false;
    return give_piece(piece);
}

/// Inflates a piece; what it left of the input, unmasked already, comes again with the next call.
inline message_reader::item message_reader::inflate_piece(std::span<char>& input) {
    auto& p = *progress_;
    auto const bytes = take_unmasked(input);
    bool const ends_message = p.frame.is_final && p.frame_bytes_left == bytes.size();
    p.message.resize(inflated_piece_bytes_max);
    std::string_view left{bytes.data(), bytes.size()};
    message_codec::inflated result;
    auto const e = inflate_into(left, ends_message, p.message, result);
    if (e != error::none) return fail(e);
    auto const taken = bytes.size() - left.size();
    input = input.subspan(taken);
    p.frame_bytes_left -= taken;
    p.unmasked_bytes = left.size();
    if (!result.has_more && p.frame_bytes_left == 0) p.is_in_frame = false;
    return give_piece({p.message.data(), result.bytes});
}

inline message_reader::item message_reader::give_piece(std::string_view piece) {
    auto& p = *progress_;
    bool const is_final = !p.is_in_frame && p.frame.is_final;
    if (piece.empty() && !is_final) return {};
    if (is_final) p.is_in_message = false;
    if (is_final && p.message_opcode == opcode::text && !p.utf8.is_complete())
        return fail(error::bad_utf8);
    auto found =
        make_item(p.message_opcode == opcode::text ? item_kind::text : item_kind::binary, piece);
    found.is_first = !std::exchange(p.has_given_piece, true);
    found.is_final = is_final;
    return found;
}

inline message_reader::item message_reader::finish_message() noexcept {
    auto& p = *progress_;
    p.is_in_message = false;
    std::string_view const payload{p.message.data(), p.message.size()};
    if (p.message_opcode == opcode::binary) return make_item(item_kind::binary, payload);
    return p.utf8.is_complete() ? make_item(item_kind::text, payload) : fail(error::bad_utf8);
}

inline message_reader::item message_reader::finish_control(opcode code,
                                                           std::string_view payload) noexcept {
    if (code == opcode::ping) return make_item(item_kind::ping, payload);
    if (code == opcode::pong) return make_item(item_kind::pong, payload);
    close_status status;
    if (auto const e = parse_close(payload, status); e != error::none) return fail(e);
    has_ended_ = true;
    return {.kind = item_kind::close,
            .payload = status.reason,
            .close_code = status.code,
            .failure = error::none,
            .is_first = true,
            .is_final = true};
}

/// Adds to the message. Capacity doubles, but not past what the message can come to.
inline void message_reader::append(std::string_view bytes, std::size_t size_possible) {
    auto& message = progress_->message;
    std::size_t const needed = message.size() + bytes.size();
    if (needed > message.capacity()) {
        std::size_t grown = message.capacity() < 32 ? 64 : 2 * message.capacity();
        if (grown > size_possible) grown = size_possible;
        message.reserve(grown > needed ? grown : needed);
    }
    message.insert(message.end(), bytes.begin(), bytes.end());
}

static_assert(sizeof(message_reader) <= 64, "an idle connection keeps one of these");

} // namespace livetape::websocket
