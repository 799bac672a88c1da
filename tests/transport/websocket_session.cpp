#include "support/session_driver.hpp"

#include <livetape/transport/message_session.hpp>
#include <livetape/transport/websocket_session.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace livetape;
using namespace livetape::test;
using namespace std::chrono_literals;
using namespace std::string_literals;

using driver = session_driver<websocket_session>;
using kind = websocket::message_reader::item_kind;

static_assert(session<websocket_session>);
static_assert(session<message_session>);
static_assert(transport<websocket_transport>);

std::unique_ptr<driver> open_socket(world& w, std::string_view target = "/ws",
                                    std::size_t piece_bytes = unlimited) {
    return connect<websocket_session>(w, handshake(target), piece_bytes);
}

/// What a client gets for one message on a fresh connection, without the handshake's answer.
std::vector<std::string> replies_to(world& w, std::string_view message) {
    auto const ws = open_socket(w);
    ws->send(masked(message));
    auto const inbox = read_websocket(ws->received);
    CHECK(inbox.close_code == 0);
    return inbox.messages;
}

void fill(world& w, std::string_view channel, int count) {
    for (int i = 0; i < count; ++i) w.publish(channel, std::to_string(i));
}

/// Events and gaps together are all offsets of the range, once each and in order.
void check_complete(std::vector<std::string> const& messages, std::uint64_t first,
                    std::uint64_t last) {
    auto next = first;
    for (auto const& message : messages) {
        if (message.starts_with(R"({"gap")")) {
            REQUIRE(std::stoull(member(message, "from")) == next);
            next = std::stoull(member(message, "to")) + 1;
        } else {
            REQUIRE(std::stoull(member(message, "offset")) == next);
            ++next;
        }
    }
    CHECK(next == last + 1);
}

std::size_t const write_sizes[] = {1, 7, unlimited};

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

TEST_CASE("transport/message_session: the host gets each message and answers on the link") {
    for (auto const size : write_sizes) {
        world w;
        message_handler const echo = [](websocket_link& link, websocket::opcode code,
                                        std::string_view payload) {
            if (payload == "bye")
                link.close(error::internal_error, "the host says bye", virtual_now);
            link.send(code, payload);
        };
        session_driver<message_session> ws{w.context(), handshake("/echo"), echo};
        ws.piece_bytes = size;
        ws.start();
        // One reply may be larger than the limit of replies that wait.
        std::string const large(300 << 10, 'x');
        ws.send(masked("hello") + masked(std::string("\0\xff", 2), websocket::opcode::binary));
        if (size != 1) ws.send(masked(large));
        ws.send(masked("", websocket::opcode::pong) + masked("p", websocket::opcode::ping));
        auto const inbox = read_websocket(ws.received);
        CHECK(inbox.messages.at(0) == "hello");
        CHECK(inbox.messages.at(1) == std::string("\0\xff", 2));
        CHECK(inbox.kinds.at(1) == kind::binary);
        if (size != 1) CHECK((inbox.messages.at(2) == large));
        CHECK(inbox.close_code == 0);
        ws.send(masked("bye") + masked("ignored"));
        CHECK(read_websocket(ws.received).close_code == 1011);
        CHECK(read_websocket(ws.received).close_reason == "the host says bye");
        ws.send(masked_close(1011));
        CHECK(ws.is_over);
        CHECK(w.count(error::internal_error) == 1);
        CHECK(w.count_all() == 1);
    }
}

TEST_CASE("transport/message_session: refusals, timeouts and shutting down are the link's") {
    world w;
    message_handler const ignore = [](websocket_link&, websocket::opcode, std::string_view) {};
    session_driver<message_session> refused{
        w.context(), handshake("/echo", {{"Origin", "https://evil.example"}}), ignore};
    CHECK(read_websocket(refused.start().received).handshake.status == 403);
    session_driver<message_session> with_body{
        w.context(), handshake("/echo", {{"Content-Length", "1"}}), ignore};
    CHECK(read_websocket(with_body.start().received).handshake.status == 400);
    session_driver<message_session> ws{w.context(), handshake("/echo"), ignore};
    ws.start();
    ws.advance(25s);
    CHECK(read_websocket(ws.received).pings.size() == 1);
    ws.shut_down();
    CHECK(read_websocket(ws.received).close_code == 1001);
    ws.end_input();
    CHECK(ws.is_over);
    CHECK(ws.on.take_unread().empty());
}

namespace {

/// Unmasked frames as they lie in a stream, behind the handshake's answer.
struct seen_frame {
    websocket::opcode code;
    bool is_final;
    std::size_t payload_bytes;
    friend bool operator==(seen_frame const&, seen_frame const&) = default;
};

std::vector<seen_frame> frames_in(std::string_view bytes) {
    take_head(bytes);
    std::vector<seen_frame> frames;
    websocket::frame_header header;
    while (!bytes.empty()) {
        auto const result = websocket::parse_header(bytes, header);
        REQUIRE(result.status == parse_status::done);
        bytes.remove_prefix(result.header_bytes + header.payload_bytes);
        frames.push_back(
            {header.opcode, header.is_final, static_cast<std::size_t>(header.payload_bytes)});
    }
    return frames;
}

} // namespace

TEST_CASE("transport/message_session: a large message goes in fragments and a pong comes between "
          "[RFC 6455 5.4, 5.5]") {
    using websocket::opcode;
    live_options options;
    options.fragment_bytes_max = 1000;
    world w{options};
    message_handler const echo = [](websocket_link& link, opcode code, std::string_view payload) {
        link.send(code, payload);
    };
    session_driver<message_session> ws{w.context(), handshake("/echo"), echo};
    ws.start();
    ws.window = 1500;
    ws.send(masked(std::string(1000, 'a')) + masked(std::string(2500, 'b'), opcode::binary) +
            masked("c"));
    ws.send(masked("now", opcode::ping));
    ws.open_window();
    std::vector<seen_frame> const expected{
        {opcode::text, true, 1000},        {opcode::binary, false, 1000},
        {opcode::pong, true, 3},           {opcode::continuation, false, 1000},
        {opcode::continuation, true, 500}, {opcode::text, true, 1}};
    CHECK(frames_in(ws.received) == expected);
    auto const inbox = read_websocket(ws.received);
    CHECK(inbox.messages ==
          std::vector<std::string>{std::string(1000, 'a'), std::string(2500, 'b'), "c"});
    CHECK(inbox.order == "momm");
}

TEST_CASE("transport/message_session: a close that the host asks for waits for its messages") {
    using websocket::opcode;
    live_options options;
    options.fragment_bytes_max = 1000;
    for (auto const size : {std::size_t{1}, std::size_t{10}, std::size_t{5000}}) {
        CAPTURE(size);
        world w{options};
        message_handler const once = [&](websocket_link& link, opcode code, std::string_view) {
            link.ping("first");
            link.send(code, std::string(size, 'x'));
            link.close(websocket::close_code::going_away, "enough");
            link.send(code, "too late");
            link.ping("too late");
            link.close(4000);
        };
        session_driver<message_session> ws{w.context(), handshake("/once"), once};
        ws.start();
        ws.window = 100;
        ws.send(masked("go") + masked("ignored"));
        // The time for the answer begins when the close frame has gone out.
        ws.advance(20s);
        CHECK_FALSE(ws.is_over == (size > 1000));
        if (ws.is_over) continue;
        ws.open_window();
        auto const inbox = read_websocket(ws.received);
        CHECK(inbox.pings == std::vector<std::string>{"first"});
        CHECK(inbox.messages == std::vector<std::string>{std::string(size, 'x')});
        CHECK(inbox.close_code == 1001);
        CHECK(inbox.close_reason == "enough");
        ws.advance(4s);
        CHECK_FALSE(ws.is_over);
        ws.send(masked_close(1001));
        CHECK(ws.is_over);
        CHECK_FALSE(ws.is_aborted);
        CHECK(w.count_all() == 0);
    }
}

TEST_CASE("transport/message_session: the peer's close ends what is being sent [RFC 6455 5.5.1]") {
    using websocket::opcode;
    live_options options;
    options.fragment_bytes_max = 1000;
    for (bool const closes_first : {false, true}) {
        world w{options};
        message_handler const send = [&](websocket_link& link, opcode code, std::string_view) {
            link.send(code, std::string(5000, 'x'));
            if (closes_first) link.close(4001);
        };
        session_driver<message_session> ws{w.context(), handshake("/once"), send};
        ws.start();
        ws.window = 100;
        ws.send(masked("go"));
        ws.send(masked_close(1000));
        ws.open_window();
        auto const frames = frames_in(ws.received);
        REQUIRE(frames.size() == 2);
        CHECK(frames[0] == seen_frame{opcode::text, false, 1000});
        CHECK(frames[1] == seen_frame{opcode::close, true, 2});
        CHECK(read_websocket(ws.received).close_code == 1000);
        CHECK(ws.is_over);
    }
}

TEST_CASE("transport/message_session: a host gets messages in pieces, checked, and none kept") {
    using websocket::opcode;
    live_options options;
    options.handler_message_bytes_max = 3000;
    for (std::size_t const fed : {std::size_t{1}, std::size_t{100}, unlimited}) {
        CAPTURE(fed);
        world w{options};
        std::string seen;
        message_piece_handler const note = [&](websocket_link& link, message_piece const& piece) {
            if (piece.is_first) seen += piece.code == opcode::text ? "t(" : "b(";
            seen += piece.payload;
            if (piece.is_final) seen += ')';
            if (piece.is_final) link.send(piece.code, "got it");
        };
        session_driver<message_session> ws{w.context(), handshake("/pieces"), note};
        ws.start();
        ws.send(masked("gr\xc3\xbc\xc3\x9f") + masked("\xff", opcode::binary) + masked(""), fed);
        CHECK(seen == "t(gr\xc3\xbc\xc3\x9f)b(\xff)t()");
        CHECK(read_websocket(ws.received).messages.size() == 3);
        seen.clear();
        std::string large;
        websocket::append_frame(large,
                                {.opcode = opcode::binary,
                                 .is_final = false,
                                 .is_masked = true,
                                 .masking_key = {1, 2, 3, 4}},
                                std::string(3000, 'x'));
        websocket::append_frame(
            large, {.opcode = opcode::continuation, .is_masked = true, .masking_key = {1, 2, 3, 4}},
            "y");
        ws.send(large, fed);
        CHECK(seen == "b(" + std::string(3000, 'x'));
        CHECK(read_websocket(ws.received).close_code == 1009);
    }
}

TEST_CASE("transport/message_session: a handler's message is bounded at its own limit") {
    for (std::size_t const size : {99u, 100u, 101u}) {
        live_options options;
        options.message_bytes_max = 10;
        options.handler_message_bytes_max = 100;
        world w{options};
        std::size_t got = 0;
        message_handler const count = [&](websocket_link&, websocket::opcode,
                                          std::string_view payload) { got = payload.size(); };
        session_driver<message_session> ws{w.context(), handshake("/count"), count};
        ws.start();
        ws.send(masked(std::string(size, 'x')));
        CHECK(got == (size > 100 ? 0 : size));
        CHECK(read_websocket(ws.received).close_code == (size > 100 ? 1009 : 0));
    }
}
