#include <livetape/transport/websocket_session.hpp>

#include <support/websocket_sessions.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// Subscriptions over WebSocket: which events come, in which order, and what of them is missing.

namespace {

using namespace livetape;
using namespace livetape::test;
using namespace std::chrono_literals;

} // namespace

TEST_CASE("transport/websocket_session: client subscribes without cursor and gets what comes") {
    for (auto const size : write_sizes) {
        world w;
        fill(w, "ticks", 3);
        auto const ws = open_socket(w, "/ws", size);
        ws->send(masked(R"({"subscribe":"ticks","id":1})"), size);
        fill(w, "ticks", 2);
        auto const inbox = read_websocket(ws->received);
        CHECK(inbox.handshake.status == 101);
        REQUIRE(inbox.messages.size() == 3);
        CHECK(inbox.messages[0] == R"({"subscribed":"ticks","id":1,"cursor":")" +
                                       w.cursor("ticks", 3) + R"(","recovered":false})");
        CHECK(inbox.messages[1] == R"({"channel":"ticks","offset":4,"data":0})");
        CHECK(inbox.messages[2] == R"({"channel":"ticks","offset":5,"data":1})");
        CHECK(w.count_all() == 0);
    }
}

TEST_CASE("transport/websocket_session: client subscribes with a snapshot of a keyed channel") {
    for (auto const size : write_sizes) {
        world w;
        w.publish("quotes", "1", {"A"});
        w.publish("quotes", "2", {"B"});
        w.publish("quotes", "3", {"A"});
        auto const ws = open_socket(w, "/ws", size);
        ws->send(masked(R"({"subscribe":"quotes","snapshot":true})"));
        w.publish("quotes", "4", {"B"});
        auto const inbox = read_websocket(ws->received);
        CHECK(offsets_in(inbox.messages) == std::vector<std::uint64_t>{2, 3, 4});
        CHECK(inbox.messages.back() == R"({"channel":"quotes","offset":4,"key":"B","data":4})");
    }
}

TEST_CASE("transport/websocket_session: the snapshot of an unkeyed channel is its newest event") {
    world w;
    fill(w, "ticks", 5);
    auto const messages = replies_to(w, R"({"subscribe":"ticks","snapshot":true})");
    CHECK(offsets_in(messages) == range(5, 5));
    // What a client may come back with before it has the snapshot must not skip it.
    CHECK(member(messages.at(0), "cursor") == w.cursor("ticks", 4));
    CHECK(offsets_in(replies_to(w, R"({"subscribe":"ticks","snapshot":false})")).empty());

    w.source.open("empty");
    CHECK(replies_to(w, R"({"subscribe":"empty","snapshot":true})").size() == 1);
}

TEST_CASE("transport/websocket_session: client resumes within retention and gets exactly what it "
          "missed") {
    world w;
    fill(w, "ticks", 10);
    for (std::uint64_t seen = 0; seen <= 10; ++seen) {
        auto const messages =
            replies_to(w, R"({"subscribe":"ticks","cursor":")" + w.cursor("ticks", seen) + "\"}");
        CHECK(member(messages.at(0), "recovered") == "true");
        CHECK(member(messages.at(0), "cursor") == w.cursor("ticks", seen));
        CHECK(offsets_in(messages) == range(seen + 1, 10));
    }
    CHECK(offsets_in(replies_to(w, R"({"subscribe":"ticks","cursor":"oldest"})")) == range(1, 10));
    CHECK(offsets_in(replies_to(w, R"({"subscribe":"ticks","cursor":"now","snapshot":true})"))
              .empty());
    // A cursor over several channels serves for each of them.
    auto const many = "other~1-1!ticks~" + w.cursor("ticks", 7);
    CHECK(offsets_in(replies_to(w, R"({"subscribe":"ticks","cursor":")" + many + "\"}")) ==
          range(8, 10));
}

TEST_CASE("transport/websocket_session: a cursor older than retention gets a gap, the snapshot and "
          "then live") {
    world w{{}, {.log_events_max = 5}};
    fill(w, "ticks", 100);
    auto const ws = open_socket(w);
    ws->send(masked(R"({"subscribe":"ticks","cursor":")" + w.cursor("ticks", 10) + "\"}"));
    fill(w, "ticks", 1);
    auto const messages = read_websocket(ws->received).messages;
    REQUIRE(messages.size() == 4);
    CHECK(messages[0] == R"({"subscribed":"ticks","cursor":")" + w.cursor("ticks", 99) +
                             R"(","recovered":false})");
    CHECK(messages[1] == R"({"gap":"ticks","from":11,"to":99,"reason":"retention"})");
    CHECK(offsets_in(messages) == range(100, 101));
    CHECK(w.count(error::gap) == 1);
    CHECK(w.count_all() == 1);
}

TEST_CASE("transport/websocket_session: a cursor of another epoch gets a gap and the snapshot") {
    world w;
    fill(w, "ticks", 3);
    auto const messages = replies_to(w, R"({"subscribe":"ticks","cursor":"1-2"})");
    REQUIRE(messages.size() == 3);
    CHECK(member(messages[0], "recovered") == "false");
    CHECK(messages[1] == R"({"gap":"ticks","from":1,"to":2,"reason":"epoch"})");
    CHECK(offsets_in(messages) == range(3, 3));

    // A channel that has had nothing since then: the gap is empty, and what comes is complete.
    w.source.open("fresh");
    auto const of_fresh = replies_to(w, R"({"subscribe":"fresh","cursor":"1-2"})");
    REQUIRE(of_fresh.size() == 2);
    CHECK(of_fresh[1] == R"({"gap":"fresh","from":1,"to":0,"reason":"epoch"})");
}

TEST_CASE("transport/websocket_session: client falls behind within retention and gets everything, "
          "later") {
    for (auto const size : write_sizes) {
        world w;
        w.source.open("ticks");
        auto const ws = open_socket(w, "/ws?channel=ticks", size);
        ws->window = 10;
        fill(w, "ticks", 2000);
        ws->open_window();
        auto const messages = read_websocket(ws->received).messages;
        CHECK(offsets_in(messages) == range(1, 2000));
        CHECK(messages.size() == 2001);
    }
}

TEST_CASE("transport/websocket_session: client falls behind retention and is told what it missed") {
    for (auto const size : write_sizes) {
        world w{{}, short_memory};
        w.source.open("ticks");
        auto const ws = open_socket(w, "/ws?channel=ticks", size);
        fill(w, "ticks", 3);
        for (std::size_t round = 0; round < 5; ++round) {
            ws->window = 40 + round;
            fill(w, "ticks", 500);
            ws->open_window();
        }
        auto messages = read_websocket(ws->received).messages;
        messages.erase(messages.begin());
        check_complete(messages, 1, 2503);
        CHECK(w.count(error::gap) >= 5);
    }
}

TEST_CASE("transport/websocket_session: a channel that closes those it overtakes says the gap and "
          "closes with 4001") {
    world w;
    auto options = short_memory;
    options.on_overrun = overrun_policy::close;
    w.source.open("ticks", options);
    auto const ws = open_socket(w, "/ws?channel=ticks");
    ws->window = 0;
    fill(w, "ticks", 500);
    ws->open_window();
    auto const inbox = read_websocket(ws->received);
    CHECK(inbox.messages.back().starts_with(R"({"gap":"ticks")"));
    CHECK(inbox.close_code == 4001);
    ws->send(masked_close(4001));
    CHECK(ws->is_over);
    CHECK(ws->on.cursors().count() == 0);
}

TEST_CASE("transport/websocket_session: client that takes nothing for the stall time is cut off") {
    world w;
    w.source.open("ticks");
    auto const ws = open_socket(w, "/ws?channel=ticks");
    ws->window = 0;
    fill(w, "ticks", 1);
    ws->advance(29'999ms);
    CHECK_FALSE(ws->is_over);
    ws->open_window(1); // one byte is progress
    ws->advance(29'999ms);
    CHECK_FALSE(ws->is_over);
    ws->advance(1ms);
    CHECK(ws->is_aborted);
    CHECK(w.count(error::stalled) == 1);
    CHECK(w.count_all() == 1);
}

TEST_CASE("transport/websocket_session: a write whose subscription ended in between is no stall") {
    world w;
    fill(w, "ticks", 3);
    auto const ws = open_socket(w);
    ws->window = 0;
    ws->send(masked(R"({"subscribe":"ticks","cursor":"oldest"})"));
    ws->send(masked(R"({"unsubscribe":"ticks"})"));
    ws->open_window();
    for (int i = 0; i < 10; ++i) {
        ws->advance(20s);
        ws->send(masked("", websocket::opcode::pong));
    }
    CHECK_FALSE(ws->is_over);
    CHECK(w.count_all() == 0);
}

TEST_CASE("transport/websocket_session: several channels on one connection keep an order each") {
    for (auto const size : write_sizes) {
        world w;
        for (auto const* name : {"a", "b", "c"}) w.source.open(name);
        auto const ws = open_socket(w, "/ws?channel=a,b&channel=c", size);
        for (int i = 0; i < 60; ++i) w.publish(i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "c", "0");
        auto const messages = read_websocket(ws->received).messages;
        for (auto const* name : {"a", "b", "c"}) {
            std::vector<std::string> own;
            for (auto const& m : messages)
                if (member(m, "channel") == name) own.push_back(m);
            CHECK(offsets_in(own) == range(1, 20));
        }
        CHECK(messages.size() == 63);
    }
}

TEST_CASE("transport/websocket_session: unsubscribing ends delivery and names the last event") {
    world w;
    w.source.open("ticks");
    auto const ws = open_socket(w, "/ws?channel=ticks");
    fill(w, "ticks", 4);
    ws->send(masked(R"({"unsubscribe":"ticks","id":"u"})"));
    fill(w, "ticks", 4);
    auto const messages = read_websocket(ws->received).messages;
    CHECK(messages.back() ==
          R"({"unsubscribed":"ticks","id":"u","cursor":")" + w.cursor("ticks", 4) + "\"}");
    ws->send(masked(R"({"subscribe":"ticks","cursor":")" + w.cursor("ticks", 4) + "\"}"));
    CHECK(offsets_in(read_websocket(ws->received).messages) == range(1, 8));
}

TEST_CASE("transport/websocket_session: commands that come while a write is in flight are obeyed "
          "exactly, wherever it is cut") {
    std::size_t planned = 1;
    for (std::size_t cut = 0; cut <= planned; ++cut) {
        CAPTURE(cut);
        world w;
        fill(w, "a", 4);
        fill(w, "b", 2);
        auto const ws = open_socket(w);
        ws->window = 0;
        ws->send(masked(R"({"subscribe":"a","cursor":"oldest"})"));
        ws->window = unlimited;
        planned = ws->begin_write();
        REQUIRE(planned > 100);
        ws->send(masked(R"({"subscribe":"b","cursor":"oldest","id":1})"));
        ws->send(masked(R"({"unsubscribe":"a","id":2})"));
        ws->send(masked(R"({"subscribe":"a","cursor":"now","id":3})"));
        ws->send(masked("!", websocket::opcode::ping));
        ws->end_write(cut);
        ws->pump();
        fill(w, "a", 1);

        auto const inbox = read_websocket(ws->received);
        CHECK(inbox.pongs == std::vector<std::string>{"!"});
        std::uint64_t last_of_a = 0, last_of_b = 0;
        bool has_b = false, has_left = false;
        for (auto const& m : inbox.messages) {
            if (member(m, "subscribed") == "b") has_b = true;
            if (member(m, "unsubscribed") == "a") {
                has_left = true;
                CHECK(member(m, "cursor") == w.cursor("a", last_of_a));
                last_of_a = 4;
            }
            if (member(m, "channel") == "a") CHECK(std::stoull(member(m, "offset")) == ++last_of_a);
            if (member(m, "channel") == "b") {
                CHECK(has_b);
                CHECK(std::stoull(member(m, "offset")) == ++last_of_b);
            }
        }
        CHECK(has_left);
        CHECK(last_of_a == 5);
        CHECK(last_of_b == 2);
        CHECK(w.count_all() == 0);
    }
}

TEST_CASE("transport/websocket_session: replies and pongs overtake a large backlog") {
    world w{{}, {.log_bytes_max = 16u << 20}};
    w.source.open("ticks");
    auto const ws = open_socket(w, "/ws?channel=ticks");
    auto const before = ws->received.size();
    ws->window = 100;
    for (int i = 0; i < 300; ++i) w.publish("ticks", std::string(10'000, '7'));
    ws->send(masked("p", websocket::opcode::ping));
    ws->send(masked(R"({"unsubscribe":"nothing"})"));
    ws->open_window();
    auto const inbox = read_websocket(ws->received);
    CHECK(inbox.order.starts_with("mmom"));
    CHECK(inbox.messages[2].find("not_subscribed") != std::string::npos);
    CHECK(inbox.messages.size() == 302);
    CHECK(ws->received.size() > before + 3'000'000);
}

TEST_CASE("transport/websocket_session: a reply that is cut lets no event overtake the replies "
          "after it") {
    world w;
    fill(w, "b", 2);
    for (std::size_t cut = 1; cut < 60; ++cut) {
        auto const ws = open_socket(w);
        ws->window = cut;
        ws->send(masked(R"({"unsubscribe":"x"})"));
        ws->send(masked(R"({"subscribe":"b","cursor":"1-1"})"));
        ws->open_window();
        auto const messages = read_websocket(ws->received).messages;
        REQUIRE(messages.size() == 4);
        CHECK(messages[1].starts_with(R"({"subscribed")"));
        CHECK(messages[2].starts_with(R"({"gap")"));
        CHECK(messages[3].starts_with(R"({"channel")"));
    }
}
