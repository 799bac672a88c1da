#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <livetape/config.hpp>
#include <livetape/error.hpp>
#include <livetape/time.hpp>
#include <livetape/transport/dismissal.hpp>
#include <livetape/transport/encodings.hpp>
#include <livetape/transport/endpoint.hpp>
#include <livetape/transport/fragment_queue.hpp>
#include <livetape/transport/outbox.hpp>
#include <livetape/transport/session.hpp>
#include <livetape/wire/close_code.hpp>
#include <livetape/wire/compression.hpp>
#include <livetape/wire/frame_header.hpp>
#include <livetape/wire/handshake.hpp>
#include <livetape/wire/message_reader.hpp>

namespace livetape {

/// What the messages of a connection are: commands and events of the hub, or the host's own.
enum class websocket_use : std::uint8_t { subscriptions, messages };

/// The server's end of one WebSocket connection, without what the messages mean: the handshake's
/// answer, pings and pongs, the closing handshake, and the timeouts (RFC 6455 §4.2.2, §5.5, §7).
///
/// States: open; closing (our close frame is queued, the peer's has not come); closed (both have
/// been sent or queued) or ended (refused or failed): nothing more is sent, and the connection
/// closes once everything is written; aborted: at once. A refused handshake starts in ended.
/// Thread safety: shared objects unsafe.
class websocket_link {
public:
    /// Answers the opening handshake.
    /// @param refused  an error that the caller found first, or none
    websocket_link(session_context const& context, http::request_head const& head, error refused,
                   std::string_view detail, std::span<std::string_view const> subprotocols,
                   websocket_use use = websocket_use::subscriptions)
        : endpoint_{context.endpoint}, reader_{websocket::role::server,
                                               {use == websocket_use::messages
                                                    ? endpoint_.options().handler_message_bytes_max
                                                    : endpoint_.options().message_bytes_max}},
          last_received_{context.now}, use_{use} {
        if (auto const wrong = websocket::check_handshake(head); wrong != error::none) {
            refused = wrong;
            detail = {};
        }
        if (refused == error::none) {
            accept(head, subprotocols);
            return;
        }
        state_ = state::ended;
        auto const allow = refused == error::method_not_allowed ? "Allow: GET\r\n" : "";
        out.lane() = endpoint_.refuse(refused, detail, head, allow);
    }

    outbox out;

    [[nodiscard]] live_endpoint& endpoint() const noexcept { return endpoint_; }
    [[nodiscard]] bool is_open() const noexcept { return state_ == state::open; }

    /// Messages are given in pieces from now on; to be called before the first bytes are fed.
    void give_pieces() noexcept { reader_.give_pieces(); }

    /// False from when more than `reply_bytes_max` of replies wait until half of that does: a peer
    /// that reads slowly is read slowly, and what it sends meanwhile waits in its own socket.
    [[nodiscard]] bool wants_input() const noexcept { return !is_paused_ || !is_open(); }

    /// Takes received bytes; calls `on_message(item)` for each text or binary message while open.
    ///
    /// Once it wants no input, the rest of the bytes is kept for `go_on`; of what is fed even then
    /// at most `reply_bytes_max` is kept, and beyond that the connection ends.
    template <class OnMessage>
    void feed(std::span<char> bytes, time_point now, OnMessage&& on_message) {
        // Once we are closing, nothing but the peer's close frame makes the wait longer.
        if (is_open()) last_received_ = now;
        if (!unread_) return keep(take(bytes, on_message));
        if (!wants_input() && unread_->size() > reply_bytes_max())
            return fail(error::control_flood);
        unread_->append(bytes.data(), bytes.size());
        take_unread(on_message);
    }

    /// Goes on with what was kept, if enough was written; to be called when a write has been
    /// settled. True if it went on, and may have made something to write.
    template <class OnMessage>
    bool go_on(time_point now, OnMessage&& on_message) {
        if (is_paused_ && unsent_bytes() <= reply_bytes_max() / 2) {
            is_paused_ = false;
            // The silence was our wish.
            if (is_open()) last_received_ = now;
        }
        if (!unread_ || !wants_input()) return false;
        take_unread(on_message);
        return true;
    }

    /// Wants no input until `go_on`, or longer, see `wants_input`.
    void pause() noexcept { is_paused_ = true; }

    /// Whether as much waits to be written as makes it want no input.
    [[nodiscard]] bool is_full() const noexcept { return unsent_bytes() > reply_bytes_max(); }

    /// Sends a text or binary message, compressed if that was agreed on and gains, after what was
    /// sent before. One to a host's own client goes in fragments if it is large, so that a control
    /// frame can come between.
    void send(websocket::opcode code, std::string_view payload) {
        LIVETAPE_ASSERT(!websocket::is_control(code));
        if (!is_open()) return;
        if (use_ == websocket_use::messages &&
            (!queue_.is_empty() || payload.size() > endpoint_.options().fragment_bytes_max))
            return send_later(code, payload);
        auto& lane = out.lane();
        auto const begin = lane.size();
        if (deflate(payload, lane))
            detail::frame_in_place(lane, begin, code, websocket::reserved_bit_1);
        else websocket::append_frame(lane, code, payload);
    }

    /// Sends a ping with at most 125 bytes of payload, before the messages that wait. The pong is
    /// not reported; it counts as a sign of life, as everything received does.
    void ping(std::string_view payload = {}) {
        if (is_open()) websocket::append_frame(out.lane(), websocket::opcode::ping, payload);
    }

    /// Starts the closing handshake after the messages that wait. Nothing is received any more.
    /// @param code    one that `websocket::may_be_sent`, or 1005 for a close frame without one
    /// @param reason  for people; cut to 123 bytes
    void close(std::uint16_t code, std::string_view reason = {}) {
        if (!is_open()) return;
        state_ = state::closing;
        if (queue_.is_empty()) return websocket::append_close_frame(out.lane(), code, reason);
        queue_.push(websocket::opcode::close,
                    std::string{websocket::detail::close_payload{code, reason}.view()}, 0);
    }

    void close(websocket::close_code code, std::string_view reason = {}) {
        close(static_cast<std::uint16_t>(code), reason);
    }

    /// The same at the host's wish, counted; messages that wait are dropped.
    void close(dismissal const& why, time_point now) {
        close(error::dismissed, why.reason, now, why.close_code);
    }

    [[nodiscard]] bool has_fragments() const noexcept { return !queue_.is_empty(); }

    /// Lets fragments that wait follow, as many as make one write. To be called before each.
    void send_fragments(time_point now) {
        auto const size = endpoint_.options().fragment_bytes_max;
        if (queue_.is_empty()) return;
        while (!queue_.is_empty() && out.reply_bytes() < size) queue_.append_next(out.lane(), size);
        // The time to answer our close frame begins when it goes out.
        if (state_ == state::closing) last_received_ = now;
    }

    /// What compresses messages for this connection and others alike, null if nothing does. From
    /// now on every message is compressed alone, so that those that others share may go between.
    [[nodiscard]] websocket::shared_compressor const* share_messages() noexcept {
        return shared_ = codec_ ? codec_->shared() : nullptr;
    }

    /// Starts the closing handshake because of an error, which is counted; messages that wait are
    /// dropped.
    void close(error why, std::string_view reason, time_point now) {
        close(why, reason, now, describe(why).close_code);
    }

    void end_of_input() noexcept {
        if (is_open() || state_ == state::closing) state_ = state::ended;
    }

    /// Pings and times out; answers when to be woken next.
    [[nodiscard]] time_point wake(time_point now) {
        auto const& options = endpoint_.options();
        auto next = never;
        if (out.has_unsent()) {
            next = out.unsent_since() + options.write_timeout;
            if (now >= next) return abort(error::stalled);
        }
        if (state_ == state::closing && !queue_.is_empty()) return next;
        if (state_ == state::closing) {
            if (now >= last_received_ + options.close_timeout) return abort(error::none);
            return std::min(next, last_received_ + options.close_timeout);
        }
        // Who is not read cannot show that it is there; whether it reads is known above.
        if (state_ != state::open || is_paused_) return next;

        if (now >= last_received_ + options.idle_timeout) {
            close(error::idle_timeout, {}, now);
            return std::min(next, now + options.close_timeout);
        }
        auto const last_activity = std::max(last_received_, last_ping_);
        if (now >= last_activity + options.heartbeat_interval) {
            websocket::append_frame(out.lane(), websocket::opcode::ping, {});
            last_ping_ = now;
        }
        next = std::min(next, std::max(last_received_, last_ping_) + options.heartbeat_interval);
        return std::min(next, last_received_ + options.idle_timeout);
    }

    [[nodiscard]] session_end end() const noexcept {
        if (state_ == state::aborted) return session_end::abort;
        if (state_ == state::closed) return session_end::finished;
        return state_ == state::ended ? session_end::close : session_end::none;
    }

private:
    enum class state : std::uint8_t { open, closing, closed, ended, aborted };

    void accept(http::request_head const& head, std::span<std::string_view const> subprotocols) {
        std::vector<http::header_field> fields;
        websocket::compression::answer agreed;
        if (auto const& compression = endpoint_.options().compression)
            agreed = compression->accept(websocket::offered_extensions(head));
        if (agreed.codec) {
            codec_ = std::move(agreed.codec);
            reader_.set_compression(*codec_);
            fields.push_back({"Sec-WebSocket-Extensions", agreed.extension});
        }
        websocket::append_accept(out.lane(), head,
                                 websocket::choose_subprotocol(head, subprotocols), fields);
    }

    /// Reads items until the input is used up or no more is wanted; returns what is left.
    template <class OnMessage>
    std::span<char> take(std::span<char> bytes, OnMessage& on_message) {
        while (wants_input() && (is_open() || state_ == state::closing)) {
            auto const item = reader_.next(bytes);
            using kind = websocket::message_reader::item_kind;
            switch (item.kind) {
            case kind::none: return {};
            case kind::text:
            case kind::binary:
                if (is_open()) on_message(item);
                break;
            case kind::ping:
                if (is_open())
                    websocket::append_frame(out.lane(), websocket::opcode::pong, item.payload);
                break;
            case kind::pong: break;
            case kind::close: answer_close(item.close_code); break;
            case kind::failed: fail(item.failure); break;
            }
            if (is_full()) pause();
        }
        return is_open() ? bytes : std::span<char>{};
    }

    template <class OnMessage>
    void take_unread(OnMessage& on_message) {
        auto const bytes = std::move(unread_);
        keep(take(*bytes, on_message));
    }

    void keep(std::span<char const> rest) {
        if (!rest.empty()) unread_ = std::make_unique<std::string>(rest.data(), rest.size());
    }

    void close(error why, std::string_view reason, time_point now, std::uint16_t code) {
        if (!is_open()) return;
        endpoint_.errors().count(why);
        queue_.clear();
        websocket::append_close_frame(out.lane(), code,
                                      reason.empty() ? describe(why).message : reason);
        state_ = state::closing;
        last_received_ = now;
    }

    void send_later(websocket::opcode code, std::string_view payload) {
        std::string bytes;
        if (deflate(payload, bytes))
            return queue_.push(code, std::move(bytes), websocket::reserved_bit_1);
        queue_.push(code, std::string{payload}, 0);
    }

    [[nodiscard]] std::size_t unsent_bytes() const noexcept {
        return out.reply_bytes() + queue_.bytes();
    }

    [[nodiscard]] std::size_t reply_bytes_max() const noexcept {
        return endpoint_.options().reply_bytes_max;
    }

    [[nodiscard]] bool deflate(std::string_view message, std::string& to) {
        if (shared_ != nullptr) return shared_->deflate(message, to);
        return codec_ != nullptr && codec_->deflate(message, to);
    }

    /// RFC 6455 §5.5.1: the answer to a close echoes its code, unless we sent ours before.
    void answer_close(std::uint16_t code) {
        // Of a message that was begun nothing more is sent; its close frame ends it as well.
        if (is_open() || !queue_.is_empty()) {
            queue_.clear();
            bool const has_code =
                code != static_cast<std::uint16_t>(websocket::close_code::no_status_received);
            if (has_code) websocket::append_close_frame(out.lane(), code);
            else websocket::append_frame(out.lane(), websocket::opcode::close, {});
        }
        state_ = state::closed;
    }

    /// RFC 6455 §7.1.7: says why and ends without waiting for the peer's close.
    void fail(error why) {
        endpoint_.errors().count(why);
        bool const is_close_sent = state_ == state::closing && queue_.is_empty();
        queue_.clear();
        if (!is_close_sent)
            websocket::append_close_frame(out.lane(), describe(why).close_code, reason_of(why));
        state_ = state::ended;
    }

    /// What a close frame says of an error: the limit too, if it is one.
    [[nodiscard]] std::string reason_of(error why) const {
        std::string reason{describe(why).message};
        if (why == error::message_too_large)
            reason += " of " + std::to_string(message_bytes_max()) + " bytes";
        if (why == error::control_flood)
            reason += "; at most " + std::to_string(reply_bytes_max()) + " bytes of them may wait";
        return reason;
    }

    [[nodiscard]] std::size_t message_bytes_max() const noexcept {
        auto const& options = endpoint_.options();
        return use_ == websocket_use::messages ? options.handler_message_bytes_max
                                               : options.message_bytes_max;
    }

    time_point abort(error why) noexcept {
        if (why != error::none) endpoint_.errors().count(why);
        state_ = state::aborted;
        return never;
    }

    live_endpoint& endpoint_;
    std::unique_ptr<websocket::message_codec> codec_; ///< null: messages go plain
    websocket::shared_compressor const* shared_ = nullptr;
    websocket::message_reader reader_;
    std::unique_ptr<std::string> unread_; ///< fed before more was wanted; mostly null
    fragment_queue queue_;
    time_point last_received_;
    time_point last_ping_{};
    state state_ = state::open;
    websocket_use use_;
    bool is_paused_ = false;
};

} // namespace livetape
