#include "support/session_driver.hpp"

#include <livetape/transport/poll_session.hpp>
#include <livetape/transport/sse_session.hpp>
#include <livetape/transport/websocket_session.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

// What a client chooses about delivery, through the sessions: that it is applied, that replies
// stand where they say, and what is refused. That each mode delivers what it should is for
// tests/channel to show.

namespace {

using namespace livetape;
using namespace livetape::test;
using namespace std::chrono_literals;

using socket = session_driver<websocket_session>;

std::unique_ptr<socket> open_socket(world& w, std::string_view target = "/ws") {
    return connect<websocket_session>(w, handshake(target));
}

std::vector<std::string> messages_of(socket const& s) {
    return read_websocket(s.received).messages;
}

/// Lets ticks pass, as a shard's timer would.
void pass(world& w, std::chrono::milliseconds by) {
    w.run();
    virtual_now += by;
    w.wakes.tick(virtual_now);
    w.run();
}

void publish_keyed(world& w, std::string_view key, int value) {
    w.source.publish("ticks", std::to_string(value), {key});
}

} // namespace

TEST_CASE("transport/delivery_options: latest with a rate conflates, and says how many it stands "
          "for, on all transports") {
    world w;
    w.source.open("ticks");
    auto const query = "channel=ticks&mode=latest&interval=100";
    auto const ws = open_socket(w, "/ws?" + std::string{query});
    auto const sse = connect<sse_session>(w, request("GET", "/sse?" + std::string{query}));
    auto const poll =
        connect<poll_session>(w, request("GET", "/poll?wait=20&" + std::string{query}));
    for (int i = 1; i <= 9; ++i) publish_keyed(w, i % 3 == 0 ? "a" : "b", i);
    w.run();
    CHECK(messages_of(*ws).size() == 1);
    CHECK_FALSE(poll->is_over);
    pass(w, 100ms);
    std::vector<std::string> const expected = {
        R"({"channel":"ticks","offset":8,"key":"b","count":6,"data":8})",
        R"({"channel":"ticks","offset":9,"key":"a","count":3,"data":9})"};
    auto const got = messages_of(*ws);
    REQUIRE(got.size() == 3);
    CHECK(got[1] == expected[0]);
    CHECK(got[2] == expected[1]);
    auto const streamed = read_sse(sse->received).messages;
    REQUIRE(streamed.size() == 2);
    CHECK(streamed[0].data == expected[0]);
    CHECK(streamed[1].data == expected[1]);
    CHECK(streamed[1].id == w.cursor("ticks", 9));
    REQUIRE(poll->is_over);
    auto const answer = only_response(poll->received);
    CHECK(answer.body.find(expected[0] + ',' + expected[1]) != std::string::npos);
    CHECK(member(answer.body, "cursor") == w.cursor("ticks", 9));
}

TEST_CASE("transport/delivery_options: a query may choose for each channel, on all transports") {
    world w;
    for (auto const* name : {"all", "some"}) w.source.open(name);
    auto const query =
        R"(channel=all&subscribe={"subscribe":"some","mode":"latest","interval":100,)"
        R"("keys":["a,b"]})";
    auto const ws = open_socket(w, std::string{"/ws?"} + query);
    auto const sse = connect<sse_session>(w, request("GET", std::string{"/sse?"} + query));
    for (int i = 1; i <= 3; ++i)
        for (auto const* name : {"all", "some"})
            for (auto const* key : {"a", "a,b"}) w.source.publish(name, std::to_string(i), {key});
    w.run();
    pass(w, 100ms);
    auto const poll = only_response(
        connect<poll_session>(w, request("GET", std::string{"/poll?cursor=oldest&"} + query))
            ->received);
    std::string streamed;
    for (auto const& each : read_sse(sse->received).messages) streamed += each.data;
    std::string sent;
    for (auto const& each : messages_of(*ws)) sent += each;
    for (auto const& got : {sent, streamed, poll.body}) {
        for (int offset = 1; offset <= 6; ++offset)
            CHECK(got.find(R"({"channel":"all","offset":)" + std::to_string(offset)) !=
                  std::string::npos);
        CHECK(got.find(R"({"channel":"some","offset":6,"key":"a,b","count":3,"data":3})") !=
              std::string::npos);
        CHECK(got.find(R"("channel":"some","offset":5)") == std::string::npos);
    }
}

TEST_CASE("transport/delivery_options: a changed mode holds from the offset that the reply names") {
    for (auto const piece : {std::size_t{1}, std::size_t{50}, unlimited}) {
        world w;
        w.source.open("ticks");
        auto const ws = open_socket(w, "/ws?channel=ticks");
        // A write in flight: what of it arrives is not known when the command does.
        for (int i = 1; i <= 4; ++i) publish_keyed(w, "k", i);
        ws->on.cursors().set_writing(true);
        w.run();
        auto const planned = ws->begin_write();
        REQUIRE(planned > 0);
        ws->send(masked(R"({"change":"ticks","mode":"latest","id":1})"));
        for (int i = 5; i <= 9; ++i) publish_keyed(w, "k", i);
        ws->end_write(std::min(piece, planned));
        ws->pump();
        w.run();

        auto const messages = messages_of(*ws);
        std::uint64_t from = 0;
        std::vector<std::uint64_t> before, after;
        for (auto const& m : messages) {
            if (m.starts_with(R"({"changed":"ticks","id":1,)")) {
                CHECK(from == 0);
                from = std::stoull(member(m, "from"));
                CHECK(member(m, "cursor") == w.cursor("ticks", from - 1));
            } else if (m.starts_with(R"({"channel")")) {
                (from == 0 ? before : after).push_back(std::stoull(member(m, "offset")));
            }
        }
        REQUIRE(from > 0);
        CHECK(before == range(1, from - 1));
        CHECK(after == range(9, 9));
        CHECK(member(messages.back(), "count") == std::to_string(10 - from));
    }
}

TEST_CASE("transport/delivery_options: whatever is cut, paused and changed, each event is told of "
          "once, and the counters add up") {
    auto const seed = std::uint64_t{20261124};
    CAPTURE(seed);
    std::mt19937_64 random{seed};
    for (int round = 0; round < 300; ++round) {
        CAPTURE(round);
        world w;
        w.source.open("ticks");
        auto const ws = open_socket(w, "/ws?channel=ticks");
        ws->piece_bytes = 1 + random() % 200;
        for (int step = 0; step < 60; ++step) {
            switch (random() % 6) {
            case 0: ws->send(masked(R"({"change":"ticks","mode":"latest"})")); break;
            case 1: ws->send(masked(R"({"change":"ticks","mode":"every","interval":0})")); break;
            case 2: ws->send(masked(R"({"change":"ticks","interval":20})")); break;
            case 3: ws->window = random() % 3 == 0 ? 0 : random() % 500; break;
            default:
                publish_keyed(w, random() % 2 == 0 ? "a" : "b", step);
                if (random() % 2 == 0) pass(w, 10ms);
            }
        }
        ws->window = unlimited;
        ws->pump();
        pass(w, 20ms);
        ws->send(masked(R"({"stats":"ticks","id":1})"));
        auto const messages = messages_of(*ws);
        auto const last = w.source.open("ticks").last_offset();
        std::uint64_t sum = 0, delivered = 0;
        std::map<std::string, std::uint64_t> newest; // offsets of a key only grow
        for (auto const& m : messages) {
            if (!m.starts_with(R"({"channel")")) continue;
            auto const count = member(m, "count");
            sum += count.empty() ? 1 : std::stoull(count);
            ++delivered;
            auto& before = newest[member(m, "key")];
            auto const offset = std::stoull(member(m, "offset"));
            CHECK(offset > before);
            before = offset;
        }
        CHECK(sum == last);
        auto const& stats = messages.back();
        CHECK(member(stats, "stats") == "ticks");
        CHECK(member(stats, "cursor") == w.cursor("ticks", last));
        CHECK(member(stats, "delivered") == std::to_string(delivered));
        CHECK(member(stats, "conflated") == std::to_string(last - delivered));
        CHECK(member(stats, "skipped") == "0");
        CHECK(member(stats, "filtered") == "0");
    }
}

TEST_CASE("transport/delivery_options: a client that gives credit gets so many flushes") {
    world w;
    w.source.open("ticks");
    auto const ws = open_socket(w);
    ws->send(masked(R"({"subscribe":"ticks","mode":"latest","credit":1})"));
    for (int i = 1; i <= 3; ++i) {
        publish_keyed(w, "k", i);
        w.run();
    }
    auto messages = messages_of(*ws);
    REQUIRE(messages.size() == 2);
    CHECK(member(messages[1], "offset") == "1");
    ws->send(masked(R"({"credit":"ticks","flushes":2})"));
    w.run();
    messages = messages_of(*ws);
    REQUIRE(messages.size() == 3);
    CHECK(messages[2] == R"({"channel":"ticks","offset":3,"key":"k","count":2,"data":3})");
    ws->send(masked(R"({"credit":"ticks","flushes":2,"id":"c"})"));
    CHECK(messages_of(*ws).back() == R"({"credit":"ticks","id":"c","flushes":3})");
    ws->send(masked(R"({"change":"ticks","credit":null})") +
             masked(R"({"credit":"ticks","flushes":2,"id":"c"})"));
    CHECK(messages_of(*ws).back() == R"({"credit":"ticks","id":"c","flushes":null})");
}

TEST_CASE("transport/delivery_options: each limit is refused with the limit named") {
    struct refused {
        std::string message;
        error what;
        std::string_view named;
    };
    live_options options;
    options.delivery = {10ms, 1000ms, 2, 3, 4};
    for (auto const& v : {
             refused{R"({"subscribe":"a","rate":101})", error::bad_rate, "between 1 and 100"},
             refused{R"({"change":"ticks","interval":1001})", error::bad_rate, "10 and 1000"},
             refused{R"({"change":"ticks","interval":9.5})", error::bad_rate, "10 and 1000"},
             refused{R"({"subscribe":"a","rate":-1})", error::bad_rate, "between 1 and 100"},
             refused{R"({"subscribe":"a","interval":-1})", error::bad_rate, "10 and 1000"},
             refused{R"({"subscribe":"a","interval":1e308})", error::bad_rate, "10 and 1000"},
             refused{R"({"subscribe":"a","credit":4294967296})", error::bad_message,
                     "0 to 4294967295"},
             refused{R"({"credit":"ticks","flushes":-1})", error::bad_message, "1 to 4294967295"},
             refused{R"({"subscribe":"a","mode":"every","mode":"latest"})", error::bad_message,
                     "\\\"mode\\\" is there twice"},
             refused{R"({"subscribe":"a","keys":["1","2","3"]})", error::too_many_keys, "2 keys"},
             refused{R"({"subscribe":"a","keys":["1","12345"]})", error::key_too_long, "4 bytes"},
             refused{R"({"change":"ticks","add_keys":["x"]})", error::bad_message, "no key set"},
             refused{R"({"change":"a","mode":"latest"})", error::not_subscribed, ""},
             refused{R"({"credit":"a","flushes":1})", error::not_subscribed, ""},
             refused{R"({"stats":"a"})", error::not_subscribed, ""},
         }) {
        CAPTURE(v.message);
        world w{options};
        w.source.open("ticks");
        w.source.open("a");
        auto const ws = open_socket(w, "/ws?channel=ticks");
        ws->send(masked(v.message));
        auto const messages = messages_of(*ws);
        REQUIRE(messages.size() == 2);
        CHECK(member(messages[1], "code") == describe(v.what).name);
        CHECK(messages[1].find(v.named) != std::string::npos);
        CHECK(w.count(v.what) == 1);
    }
    world w{options};
    w.source.open("ticks");
    auto const refused_poll = only_response(
        connect<poll_session>(w, request("GET", "/poll?channel=ticks&rate=1000"))->received);
    CHECK(refused_poll.status == 400);
    CHECK(refused_poll.code() == "bad_rate");
    for (std::string_view const number : {"-1", "NaN", "inf", "1e308", "1e999", "0", "-0"}) {
        CAPTURE(number);
        auto const refused_number =
            only_response(connect<poll_session>(
                              w, request("GET", "/poll?channel=ticks&rate=" + std::string{number}))
                              ->received);
        CHECK(refused_number.code() == "bad_rate");
        CHECK(refused_number.body.find("between 1 and 100 per second") != std::string::npos);
    }
    auto const refused_stream = read_sse(
        connect<sse_session>(w, request("GET", "/sse?channel=ticks&keys=a,b,c"))->received);
    CHECK(refused_stream.head.code() == "too_many_keys");
}
