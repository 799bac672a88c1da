#include "support/session_driver.hpp"

#include <livetape/transport/poll_session.hpp>
#include <livetape/transport/publish_session.hpp>

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

using poll_driver = session_driver<poll_session>;
using publish_driver = session_driver<publish_session>;

static_assert(session<poll_session>);
static_assert(session<publish_session>);
static_assert(transport<poll_transport>);
static_assert(transport<publish_transport>);

std::unique_ptr<poll_driver> open_poll(world& w, std::string_view query,
                                       std::initializer_list<http::header_field> fields = {},
                                       std::size_t piece_bytes = unlimited) {
    return connect<poll_session>(w, request("GET", "/poll?" + std::string{query}, fields),
                                 piece_bytes);
}

response poll(world& w, std::string_view query,
              std::initializer_list<http::header_field> fields = {},
              std::size_t piece_bytes = unlimited) {
    auto const driver = open_poll(w, query, fields, piece_bytes);
    CHECK(driver->is_over);
    CHECK_FALSE(driver->is_aborted);
    return only_response(driver->received);
}

void fill(world& w, std::string_view channel, int count) {
    for (int i = 0; i < count; ++i) w.publish(channel, std::to_string(i));
}

live_options open_to_publishers() {
    live_options options;
    options.hooks.publish = [](auto, auto channel) { return channel != "secret"; };
    return options;
}

std::unique_ptr<publish_driver> open_publish(world& w, std::string_view query,
                                             std::initializer_list<http::header_field> fields) {
    return connect<publish_session>(w, request("POST", "/publish?" + std::string{query}, fields));
}

/// Publishes with Content-Length; the type is left out if it is empty.
response publish(world& w, std::string_view query, std::string_view type, std::string_view body,
                 std::size_t fed_bytes = unlimited) {
    auto head = request("POST", "/publish?" + std::string{query},
                        {{"Content-Length", std::to_string(body.size())}});
    if (!type.empty()) head.add_field("Content-Type", type);
    auto const driver = connect<publish_session>(w, head);
    driver->send(body, fed_bytes);
    CHECK(driver->is_over);
    return only_response(driver->received);
}

std::size_t const write_sizes[] = {1, 7, unlimited};

} // namespace

TEST_CASE("transport/poll_session: the transports take their paths and no others") {
    auto const polls = [](std::string_view target) {
        auto const head = request("GET", target);
        return poll_transport::matches(head, head.path());
    };
    CHECK(polls("/poll?channel=a"));
    for (auto const* other : {"/", "/poll/", "/polls", "/publish"}) CHECK_FALSE(polls(other));
    auto const head = request("POST", "/publish");
    CHECK(publish_transport::matches(head, "/publish"));
    CHECK_FALSE(publish_transport::matches(head, "/publish/a"));
}

TEST_CASE("transport/poll_session: a short-poll without cursor answers the state, with one the "
          "changes since") {
    for (auto const size : write_sizes) {
        world w;
        w.publish("quotes", "1", {"A"});
        w.publish("quotes", "2", {"B"});
        w.publish("quotes", "3", {"A"});
        auto const state = poll(w, "channel=quotes", {}, size);
        CHECK(state.status == 200);
        CHECK(state.field("Content-Type") == "application/json");
        CHECK(state.field("Connection").empty());
        CHECK(state.field("ETag") == '"' + w.cursor("quotes", 3) + '"');
        CHECK(state.body == "{\"cursor\":\"" + w.cursor("quotes", 3) +
                                "\",\"events\":["
                                R"({"channel":"quotes","offset":2,"key":"B","data":2},)"
                                R"({"channel":"quotes","offset":3,"key":"A","data":3}]})"
                                "\n");
        fill(w, "quotes", 2);
        auto const changes =
            poll(w, "channel=quotes&wait=0&cursor=" + member(state.body, "cursor"), {}, size);
        CHECK(offsets_in(changes.body) == range(4, 5));
        CHECK(poll(w, "channel=quotes&cursor=" + w.cursor("quotes", 5)).body ==
              "{\"cursor\":\"" + w.cursor("quotes", 5) + "\",\"events\":[]}\n");
    }
    world w;
    fill(w, "ticks", 3);
    CHECK(offsets_in(poll(w, "channel=ticks").body) == range(3, 3));
    CHECK(offsets_in(poll(w, "channel=ticks&cursor=oldest").body) == range(1, 3));
    CHECK(offsets_in(poll(w, "channel=ticks&cursor=now").body).empty());
    w.source.open("empty");
    CHECK(poll(w, "channel=empty").body ==
          "{\"cursor\":\"" + w.cursor("empty", 0) + "\",\"events\":[]}\n");
    CHECK(w.count_all() == 0);
}

TEST_CASE("transport/poll_session: a long-poll waits for the next event") {
    for (auto const size : write_sizes) {
        world w;
        fill(w, "ticks", 3);
        for (auto const* query : {"channel=ticks&wait=25", "channel=ticks&wait=25&cursor=now"}) {
            auto const last = w.source.open("ticks").last_offset();
            auto const waiting = open_poll(w, query, {}, size);
            waiting->advance(24s);
            CHECK(waiting->received.empty());
            fill(w, "ticks", 1);
            CHECK(waiting->is_over);
            CHECK(offsets_in(only_response(waiting->received).body) == range(last + 1, last + 1));
            CHECK(waiting->on.end() == session_end::handback);
        }
        // With a snapshot or a cursor that is behind there is nothing to wait for.
        CHECK(offsets_in(poll(w, "channel=ticks&wait=25&snapshot=1").body) == range(5, 5));
        CHECK(offsets_in(poll(w, "channel=ticks&wait=25&cursor=" + w.cursor("ticks", 2)).body) ==
              range(3, 5));
    }
}

TEST_CASE(
    "transport/poll_session: a wait that ends answers without events, at the time and not before") {
    world w{{.poll_wait_max = 2500ms}};
    fill(w, "ticks", 2);
    struct wait_vector {
        char const* wait;
        std::chrono::milliseconds expected;
    };
    for (auto const& v :
         {wait_vector{"1", 1000ms}, wait_vector{"2", 2000ms}, wait_vector{"3", 2500ms},
          wait_vector{"4294967295", 2500ms}, wait_vector{"99999999999999999999", 2500ms}}) {
        auto const waiting = open_poll(w, "channel=ticks&wait=" + std::string{v.wait} +
                                              "&cursor=" + w.cursor("ticks", 2));
        waiting->advance(v.expected - 1ms);
        CHECK_FALSE(waiting->is_over);
        waiting->advance(1ms);
        CHECK(waiting->is_over);
        CHECK(only_response(waiting->received).body ==
              "{\"cursor\":\"" + w.cursor("ticks", 2) + "\",\"events\":[]}\n");
    }
    for (auto const* wrong : {"-1", "1.5", "", "x"}) {
        auto const refused = poll(w, "channel=ticks&wait=" + std::string{wrong});
        CHECK(refused.status == 400);
        CHECK(refused.code() == "bad_query");
    }
}

TEST_CASE(
    "transport/poll_session: a wake-up for an event that was read before is no reason to answer") {
    world w;
    w.source.open("ticks");
    auto const first = open_poll(w, "channel=ticks&wait=25");
    // The signal is up, and whoever comes now begins after the event that raised it.
    w.source.publish("ticks", "1");
    auto const second = open_poll(w, "channel=ticks&wait=25");
    w.run();
    CHECK(first->is_over);
    CHECK_FALSE(second->is_over);
    fill(w, "ticks", 1);
    CHECK(offsets_in(only_response(second->received).body) == range(2, 2));
}

TEST_CASE("transport/poll_session: gaps stand beside the events") {
    world w{{}, {.log_events_max = 5}};
    fill(w, "ticks", 100);
    auto const old = poll(w, "channel=ticks&cursor=" + w.cursor("ticks", 10));
    CHECK(old.body == "{\"cursor\":\"" + w.cursor("ticks", 100) +
                          "\",\"gaps\":["
                          R"({"gap":"ticks","from":11,"to":99,"reason":"retention"}],"events":[)"
                          R"({"channel":"ticks","offset":100,"data":99}]})"
                          "\n");
    // A long-poll does not wait with a gap in hand.
    fill(w, "other", 3);
    auto const foreign = poll(w, "channel=ticks,other&wait=25&cursor=ticks~1-1!other~1-1");
    CHECK(foreign.body.find(R"("gaps":[{"gap":"ticks","from":1,"to":99,"reason":"epoch"},)"
                            R"({"gap":"other","from":1,"to":2,"reason":"epoch"}])") !=
          std::string::npos);
    CHECK(w.count(error::gap) == 3);
    // A gap is never answered with 304, whatever the client says it has.
    auto const tag = old.field("ETag");
    CHECK(
        poll(w, "channel=ticks&cursor=" + w.cursor("ticks", 10), {{"If-None-Match", tag}}).status ==
        200);
}

TEST_CASE("transport/poll_session: several channels share one cursor") {
    world w;
    fill(w, "a", 2);
    fill(w, "b", 3);
    auto const state = poll(w, "channel=a,b");
    auto const cursor = member(state.body, "cursor");
    CHECK(cursor == "a~" + w.cursor("a", 2) + "!b~" + w.cursor("b", 3));
    fill(w, "b", 1);
    fill(w, "a", 1);
    auto const changes = poll(w, "channel=a&channel=b&cursor=" + cursor);
    CHECK(offsets_in(changes.body).size() == 2);
    CHECK(member(changes.body, "cursor") == "a~" + w.cursor("a", 3) + "!b~" + w.cursor("b", 4));
    // Each channel alone can go on from it, and a new one starts as without a cursor.
    CHECK(offsets_in(poll(w, "channel=b&cursor=" + cursor).body) == range(4, 4));
    fill(w, "c", 2);
    CHECK(offsets_in(poll(w, "channel=a,c&cursor=" + member(changes.body, "cursor")).body).empty());
}

TEST_CASE("transport/poll_session: an answer is limited, and the cursor says where the next one "
          "goes on") {
    world w{{.poll_events_max = 10, .poll_bytes_max = 1000}};
    fill(w, "ticks", 35);
    for (auto const limit : {1u, 9u, 10u, 11u, 4294967295u}) {
        std::vector<std::uint64_t> got;
        auto cursor = w.cursor("ticks", 0);
        for (int polls = 0; got.size() < 35; ++polls) {
            REQUIRE(polls < 40);
            auto const part =
                poll(w, "channel=ticks&limit=" + std::to_string(limit) + "&cursor=" + cursor);
            auto const offsets = offsets_in(part.body);
            CHECK(offsets.size() <= std::min(limit, 10u));
            got.insert(got.end(), offsets.begin(), offsets.end());
            cursor = member(part.body, "cursor");
        }
        CHECK(got == range(1, 35));
    }
    CHECK(poll(w, "channel=ticks&limit=0").code() == "bad_query");
    CHECK(poll(w, "channel=ticks&limit=x").code() == "bad_query");
    auto const beyond = poll(w, "channel=ticks&cursor=oldest&limit=99999999999999999999");
    CHECK(offsets_in(beyond.body) == range(1, 10));

    // By bytes: one event always fits, and two that are over the limit do not come together.
    fill(w, "big", 1);
    for (int i = 0; i < 3; ++i) w.publish("big", std::string(200'000, '8'));
    auto cursor = w.cursor("big", 1);
    for (std::uint64_t offset = 2; offset <= 4; ++offset) {
        auto const part = poll(w, "channel=big&cursor=" + cursor, {}, 9000);
        CHECK(offsets_in(part.body) == range(offset, offset));
        cursor = member(part.body, "cursor");
    }
}

TEST_CASE(
    "transport/poll_session: a snapshot that is cut by the limit is continued by its cursor") {
    world w;
    for (int i = 0; i < 30; ++i) w.publish("quotes", std::to_string(i), {std::to_string(i % 10)});
    std::vector<std::uint64_t> got;
    std::string cursor;
    for (int polls = 0; polls < 4; ++polls) {
        auto const part =
            poll(w, "channel=quotes&limit=3" + (cursor.empty() ? "" : "&cursor=" + cursor));
        for (auto const offset : offsets_in(part.body)) got.push_back(offset);
        cursor = member(part.body, "cursor");
    }
    CHECK(got == range(21, 30));
}

TEST_CASE("transport/poll_session: an unchanged answer is 304 [RFC 9110 13.1.2]") {
    world w;
    fill(w, "ticks", 3);
    auto const tag = '"' + w.cursor("ticks", 3) + '"';
    auto const at_end = "&cursor=" + w.cursor("ticks", 3);
    struct condition {
        std::string query, if_none_match;
        unsigned status;
    };
    std::vector<condition> const table = {
        {"", tag, 304},
        {"", "W/" + tag, 304},
        {"", "\"x\", " + tag, 304},
        {"", tag + ",\"x\"", 304},
        {"", "\"x\" ,W/" + tag + " , \"y\"", 304},
        {"", "*", 304},
        {"", "", 200},
        {"", "\"x\"", 200},
        {"", w.cursor("ticks", 3), 200},
        {"", '"' + w.cursor("ticks", 2) + '"', 200},
        {at_end, tag, 304},
        {at_end, "\"x\"", 200},
        {"&cursor=" + w.cursor("ticks", 1), tag, 304},
        {"&cursor=" + w.cursor("ticks", 1), '"' + w.cursor("ticks", 1) + '"', 200},
        {"&cursor=oldest", tag, 304},
        {"&cursor=now", tag, 304},
        {"&snapshot=1", tag, 304},
        {"&wait=5&snapshot=1", tag, 304},
    };
    for (auto const& v : table) {
        CAPTURE(v.query);
        CAPTURE(v.if_none_match);
        for (auto const size : write_sizes) {
            auto const r =
                poll(w, "channel=ticks" + v.query, {{"If-None-Match", v.if_none_match}}, size);
            CHECK(r.status == v.status);
            CHECK(r.field("ETag") == tag);
            if (v.status != 304) continue;
            CHECK(r.field("Content-Length").empty());
            CHECK(r.field("Content-Type").empty());
            CHECK(r.field("Cache-Control") == "no-cache, no-transform");
        }
    }
    // A long-poll from a cursor at the end: 304 when the wait is over, 200 when something comes.
    auto const idle = open_poll(w, "channel=ticks&wait=5" + at_end, {{"If-None-Match", tag}});
    idle->advance(5s);
    CHECK(only_response(idle->received).status == 304);
    auto const busy = open_poll(w, "channel=ticks&wait=5" + at_end, {{"If-None-Match", tag}});
    fill(w, "ticks", 1);
    CHECK(offsets_in(only_response(busy->received).body) == range(4, 4));

    // One that begins now had an event with this very tag the last time, and has none this time.
    for (auto const* from : {"", "&cursor=now"}) {
        auto const now = open_poll(w, "channel=ticks&wait=5" + std::string{from},
                                   {{"If-None-Match", '"' + w.cursor("ticks", 4) + '"'}});
        now->advance(5s);
        CHECK(only_response(now->received).status == 200);
    }
    CHECK(w.count_all() == 0);
}

TEST_CASE("transport/poll_session: what comes during a poll belongs to the next request") {
    world w{{.message_bytes_max = 100}};
    w.source.open("ticks");
    auto const waiting = open_poll(w, "channel=ticks&wait=25");
    waiting->send("GET /ne", 1);
    waiting->send("xt HTTP/1.1\r\n\r\n");
    fill(w, "ticks", 1);
    CHECK(waiting->on.end() == session_end::handback);
    CHECK(waiting->on.take_unread() == "GET /next HTTP/1.1\r\n\r\n");

    auto const at_limit = open_poll(w, "channel=ticks&wait=25");
    at_limit->send(std::string(100, 'x'));
    CHECK_FALSE(at_limit->is_over);
    at_limit->send("x");
    CHECK(at_limit->is_aborted);
}

TEST_CASE("transport/poll_session: the stream is closed when it cannot carry another request") {
    world w;
    fill(w, "ticks", 1);
    struct last_request {
        char const* name;
        http::request_head head;
    };
    for (auto const& v :
         {last_request{"close", request("GET", "/poll?channel=ticks", {{"Connection", "close"}})},
          last_request{"a body", request("GET", "/poll?channel=ticks", {{"Content-Length", "3"}})},
          last_request{"HTTP/1.0", request("GET", "/poll?channel=ticks", {}, 0)}}) {
        CAPTURE(v.name);
        auto const driver = connect<poll_session>(w, v.head);
        driver->on.feed({}, virtual_now);
        CHECK(driver->on.end() == session_end::close);
        CHECK(only_response(driver->received).status == 200);
        CHECK(only_response(driver->received).field("Connection") == "close");
    }
    auto const half_closed =
        connect<poll_session>(w, request("GET", "/poll?channel=ticks"), unlimited, 0);
    half_closed->end_input();
    half_closed->open_window();
    CHECK(half_closed->on.end() == session_end::close);
    CHECK(only_response(half_closed->received).status == 200);
    auto const gone = open_poll(w, "channel=ticks&wait=25");
    gone->end_input();
    CHECK(gone->is_aborted);
    CHECK(w.count_all() == 0);
}

TEST_CASE("transport/poll_session: a stopping server answers who waits and closes") {
    world w;
    fill(w, "ticks", 1);
    auto const waiting = open_poll(w, "channel=ticks&wait=25&cursor=" + w.cursor("ticks", 1));
    waiting->shut_down();
    CHECK(waiting->on.end() == session_end::close);
    CHECK(only_response(waiting->received).field("Connection") == "close");
    CHECK(only_response(waiting->received).body ==
          "{\"cursor\":\"" + w.cursor("ticks", 1) + "\",\"events\":[]}\n");
    auto const answered =
        connect<poll_session>(w, request("GET", "/poll?channel=ticks"), unlimited, 10);
    answered->shut_down();
    answered->open_window();
    CHECK(answered->on.end() == session_end::close);
    CHECK(only_response(answered->received).status == 200);
}

TEST_CASE("transport/poll_session: a client that does not take its answer is cut off") {
    world w;
    fill(w, "ticks", 1);
    auto const stuck =
        connect<poll_session>(w, request("GET", "/poll?channel=ticks"), unlimited, 10);
    stuck->advance(29'999ms);
    CHECK_FALSE(stuck->is_over);
    stuck->advance(1ms);
    CHECK(stuck->is_aborted);
    CHECK(w.count(error::stalled) == 1);
}

TEST_CASE("transport/poll_session: HEAD gets the head that GET would get [RFC 9110 9.3.2]") {
    world w;
    fill(w, "ticks", 3);
    auto const tag = poll(w, "channel=ticks").field("ETag");
    for (auto const& fields : {std::initializer_list<http::header_field>{},
                               std::initializer_list<http::header_field>{{"If-None-Match", tag}}}) {
        auto const got = poll(w, "channel=ticks", fields);
        auto const asked = connect<poll_session>(w, request("HEAD", "/poll?channel=ticks", fields));
        std::string_view received = asked->received;
        auto const head = take_head(received);
        CHECK(received.empty());
        CHECK(head.status == got.status);
        CHECK(head.fields == got.fields);
        CHECK(asked->on.end() == session_end::handback);
    }
    auto const waiting =
        connect<poll_session>(w, request("HEAD", "/poll?channel=ticks&cursor=now&wait=25"));
    CHECK(waiting->received.empty());
    w.publish("ticks", "3");
    waiting->advance(0s);
    CHECK(waiting->received.ends_with("\r\n\r\n"));
}

TEST_CASE("transport/poll_session: an HTTP/1.0 client is told whether its connection stays [RFC "
          "9112 9.3]") {
    world w{open_to_publishers()};
    fill(w, "ticks", 1);
    auto const connection_of = [](auto const& driver) {
        return only_response(driver->received).field("Connection");
    };
    auto const get = [&](std::initializer_list<http::header_field> fields) {
        return connect<poll_session>(w, request("GET", "/poll?channel=ticks", fields, 0));
    };
    CHECK(connection_of(get({})) == "close");
    CHECK(connection_of(get({{"Connection", "keep-alive"}})) == "keep-alive");
    CHECK(connection_of(open_poll(w, "channel=ticks")).empty());
    auto const stopped =
        connect<poll_session>(w, request("GET", "/poll?channel=ticks&cursor=now&wait=25",
                                         {{"Connection", "keep-alive"}}, 0));
    stopped->shut_down();
    CHECK(connection_of(stopped) == "close");

    auto const published = connect<publish_session>(
        w, request("POST", "/publish?channel=ticks",
                   {{"Connection", "keep-alive"}, {"Content-Length", "1"}}, 0));
    published->send("1");
    CHECK(connection_of(published) == "keep-alive");
}

TEST_CASE("transport/poll_session: refusals have a status, a reason and a counter") {
    struct refused {
        char const* name;
        http::request_head head;
        unsigned status;
        error what;
    };
    std::vector<refused> const table = {
        {"POST", request("POST", "/poll?channel=ticks"), 405, error::method_not_allowed},
        {"HEAD", request("HEAD", "/poll?channel=nowhere"), 404, error::unknown_channel},
        {"origin", request("GET", "/poll?channel=ticks", {{"Origin", "null"}}), 403,
         error::origin_refused},
        {"connect", request("GET", "/poll?channel=ticks", {{"Refuse", "me"}}), 403,
         error::not_authorized},
        {"subscribe", request("GET", "/poll?channel=secret"), 403, error::not_authorized},
        {"no channel", request("GET", "/poll"), 400, error::bad_query},
        {"name", request("GET", "/poll?channel=.a"), 400, error::bad_channel_name},
        {"unknown", request("GET", "/poll?channel=nowhere"), 404, error::unknown_channel},
        {"twice", request("GET", "/poll?channel=ticks,ticks"), 409, error::already_subscribed},
        {"too many", request("GET", "/poll?channel=a,b,c"), 429, error::too_many_channels},
        {"cursor", request("GET", "/poll?channel=ticks&cursor=x!y"), 400, error::bad_cursor},
        {"mode", request("GET", "/poll?channel=ticks&mode=newest"), 501, error::unsupported},
        {"two modes", request("GET", "/poll?channel=ticks&mode=every&mode=latest"), 400,
         error::bad_query},
        {"two cursors", request("GET", "/poll?channel=ticks&cursor=now&cursor=now"), 400,
         error::bad_query},
        {"rate", request("GET", "/poll?channel=ticks&rate=5x"), 400, error::bad_query},
        {"limit", request("GET", "/poll?channel=ticks&limit=-1"), 400, error::bad_query},
    };
    for (auto const& v : table) {
        CAPTURE(v.name);
        live_options options;
        options.channels_per_session_max = 2;
        options.hooks.connect = [](http::request_head const& head) -> std::optional<std::string> {
            if (head.field("Refuse")) return std::nullopt;
            return "";
        };
        options.hooks.subscribe = [](auto, auto channel) { return channel != "secret"; };
        world w{options};
        for (auto const* name : {"ticks", "secret"}) w.source.open(name);
        for (auto const size : write_sizes) {
            auto const driver = connect<poll_session>(w, v.head, size);
            driver->send("a body that nobody reads");
            std::string_view received = driver->received;
            auto const r =
                v.head.method() == "HEAD" ? take_head(received) : only_response(received);
            CHECK(r.status == v.status);
            CHECK(r.code() == (v.head.method() == "HEAD" ? "" : describe(v.what).name));
            if (v.head.method() == "HEAD") CHECK(received.empty());
            if (v.status == 405) CHECK(r.field("Allow") == "GET, HEAD, OPTIONS");
            CHECK(r.field("Connection") == "close");
            CHECK(driver->on.end() == session_end::close);
        }
        CHECK(w.count(v.what) == 3);
        CHECK(w.count_all() == 3);
    }
    world w{{.message_bytes_max = 10}};
    auto const flooding = connect<poll_session>(w, request("GET", "/poll"), unlimited, 0);
    flooding->send(std::string(1000, 'x'));
    flooding->open_window();
    CHECK_FALSE(flooding->is_aborted);
    CHECK(only_response(flooding->received).status == 400);
}

TEST_CASE("transport/publish_session: Content-Type says what a payload is") {
    struct publication {
        std::string query, type, body, event;
    };
    std::vector<publication> const table = {
        {"channel=chat", "application/json", "{\"a\": [1,\n2]}", "\"data\":{\"a\": [1,\n2]}}"},
        {"channel=chat&key=k", "Application/JSON; charset=utf-8", "1", R"("key":"k","data":1})"},
        {"channel=chat", "text/plain", "say \"hi\"\n\xc3\xa4",
         "\"data\":\"say \\\"hi\\\"\\n\xc3\xa4\"}"},
        {"channel=chat", "TEXT/csv;header=absent", "a,b", R"("data":"a,b"})"},
        {"channel=chat", "text/plain", "", R"("data":""})"},
        {"channel=chat", "application/octet-stream", std::string("\0\xff\n", 3),
         R"("data64":"AP8K"})"},
        {"channel=chat", "", "x", R"("data64":"eA=="})"},
        {"channel=chat&key=%C3%A4+%22", "text/plain", "x",
         "\"key\":\"\xc3\xa4 \\\"\",\"data\":\"x\"}"},
    };
    for (auto const fed : write_sizes) {
        world w{open_to_publishers()};
        w.source.open("chat");
        std::uint64_t offset = 0;
        for (auto const& v : table) {
            CAPTURE(v.body);
            auto const r = publish(w, v.query, v.type, v.body, fed);
            ++offset;
            CHECK(r.status == 200);
            CHECK(r.field("Content-Type") == "application/json");
            CHECK(r.body == R"({"published":"chat","offset":)" + std::to_string(offset) +
                                R"(,"cursor":")" + w.cursor("chat", offset) + "\"}\n");
            auto const event = poll(w, "channel=chat&cursor=" + w.cursor("chat", offset - 1)).body;
            CHECK(event.find(v.event) != std::string::npos);
        }
        CHECK(w.count_all() == 0);
    }
}

TEST_CASE("transport/publish_session: a chunked body is joined, and what follows it is the next "
          "request's [RFC 9112 7.1]") {
    for (auto const fed : write_sizes) {
        world w{open_to_publishers()};
        w.source.open("chat");
        auto const driver = open_publish(
            w, "channel=chat", {{"Transfer-Encoding", "chunked"}, {"Content-Type", "text/plain"}});
        driver->send("3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n", fed);
        CHECK(only_response(driver->received).status == 200);
        CHECK(driver->on.end() == session_end::handback);
        CHECK(poll(w, "channel=chat").body.find(R"("data":"abc0123456789")") != std::string::npos);

        auto const pipelined = connect<publish_session>(
            w,
            request("POST", "/publish?channel=chat",
                    {{"Content-Length", "2"}, {"Content-Type", "text/plain"}}),
            unlimited, 0);
        pipelined->send("okGET / HTTP/1.1\r\n\r\n", fed);
        pipelined->open_window();
        CHECK(pipelined->on.end() == session_end::handback);
        CHECK(pipelined->on.take_unread() == "GET / HTTP/1.1\r\n\r\n");
        CHECK(w.source.open("chat").last_offset() == 2);
    }
}

TEST_CASE("transport/publish_session: Expect: 100-continue is answered before the body, unless it "
          "is refused [RFC 9110 10.1.1]") {
    world w{open_to_publishers()};
    w.source.open("chat");
    auto const driver = open_publish(
        w, "channel=chat",
        {{"Content-Length", "1"}, {"Content-Type", "text/plain"}, {"Expect", "100-continue"}});
    CHECK(driver->received == "HTTP/1.1 100 Continue\r\n\r\n");
    driver->send("x");
    std::string_view rest = driver->received;
    CHECK(take_head(rest).status == 100);
    CHECK(only_response(rest).status == 200);
    auto const without_body = open_publish(
        w, "channel=chat", {{"Content-Type", "text/plain"}, {"Expect", "100-continue"}});
    CHECK(only_response(without_body->received).status == 200);
    auto const too_large = open_publish(
        w, "channel=chat", {{"Content-Length", "9999999"}, {"Expect", "100-continue"}});
    CHECK(only_response(too_large->received).status == 413);
    auto const not_allowed =
        open_publish(w, "channel=secret", {{"Content-Length", "1"}, {"Expect", "100-continue"}});
    CHECK(only_response(not_allowed->received).status == 403);
    auto const unknown =
        open_publish(w, "channel=chat", {{"Content-Length", "1"}, {"Expect", "magic"}});
    CHECK(only_response(unknown->received).status == 417);
    CHECK(w.count(error::expectation_failed) == 1);
}

TEST_CASE("transport/publish_session: refusals have a status, a reason and a counter") {
    struct refused {
        char const* name;
        http::request_head head;
        std::string body;
        error what;
    };
    auto const post = [](std::string_view query, std::string_view type, std::size_t length) {
        return request("POST", "/publish?" + std::string{query},
                       {{"Content-Type", type}, {"Content-Length", std::to_string(length)}});
    };
    std::string const long_key(256, 'k');
    std::vector<refused> const table = {
        {"GET", request("GET", "/publish?channel=chat"), "", error::method_not_allowed},
        {"PUT", request("PUT", "/publish?channel=chat"), "", error::method_not_allowed},
        {"HEAD", request("HEAD", "/publish?channel=chat"), "", error::method_not_allowed},
        {"origin", request("POST", "/publish?channel=chat", {{"Origin", "https://evil.example"}}),
         "", error::origin_refused},
        {"connect", request("POST", "/publish?channel=chat", {{"Refuse", "me"}}), "",
         error::not_authorized},
        {"publish", post("channel=secret", "text/plain", 3), "abc", error::not_authorized},
        {"no channel", post("", "text/plain", 3), "abc", error::bad_query},
        {"two channels", post("channel=a&channel=b", "text/plain", 3), "abc", error::bad_query},
        {"two keys", post("channel=chat&key=a&key=b", "text/plain", 3), "abc", error::bad_query},
        {"joins", post("channel=@presence/chat", "text/plain", 3), "abc", error::not_authorized},
        {"escape", post("channel=%x", "text/plain", 3), "abc", error::bad_query},
        {"key not UTF-8", post("channel=chat&key=%ff", "text/plain", 3), "abc", error::bad_query},
        {"long key", post("channel=chat&key=" + long_key, "text/plain", 3), "abc",
         error::payload_too_large},
        {"name", post("channel=a%20b", "text/plain", 3), "abc", error::bad_channel_name},
        {"unknown", post("channel=nowhere", "text/plain", 3), "abc", error::unknown_channel},
        {"no JSON", post("channel=chat", "application/json", 3), "{a}", error::bad_payload},
        {"empty JSON", post("channel=chat", "application/json", 0), "", error::bad_payload},
        {"two JSON values", post("channel=chat", "application/json", 3), "1 2", error::bad_payload},
        {"JSON not UTF-8", post("channel=chat", "application/json", 3), "\"\xff\"",
         error::bad_payload},
        {"text not UTF-8", post("channel=chat", "text/plain", 3), "a\xc3(", error::bad_payload},
        {"payload", post("channel=chat", "text/plain", 21), std::string(21, 'x'),
         error::payload_too_large},
        {"body", post("channel=chat", "text/plain", 101), std::string(101, 'x'),
         error::body_too_large},
        {"chunks", request("POST", "/publish?channel=chat", {{"Transfer-Encoding", "chunked"}}),
         "65\r\n", error::body_too_large},
        {"bad chunk", request("POST", "/publish?channel=chat", {{"Transfer-Encoding", "chunked"}}),
         "x\r\n", error::bad_transfer_encoding},
        {"coding", request("POST", "/publish?channel=chat", {{"Transfer-Encoding", "gzip"}}), "",
         error::bad_transfer_encoding},
        {"length", request("POST", "/publish?channel=chat", {{"Content-Length", "x"}}), "",
         error::bad_content_length},
        {"trailer", request("POST", "/publish?channel=chat", {{"Transfer-Encoding", "chunked"}}),
         "0\r\nt:" + std::string(5000, 'x'), error::head_too_large},
    };
    for (auto const& v : table) {
        CAPTURE(v.name);
        auto options = open_to_publishers();
        options.message_bytes_max = 100;
        options.hooks.connect = [](http::request_head const& head) -> std::optional<std::string> {
            if (head.field("Refuse")) return std::nullopt;
            return "";
        };
        world w{options, {.payload_bytes_max = 20}};
        for (auto const* name : {"chat", "secret"}) w.source.open(name);
        for (auto const fed : write_sizes) {
            auto const driver = connect<publish_session>(w, v.head, fed, 0);
            driver->send(v.body, fed);
            // Whatever a refused client goes on sending is dropped, and the refusal still arrives.
            driver->send(std::string(1000, 'y'), fed == 1 ? 1 : unlimited);
            driver->open_window();
            std::string_view received = driver->received;
            bool const is_head = v.head.method() == "HEAD";
            auto const r = is_head ? take_head(received) : only_response(received);
            CHECK(r.status == describe(v.what).http_status);
            CHECK(r.code() == (is_head ? "" : describe(v.what).name));
            CHECK(r.field("Connection") == "close");
            if (v.what == error::method_not_allowed) CHECK(r.field("Allow") == "POST, OPTIONS");
            CHECK(driver->on.end() == session_end::close);
            CHECK(driver->on.take_unread().empty());
            if (v.what == error::body_too_large)
                CHECK(r.body.find("at most 100 bytes") != std::string::npos);
        }
        CHECK(w.count(v.what) == 3);
        CHECK(w.count_all() == 3);
        CHECK(w.source.open("chat").last_offset() == 0);
    }
    // At the limits it works.
    auto options = open_to_publishers();
    options.message_bytes_max = 20;
    world w{options, {.payload_bytes_max = 20}};
    w.source.open("chat");
    CHECK(publish(w, "channel=chat&key=" + long_key.substr(1), "text/plain", std::string(20, 'x'))
              .status == 200);
}

TEST_CASE("transport/publish_session: a refused payload is told what is wrong with it") {
    auto options = open_to_publishers();
    options.clients_may_create_channels = true;
    world w{options};
    auto const deep = publish(w, "channel=new", "application/json",
                              std::string(2000, '[') + std::string(2000, ']'));
    CHECK(deep.code() == "bad_payload");
    CHECK(deep.body.find("nests deeper than 1024 levels") != std::string::npos);
    // RFC 8259 §6 sets no limit to a number.
    auto const large =
        publish(w, "channel=new", "application/json", "[18446744073709551616,1e400]");
    CHECK(large.status == 200);
}

TEST_CASE("transport/publish_session: clients create channels only where they may") {
    auto options = open_to_publishers();
    options.clients_may_create_channels = true;
    world w{options, {}, 1};
    CHECK(publish(w, "channel=secret", "text/plain", "x").status == 403);
    CHECK(publish(w, "channel=new", "application/json", "{").status == 400);
    CHECK(w.source.channel_count() == 0);
    CHECK(publish(w, "channel=new", "text/plain", "x").status == 200);
    auto const full = publish(w, "channel=newer", "text/plain", "x");
    CHECK(full.status == 429);
    CHECK(full.code() == "too_many_channels");
}

TEST_CASE("transport/publish_session: a body may be slow, but not drip") {
    world w{open_to_publishers()};
    w.source.open("chat");
    auto const slow = open_publish(w, "channel=chat", {{"Content-Length", "100000"}});
    auto const dripping = open_publish(w, "channel=chat", {{"Content-Length", "100000"}});
    int drips = 0;
    for (int i = 0; i < 100; ++i) {
        // What came in time earlier is no credit: a pause ends it as it ends any other.
        slow->send(std::string(1000, 'x'));
        if (!dripping->is_over) ++drips;
        dripping->send("x");
        auto const now = virtual_now;
        slow->advance(1s);
        virtual_now = now;
        dripping->advance(1s);
    }
    CHECK(only_response(slow->received).status == 200);
    CHECK(only_response(dripping->received).status == 408);
    CHECK(drips == 31);
}

TEST_CASE("transport/publish_session: a body that does not come is answered with 408") {
    world w{open_to_publishers()};
    w.source.open("chat");
    auto const driver = open_publish(w, "channel=chat", {{"Content-Length", "10"}});
    driver->advance(29'999ms);
    CHECK_FALSE(driver->is_over);
    driver->advance(1ms);
    CHECK(only_response(driver->received).status == 408);
    CHECK(w.count(error::request_timeout) == 1);
    auto const stuck = connect<publish_session>(w, request("GET", "/publish"), unlimited, 0);
    stuck->advance(30s);
    CHECK(stuck->is_aborted);
    CHECK(w.count(error::stalled) == 1);
    auto const gone = open_publish(w, "channel=chat", {{"Content-Length", "10"}});
    gone->end_input();
    CHECK(gone->is_aborted);
    CHECK(w.source.open("chat").last_offset() == 0);
}

TEST_CASE(
    "transport/poll_session: pages of allowed origins may ask with If-None-Match [Fetch 3.2.2]") {
    live_options options;
    options.origins = http::origin_policy{{"https://app.example"}};
    world w{options};
    auto const asked = connect<poll_session>(
        w, request("OPTIONS", "/poll?channel=chat",
                   {{"Origin", "https://app.example"}, {"Access-Control-Request-Method", "GET"}}));
    auto const preflight = only_response(asked->received);
    CHECK(preflight.status == 204);
    CHECK(preflight.field("Allow") == "GET, HEAD, OPTIONS");
    CHECK(preflight.field("Access-Control-Allow-Origin") == "https://app.example");
    CHECK(preflight.field("Access-Control-Allow-Methods") == "GET, HEAD");
    CHECK(preflight.field("Access-Control-Allow-Headers") == "Authorization, If-None-Match");
    auto const refused = connect<poll_session>(
        w, request("OPTIONS", "/poll?channel=chat", {{"Origin", "https://evil.example"}}));
    CHECK(only_response(refused->received).status == 403);
    CHECK(w.count(error::origin_refused) == 1);
}

TEST_CASE("transport/publish_session: pages of allowed origins may publish after they asked [Fetch "
          "3.2.2]") {
    auto options = open_to_publishers();
    options.origins = http::origin_policy{{"https://app.example"}};
    world w{options};
    w.source.open("chat");
    auto const asked = connect<publish_session>(
        w, request("OPTIONS", "/publish?channel=chat",
                   {{"Origin", "https://app.example"}, {"Access-Control-Request-Method", "POST"}}));
    auto const preflight = only_response(asked->received);
    CHECK(preflight.status == 204);
    CHECK(preflight.field("Access-Control-Allow-Origin") == "https://app.example");
    CHECK(preflight.field("Access-Control-Allow-Methods") == "POST");
    CHECK(preflight.field("Access-Control-Allow-Headers") ==
          "Content-Type, Authorization, Idempotency-Key");
    auto const done = open_publish(
        w, "channel=chat", {{"Origin", "https://app.example"}, {"Content-Type", "text/plain"}});
    CHECK(only_response(done->received).field("Access-Control-Allow-Origin") ==
          "https://app.example");
    auto const refused = connect<publish_session>(
        w, request("OPTIONS", "/publish", {{"Origin", "https://evil.example"}}));
    CHECK(only_response(refused->received).status == 403);
    CHECK(w.count_all() == 1);
}

TEST_CASE("transport/publish_session: the stream goes back, or is closed if it must be") {
    world w{open_to_publishers()};
    w.source.open("chat");
    auto const last = open_publish(w, "channel=chat", {{"Connection", "close"}});
    CHECK(last->on.end() == session_end::close);
    CHECK(only_response(last->received).field("Connection") == "close");
    auto const stopping = open_publish(w, "channel=chat", {{"Content-Length", "1"}});
    stopping->shut_down();
    stopping->send("x");
    CHECK(stopping->on.end() == session_end::close);
    auto const pipelining =
        connect<publish_session>(w, request("POST", "/publish?channel=chat"), unlimited, 0);
    pipelining->send(std::string(1 << 20, 'x'));
    pipelining->send("x");
    CHECK(pipelining->in_transit == "x");
    CHECK_FALSE(pipelining->is_over);
    std::string unwanted = "x";
    pipelining->on.feed(unwanted, virtual_now);
    CHECK(pipelining->on.end() == session_end::abort);
}
