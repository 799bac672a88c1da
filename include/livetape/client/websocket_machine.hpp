#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <livetape/client/masking_keys.hpp>
#include <livetape/client/websocket_options.hpp>
#include <livetape/client/websocket_queue.hpp>
#include <livetape/config.hpp>
#include <livetape/error.hpp>
#include <livetape/time.hpp>
#include <livetape/wire/close_code.hpp>
#include <livetape/wire/compression.hpp>
#include <livetape/wire/frame_header.hpp>
#include <livetape/wire/message_reader.hpp>
#include <livetape/wire/utf8.hpp>

namespace livetape {

/// A message as a client receives it.
struct websocket_message {
    websocket::opcode opcode = websocket::opcode::text; ///< `text`, valid UTF-8, or `binary`
    std::string_view payload;

    [[nodiscard]] bool is_text() const noexcept { return opcode == websocket::opcode::text; }
};

/// Why a WebSocket connection was closed, as the peer said it (RFC 6455 §7.1.5, §7.1.6).
struct websocket_close {
    /// 1005 if its close frame had no code, 1006 if the connection ended without a close frame.
    std::uint16_t code = static_cast<std::uint16_t>(websocket::close_code::abnormal_closure);
    std::string reason; ///< UTF-8
};

namespace detail {

/// A client's side of an open WebSocket connection (RFC 6455 §5 to §7); performs no I/O and reads
/// no clock. Whoever drives it gives it the bytes that arrive, writes the batches that it has, and
/// wakes it at its deadline.
///
/// It is open until a close frame is to be sent: by the user, in answer to the peer's, or because
/// the peer broke a rule. Then it closes: what was read after that is dropped, the close frame is
/// written, and the peer has `close_timeout` to end the connection (§7.1.1: the server should do
/// so first). It is cut when the connection must be dropped, for whatever reason.
/// Thread safety: distinct objects safe; shared objects unsafe.
class websocket_machine {
public:
    /// @param codec  what compression was agreed on; null for none
    websocket_machine(websocket_client_options const& options, masking_keys keys,
                      std::unique_ptr<websocket::message_codec> codec, time_point now)
        : options_{options}, keys_{keys}, codec_{std::move(codec)},
          reader_{websocket::role::client, options.messages}, last_heard_{now} {
        if (codec_) reader_.set_compression(*codec_);
    }

    websocket_machine(websocket_machine const&) = delete;
    websocket_machine& operator=(websocket_machine const&) = delete;

    /// Says whether somebody waits for a message: only then is silence the peer's fault.
    void set_reading(bool is_reading, time_point now) noexcept {
        if (is_reading && !is_reading_) last_heard_ = now;
        is_reading_ = is_reading;
    }

    /// Takes bytes from the front of `input` until there is a message for the user; answers pings
    /// and close frames. Nothing: all input was taken, or the connection is at its end.
    /// The message is valid until the next call and while `input`'s bytes live unchanged.
    [[nodiscard]] std::optional<websocket_message> next(std::span<char>& input, time_point now);

    /// Queues a message; its bytes are copied.
    /// @return connection_closed, write_queue_full, or bad_utf8 for text that is not UTF-8
    [[nodiscard]] error send(websocket::opcode code, std::string_view payload);

    /// Queues a ping. Precondition: at most 125 bytes.
    [[nodiscard]] error ping(std::string_view payload);

    /// Queues a close frame behind the messages that wait. Does nothing if one was queued already.
    /// @param code    one that `may_be_sent`, or 1005 for a frame without a payload
    void close(std::uint16_t code, std::string_view reason, time_point now);

    /// What is to be written now as one; nothing if there is nothing, or a batch is in flight. The
    /// bytes live until `written`.
    [[nodiscard]] std::vector<std::string_view> begin_batch(time_point now);
    void written();

    /// The number of the last message that was queued, and of the last that was written.
    [[nodiscard]] std::uint64_t queued_count() const noexcept { return queue_.message_count(); }
    [[nodiscard]] std::uint64_t written_count() const noexcept { return queue_.written_count(); }

    /// Says that nothing will come any more. What answers the peer's close frame still goes out.
    void end_of_input(std::error_code ec) {
        is_input_over_ = true;
        if (!has_ended() || queue_.is_empty()) end_of_stream(ec);
    }

    /// Whether to read from the stream.
    [[nodiscard]] bool wants_input() const noexcept { return !is_input_over_; }

    /// Says that the stream is of no use any more.
    void end_of_stream(std::error_code ec) {
        if (!has_ended()) end(ec);
        is_cut_ = true;
    }

    /// When `wake` has to be called, unless something else happens before.
    [[nodiscard]] time_point deadline() const noexcept;

    /// Sends the ping that is due, or gives the peer up.
    void wake(time_point now);

    /// Whether a close frame is to be sent or was: no further message can be sent.
    [[nodiscard]] bool is_closing() const noexcept { return is_close_queued_; }

    /// Whether no message will be received any more.
    [[nodiscard]] bool has_ended() const noexcept { return static_cast<bool>(why_); }

    /// Whether the connection must be dropped.
    [[nodiscard]] bool is_cut() const noexcept { return is_cut_; }

    /// Whether both close frames went over the wire (RFC 6455 §7.1.4).
    [[nodiscard]] bool is_cleanly_closed() const noexcept {
        return why_ == error::connection_closed && is_close_queued_ && queue_.is_empty();
    }

    /// Why the connection has ended: connection_closed after the peer's close frame, the rule that
    /// the peer broke, the timeout, or what the stream said.
    [[nodiscard]] std::error_code why() const noexcept { return why_; }

    /// What the peer's close frame said.
    [[nodiscard]] websocket_close const& peer_close() const noexcept { return peer_close_; }

private:
    void end(std::error_code why) {
        if (!why_) why_ = why;
    }
    void cut(error why) {
        end(why);
        is_cut_ = true;
    }
    void answer_close(std::uint16_t code, std::string_view reason, time_point now);
    void append_message(websocket::opcode code, std::string_view payload, bool is_compressed);
    [[nodiscard]] bool is_keeping_alive() const noexcept {
        return is_reading_ && !is_close_queued_ && options_.ping_interval.count() > 0;
    }

    websocket_client_options const& options_;
    masking_keys keys_;
    std::unique_ptr<websocket::message_codec> codec_;
    websocket::message_reader reader_;
    websocket_queue queue_;
    std::string compressed_;
    websocket_close peer_close_;
    std::error_code why_;
    time_point last_heard_;
    time_point last_ping_{}; // long ago
    time_point write_deadline_ = time_point::max();
    time_point close_deadline_ = time_point::max();
    bool is_reading_ = false;
    bool is_close_queued_ = false;
    bool is_input_over_ = false;
    bool is_cut_ = false;
};

inline std::optional<websocket_message> websocket_machine::next(std::span<char>& input,
                                                                time_point now) {
    using kind = websocket::message_reader::item_kind;
    if (!input.empty()) last_heard_ = now;
    while (!has_ended()) {
        auto const item = reader_.next(input);
        switch (item.kind) {
        case kind::none: return std::nullopt;
        case kind::text: return websocket_message{websocket::opcode::text, item.payload};
        case kind::binary: return websocket_message{websocket::opcode::binary, item.payload};
        case kind::pong: break;
        case kind::ping:
            // §5.5.2: unless a close frame came; after ours nothing may follow (§5.5.1).
            if (is_close_queued_ && queue_.last().empty()) break;
            if (queue_.control().size() > websocket_queue::batch_bytes_max) {
                // The peer sends pings and takes no pongs.
                answer_close(describe(error::control_flood).close_code, {}, now);
                end(error::control_flood);
                break;
            }
            websocket::append_masked_frame(queue_.control(), websocket::opcode::pong, item.payload,
                                           keys_.next());
            break;
        case kind::close:
            peer_close_ = {item.close_code, std::string{item.payload}};
            answer_close(item.close_code, {}, now);
            end(error::connection_closed);
            break;
        case kind::failed:
            answer_close(describe(item.failure).close_code, describe(item.failure).message, now);
            end(item.failure);
            break;
        }
    }
    input = input.last(0);
    return std::nullopt;
}

/// The close frame goes before any message that waits: nobody would read them.
inline void websocket_machine::answer_close(std::uint16_t code, std::string_view reason,
                                            time_point now) {
    queue_.drop_messages();
    close(code, reason, now);
}

inline void websocket_machine::close(std::uint16_t code, std::string_view reason, time_point now) {
    if (is_close_queued_) return;
    is_close_queued_ = true;
    close_deadline_ = now + options_.close_timeout;
    websocket::append_masked_close_frame(queue_.last(), code, reason, keys_.next());
}

inline error websocket_machine::send(websocket::opcode code, std::string_view payload) {
    if (is_close_queued_ || has_ended()) return error::connection_closed;
    auto const waiting = queue_.waiting_bytes();
    bool const has_room = waiting == 0 || (waiting <= options_.queue_bytes_max &&
                                           payload.size() <= options_.queue_bytes_max - waiting);
    if (!has_room) return error::write_queue_full;
    // §5.6: the peer would have to fail the connection; the caller hears of it instead.
    if (code == websocket::opcode::text && !is_utf8(payload)) return error::bad_utf8;
    compressed_.clear();
    bool const is_compressed = codec_ && codec_->deflate(payload, compressed_);
    append_message(code, is_compressed ? std::string_view{compressed_} : payload, is_compressed);
    return error::none;
}

inline void websocket_machine::append_message(websocket::opcode code, std::string_view payload,
                                              bool is_compressed) {
    auto const fragment_bytes =
        options_.fragment_bytes == 0 ? payload.size() : options_.fragment_bytes;
    websocket::frame_header header{.opcode = code, .is_masked = true};
    if (is_compressed) header.reserved_bits = websocket::reserved_bit_1;
    do {
        auto const fragment = payload.substr(0, fragment_bytes);
        payload.remove_prefix(fragment.size());
        header.is_final = payload.empty();
        header.masking_key = keys_.next();
        auto& out = queue_.message_piece();
        auto const before = out.size();
        websocket::append_frame(out, header, fragment);
        queue_.frame_added(out.size() - before, header.is_final);
        header.opcode = websocket::opcode::continuation;
        header.reserved_bits = 0;
    } while (!header.is_final);
}

inline error websocket_machine::ping(std::string_view payload) {
    LIVETAPE_ASSERT(payload.size() <= websocket::control_payload_bytes_max);
    if (is_close_queued_ || has_ended()) return error::connection_closed;
    if (queue_.control().size() > websocket_queue::batch_bytes_max) return error::write_queue_full;
    websocket::append_masked_frame(queue_.control(), websocket::opcode::ping, payload,
                                   keys_.next());
    return error::none;
}

inline std::vector<std::string_view> websocket_machine::begin_batch(time_point now) {
    if (is_cut_ || queue_.is_in_flight() || queue_.is_empty()) return {};
    write_deadline_ = now + options_.write_timeout;
    return queue_.begin_batch();
}

inline void websocket_machine::written() {
    queue_.written();
    write_deadline_ = time_point::max();
    if (is_input_over_ && queue_.is_empty()) is_cut_ = true;
}

inline time_point websocket_machine::deadline() const noexcept {
    if (is_cut_) return time_point::max();
    auto due = std::min(write_deadline_, close_deadline_);
    if (is_keeping_alive()) {
        due = std::min(due, std::max(last_heard_, last_ping_) + options_.ping_interval);
        due = std::min(due, last_heard_ + options_.idle_timeout);
    }
    return due;
}

inline void websocket_machine::wake(time_point now) {
    if (is_cut_) return;
    // The close frame may not even have left because the peer takes nothing.
    if (now >= close_deadline_) return cut(error::close_timeout);
    if (now >= write_deadline_) return cut(error::stalled);
    if (!is_keeping_alive()) return;
    if (now >= last_heard_ + options_.idle_timeout) return cut(error::idle_timeout);
    if (now < std::max(last_heard_, last_ping_) + options_.ping_interval) return;
    last_ping_ = now;
    if (queue_.control().empty())
        websocket::append_masked_frame(queue_.control(), websocket::opcode::ping, {}, keys_.next());
}

} // namespace detail

} // namespace livetape
