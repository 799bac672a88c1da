#include <livetape/transport/websocket_session.hpp>

#include <support/websocket_sessions.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// The WebSocket connection: its paths, its pings, its end, and raw ones.

namespace {

using namespace livetape;
using namespace livetape::test;
using namespace std::chrono_literals;
using namespace std::string_literals;
using kind = websocket::message_reader::item_kind;

static_assert(session<websocket_session>);
static_assert(transport<websocket_transport>);

} // namespace

TEST_CASE("transport/websocket_session: the transport takes its paths and no others") {
    auto const takes = [](std::string_view target) {
        auto const head = handshake(target);
        return websocket_transport::matches(head, head.path());
    };
    CHECK(takes("/ws"));
    CHECK(takes("/ws?channel=a"));
    CHECK(takes("/ws/raw/a"));
    for (auto const* other : {"/", "/wss", "/ws/", "/ws/raw", "/sse", "/WS"})
        CHECK_FALSE(takes(other));
}

TEST_CASE("transport/websocket_session: who is silent is pinged, and closed if no pong comes [RFC "
          "6455 5.5.2]") {
    world w;
    auto const ws = open_socket(w);
    ws->advance(24'999ms);
    CHECK(read_websocket(ws->received).pings.empty());
    ws->advance(1ms);
    CHECK(read_websocket(ws->received).pings.size() == 1);
    ws->send(masked("", websocket::opcode::pong));
    ws->advance(74'999ms);
    CHECK(read_websocket(ws->received).pings.size() == 3);
    CHECK(read_websocket(ws->received).close_code == 0);
    ws->advance(1ms);
    CHECK(read_websocket(ws->received).close_code == 4003);
    CHECK(w.count(error::idle_timeout) == 1);
    ws->advance(4'999ms);
    CHECK_FALSE(ws->is_over);
    ws->advance(1ms);
    CHECK(ws->is_aborted);
    CHECK(w.count_all() == 1);
}

TEST_CASE("transport/websocket_session: a pong carries the ping's payload [RFC 6455 5.5.3]") {
    world w;
    for (auto const fed : write_sizes) {
        auto const ws = open_socket(w);
        std::string const longest(125, 'p');
        ws->send(masked("", websocket::opcode::ping) + masked(longest, websocket::opcode::ping),
                 fed);
        CHECK(read_websocket(ws->received).pongs == std::vector<std::string>{"", longest});
    }
}

TEST_CASE("transport/websocket_session: the client's close is answered with its code, after what "
          "was begun [RFC 6455 5.5.1]") {
    struct close_vector {
        std::string frame;
        int code;
    };
    for (auto const& v :
         {close_vector{masked_close(1000), 1000}, close_vector{masked_close(4999, "bye"), 4999},
          close_vector{masked("", websocket::opcode::close), 1005}}) {
        for (std::size_t cut = 0; cut < 120; ++cut) {
            world w;
            fill(w, "ticks", 3);
            auto const ws = open_socket(w);
            ws->window = cut;
            ws->send(masked(R"({"subscribe":"ticks","cursor":"oldest"})"));
            ws->send(v.frame + masked("ignored"));
            CHECK(ws->on.cursors().count() == 0);
            ws->open_window();
            auto const inbox = read_websocket(ws->received);
            CHECK(inbox.close_code == v.code);
            CHECK(ws->is_over);
            CHECK_FALSE(ws->is_aborted);
            auto const offsets = offsets_in(inbox.messages);
            CHECK(offsets == range(1, offsets.size()));
            CHECK(w.count_all() == 0);
        }
    }
}

TEST_CASE(
    "transport/websocket_session: a stopping server closes with 1001 and waits for the answer") {
    world w;
    w.source.open("ticks");
    auto const polite = open_socket(w, "/ws?channel=ticks");
    auto const rude = open_socket(w, "/ws?channel=ticks");
    polite->shut_down();
    rude->shut_down();
    fill(w, "ticks", 1);
    CHECK(read_websocket(polite->received).close_code == 1001);
    CHECK(offsets_in(polite->received).empty());
    CHECK_FALSE(polite->is_over);
    polite->send(masked_close(1001));
    CHECK(polite->is_over);
    CHECK_FALSE(polite->is_aborted);
    CHECK(polite->on.end() == session_end::finished);
    // Whatever else it sends, it has 5 seconds.
    for (int i = 0; i < 4; ++i) {
        rude->advance(1s);
        rude->send(masked("still here", websocket::opcode::ping));
    }
    CHECK_FALSE(rude->is_over);
    rude->advance(1s);
    CHECK(rude->is_aborted);
    CHECK(read_websocket(rude->received).pongs.empty());
    CHECK(w.count(error::shutting_down) == 2);
    rude->on.shut_down(virtual_now);
    CHECK(rude->on.end() == session_end::abort);
}

TEST_CASE("transport/websocket_session: the end of input ends the session after its replies") {
    world w;
    w.source.open("ticks");
    auto const ws = open_socket(w, "/ws?channel=ticks");
    ws->window = 0;
    ws->send(masked("!", websocket::opcode::ping));
    ws->end_input();
    CHECK(ws->on.cursors().count() == 0);
    ws->open_window();
    CHECK(read_websocket(ws->received).pongs.size() == 1);
    CHECK(ws->is_over);
    CHECK_FALSE(ws->is_aborted);
}

TEST_CASE("transport/websocket_session: broken frames close the connection with the code of the "
          "error [RFC 6455 7.1.7]") {
    struct broken {
        char const* name;
        std::string bytes;
        error what;
        int close_code;
    };
    auto const frame = [](websocket::frame_header header, std::string_view payload) {
        header.is_masked = true;
        std::string bytes;
        websocket::append_frame(bytes, header, payload);
        return bytes;
    };
    using websocket::opcode;
    std::string non_minimal = "\x81\xfe"s + "\0\x05"s + "\0\0\0\0"s + "12345";
    std::string unmasked;
    websocket::append_frame(unmasked, opcode::text, "{}");
    std::vector<broken> const table = {
        {"unmasked", unmasked, error::unmasked_frame, 1002},
        {"reserved bit", frame({.opcode = opcode::text, .reserved_bits = 4}, "x"),
         error::bad_reserved_bits, 1002},
        {"opcode 3", frame({.opcode = static_cast<opcode>(3)}, "x"), error::bad_opcode, 1002},
        {"length in too many bytes", non_minimal, error::non_minimal_length, 1002},
        {"ping without FIN", frame({.opcode = opcode::ping, .is_final = false}, ""),
         error::fragmented_control, 1002},
        {"long ping", "\x89\xfe\x00\x7e"s, error::control_too_long, 1002},
        {"continuation of nothing", frame({.opcode = opcode::continuation}, "x"),
         error::unexpected_continuation, 1002},
        {"message inside a message",
         frame({.opcode = opcode::text, .is_final = false}, "x") + masked("y"),
         error::expected_continuation, 1002},
        {"text that is not UTF-8", masked("\xc3\x28"), error::bad_utf8, 1007},
        {"close of one byte", masked("x", opcode::close), error::bad_close_payload, 1002},
        {"close code 1006", masked("\x03\xee", opcode::close), error::bad_close_code, 1002},
        {"close reason not UTF-8", masked("\x03\xe8\xff", opcode::close), error::bad_utf8, 1007},
        {"message over the limit", masked(std::string(1001, ' ')), error::message_too_large, 1009},
    };
    for (auto const& v : table) {
        CAPTURE(v.name);
        for (auto const fed : write_sizes) {
            world w{{.message_bytes_max = 1000}};
            w.source.open("ticks");
            auto const ws = open_socket(w, "/ws?channel=ticks");
            ws->window = 0;
            ws->send(v.bytes + masked("more") + v.bytes, fed);
            CHECK(ws->on.cursors().count() == 0);
            ws->open_window();
            auto const inbox = read_websocket(ws->received);
            CHECK(inbox.close_code == v.close_code);
            CHECK(inbox.close_code == describe(v.what).close_code);
            CHECK(inbox.close_reason.starts_with(describe(v.what).message));
            if (v.what == error::message_too_large)
                CHECK(inbox.close_reason.ends_with(" of 1000 bytes"));
            CHECK(ws->is_over);
            CHECK_FALSE(ws->is_aborted);
            CHECK(w.count(v.what) == 1);
            CHECK(w.count_all() == 1);
        }
    }
    world w{{.message_bytes_max = 1000}};
    auto const at_limit = open_socket(w);
    at_limit->send(masked(std::string(998, ' ') + "{}"));
    CHECK(read_websocket(at_limit->received).close_code == 0);
}

TEST_CASE("transport/websocket_session: a raw connection carries payloads alone and ignores what "
          "it is sent") {
    for (auto const size : write_sizes) {
        world w;
        w.source.open("a/b");
        auto const ws = open_socket(w, "/ws/raw/a%2Fb", size);
        ws->send(masked("whatever") + masked("\xff", websocket::opcode::binary));
        w.publish("a/b", R"({"a":1})");
        w.publish("a/b", "t\"x", {{}, payload_kind::text});
        w.publish("a/b", std::string("\0\xff", 2), {{}, payload_kind::binary});
        w.publish("a/b", std::string(70'000, 'x'), {{}, payload_kind::text});
        auto const inbox = read_websocket(ws->received);
        CHECK(inbox.handshake.field("Sec-WebSocket-Protocol").empty());
        CHECK(inbox.messages == std::vector<std::string>{R"({"a":1})", "t\"x",
                                                         std::string("\0\xff", 2),
                                                         std::string(70'000, 'x')});
        CHECK(inbox.kinds == std::vector<kind>{kind::text, kind::text, kind::binary, kind::text});
        CHECK(w.count_all() == 0);
    }
}

TEST_CASE("transport/websocket_session: a raw connection that misses events is closed with 4001 at "
          "once") {
    world w{{}, short_memory};
    fill(w, "ticks", 100);
    auto const late = open_socket(w, "/ws/raw/ticks?cursor=" + w.cursor("ticks", 3));
    CHECK(read_websocket(late->received).close_code == 4001);
    CHECK(read_websocket(late->received).messages.empty());
    auto const good = open_socket(w, "/ws/raw/ticks?cursor=" + w.cursor("ticks", 97));
    CHECK(read_websocket(good->received).messages == std::vector<std::string>{"97", "98", "99"});
    good->window = 0;
    fill(w, "ticks", 200);
    good->open_window();
    CHECK(read_websocket(good->received).close_code == 4001);
    CHECK(good->on.cursors().count() == 0);
    good->advance(6s);
    CHECK(good->is_aborted);
    CHECK(w.count(error::gap) == 2);
    auto const ahead = open_socket(w, "/ws/raw/ticks?cursor=" + w.cursor("ticks", 999));
    CHECK(read_websocket(ahead->received).close_code == describe(error::bad_cursor).close_code);
}

TEST_CASE(
    "transport/websocket_session: whom a gap has closed is due no more, though its peer reads on") {
    world w{{}, short_memory};
    fill(w, "ticks", 3);
    auto const ws = open_socket(w, "/ws/raw/ticks");
    for (int i = 0; i < 200; ++i) w.source.publish("ticks", "1");
    w.run(); // returns, because nobody is due
    CHECK(read_websocket(ws->received).close_code == 4001);
    CHECK(!ws->on.cursors().is_due());
    CHECK(ws->on.cursors().count() == 0);
}

TEST_CASE(
    "transport/websocket_session: requests that cannot become a connection are refused in HTTP") {
    struct refused {
        char const* name;
        http::request_head head;
        unsigned status;
        error what;
    };
    auto bad_version = request(
        "GET", "/ws",
        {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Version", "8"}});
    auto bad_key = request("GET", "/ws",
                           {{"Upgrade", "websocket"},
                            {"Connection", "Upgrade"},
                            {"Sec-WebSocket-Version", "13"},
                            {"Sec-WebSocket-Key", "short"}});
    auto no_host =
        http::request_head{"GET", "/ws", {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}}};
    std::vector<refused> const table = {
        {"plain GET", request("GET", "/ws"), 426, error::upgrade_required},
        {"POST", request("POST", "/ws"), 405, error::method_not_allowed},
        {"HEAD", request("HEAD", "/ws"), 405, error::method_not_allowed},
        {"version 8", bad_version, 426, error::bad_websocket_version},
        {"key", bad_key, 400, error::bad_websocket_key},
        {"no Host", no_host, 400, error::bad_host},
        {"subprotocols", handshake("/ws", {{"Sec-WebSocket-Protocol", "a, a"}}), 400,
         error::bad_subprotocol},
        {"extensions", handshake("/ws", {{"Sec-WebSocket-Extensions", ";"}}), 400,
         error::bad_extension},
        {"a body", handshake("/ws", {{"Content-Length", "3"}}), 400, error::bad_content_length},
        {"another origin", handshake("/ws", {{"Origin", "https://evil.example"}}), 403,
         error::origin_refused},
        {"the connect hook", handshake("/ws", {{"Refuse", "me"}}), 403, error::not_authorized},
        {"query", handshake("/ws?channel=%zz"), 400, error::bad_query},
        {"mode", handshake("/ws?channel=ticks&mode=newest"), 501, error::unsupported},
        {"cursor", handshake("/ws?channel=ticks&cursor=?"), 400, error::bad_cursor},
        {"one cursor, two channels", handshake("/ws?channel=ticks,other&cursor=1-1"), 400,
         error::bad_cursor},
        {"channels", handshake("/ws?channel=a,b,c"), 429, error::too_many_channels},
        {"raw without name", handshake("/ws/raw/"), 400, error::bad_query},
        {"raw with a bad name", handshake("/ws/raw/a%20b"), 400, error::bad_channel_name},
        {"raw with a bad escape", handshake("/ws/raw/%"), 400, error::bad_channel_name},
        {"raw with two", handshake("/ws/raw/ticks?channel=other"), 400, error::bad_query},
        {"raw of nothing", handshake("/ws/raw/nowhere"), 404, error::unknown_channel},
        {"raw, refused", handshake("/ws/raw/secret"), 403, error::not_authorized},
    };
    for (auto const& v : table) {
        CAPTURE(v.name);
        live_hooks hooks;
        hooks.connect = [](http::request_head const& head) -> std::optional<std::string> {
            if (head.field("Refuse")) return std::nullopt;
            return "";
        };
        hooks.subscribe = [](auto, auto channel) { return channel != "secret"; };
        world w{{.channels_per_session_max = 2, .hooks = hooks}};
        for (auto const* name : {"ticks", "other", "secret"}) w.source.open(name);
        for (auto const size : write_sizes) {
            auto const ws = connect<websocket_session>(w, v.head, size);
            ws->send("bytes that are no frames");
            auto const inbox = read_websocket(ws->received);
            CHECK(inbox.handshake.status == v.status);
            CHECK(inbox.handshake.code() ==
                  (v.head.method() == "HEAD" ? "" : describe(v.what).name));
            CHECK(inbox.handshake.field("Connection").starts_with("close"));
            if (v.what == error::method_not_allowed) CHECK(inbox.handshake.field("Allow") == "GET");
            CHECK(ws->is_over);
            CHECK_FALSE(ws->is_aborted);
        }
        CHECK(w.count(v.what) == 3);
        CHECK(w.count_all() == 3);
    }
}

TEST_CASE("transport/websocket_session: the subprotocol is chosen and allowed origins are let in") {
    world w{{.origins = http::origin_policy{{"https://app.example"}}}};
    auto const ws = connect<websocket_session>(
        w, handshake("/ws", {{"Sec-WebSocket-Protocol", "x, livetape.v1.json"},
                             {"Origin", "https://app.example"}}));
    auto const inbox = read_websocket(ws->received);
    CHECK(inbox.handshake.status == 101);
    CHECK(inbox.handshake.field("Sec-WebSocket-Protocol") == "livetape.v1.json");
    CHECK(inbox.handshake.field("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}
