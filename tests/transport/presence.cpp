#include "support/session_driver.hpp"

#include <livetape/transport/poll_session.hpp>
#include <livetape/transport/presence_answer.hpp>
#include <livetape/transport/publish_session.hpp>
#include <livetape/transport/sse_session.hpp>
#include <livetape/transport/websocket_session.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace livetape;
using namespace livetape::test;
using namespace std::chrono_literals;

static_assert(session<presence_transport::session>);
static_assert(transport<presence_transport>);

live_options known_clients() {
    live_options options;
    options.hooks.connect = [](http::request_head const& head) -> std::optional<client_identity> {
        auto const name = head.field("User");
        if (!name) return client_identity{};
        return client_identity{std::string{*name}, R"({"name":")" + std::string{*name} + "\"}"};
    };
    options.hooks.subscribe = [](auto, auto channel) { return channel != "@presence/secret"; };
    options.hooks.publish = [](auto, auto) { return true; };
    return options;
}

response who_is_on(world& w, std::string_view channel) {
    return only_response(connect<presence_transport::session>(
                             w, request("GET", "/presence?channel=" + std::string{channel}))
                             ->received);
}

std::vector<std::string> messages_of(session_driver<websocket_session> const& s) {
    return read_websocket(s.received).messages;
}

} // namespace

TEST_CASE("transport/presence: a name too long for the companion's is refused as that") {
    auto options = known_clients();
    options.clients_may_create_channels = true;
    world w{options, {.presence = true}};
    auto const ask = [&](std::size_t size) {
        return only_response(
            connect<poll_session>(w, request("GET", "/poll?channel=" + std::string(size, 'a')))
                ->received);
    };
    CHECK(ask(245).status == 200);
    auto const refused = ask(246);
    CHECK(refused.status == 400);
    CHECK(refused.code() == "bad_channel_name");
    CHECK(refused.body.find("245 bytes") != std::string::npos);
}

TEST_CASE("transport/presence: a session is on the channels that it subscribes to, on every "
          "transport, until it leaves") {
    world w{known_clients(), {.presence = true}};
    w.source.open("room");
    auto const watcher = connect<websocket_session>(w, handshake("/ws?channel=@presence/room"));
    auto ws = connect<websocket_session>(w, handshake("/ws?channel=room", {{"User", "ann"}}));
    auto second = connect<sse_session>(w, request("GET", "/sse?channel=room", {{"User", "ann"}}));
    auto nobody = connect<sse_session>(w, request("GET", "/sse?channel=room"));
    auto const head = R"({"presence":"room","cursor":")" + w.cursor("@presence/room", 1);
    CHECK(who_is_on(w, "room").body ==
          head + R"(","members":[{"id":"ann","info":{"name":"ann"},"connections":2}],)"
                 R"("count":1,"connections":3,"anonymous":1})"
                 "\n");
    watcher->send(masked(R"({"presence":"room","id":"p"})"));
    w.run();
    auto const messages = messages_of(*watcher);
    REQUIRE(messages.size() >= 3);
    bool has_join = false, has_answer = false;
    for (auto const& m : messages) {
        has_join = has_join || m == R"({"channel":"@presence/room","offset":1,"key":"ann",)"
                                    R"("data":{"join":"ann","info":{"name":"ann"}}})";
        has_answer = has_answer || m.starts_with(R"({"presence":"room","id":"p","cursor":)");
    }
    CHECK(has_join);
    CHECK(has_answer);

    second.reset();
    nobody.reset();
    ws->send(masked(R"({"unsubscribe":"room"})"));
    w.run();
    CHECK(messages_of(*watcher).back() ==
          R"({"channel":"@presence/room","offset":2,"key":"ann","data":{"leave":"ann"}})");
    CHECK(who_is_on(w, "room").body.ends_with(
        "\"members\":[],\"count\":0,\"connections\":0,\"anonymous\":0}\n"));

    // By a pattern, and by the end of the connection.
    ws->send(masked(R"({"subscribe":"roo.>"})") + masked(R"({"subscribe":">"})"));
    CHECK(member(who_is_on(w, "room").body, "count") == "1");
    ws->send(masked(R"({"unsubscribe":">"})"));
    CHECK(member(who_is_on(w, "room").body, "count") == "0");
    ws->send(masked(R"({"subscribe":"room"})"));
    CHECK(member(who_is_on(w, "room").body, "count") == "1");
    ws->end_input();
    CHECK(member(who_is_on(w, "room").body, "count") == "0");
}

TEST_CASE("transport/presence: nobody but the hub says who comes and goes") {
    world w{known_clients(), {.presence = true}};
    w.source.open("room");
    auto const ws = connect<websocket_session>(w, handshake("/ws"));
    ws->send(masked(R"({"publish":"@presence/room","data":{"join":"eve"},"id":1})"));
    CHECK(member(messages_of(*ws).back(), "code") == "not_authorized");
    CHECK(w.source.open("@presence/room").last_offset() == 0);
    // Whoever comes first may watch a room that is not there yet; it is the room's own companion.
    w.source.open("@presence/later");
    CHECK(w.source.find("@presence/@presence/later") == nullptr);
    auto const& room = w.source.open("later");
    REQUIRE(room.members() != nullptr);
    CHECK(room.members()->companion() == w.source.find("@presence/later"));
}

TEST_CASE("transport/presence: who polls stays for the wait and the time to poll again") {
    live_options options = known_clients();
    options.presence_linger = 10s;
    world w{options, {.presence = true}};
    w.source.open("room");
    auto const poll = [&](std::string_view wait) {
        auto driver = connect<poll_session>(
            w, request("GET", "/poll?channel=room&wait=" + std::string{wait}, {{"User", "bob"}}));
        return driver;
    };
    CHECK(poll("0")->is_over);
    CHECK(member(who_is_on(w, "room").body, "count") == "1");
    virtual_now += 9s;
    w.source.advance(virtual_now);
    CHECK(member(who_is_on(w, "room").body, "count") == "1");
    CHECK(poll("0")->is_over);
    virtual_now += 9s;
    w.source.advance(virtual_now);
    CHECK(member(who_is_on(w, "room").body, "count") == "1");
    virtual_now += 2s;
    w.source.advance(virtual_now);
    CHECK(member(who_is_on(w, "room").body, "count") == "0");

    auto const waiting = poll("5");
    waiting->advance(5s);
    CHECK(waiting->is_over);
    virtual_now += 9s;
    w.source.advance(virtual_now);
    CHECK(member(who_is_on(w, "room").body, "count") == "1");
    virtual_now += 2s;
    w.source.advance(virtual_now);
    CHECK(member(who_is_on(w, "room").body, "count") == "0");
}

TEST_CASE(
    "transport/presence: refusals have a status, a reason and a counter; a list has a bound") {
    struct refused {
        std::string_view query;
        unsigned status;
        error what;
    };
    for (auto const& v :
         {refused{"", 400, error::bad_query}, refused{"channel=a&channel=b", 400, error::bad_query},
          refused{"channel=a.*", 400, error::bad_channel_name},
          refused{"channel=secret", 403, error::not_authorized},
          refused{"channel=nowhere", 404, error::unknown_channel},
          refused{"channel=plain", 404, error::no_presence}}) {
        CAPTURE(v.query);
        world w{known_clients()};
        w.source.open("plain");
        auto const r = only_response(connect<presence_transport::session>(
                                         w, request("GET", "/presence?" + std::string{v.query}))
                                         ->received);
        CHECK(r.status == v.status);
        CHECK(r.code() == describe(v.what).name);
        CHECK(w.count(v.what) == 1);
    }
    live_options options = known_clients();
    options.presence_members_max = 2;
    world w{options, {.presence = true}};
    w.source.open("room");
    std::vector<std::unique_ptr<session_driver<websocket_session>>> all;
    for (auto const* name : {"a", "b", "c"})
        all.push_back(
            connect<websocket_session>(w, handshake("/ws?channel=room", {{"User", name}})));
    auto const body = who_is_on(w, "room").body;
    CHECK(member(body, "count") == "3");
    std::size_t listed = 0;
    for (auto at = body.find("{\"id\""); at != std::string::npos; at = body.find("{\"id\"", at + 1))
        ++listed;
    CHECK(listed == 2);
}

TEST_CASE("transport/publish: a retry with the same id is answered with the first offset, for the "
          "same client alone") {
    world w{known_clients()};
    w.source.open("chat");
    auto const post = [&](std::string_view query, std::string_view user, std::string_view field) {
        auto head = request("POST", "/publish?channel=chat" + std::string{query},
                            {{"Content-Length", "1"}, {"User", user}});
        if (!field.empty()) head.add_field("Idempotency-Key", field);
        auto const driver = connect<publish_session>(w, head);
        driver->send("x");
        return only_response(driver->received);
    };
    CHECK(post("&message_id=m1", "ann", "").body ==
          R"({"published":"chat","offset":1,"cursor":")" + w.cursor("chat", 1) + "\"}\n");
    CHECK(post("&message_id=m1", "ann", "").body == R"({"published":"chat","offset":1,"cursor":")" +
                                                        w.cursor("chat", 1) +
                                                        "\",\"duplicate\":true}\n");
    CHECK(member(post("", "ann", "m1").body, "duplicate") == "true");
    CHECK(member(post("&message_id=m2", "ann", "m1").body, "offset") == "2"); // the parameter wins
    CHECK(member(post("", "bob", "m1").body, "offset") == "3");
    CHECK(member(post("", "ann", "").body, "offset") == "4");
    CHECK(member(post("", "ann", "").body, "offset") == "5");
    auto const too_long = post("", "ann", std::string(message_id_bytes_max + 1, 'i'));
    CHECK(too_long.status == 400);
    CHECK(too_long.code() == "id_too_long");
    CHECK(member(too_long.body, "message").find("128 bytes") != std::string::npos);
    CHECK(member(post("", "ann", std::string(message_id_bytes_max, 'i')).body, "offset") == "6");

    // Over WebSocket it is the same client, and the same window.
    auto const ws = connect<websocket_session>(w, handshake("/ws", {{"User", "ann"}}));
    ws->send(masked(R"({"publish":"chat","data":1,"message_id":"m1","id":1})") +
             masked("{\"publish\":\"chat\",\"message_id\":\"m7\",\"id\":2}\n\x01",
                    websocket::opcode::binary) +
             masked("{\"publish\":\"chat\",\"message_id\":\"m7\",\"id\":3}\n\x01",
                    websocket::opcode::binary));
    auto const messages = messages_of(*ws);
    REQUIRE(messages.size() == 3);
    CHECK(messages[0] == R"({"published":"chat","id":1,"offset":1,"cursor":")" +
                             w.cursor("chat", 1) + R"(","duplicate":true})");
    CHECK(member(messages[1], "offset") == "7");
    CHECK(member(messages[1], "duplicate").empty());
    CHECK(member(messages[2], "offset") == "7");
    CHECK(member(messages[2], "duplicate") == "true");
    CHECK(w.source.find("chat")->last_offset() == 7);
}
