#include "support/session_driver.hpp"

#include <livetape/transport/sse_session.hpp>

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

using driver = session_driver<sse_session>;

static_assert(session<sse_session>);
static_assert(transport<sse_transport>);
static_assert(stream_format<sse_format>);

std::unique_ptr<driver> open_stream(world& w, std::string_view target,
                                    std::size_t piece_bytes = unlimited) {
    return connect<sse_session>(w, request("GET", target), piece_bytes);
}

std::unique_ptr<driver> reopen(world& w, std::string_view target, std::string_view last_event_id) {
    return connect<sse_session>(w, request("GET", target, {{"Last-Event-ID", last_event_id}}));
}

std::vector<std::uint64_t> offsets_of(sse_inbox const& inbox, std::string_view channel = {}) {
    std::vector<std::uint64_t> offsets;
    for (auto const& m : inbox.messages)
        if (m.data.starts_with(R"({"channel")") &&
            (channel.empty() || member(m.data, "channel") == channel))
            offsets.push_back(std::stoull(member(m.data, "offset")));
    return offsets;
}

void fill(world& w, std::string_view channel, int count) {
    for (int i = 0; i < count; ++i) w.publish(channel, std::to_string(i));
}

std::size_t const write_sizes[] = {1, 7, unlimited};

} // namespace

TEST_CASE("transport/sse_session: the transport takes its paths and no others") {
    auto const takes = [](std::string_view target) {
        auto const head = request("GET", target);
        return sse_transport::matches(head, head.path());
    };
    CHECK(takes("/sse?channel=a"));
    CHECK(takes("/sse/raw/a"));
    for (auto const* other : {"/", "/sse/", "/sse/raw", "/ssex", "/ws"}) CHECK_FALSE(takes(other));
}

TEST_CASE("transport/sse_session: a stream says what it is, when to come back, and from where") {
    world w;
    fill(w, "ticks", 3);
    auto const stream = open_stream(w, "/sse?channel=ticks");
    auto const inbox = read_sse(stream->received);
    CHECK(inbox.head.status == 200);
    CHECK(inbox.head.field("Content-Type") == "text/event-stream");
    CHECK(inbox.head.field("Cache-Control") == "no-store, no-transform");
    CHECK(inbox.head.field("X-Accel-Buffering") == "no");
    CHECK(inbox.head.field("Connection") == "close");
    CHECK(inbox.head.field("Content-Length").empty());
    CHECK(inbox.messages.empty());
    CHECK(inbox.last_event_id == w.cursor("ticks", 3));
    CHECK(inbox.retry == 2000ms);

    auto const head = request("GET", "/sse?channel=ticks");
    driver late{w.context(0xffffffff), head, head.path()};
    CHECK(read_sse(late.start().received).retry == 3999ms);
    CHECK(w.count_all() == 0);
}

TEST_CASE("transport/sse_session: client without cursor gets what comes, each event with its id") {
    for (auto const size : write_sizes) {
        world w;
        fill(w, "ticks", 3);
        auto const stream = open_stream(w, "/sse?channel=ticks", size);
        w.publish("ticks", "{\n \"a\": 1\r\n}", {"k"});
        w.publish("ticks", "x\ny", {{}, payload_kind::text});
        auto const inbox = read_sse(stream->received);
        REQUIRE(inbox.messages.size() == 2);
        CHECK(inbox.messages[0].data ==
              "{\"channel\":\"ticks\",\"offset\":4,\"key\":\"k\",\"data\":{\n \"a\": 1\n}}");
        CHECK(inbox.messages[0].id == w.cursor("ticks", 4));
        CHECK(inbox.messages[1].data == R"({"channel":"ticks","offset":5,"data":"x\ny"})");
        CHECK(inbox.messages[1].id == w.cursor("ticks", 5));
    }
}

TEST_CASE("transport/sse_session: client gets the snapshot, keyed and unkeyed, and can resume "
          "inside it") {
    for (auto const size : write_sizes) {
        world w;
        w.publish("quotes", "1", {"A"});
        w.publish("quotes", "2", {"B"});
        w.publish("quotes", "3", {"A"});
        fill(w, "ticks", 3);
        auto const stream = open_stream(w, "/sse?channel=quotes&snapshot=1", size);
        w.publish("quotes", "4", {"B"});
        auto const inbox = read_sse(stream->received);
        CHECK(offsets_of(inbox) == std::vector<std::uint64_t>{2, 3, 4});
        CHECK(inbox.messages[0].id == w.cursor("quotes", 2));
        CHECK(offsets_of(read_sse(open_stream(w, "/sse?channel=ticks&snapshot=true")->received)) ==
              range(3, 3));
        CHECK(offsets_of(read_sse(open_stream(w, "/sse?channel=ticks&snapshot=0")->received))
                  .empty());

        auto const resumed = reopen(w, "/sse?channel=quotes&snapshot=1", inbox.messages[0].id);
        CHECK(offsets_of(read_sse(resumed->received)) == std::vector<std::uint64_t>{3, 4});
    }
}

TEST_CASE("transport/sse_session: Last-Event-ID wins over the cursor and continues exactly") {
    world w;
    fill(w, "ticks", 10);
    for (std::uint64_t seen = 0; seen <= 10; ++seen) {
        auto const target = "/sse?channel=ticks&cursor=" + w.cursor("ticks", seen);
        CHECK(offsets_of(read_sse(open_stream(w, target)->received)) == range(seen + 1, 10));
        CHECK(offsets_of(read_sse(reopen(w, target, w.cursor("ticks", 8))->received)) ==
              range(9, 10));
        CHECK(offsets_of(read_sse(reopen(w, target, "")->received)) == range(seen + 1, 10));
    }
    CHECK(offsets_of(read_sse(open_stream(w, "/sse?channel=ticks&cursor=oldest")->received)) ==
          range(1, 10));
    CHECK(offsets_of(read_sse(open_stream(w, "/sse?channel=ticks&cursor=now&snapshot=1")->received))
              .empty());
    CHECK(w.count_all() == 0);
}

TEST_CASE("transport/sse_session: a cursor that cannot be continued gets a gap and the snapshot") {
    world w{{}, {.log_events_max = 5}};
    fill(w, "ticks", 100);
    auto const old =
        read_sse(open_stream(w, "/sse?channel=ticks&cursor=" + w.cursor("ticks", 10))->received);
    REQUIRE(old.messages.size() == 2);
    CHECK(old.messages[0].data == R"({"gap":"ticks","from":11,"to":99,"reason":"retention"})");
    CHECK(old.messages[0].type == "message");
    CHECK(offsets_of(old) == range(100, 100));
    auto const foreign = read_sse(open_stream(w, "/sse?channel=ticks&cursor=1-7")->received);
    CHECK(foreign.messages.at(0).data == R"({"gap":"ticks","from":1,"to":99,"reason":"epoch"})");
    CHECK(offsets_of(foreign) == range(100, 100));
    auto const raw = read_sse(open_stream(w, "/sse/raw/ticks?cursor=1-7")->received);
    CHECK(raw.messages.at(0).type == "gap");
    CHECK(raw.messages.at(1).type == "message");
    CHECK(raw.messages.at(1).data == "99");
    CHECK(w.count(error::gap) == 3);
    CHECK(w.count_all() == 3);
}

TEST_CASE("transport/sse_session: no cut loses the notice of a gap and keeps the cursor after it") {
    // All of the log has expired: there is no snapshot, so the stream opens with the cursor.
    world w{{}, {.log_age_max = 1s}};
    fill(w, "ticks", 3);
    virtual_now += 10s;
    w.source.advance(virtual_now);
    auto const before = w.cursor("ticks", 1);
    auto const bytes = open_stream(w, "/sse?channel=ticks&cursor=" + before)->received;
    auto const whole = read_sse(bytes);
    REQUIRE(whole.messages.size() == 1);
    CHECK(whole.messages[0].data == R"({"gap":"ticks","from":2,"to":3,"reason":"retention"})");
    CHECK(whole.last_event_id == w.cursor("ticks", 3));
    for (auto cut = bytes.find("\r\n\r\n") + 4; cut < bytes.size(); ++cut) {
        auto const partial = read_sse(std::string_view{bytes}.substr(0, cut));
        if (!partial.last_event_id.empty()) CHECK(partial.messages.size() == 1);
    }
}

TEST_CASE("transport/sse_session: client falls behind, in retention and past it") {
    for (auto const size : write_sizes) {
        for (bool const is_short : {true, false}) {
            world w{{}, is_short ? short_memory : channel_options{}};
            w.source.open("ticks");
            auto const stream = open_stream(w, "/sse?channel=ticks", size);
            for (std::size_t round = 0; round < 5; ++round) {
                stream->window = 60 + round;
                fill(w, "ticks", 400);
                stream->open_window();
            }
            std::uint64_t next = 1;
            auto const inbox = read_sse(stream->received);
            for (auto const& m : inbox.messages) {
                if (m.data.starts_with(R"({"gap")")) {
                    CHECK(std::stoull(member(m.data, "from")) == next);
                    next = std::stoull(member(m.data, "to")) + 1;
                } else {
                    CHECK(std::stoull(member(m.data, "offset")) == next);
                    CHECK(m.id == w.cursor("ticks", next));
                    ++next;
                }
            }
            CHECK(next == 2001);
            CHECK((w.count(error::gap) > 0) == is_short);
        }
    }
}

TEST_CASE("transport/sse_session: a channel that closes those it overtakes says the gap and ends "
          "the stream") {
    world w;
    auto options = short_memory;
    options.on_overrun = overrun_policy::close;
    w.source.open("ticks", options);
    auto const stream = open_stream(w, "/sse?channel=ticks");
    stream->window = 0;
    fill(w, "ticks", 500);
    stream->open_window();
    CHECK(read_sse(stream->received).messages.back().data.starts_with(R"({"gap":"ticks")"));
    CHECK(stream->is_over);
    CHECK_FALSE(stream->is_aborted);
}

TEST_CASE(
    "transport/sse_session: with several channels each flush ends with the id of all of them") {
    world w;
    fill(w, "a", 2);
    w.source.open("b");
    auto const stream = open_stream(w, "/sse?channel=a&channel=b");
    auto const start = read_sse(stream->received);
    CHECK(start.last_event_id == "a~" + w.cursor("a", 2) + "!b~" + w.cursor("b", 0));
    stream->window = 0;
    fill(w, "a", 2);
    fill(w, "b", 1);
    stream->open_window();
    auto const inbox = read_sse(stream->received);
    CHECK(offsets_of(inbox, "a") == range(3, 4));
    CHECK(offsets_of(inbox, "b") == range(1, 1));
    auto const id = "a~" + w.cursor("a", 4) + "!b~" + w.cursor("b", 1);
    CHECK(inbox.last_event_id == id);
    for (auto const& m : inbox.messages) CHECK(m.id == start.last_event_id);
    CHECK(inbox.stream.ends_with("\n\nid: " + id + "\n\n"));
    CHECK(inbox.stream.find("id: ") != inbox.stream.rfind("id: "));
}

TEST_CASE("transport/sse_session: a stream of several channels that dies anywhere is resumed "
          "without loss") {
    // The whole stream is cut after each byte; what a browser has then, it has for good.
    world w;
    for (auto const* name : {"a", "b"}) w.source.open(name);
    for (auto const size : write_sizes) {
        auto const first_a = w.source.open("a").last_offset(),
                   first_b = w.source.open("b").last_offset();
        auto const stream = open_stream(w, "/sse?channel=a,b", size);
        for (int i = 0; i < 4; ++i) {
            stream->window = static_cast<std::size_t>(i) * 30;
            fill(w, "a", 2);
            fill(w, "b", 1);
            stream->open_window();
        }
        auto const last_a = first_a + 8, last_b = first_b + 4;
        auto const& bytes = stream->received;
        for (auto cut = bytes.find("id: "); cut < bytes.size(); cut += 3) {
            auto const partial = read_sse(std::string_view{bytes}.substr(0, cut));
            auto const got_a = offsets_of(partial, "a"), got_b = offsets_of(partial, "b");
            CHECK(got_a == range(first_a + 1, first_a + got_a.size()));
            CHECK(got_b == range(first_b + 1, first_b + got_b.size()));
            if (partial.last_event_id.empty()) continue;
            auto const rest =
                read_sse(reopen(w, "/sse?channel=a,b", partial.last_event_id)->received);
            auto const rest_a = offsets_of(rest, "a"), rest_b = offsets_of(rest, "b");
            // At least once: the second stream begins at or before the first one's end.
            CHECK(rest_a == range(last_a + 1 - rest_a.size(), last_a));
            CHECK(rest_b == range(last_b + 1 - rest_b.size(), last_b));
            CHECK(got_a.size() + rest_a.size() >= 8);
            CHECK(got_b.size() + rest_b.size() >= 4);
        }
    }
}

TEST_CASE(
    "transport/sse_session: a write that is cut anywhere, trailer included, corrupts nothing") {
    std::size_t planned = 1;
    for (std::size_t cut = 0; cut <= planned; ++cut) {
        CAPTURE(cut);
        world w;
        for (auto const* name : {"a", "b"}) w.source.open(name);
        auto const stream = open_stream(w, "/sse?channel=a,b");
        stream->window = 0;
        fill(w, "a", 2);
        fill(w, "b", 2);
        stream->window = unlimited;
        // The window's end was noticed by a write of nothing; this one is cut.
        planned = stream->begin_write();
        stream->end_write(cut);
        fill(w, "a", 1);
        stream->pump();
        auto const inbox = read_sse(stream->received);
        CHECK(offsets_of(inbox, "a") == range(1, 3));
        CHECK(offsets_of(inbox, "b") == range(1, 2));
        auto const id = "a~" + w.cursor("a", 3) + "!b~" + w.cursor("b", 2);
        CHECK(inbox.last_event_id == id);
        CHECK(inbox.stream.ends_with("\n\nid: " + id + "\n\n"));
    }
}

TEST_CASE(
    "transport/sse_session: as many channels as are allowed fit into one stream and its cursor") {
    world w{{.channels_per_session_max = 1500}, {}, 2000};
    std::string list, parameters;
    for (int i = 0; i < 1500; ++i) {
        auto const name = std::to_string(i);
        w.source.open(name);
        list += (i == 0 ? "" : ",") + name;
        parameters += "&channel=" + name;
    }
    for (auto const& query : {"channel=" + list, parameters}) {
        auto const stream = open_stream(w, "/sse?" + query);
        auto const inbox = read_sse(stream->received);
        REQUIRE(inbox.head.status == 200);
        fill(w, "1499", 1);
        auto const resumed = read_sse(reopen(w, "/sse?" + query, inbox.last_event_id)->received);
        CHECK(resumed.head.status == 200);
        CHECK(resumed.messages.size() == 1);
    }
    auto const over = read_sse(open_stream(w, "/sse?channel=another," + list)->received);
    CHECK(over.head.status == 429);
}

TEST_CASE("transport/sse_session: raw streams carry payloads alone, with their ids") {
    for (auto const size : write_sizes) {
        world w;
        w.source.open("a/b");
        auto const stream = open_stream(w, "/sse/raw/a/b", size);
        w.publish("a/b", "{\"a\":\n1}");
        w.publish("a/b", std::string("\0\xff", 2), {{}, payload_kind::binary});
        w.publish("a/b", std::string(100'000, 'x'), {{}, payload_kind::text});
        w.publish("a/b", "", {{}, payload_kind::text});
        auto const inbox = read_sse(stream->received);
        REQUIRE(inbox.messages.size() == 4);
        CHECK(inbox.messages[0].data == "{\"a\":\n1}");
        CHECK(inbox.messages[1].data == "AP8=");
        CHECK((inbox.messages[2].data == std::string(100'000, 'x')));
        CHECK(inbox.messages[3].data.empty());
        CHECK(inbox.messages[3].id == w.cursor("a/b", 4));
        auto const resumed = read_sse(reopen(w, "/sse/raw/a/b", inbox.messages[2].id)->received);
        CHECK(resumed.messages.size() == 1);
    }
}

TEST_CASE("transport/sse_session: a quiet stream is kept alive by comments, a stuck one is cut") {
    world w;
    w.source.open("ticks");
    auto const stream = open_stream(w, "/sse?channel=ticks");
    auto const comments = [&] {
        std::size_t count = 0;
        for (auto at = stream->received.find("\n:\n"); at != std::string::npos;
             at = stream->received.find("\n:\n", at + 1))
            ++count;
        return count;
    };
    stream->advance(24'999ms);
    CHECK(comments() == 0);
    stream->advance(1ms);
    CHECK(comments() == 1);
    stream->advance(10s);
    fill(w, "ticks", 1);
    stream->advance(24'999ms);
    CHECK(comments() == 1);
    stream->advance(1ms);
    CHECK(comments() == 2);

    stream->window = 0;
    fill(w, "ticks", 1);
    stream->advance(29'999ms);
    CHECK_FALSE(stream->is_over);
    stream->open_window(1);
    stream->advance(29'999ms);
    CHECK_FALSE(stream->is_over);
    stream->advance(1ms);
    CHECK(stream->is_aborted);
    CHECK(comments() == 2);
    CHECK(w.count(error::stalled) == 1);
    CHECK(w.count_all() == 1);
}

TEST_CASE("transport/sse_session: shutting down ends the stream between two events") {
    for (std::size_t cut = 0; cut < 150; ++cut) {
        world w;
        w.source.open("ticks");
        auto const stream = open_stream(w, "/sse?channel=ticks");
        stream->window = cut;
        fill(w, "ticks", 4);
        stream->shut_down();
        stream->open_window();
        auto const inbox = read_sse(stream->received);
        CHECK(offsets_of(inbox) == range(1, inbox.messages.size()));
        CHECK(inbox.stream.ends_with("\n\n"));
        CHECK(stream->is_over);
        CHECK_FALSE(stream->is_aborted);
        stream->on.shut_down(virtual_now);
        CHECK(stream->on.end() == session_end::close);
    }
}

TEST_CASE("transport/sse_session: what the client sends is dropped, and its end is the stream's") {
    world w;
    w.source.open("ticks");
    auto const stream = open_stream(w, "/sse?channel=ticks");
    stream->send("GET / HTTP/1.1\r\n\r\n");
    fill(w, "ticks", 1);
    CHECK(read_sse(stream->received).messages.size() == 1);
    CHECK(stream->on.take_unread().empty());
    stream->end_input();
    CHECK(stream->is_aborted);
    // A refusal is still delivered.
    auto const refused = connect<sse_session>(w, request("GET", "/sse"), unlimited, 5);
    refused->end_input();
    refused->open_window();
    CHECK(read_sse(refused->received).head.code() == "bad_query");
    CHECK_FALSE(refused->is_aborted);
}

TEST_CASE(
    "transport/sse_session: pages of allowed origins may ask with Last-Event-ID [Fetch 3.2.2]") {
    live_options options;
    options.origins = http::origin_policy{{"https://app.example"}};
    world w{options};
    auto const asked = connect<sse_session>(
        w, request("OPTIONS", "/sse?channel=ticks", {{"Origin", "https://app.example"}}));
    CHECK(asked->is_over);
    auto const preflight = only_response(asked->received);
    CHECK(preflight.status == 204);
    CHECK(preflight.field("Access-Control-Allow-Origin") == "https://app.example");
    CHECK(preflight.field("Access-Control-Allow-Methods") == "GET, HEAD");
    CHECK(preflight.field("Access-Control-Allow-Headers") == "Authorization, Last-Event-ID");
}

TEST_CASE("transport/sse_session: HEAD gets the head of the stream, which ends [RFC 9110 9.3.2]") {
    world w;
    w.publish("ticks", "1");
    auto const target = "/sse?channel=ticks&cursor=oldest";
    auto const got = read_sse(connect<sse_session>(w, request("GET", target))->received);
    for (auto const size : write_sizes) {
        auto const asked = connect<sse_session>(w, request("HEAD", target), size);
        w.publish("ticks", "2");
        CHECK(asked->received.ends_with("\r\n\r\n"));
        auto const inbox = read_sse(asked->received);
        CHECK(inbox.head.status == 200);
        CHECK(inbox.head.fields == got.head.fields);
        CHECK(asked->is_over);
        CHECK_FALSE(asked->is_aborted);
        CHECK(asked->on.cursors().count() == 0);
    }
}

TEST_CASE("transport/sse_session: refusals have a status, a reason and a counter") {
    struct refused {
        char const* name;
        http::request_head head;
        unsigned status;
        error what;
    };
    std::vector<refused> const table = {
        {"POST", request("POST", "/sse?channel=ticks"), 405, error::method_not_allowed},
        {"HEAD", request("HEAD", "/sse?channel=nowhere"), 404, error::unknown_channel},
        {"origin", request("GET", "/sse?channel=ticks", {{"Origin", "https://evil.example"}}), 403,
         error::origin_refused},
        {"connect", request("GET", "/sse?channel=ticks", {{"Refuse", "me"}}), 403,
         error::not_authorized},
        {"subscribe", request("GET", "/sse?channel=secret"), 403, error::not_authorized},
        {"no channel", request("GET", "/sse"), 400, error::bad_query},
        {"escape", request("GET", "/sse?channel=%"), 400, error::bad_query},
        {"snapshot", request("GET", "/sse?channel=ticks&snapshot=2"), 400, error::bad_query},
        {"empty name", request("GET", "/sse?channel="), 400, error::bad_channel_name},
        {"bad name", request("GET", "/sse?channel=a$"), 400, error::bad_channel_name},
        {"bad pattern", request("GET", "/sse?channel=a*"), 400, error::bad_pattern},
        {"unknown", request("GET", "/sse?channel=nowhere"), 404, error::unknown_channel},
        {"second unknown", request("GET", "/sse?channel=ticks,nowhere"), 404,
         error::unknown_channel},
        {"twice", request("GET", "/sse?channel=ticks,ticks"), 409, error::already_subscribed},
        {"too many", request("GET", "/sse?channel=a,b,c"), 429, error::too_many_channels},
        {"cursor", request("GET", "/sse?channel=ticks&cursor=1"), 400, error::bad_cursor},
        {"id", request("GET", "/sse?channel=ticks&cursor=now", {{"Last-Event-ID", "-"}}), 400,
         error::bad_cursor},
        {"cursor of one for two", request("GET", "/sse?channel=ticks,other&cursor=1-1"), 400,
         error::bad_cursor},
        {"mode", request("GET", "/sse?channel=ticks&mode=newest"), 501, error::unsupported},
        {"rate", request("GET", "/sse?channel=ticks&rate=x"), 400, error::bad_query},
        {"interval", request("GET", "/sse?channel=ticks&rate=1&interval=1"), 400, error::bad_query},
        {"raw without name", request("GET", "/sse/raw/"), 400, error::bad_query},
        {"raw with two", request("GET", "/sse/raw/ticks?channel=other"), 400, error::bad_query},
    };
    for (auto const& v : table) {
        CAPTURE(v.name);
        live_hooks hooks;
        hooks.connect = [](http::request_head const& head) -> std::optional<std::string> {
            if (head.field("Refuse")) return std::nullopt;
            return "somebody";
        };
        hooks.subscribe = [](auto identity, auto channel) {
            return identity == "somebody" && channel != "secret";
        };
        world w{{.channels_per_session_max = 2, .hooks = hooks}};
        for (auto const* name : {"ticks", "other", "secret"}) w.source.open(name);
        for (auto const size : write_sizes) {
            auto const stream = connect<sse_session>(w, v.head, size);
            auto const inbox = read_sse(stream->received);
            CHECK(inbox.head.status == v.status);
            CHECK(inbox.head.code() == (v.head.method() == "HEAD" ? "" : describe(v.what).name));
            CHECK(inbox.head.field("Connection") == "close");
            if (v.status == 405) CHECK(inbox.head.field("Allow") == "GET, HEAD, OPTIONS");
            CHECK(stream->is_over);
            CHECK_FALSE(stream->is_aborted);
        }
        CHECK(w.count(v.what) == 3);
        CHECK(w.count_all() == 3);
    }
    world w;
    fill(w, "ticks", 1);
    CHECK(read_sse(open_stream(w, "/sse?channel=ticks&cursor=" + w.cursor("ticks", 2))->received)
              .head.code() == "bad_cursor");
    CHECK(read_sse(open_stream(w, "/sse?channel=ticks&cursor=" + w.cursor("ticks", 1))->received)
              .head.status == 200);
    CHECK(read_sse(open_stream(w, "/sse?channel=ticks&mode=every")->received).head.status == 200);
}

TEST_CASE("transport/sse_session: pages of allowed origins may read the stream and its refusals") {
    world w{{.origins = http::origin_policy{{"https://app.example"}}}};
    w.source.open("ticks");
    for (auto const* target : {"/sse?channel=ticks", "/sse?channel=nowhere"}) {
        auto const stream =
            connect<sse_session>(w, request("GET", target, {{"Origin", "https://app.example"}}));
        auto const inbox = read_sse(stream->received);
        CHECK(inbox.head.field("Access-Control-Allow-Origin") == "https://app.example");
        CHECK(inbox.head.field("Vary") == "Origin");
    }
    CHECK(read_sse(open_stream(w, "/sse?channel=ticks")->received)
              .head.field("Access-Control-Allow-Origin")
              .empty());
}
