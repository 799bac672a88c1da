#include <livetape/transport/websocket_session.hpp>

#include <support/websocket_sessions.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

// What the commands of a WebSocket client are answered.

namespace {

using namespace livetape;
using namespace livetape::test;
using namespace std::string_literals;

} // namespace

TEST_CASE("transport/websocket_session: what a client gets wrong is answered, counted, and ends "
          "nothing") {
    struct wrong {
        std::string message;
        error what;
    };
    std::string const long_name(256, 'a');
    std::vector<wrong> const table = {
        {"", error::bad_json},
        {"{", error::bad_json},
        {"[]", error::bad_json},
        {"1", error::bad_json},
        {R"({"subscribe":"ticks"} x)", error::bad_json},
        {"{}", error::bad_message},
        {R"({"subscribe":1})", error::bad_message},
        {R"({"subscribe":"ticks","unsubscribe":"ticks"})", error::bad_message},
        {R"({"subscribe":"ticks","cursor":1})", error::bad_message},
        {R"({"subscribe":"ticks","snapshot":"yes"})", error::bad_message},
        {R"({"subscribe":"ticks","id":[1]})", error::bad_message},
        {R"({"publish":"ticks"})", error::bad_message},
        {R"({"publish":"ticks","data":1,"data64":""})", error::bad_message},
        {R"({"publish":"ticks","data64":"?"})", error::bad_payload},
        {R"({"publish":"ticks","data":1,"key":2})", error::bad_message},
        {R"({"subscribe":"ticks","mode":"newest"})", error::unsupported},
        {R"({"subscribe":"ticks","rate":"1"})", error::bad_message},
        {R"({"subscribe":"ticks","keys":"A"})", error::bad_message},
        {R"({"history":"ticks","limit":0})", error::bad_message},
        {R"({"history":"nowhere"})", error::unknown_channel},
        {R"({"history":"secret"})", error::not_authorized},
        {R"({"subscribe":""})", error::bad_channel_name},
        {R"({"subscribe":"a b"})", error::bad_channel_name},
        {R"({"subscribe":")" + long_name + "\"}", error::bad_channel_name},
        {R"({"publish":"*","data":1})", error::bad_channel_name},
        {R"({"subscribe":"nowhere"})", error::unknown_channel},
        {R"({"publish":"nowhere","data":1})", error::unknown_channel},
        {R"({"unsubscribe":"other"})", error::not_subscribed},
        {R"({"subscribe":"ticks"})", error::already_subscribed},
        {R"({"subscribe":"other","cursor":"x"})", error::bad_cursor},
        {R"({"subscribe":"other","cursor":"a~1-1!a~1-1"})", error::bad_cursor},
        {R"({"subscribe":"secret"})", error::not_authorized},
        {R"({"publish":"secret","data":1})", error::not_authorized},
        {R"({"publish":"ticks","data":"0123456789012345678901234567890123456789"})",
         error::payload_too_large},
        {R"({"publish":"ticks","data":1,"key":")" + long_name + "\"}", error::payload_too_large},
    };
    for (auto const& v : table) {
        CAPTURE(v.message);
        live_hooks hooks;
        hooks.subscribe = [](auto, auto channel) { return channel != "secret"; };
        hooks.publish = hooks.subscribe;
        world w{{.hooks = hooks}, {.payload_bytes_max = 41}};
        for (auto const* name : {"ticks", "other", "secret"}) w.source.open(name);
        auto const ws = open_socket(w, "/ws?channel=ticks");
        ws->send(masked(v.message));
        auto const inbox = read_websocket(ws->received);
        REQUIRE(inbox.messages.size() == 2);
        CHECK(inbox.messages[1].starts_with(R"({"error":{"code":")" +
                                            std::string{describe(v.what).name} + '"'));
        CHECK(inbox.messages[1].find(R"("message":")") != std::string::npos);
        CHECK(w.count(v.what) == 1);
        CHECK(w.count_all() == 1);
        w.publish("ticks", "1");
        CHECK(read_websocket(ws->received).messages.size() == 3);
    }
    // The cursor that is ahead, the channel too many, and the message that is not text.
    world w{{.channels_per_session_max = 2}};
    fill(w, "a", 1);
    fill(w, "b", 1);
    fill(w, "c", 1);
    CHECK(member(replies_to(w, R"({"subscribe":"a","cursor":")" + w.cursor("a", 2) + "\"}").at(0),
                 "code") == "bad_cursor");
    auto const ws = open_socket(w, "/ws?channel=a,b");
    ws->send(masked(R"({"subscribe":"c","id":9})") + masked("{}", websocket::opcode::binary));
    auto const messages = read_websocket(ws->received).messages;
    REQUIRE(messages.size() == 4);
    CHECK(member(messages[2], "code") == "too_many_channels");
    CHECK(messages[2].ends_with(R"("},"id":9})"));
    CHECK(member(messages[3], "code") == "bad_message");
}

TEST_CASE("transport/websocket_session: clients create channels only where they may, up to the "
          "hub's limit") {
    live_hooks hooks;
    hooks.subscribe = [](auto, auto channel) { return !channel.starts_with("secret"); };
    world w{{.clients_may_create_channels = true, .hooks = hooks}, {}, 2};
    CHECK(replies_to(w, R"({"subscribe":"a"})").at(0).starts_with(R"({"subscribed":"a")"));
    CHECK(connect<websocket_session>(w, handshake("/ws/raw/b"))
              ->received.starts_with("HTTP/1.1 101"));
    CHECK(w.source.channel_count() == 2);
    CHECK(member(replies_to(w, R"({"subscribe":"c"})").at(0), "code") == "too_many_channels");

    // Neither who is refused nor who sends no handshake creates one.
    world fresh{{.clients_may_create_channels = true, .hooks = hooks}};
    CHECK(member(replies_to(fresh, R"({"subscribe":"secret"})").at(0), "code") == "not_authorized");
    CHECK(member(replies_to(fresh, R"({"publish":"a","data":1})").at(0), "code") ==
          "not_authorized");
    CHECK(connect<websocket_session>(fresh, handshake("/ws/raw/secret"))
              ->received.starts_with("HTTP/1.1 403"));
    CHECK(connect<websocket_session>(fresh, request("GET", "/ws/raw/a"))
              ->received.starts_with("HTTP/1.1 426"));
    CHECK(fresh.source.channel_count() == 0);
}

TEST_CASE("transport/websocket_session: publishing over WebSocket reaches subscribers and answers "
          "the offset") {
    live_hooks hooks;
    hooks.connect = [](http::request_head const& head) {
        return std::string{head.field("User").value_or("nobody")};
    };
    hooks.publish = [](auto identity, auto) { return identity == "alice"; };
    world w{{.hooks = hooks}};
    w.source.open("chat");
    auto const ws =
        connect<websocket_session>(w, handshake("/ws?channel=chat", {{"User", "alice"}}));
    ws->send(masked("{ \"publish\" : \"chat\", \"id\":7, \"key\":\"k\", \"data\" :  { \"n\": "
                    "1.50,\n \"s\":\"\\u00e4\" }  }"));
    ws->send(masked(R"({"publish":"chat","data64":"AP8K"})"));
    w.run();
    auto const messages = read_websocket(ws->received).messages;
    REQUIRE(messages.size() == 5);
    // The payload is as the client wrote it: no number changes its form.
    CHECK(messages[1] ==
          R"({"published":"chat","id":7,"offset":1,"cursor":")" + w.cursor("chat", 1) + "\"}");
    bool has_json = false, has_binary = false;
    for (auto const& m : messages) {
        has_json = has_json || m == "{\"channel\":\"chat\",\"offset\":1,\"key\":\"k\",\"data\":{ "
                                    "\"n\": 1.50,\n \"s\":\"\\u00e4\" }}";
        has_binary = has_binary || m == std::string{R"({"channel":"chat","offset":2})"} +
                                            std::string{"\n\0\xff\n", 4};
    }
    CHECK(has_json);
    CHECK(has_binary);
    auto const bob = connect<websocket_session>(w, handshake("/ws", {{"User", "bob"}}));
    bob->send(masked(R"({"publish":"chat","data":1})"));
    CHECK(member(read_websocket(bob->received).messages.at(0), "code") == "not_authorized");
}

TEST_CASE("transport/websocket_session: an unknown channel in the query is answered, the others "
          "are subscribed") {
    world w;
    w.source.open("a");
    auto const ws = open_socket(w, "/ws?channel=nowhere,a");
    fill(w, "a", 1);
    auto const messages = read_websocket(ws->received).messages;
    REQUIRE(messages.size() == 3);
    CHECK(member(messages[0], "code") == "unknown_channel");
    CHECK(member(messages[1], "subscribed") == "a");
}

TEST_CASE("transport/websocket_session: a message in fragments, with a ping inside, is one command "
          "[RFC 6455 5.4]") {
    world w;
    w.source.open("ticks");
    auto const ws = open_socket(w);
    auto const fragment = [](websocket::opcode code, bool is_final, std::string_view payload) {
        std::string bytes;
        websocket::append_frame(bytes, {.opcode = code, .is_final = is_final, .is_masked = true},
                                payload);
        return bytes;
    };
    ws->send(fragment(websocket::opcode::text, false, R"({"subscr)") +
                 masked("!", websocket::opcode::ping) +
                 fragment(websocket::opcode::continuation, true, R"(ibe":"ticks"})"),
             3);
    auto const inbox = read_websocket(ws->received);
    CHECK(inbox.order == "om");
    CHECK(inbox.messages.at(0).starts_with(R"({"subscribed":"ticks")"));
}
