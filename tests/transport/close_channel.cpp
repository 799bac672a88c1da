#include "support/session_driver.hpp"

#include <livetape/transport/poll_session.hpp>
#include <livetape/transport/sse_session.hpp>
#include <livetape/transport/websocket_session.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace livetape;
using namespace livetape::test;
using namespace std::chrono_literals;

using socket = session_driver<websocket_session>;

std::unique_ptr<socket> open_socket(world& w, std::string_view target) {
    return connect<websocket_session>(w, handshake(target));
}

std::vector<std::string> messages_of(socket const& s) {
    return read_websocket(s.received).messages;
}

std::string closed(std::string_view channel, std::string_view cursor) {
    return R"({"unsubscribed":")" + std::string{channel} + R"(","cursor":")" + std::string{cursor} +
           R"(","reason":"closed"})";
}

} // namespace

TEST_CASE(
    "transport/close_channel: subscribers get what there is and are told, on all transports") {
    world w;
    w.publish("room", "1");
    w.publish("other", "1");
    auto const cursor = w.cursor("room", 2);
    auto const ws = open_socket(w, "/ws?channel=room,other");
    auto const one = connect<sse_session>(w, request("GET", "/sse?channel=room"));
    auto const two = connect<sse_session>(w, request("GET", "/sse?channel=room,other"));
    auto const poll = connect<poll_session>(
        w, request("GET", "/poll?channel=room&wait=20&cursor=" + w.cursor("room", 2 - 1)));
    auto const raw = open_socket(w, "/ws/raw/room");
    auto const raw_stream = connect<sse_session>(w, request("GET", "/sse/raw/room"));
    auto& kept = w.source.open("room");
    w.publish("room", "2");
    CHECK(poll->is_over);
    auto const waiting =
        connect<poll_session>(w, request("GET", "/poll?channel=room&wait=20&cursor=" + cursor));
    CHECK_FALSE(waiting->is_over);
    CHECK(w.source.close("room"));
    CHECK_FALSE(w.source.close("room"));
    w.run();

    auto const messages = messages_of(*ws);
    REQUIRE(messages.size() == 4);
    CHECK(messages[2] == R"({"channel":"room","offset":2,"data":2})");
    CHECK(messages[3] == closed("room", cursor));
    CHECK_FALSE(ws->is_over);
    CHECK(read_sse(one->received).messages.back().data == closed("room", cursor));
    CHECK(one->is_over);
    CHECK(read_sse(two->received).messages.back().data == closed("room", cursor));
    CHECK_FALSE(two->is_over);
    CHECK(waiting->is_over);
    CHECK(read_websocket(raw->received).close_code == 1000);
    CHECK(read_sse(raw_stream->received).messages.back().type == "closed");

    // The name is free: who may not create channels finds none, and what the host has is no more.
    CHECK(kept.is_closed());
    CHECK(kept.try_publish("3").refusal == publish_refusal::no_channel);
    CHECK(kept.subscriber_count() == 0);
    CHECK(w.source.find("room") == nullptr);
    ws->send(masked(R"({"subscribe":"room"})"));
    CHECK(member(messages_of(*ws).back(), "code") == "unknown_channel");
    w.publish("other", "2");
    CHECK(messages_of(*ws).back() == R"({"channel":"other","offset":2,"data":2})");

    // A new life, which the old cursor is told of.
    w.publish("room", "1");
    auto const again = open_socket(w, "/ws?channel=room&cursor=" + cursor);
    CHECK(messages_of(*again)[1] == R"({"gap":"room","from":1,"to":0,"reason":"epoch"})");
}

TEST_CASE("transport/close_channel: whoever has rate, credit or a pattern is told, too") {
    world w;
    for (auto const* name : {"p.a", "rate", "credit", "keys"}) w.publish(name, "1");
    auto const ws = open_socket(w, "/ws?channel=p.*");
    ws->send(masked(R"({"subscribe":"rate","interval":100})") +
             masked(R"({"subscribe":"credit","credit":0})") +
             masked(R"({"subscribe":"keys","keys":["k"]})"));
    for (auto const* name : {"p.a", "rate", "credit", "keys"}) w.publish(name, "2");
    auto const credit_cursor = w.cursor("credit", 2);
    for (auto const* name : {"p.a", "rate", "credit", "keys"}) w.source.close(name);
    w.run();
    virtual_now += 100ms;
    w.wakes.tick(virtual_now);
    w.run();
    int ends = 0;
    std::string all;
    for (auto const& each : messages_of(*ws)) {
        ends += each.find(R"("reason":"closed")") != std::string::npos ? 1 : 0;
        all += each;
    }
    CHECK(ends == 3);
    CHECK(all.find(R"("channel":"p.a","offset":2)") != std::string::npos);
    CHECK(all.find(R"("channel":"rate","offset":2)") != std::string::npos);
    CHECK(ws->on.cursors().count() == 1);

    // Nothing is lost for want of credit: the end waits behind the events, and comes with them.
    ws->send(masked(R"({"credit":"credit","flushes":1})"));
    w.run();
    auto const drawn = messages_of(*ws);
    CHECK(drawn[drawn.size() - 2] == R"({"channel":"credit","offset":2,"data":2})");
    CHECK(drawn.back() == closed("credit", credit_cursor));
    CHECK(ws->on.cursors().count() == 0);
    // The pattern goes on.
    w.publish("p.a", "3");
    CHECK(messages_of(*ws).back() == R"({"channel":"p.a","offset":1,"data":3})");

    // Nothing that was closed while a write was under way is lost.
    auto const slow = open_socket(w, "/ws?channel=p.a");
    slow->window = 0;
    w.publish("p.a", "4");
    w.source.close("p.a");
    w.run();
    slow->open_window();
    auto const late = messages_of(*slow);
    CHECK(late.back().find(R"("reason":"closed")") != std::string::npos);
    CHECK(late[late.size() - 2] == R"({"channel":"p.a","offset":2,"data":4})");
}

TEST_CASE("transport/close_channel: a pattern covers a new life that begins before the old one is "
          "read") {
    world w;
    w.publish("p.a", "1");
    auto const ws = open_socket(w, "/ws?channel=p.*,*.a");
    auto const stream = connect<sse_session>(w, request("GET", "/sse?channel=p.*"));
    ws->window = stream->window = 0;
    w.publish("p.a", "2");
    w.source.close("p.a");
    w.publish("p.a", "3");
    w.run();
    w.publish("p.a", "4");
    ws->open_window();
    stream->open_window();
    w.run();

    auto const messages = messages_of(*ws);
    REQUIRE(messages.size() >= 5);
    auto const last = messages.size() - 1;
    CHECK(messages[last - 4] == R"({"channel":"p.a","offset":2,"data":2})");
    CHECK(messages[last - 3].find(R"("reason":"closed")") != std::string::npos);
    CHECK(messages[last - 2] == R"({"subscribed":"p.a","pattern":"p.*","cursor":")" +
                                    w.cursor("p.a", 0) + R"(","recovered":false})");
    CHECK(messages[last - 1] == R"({"channel":"p.a","offset":1,"data":3})");
    CHECK(messages[last] == R"({"channel":"p.a","offset":2,"data":4})");
    auto const blocks = read_sse(stream->received).messages;
    REQUIRE(blocks.size() >= 2);
    CHECK(blocks.back().data == R"({"channel":"p.a","offset":2,"data":4})");
    CHECK(blocks[blocks.size() - 2].data == R"({"channel":"p.a","offset":1,"data":3})");
}

TEST_CASE("transport/close_channel: who was on a channel has left with its end, however late it "
          "reads of it") {
    live_options live;
    live.hooks.connect = [](http::request_head const&) { return "ann"; };
    world w{live};
    channel_options options;
    options.presence = true;
    w.source.open("room", options);
    auto const slow = open_socket(w, "/ws?channel=room");
    slow->window = 0;
    w.publish("room", "1");
    w.source.close("room");
    w.run();
    w.source.open("room", options);
    auto const again = open_socket(w, "/ws?channel=room");
    slow->open_window();
    w.run();
    CHECK(w.source.find("room")->members()->counts().members == 1);
    std::vector<std::string> told;
    for (auto const event : w.source.find("@presence/room")->read(0))
        told.emplace_back(event.payload);
    CHECK(told ==
          std::vector<std::string>{R"({"join":"ann"})", R"({"leave":"ann"})", R"({"join":"ann"})"});
}

TEST_CASE("transport/close_channel: what waits for a tick comes before the end, though a flush "
          "before it is read late") {
    world w;
    auto const tick = [&] {
        virtual_now += 100ms;
        w.wakes.tick(virtual_now);
        w.run();
    };
    for (auto const* choice : {"mode=every", "mode=latest", "mode=every&keys=k"}) {
        w.source.open("rate");
        auto const ws = open_socket(w, "/ws?channel=rate&interval=100&" + std::string{choice});
        ws->window = 0;
        w.publish("rate", "1", {"k"});
        tick();
        w.publish("rate", "2", {"k"});
        auto const cursor = w.cursor("rate", 2);
        w.source.close("rate");
        w.run();
        ws->open_window();
        w.run();
        CHECK(messages_of(*ws).back() == R"({"channel":"rate","offset":1,"key":"k","data":1})");
        tick();
        auto const messages = messages_of(*ws);
        CHECK(messages[messages.size() - 2] ==
              R"({"channel":"rate","offset":2,"key":"k","data":2})");
        CHECK(messages.back() == closed("rate", cursor));
    }
}

TEST_CASE("transport/close_channel: a change between the close and its tick loses no end") {
    world w;
    w.source.open("rate");
    auto const ws = open_socket(w, "/ws?channel=rate&interval=100");
    ws->send(masked(R"({"change":"rate","credit":0})"));
    w.publish("rate", "1");
    w.source.close("rate");
    ws->send(masked(R"({"change":"rate","keys":null})"));
    w.run();
    ws->send(masked(R"({"credit":"rate","flushes":1})"));
    virtual_now += 100ms;
    w.wakes.tick(virtual_now);
    w.run();
    CHECK(messages_of(*ws).back().find(R"("reason":"closed")") != std::string::npos);
}
