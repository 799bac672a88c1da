#include "support/session_driver.hpp"

#include <livetape/transport/poll_session.hpp>
#include <livetape/transport/sse_session.hpp>
#include <livetape/transport/websocket_session.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace livetape;
using namespace livetape::test;

using socket = session_driver<websocket_session>;

std::unique_ptr<socket> open_socket(world& w, std::string_view target = "/ws") {
    return connect<websocket_session>(w, handshake(target));
}

std::vector<std::string> messages_of(socket const& s) {
    return read_websocket(s.received).messages;
}

response poll(world& w, std::string_view query) {
    return only_response(
        connect<poll_session>(w, request("GET", "/poll?" + std::string{query}))->received);
}

std::map<std::string, std::vector<std::uint64_t>>
offsets_by_channel(std::vector<std::string> const& messages) {
    std::map<std::string, std::vector<std::uint64_t>> all;
    for (auto const& m : messages)
        if (m.starts_with(R"({"channel")"))
            all[member(m, "channel")].push_back(std::stoull(member(m, "offset")));
    return all;
}

} // namespace

TEST_CASE("transport/patterns: each matching channel is acknowledged before its first event, those "
          "to come included") {
    world w;
    w.publish("sensor.a", "1");
    w.publish("other.a", "1");
    auto const ws = open_socket(w);
    ws->send(masked(R"({"subscribe":"sensor.*","id":1})"));
    w.publish("sensor.a", "2");
    w.publish("sensor.b", "1");
    w.publish("sensor.b.deep", "1");
    w.publish("sensor.b", "2");
    auto const messages = messages_of(*ws);
    std::vector<std::string> const expected = {
        R"({"subscribed":"sensor.*","id":1,"cursor":"sensor.a~)" + w.cursor("sensor.a", 1) +
            R"(","recovered":false})",
        R"({"subscribed":"sensor.a","pattern":"sensor.*","cursor":")" + w.cursor("sensor.a", 1) +
            R"(","recovered":false})",
        R"({"channel":"sensor.a","offset":2,"data":2})",
        R"({"subscribed":"sensor.b","pattern":"sensor.*","cursor":")" + w.cursor("sensor.b", 0) +
            R"(","recovered":false})",
        R"({"channel":"sensor.b","offset":1,"data":1})",
        R"({"channel":"sensor.b","offset":2,"data":2})"};
    REQUIRE(messages.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(messages[i] == expected[i]);

    // A channel without events is told of, too; and a pattern may match none yet.
    w.source.open("sensor.c");
    w.run();
    CHECK(member(messages_of(*ws).back(), "subscribed") == "sensor.c");
    ws->send(masked(R"({"subscribe":"nothing.>","id":2})"));
    CHECK(messages_of(*ws).back() ==
          R"({"subscribed":"nothing.>","id":2,"cursor":"oldest","recovered":false})");
}

TEST_CASE(
    "transport/patterns: overlapping patterns and names deliver each event once, until nobody "
    "covers the channel") {
    world w;
    w.source.open("a.x");
    auto const ws = open_socket(w);
    ws->send(masked(R"({"subscribe":"a.x"})") + masked(R"({"subscribe":"a.*"})") +
             masked(R"({"subscribe":"*.x"})") + masked(R"({"subscribe":"a.>"})"));
    w.publish("a.x", "1");
    w.publish("a.y", "1");
    w.publish("b.x", "1");
    CHECK(offsets_by_channel(messages_of(*ws)) == std::map<std::string, std::vector<std::uint64_t>>{
                                                      {"a.x", {1}}, {"a.y", {1}}, {"b.x", {1}}});
    ws->send(masked(R"({"unsubscribe":"a.x"})") + masked(R"({"unsubscribe":"a.*"})"));
    w.publish("a.x", "2");
    w.publish("a.y", "2");
    ws->send(masked(R"({"unsubscribe":"a.>","id":9})"));
    CHECK(member(messages_of(*ws).back(), "cursor").find("a.y~" + w.cursor("a.y", 2)) !=
          std::string::npos);
    w.publish("a.x", "3"); // *.x still covers it
    w.publish("a.y", "3");
    CHECK(offsets_by_channel(messages_of(*ws)) ==
          std::map<std::string, std::vector<std::uint64_t>>{
              {"a.x", {1, 2, 3}}, {"a.y", {1, 2}}, {"b.x", {1}}});
    // A client may name what a pattern brought, and keep it when the pattern ends.
    ws->send(masked(R"({"subscribe":"b.x","id":3})") + masked(R"({"unsubscribe":"*.x"})"));
    w.publish("b.x", "2");
    w.publish("a.x", "4");
    auto const all = offsets_by_channel(messages_of(*ws));
    CHECK(all.at("b.x") == range(1, 2));
    CHECK(all.at("a.x") == range(1, 3));
    ws->send(masked(R"({"unsubscribe":"*.x","id":4})"));
    CHECK(member(messages_of(*ws).back(), "code") == "not_subscribed");
}

TEST_CASE("transport/patterns: a cursor goes on with what it names, and begins what it does not") {
    for (bool const is_stream : {true, false}) {
        world w;
        w.publish("s.a", "1");
        w.publish("s.a", "2");
        w.publish("s.b", "1");
        std::string cursor;
        if (is_stream) {
            auto const first = connect<sse_session>(w, request("GET", "/sse?channel=s.*"));
            w.publish("s.a", "3");
            auto const inbox = read_sse(first->received);
            REQUIRE(inbox.messages.size() == 1);
            CHECK(inbox.messages[0].data == R"({"channel":"s.a","offset":3,"data":3})");
            cursor = inbox.last_event_id;
        } else {
            w.publish("s.a", "3");
            cursor = member(poll(w, "channel=s.*").body, "cursor");
        }
        CHECK(cursor == "s.a~" + w.cursor("s.a", 3) + "!s.b~" + w.cursor("s.b", 1));
        w.publish("s.a", "4");
        w.publish("s.c", "1");
        w.publish("s.c", "2");
        auto const target = "channel=s.*&cursor=" + cursor;
        std::vector<std::string> got;
        if (is_stream) {
            auto const again = connect<sse_session>(w, request("GET", "/sse?" + target));
            w.run();
            for (auto const& m : read_sse(again->received).messages) got.push_back(m.data);
            CHECK(read_sse(again->received).last_event_id.find("s.c~" + w.cursor("s.c", 2)) !=
                  std::string::npos);
        } else {
            auto const answer = poll(w, target);
            got.push_back(answer.body);
            CHECK(offsets_in(answer.body).size() == 3);
            CHECK(poll(w, "channel=s.*&cursor=" + member(answer.body, "cursor"))
                      .body.ends_with("\"events\":[]}\n"));
        }
        std::string all;
        for (auto const& each : got) all += each;
        for (auto const* event : {R"({"channel":"s.a","offset":4,"data":4})",
                                  R"({"channel":"s.c","offset":1,"data":1})",
                                  R"({"channel":"s.c","offset":2,"data":2})"})
            CHECK(all.find(event) != std::string::npos);
        CHECK(all.find(R"("s.b")") == std::string::npos);
    }
    // With nothing to name, a cursor says that everything is new.
    world w;
    auto const body = poll(w, "channel=s.*&cursor=now").body;
    CHECK(body == "{\"cursor\":\"oldest\",\"events\":[]}\n");
    w.publish("s.a", "1");
    CHECK(offsets_in(poll(w, "channel=s.*&cursor=oldest").body) == range(1, 1));
    // A poll that waits is answered with a channel's first event.
    auto const waiting =
        connect<poll_session>(w, request("GET", "/poll?channel=t.*&wait=20&cursor=now"));
    CHECK_FALSE(waiting->is_over);
    w.publish("t.a", "1");
    REQUIRE(waiting->is_over);
    CHECK(only_response(waiting->received).body.find(R"("channel":"t.a","offset":1)") !=
          std::string::npos);
}

TEST_CASE("transport/patterns: a cursor that names a channel that is no more gets the gap") {
    // A hub whose clients' channels are dropped when they are idle, and one that began anew.
    live_options options;
    options.hooks.subscribe = [](auto, auto channel) { return channel != "s.secret"; };
    auto const gap = R"({"gap":"s.a","from":1,"to":0,"reason":"epoch"})";
    world w{options, {.idle_time_max = std::chrono::seconds{60}}};
    w.source.publish("s.a", "1");
    w.source.publish("s.b", "1");
    auto const kept = w.source.find("s.b");
    auto const cursor = member(poll(w, "channel=s.*").body, "cursor");
    w.source.publish("s.a", "2"); // nobody gets this one
    w.source.advance(virtual_now += std::chrono::seconds{60});
    w.source.advance(virtual_now += std::chrono::seconds{60});
    CHECK(w.source.find("s.a") == nullptr);
    CHECK(w.source.find("s.b") == kept);

    auto const polled = poll(w, "channel=s.*&cursor=" + cursor + "!s.secret~1-1!t.a~1-1").body;
    auto const rest = "s.b~" + w.cursor("s.b", 1);
    CHECK(polled == "{\"cursor\":\"" + rest + "\",\"gaps\":[" + gap + "],\"events\":[]}\n");

    auto const sse =
        connect<sse_session>(w, request("GET", "/sse?channel=s.*", {{"Last-Event-ID", cursor}}));
    auto const ws = open_socket(w);
    ws->send(masked(R"({"subscribe":"s.*","cursor":")" + cursor + "\"}"));
    w.publish("s.a", "3");
    auto const streamed = read_sse(sse->received);
    REQUIRE(streamed.messages.size() == 2);
    CHECK(streamed.messages[0].data == gap);
    CHECK(streamed.messages[1].data == R"({"channel":"s.a","offset":1,"data":3})");
    auto const messages = messages_of(*ws);
    REQUIRE(messages.size() == 5);
    CHECK(messages[0] == R"({"subscribed":"s.*","cursor":")" + rest + R"(","recovered":false})");
    CHECK(member(messages[1], "subscribed") == "s.b");
    CHECK(messages[2] == gap);
    CHECK(member(messages[3], "pattern") == "s.*");
    CHECK(messages[4] == R"({"channel":"s.a","offset":1,"data":3})");
    CHECK(w.count(error::gap) == 3);
}

TEST_CASE("transport/patterns: the hook is asked for each channel, and refusals are left out") {
    live_options options;
    options.hooks.subscribe = [](auto, auto channel) { return channel != "s.secret"; };
    world w{options};
    w.publish("s.secret", "1");
    w.publish("s.open", "1");
    auto const ws = open_socket(w, "/ws?channel=s.*&cursor=oldest");
    w.run();
    CHECK(offsets_by_channel(messages_of(*ws)) ==
          std::map<std::string, std::vector<std::uint64_t>>{{"s.open", {1}}});
    CHECK(ws->received.find("secret") == std::string::npos);
    CHECK(w.count(error::not_authorized) == 1);
    // The library's own channels are for those who spell them.
    w.publish("@own.x", "1");
    CHECK(ws->received.find("@own") == std::string::npos);
}

TEST_CASE("transport/patterns: each limit is refused with the limit named") {
    struct refused {
        std::string message;
        error what;
        std::string_view named;
    };
    live_options options;
    options.pattern_tokens_max = 3;
    options.patterns_per_session_max = 2;
    for (auto const& v : {
             refused{R"({"subscribe":"a.b.c.*","id":1})", error::pattern_too_deep, "3 tokens"},
             refused{R"({"subscribe":"a*","id":1})", error::bad_pattern, "tokens of their own"},
             refused{R"({"subscribe":"a.>.b","id":1})", error::bad_pattern, "last token"},
             refused{R"({"subscribe":")" + std::string(254, 'a') + R"(.*","id":1})",
                     error::bad_pattern, "255 bytes"},
             refused{R"({"subscribe":"a..*","id":1})", error::bad_pattern, "empty"},
             refused{R"({"subscribe":"a b.*","id":1})", error::bad_pattern, "letters"},
             refused{R"({"subscribe":"a.*","cursor":"1-1","id":1})", error::bad_cursor, "pattern"},
             refused{R"({"subscribe":"a.*","cursor":"?","id":1})", error::bad_cursor, ""},
             refused{R"({"subscribe":"a.*","rate":1e9,"id":1})", error::bad_rate, "per second"},
             refused{R"({"unsubscribe":"a.*","id":1})", error::not_subscribed, ""},
             refused{R"({"subscribe":"x.*","id":1})", error::already_subscribed, ""},
             refused{R"({"publish":"a.*","data":1,"id":1})", error::bad_channel_name, ""},
         }) {
        CAPTURE(v.message);
        options.hooks.publish = [](auto, auto) { return true; };
        world w{options};
        auto const ws = open_socket(w, "/ws?channel=x.*");
        ws->send(masked(v.message));
        auto const messages = messages_of(*ws);
        REQUIRE(messages.size() == 2);
        CHECK(member(messages[1], "code") == describe(v.what).name);
        CHECK(member(messages[1], "message").find(v.named) != std::string::npos);
        CHECK(w.count(v.what) == 1);
    }
    world w{options};
    auto const ws = open_socket(w, "/ws?channel=x.*,y.*");
    ws->send(masked(R"({"subscribe":"z.*"})"));
    CHECK(member(messages_of(*ws).back(), "code") == "too_many_patterns");
    CHECK(w.count(error::too_many_patterns) == 1);
    CHECK(member(messages_of(*ws).back(), "message").find("2 patterns") != std::string::npos);
    CHECK(poll(w, "channel=a*").code() == "bad_pattern");
    CHECK(poll(w, "channel=a.*&cursor=1-1").code() == "bad_cursor");

    // More channels than a connection may have: the rest is told of once, and left out.
    world full{{.channels_per_session_max = 2}};
    auto const few = open_socket(full, "/ws?channel=s.*");
    auto const stream = connect<sse_session>(full, request("GET", "/sse?channel=s.*"));
    for (auto const* name : {"s.a", "s.b", "s.c", "s.d"}) full.publish(name, "1");
    CHECK(offsets_by_channel(messages_of(*few)).size() == 2);
    CHECK(full.count(error::too_many_channels) == 2);
    auto const refused = poll(full, "channel=s.*");
    CHECK(refused.code() == "too_many_channels");
    // Each says how many are allowed.
    for (auto const& told : {few->received, stream->received, refused.body})
        CHECK(told.find("a connection can have 2 channels") != std::string::npos);
}

TEST_CASE("transport/patterns: whatever is created, published and ended when, a client sees each "
          "event of what it covers once and in order") {
    auto const seed = std::uint64_t{20261124};
    CAPTURE(seed);
    std::mt19937_64 random{seed};
    std::string const names[] = {"a.x", "a.y", "b.x", "b.y", "a.x.z", "c"};
    std::string const patterns[] = {"a.*", "*.x", "a.>", ">"};
    for (int round = 0; round < 200; ++round) {
        CAPTURE(round);
        world w;
        auto const ws = open_socket(w, "/ws?channel=>");
        ws->piece_bytes = 1 + random() % 100;
        std::map<std::string, std::uint64_t> published;
        for (int step = 0; step < 50; ++step) {
            auto const& pattern = patterns[random() % 3]; // never the one that covers all
            switch (random() % 6) {
            case 0: ws->send(masked(R"({"subscribe":")" + pattern + "\"}")); break;
            case 1: ws->send(masked(R"({"unsubscribe":")" + pattern + "\"}")); break;
            case 2:
                ws->send(masked(R"({"subscribe":")" + names[random() % std::size(names)] + "\"}"));
                break;
            case 3: w.source.open(names[random() % std::size(names)]); break;
            default: {
                auto const& name = names[random() % std::size(names)];
                w.source.publish(name, "1");
                ++published[name];
            }
            }
            if (random() % 3 == 0) w.run();
            ws->window = random() % 4 == 0 ? random() % 200 : unlimited;
        }
        ws->window = unlimited;
        ws->pump();
        w.run();
        auto const seen = offsets_by_channel(messages_of(*ws));
        CHECK(seen.size() == published.size());
        for (auto const& each : published) {
            CAPTURE(each.first);
            REQUIRE(seen.contains(each.first));
            CHECK(seen.at(each.first) == range(1, each.second));
        }
    }
}
