#pragma once

#include <livetape/transport/poll_session.hpp>
#include <livetape/transport/session.hpp>
#include <livetape/transport/sse_session.hpp>
#include <livetape/transport/websocket_session.hpp>

#include "presence_book.hpp"
#include "virtual_clock.hpp"
#include "wire_text.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace livetape::simulation {

/// A session of any transport.
class any_session {
public:
    virtual ~any_session() = default;
    virtual void feed(std::span<char> bytes) = 0;
    virtual void end_of_input() = 0;
    virtual void gather(write_batch& batch) = 0;
    virtual void settle(write_batch& batch, std::size_t written) = 0;
    virtual time_point wake() = 0;
    [[nodiscard]] virtual session_end end() const = 0;
    virtual subscriber& cursors() = 0;
};

template <session Session>
class session_of final : public any_session {
public:
    session_of(session_context const& context, http::request_head const& head)
        : session_{context, head, head.path()} {}

    void feed(std::span<char> bytes) override { session_.feed(bytes, virtual_now); }
    void end_of_input() override { session_.end_of_input(virtual_now); }
    void gather(write_batch& batch) override { session_.gather(batch, virtual_now); }
    void settle(write_batch& batch, std::size_t written) override {
        session_.settle(batch, written, virtual_now);
    }
    time_point wake() override { return session_.wake(virtual_now); }
    [[nodiscard]] session_end end() const override { return session_.end(); }
    subscriber& cursors() override { return session_.cursors(); }

private:
    Session session_;
};

inline std::unique_ptr<any_session> make_session(transport_kind transport,
                                                 session_context const& context,
                                                 std::string_view target, person const& who) {
    http::request_head head{"GET", target, {{"Host", "h"}, {"Who", who.id}, {"Info", who.info}}};
    switch (transport) {
    case transport_kind::websocket:
        head.add_field("Upgrade", "websocket");
        head.add_field("Connection", "Upgrade");
        head.add_field("Sec-WebSocket-Version", "13");
        head.add_field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        return std::make_unique<session_of<websocket_session>>(context, head);
    case transport_kind::sse: return std::make_unique<session_of<sse_session>>(context, head);
    default: return std::make_unique<session_of<poll_session>>(context, head);
    }
}

} // namespace livetape::simulation
