#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include <livetape/transport/client_request.hpp>
#include <livetape/transport/session.hpp>
#include <livetape/transport/websocket_link.hpp>

namespace livetape {

/// What a host does with a message on a WebSocket path of its own; it answers with `link.send`.
/// The payload is valid during the call.
using message_handler =
    std::function<void(websocket_link& link, websocket::opcode code, std::string_view payload)>;

/// A part of a message as it arrives, whatever the frames.
struct message_piece {
    websocket::opcode code;   ///< text or binary; of text it may end inside a code point
    std::string_view payload; ///< only of the final piece it may be empty
    bool is_first;            ///< a message begins
    bool is_final;            ///< the message ends; a text is valid UTF-8 as a whole
};

/// The same for messages that the host does not want whole: nothing of them is kept. A message that
/// fails on its way has no final piece, and the connection closes.
using message_piece_handler = std::function<void(websocket_link& link, message_piece const& piece)>;

/// A WebSocket connection whose messages go to the host instead of the hub.
/// Thread safety: shared objects unsafe; the shard's thread owns it.
class message_session {
public:
    /// @param handler  must outlive the session
    message_session(session_context const& context, http::request_head const& head,
                    message_handler const& handler)
        : message_session{context, head, &handler, nullptr} {}

    /// @param handler  must outlive the session
    message_session(session_context const& context, http::request_head const& head,
                    message_piece_handler const& handler)
        : message_session{context, head, nullptr, &handler} {
        link_.give_pieces();
    }

    void feed(std::span<char> bytes, time_point now) {
        link_.feed(bytes, now, [this](auto const& message) { hand_out(message); });
    }

    [[nodiscard]] bool wants_input() const noexcept { return link_.wants_input(); }

    void end_of_input(time_point) noexcept { link_.end_of_input(); }

    void gather(write_batch& batch, time_point now) {
        link_.send_fragments(now);
        link_.out.gather_replies(batch);
        link_.out.begin_write(batch, now);
    }

    void settle(write_batch& batch, std::size_t written, time_point now) {
        link_.out.settle(batch, written, now);
        bool const has_made_more =
            link_.go_on(now, [this](auto const& message) { hand_out(message); });
        // The next fragment takes another turn, after the others that have something to write.
        if (has_made_more || link_.has_fragments()) cursors_.make_ready();
    }

    [[nodiscard]] time_point wake(time_point now) { return link_.wake(now); }
    [[nodiscard]] session_end end() const noexcept { return link_.end(); }
    void shut_down(time_point now) { link_.close(error::shutting_down, {}, now); }
    void dismiss(std::string_view whom, dismissal const& why, time_point now) {
        if (whom == identity_) link_.close(why, now);
    }
    [[nodiscard]] subscriber& cursors() noexcept { return cursors_; }
    [[nodiscard]] std::string take_unread() { return {}; }

private:
    message_session(session_context const& context, http::request_head const& head,
                    message_handler const* on_message, message_piece_handler const* on_piece)
        : message_session{context, head, on_message, on_piece, client_identity{}} {}

    message_session(session_context const& context, http::request_head const& head,
                    message_handler const* on_message, message_piece_handler const* on_piece,
                    client_identity&& identity)
        : link_{context, head, opening_error(context.endpoint, head, identity),
                {},      {},   websocket_use::messages},
          identity_{std::move(identity.id)}, cursors_{context.wakes},
          on_message_{on_message}, on_piece_{on_piece} {}

    void hand_out(websocket::message_reader::item const& message) {
        bool const is_text = message.kind == websocket::message_reader::item_kind::text;
        auto const code = is_text ? websocket::opcode::text : websocket::opcode::binary;
        if (on_message_ != nullptr) return (*on_message_)(link_, code, message.payload);
        (*on_piece_)(link_, {code, message.payload, message.is_first, message.is_final});
    }

    static error opening_error(live_endpoint const& endpoint, http::request_head const& head,
                               client_identity& identity) {
        return has_body(head) ? error::bad_content_length : endpoint.admit(head, identity);
    }

    websocket_link link_;
    std::string identity_;
    subscriber cursors_; // without subscriptions: what the driver asks every session for
    message_handler const* on_message_; // one of the two
    message_piece_handler const* on_piece_;
};

static_assert(session<message_session>);

} // namespace livetape
