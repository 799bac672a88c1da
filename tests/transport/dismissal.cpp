#include <livetape/transport/message_session.hpp>
#include <livetape/transport/poll_session.hpp>
#include <livetape/transport/sse_session.hpp>
#include <livetape/transport/websocket_session.hpp>

#include <support/session_driver.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

// A host ends the connections of one client.

namespace {

using namespace livetape;
using namespace livetape::test;
using namespace std::chrono_literals;

/// Everybody is who the field X-Name says.
live_options named() {
    live_options options;
    options.hooks.connect = [](http::request_head const& head) -> std::optional<client_identity> {
        return client_identity{head.field("X-Name").value_or("")};
    };
    return options;
}

} // namespace

TEST_CASE("transport/dismissal: a WebSocket gets a close frame with code and reason, others none") {
    world w{named()};
    w.source.open("a");
    auto const ann = connect<websocket_session>(w, handshake("/ws?channel=a", {{"X-Name", "ann"}}));
    auto const bob = connect<websocket_session>(w, handshake("/ws?channel=a", {{"X-Name", "bob"}}));
    for (auto* const each : {ann.get(), bob.get()}) {
        each->on.dismiss("ann", {"enough", 4321}, virtual_now);
        each->pump();
    }
    w.publish("a", "1");
    auto const inbox = read_websocket(ann->received);
    CHECK(inbox.close_code == 4321);
    CHECK(inbox.close_reason == "enough");
    CHECK(offsets_in(inbox.messages).empty());
    CHECK(ann->on.cursors().count() == 0);
    CHECK_FALSE(ann->is_over);
    ann->send(masked_close(4321));
    CHECK(ann->is_over);
    CHECK(read_websocket(bob->received).close_code == 0);
    CHECK(offsets_in(bob->received) == range(1, 1));
    CHECK(w.count(error::dismissed) == 1);
    // Twice is once.
    ann->on.dismiss("ann", {}, virtual_now);
    CHECK(w.count_all() == 1);
}

TEST_CASE("transport/dismissal: without a code and a reason a WebSocket gets the usual ones") {
    world w{named()};
    message_handler const nothing = [](websocket_link&, websocket::opcode, std::string_view) {};
    session_driver<message_session> ann{w.context(), handshake("/own", {{"X-Name", "ann"}}),
                                        nothing};
    ann.start();
    ann.on.dismiss("bob", {}, virtual_now);
    CHECK(ann.on.end() == session_end::none);
    ann.on.dismiss("ann", {}, virtual_now);
    ann.pump();
    CHECK(read_websocket(ann.received).close_code == 4500);
    CHECK(read_websocket(ann.received).close_reason == "this client was asked to leave");
    ann.advance(5s);
    CHECK(ann.is_aborted);
}

TEST_CASE("transport/dismissal: an event stream ends with a notice") {
    for (bool const is_raw : {false, true}) {
        world w{named()};
        w.source.open("a");
        std::string_view const target = is_raw ? "/sse/raw/a" : "/sse?channel=a";
        auto const ann = connect<sse_session>(w, request("GET", target, {{"X-Name", "ann"}}));
        ann->on.dismiss("bob", {}, virtual_now);
        w.publish("a", "1");
        CHECK_FALSE(ann->is_over);
        ann->on.dismiss("ann", {.reason = "enough"}, virtual_now);
        ann->pump();
        w.publish("a", "2");
        CHECK(ann->is_over);
        CHECK_FALSE(ann->is_aborted);
        auto const messages = read_sse(ann->received).messages;
        REQUIRE(messages.size() == 2);
        CHECK(messages[1].type == (is_raw ? "error" : "message"));
        CHECK(messages[1].data == R"({"error":{"code":"dismissed","message":"enough"}})");
        CHECK(w.count(error::dismissed) == 1);
    }
}

TEST_CASE(
    "transport/dismissal: a poll that waits is answered, one that does not is kept no longer") {
    world w{named()};
    w.source.open("a");
    auto const poll = [&](std::string_view target, std::size_t window) {
        return connect<poll_session>(w, request("GET", target, {{"X-Name", "ann"}}), unlimited,
                                     window);
    };
    auto const waiting = poll("/poll?channel=a&wait=30&cursor=now", unlimited);
    waiting->on.dismiss("bob", {}, virtual_now);
    CHECK_FALSE(waiting->is_over);
    waiting->on.dismiss("ann", {.reason = "enough"}, virtual_now);
    waiting->pump();
    CHECK(waiting->is_over);
    auto const answer = only_response(waiting->received);
    CHECK(answer.status == 403);
    CHECK(answer.code() == "dismissed");
    CHECK(answer.field("Connection") == "close");

    auto const answered = poll("/poll?channel=a", 0);
    answered->on.dismiss("ann", {}, virtual_now);
    CHECK(answered->on.end() == session_end::close);
    answered->open_window();
    CHECK(only_response(answered->received).status == 200);
    CHECK(w.count(error::dismissed) == 1);
}
