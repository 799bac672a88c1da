#include "support/session_driver.hpp"

#include <livetape/transport/history.hpp>
#include <livetape/transport/history_session.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace livetape;
using namespace livetape::test;

static_assert(session<history_transport::session>);
static_assert(transport<history_transport>);

response ask(world& w, std::string_view query,
             std::initializer_list<http::header_field> fields = {},
             std::size_t piece_bytes = unlimited) {
    auto const driver = connect<history_transport::session>(
        w, request("GET", "/history?" + std::string{query}, fields), piece_bytes);
    CHECK(driver->is_over);
    CHECK_FALSE(driver->is_aborted);
    return only_response(driver->received);
}

void fill(world& w, std::string_view channel, int count) {
    for (int i = 0; i < count; ++i) w.publish(channel, std::to_string(i));
}

/// What a query means, written down plainly.
std::vector<std::uint64_t> expected_offsets(std::uint64_t first_kept, std::uint64_t newest,
                                            history_query const& q, std::size_t events_max) {
    std::vector<std::uint64_t> all;
    for (auto i = first_kept; i <= newest; ++i)
        if ((!q.from || i >= *q.from) && (!q.to || i <= *q.to)) all.push_back(i);
    auto const count = std::min<std::size_t>({all.size(), q.limit.value_or(1000), events_max});
    auto const cut = static_cast<std::ptrdiff_t>(all.size() - count);
    if (q.from && !q.is_reversed) all.erase(all.end() - cut, all.end());
    else all.erase(all.begin(), all.begin() + cut);
    if (q.is_reversed) std::reverse(all.begin(), all.end());
    return all;
}

} // namespace

TEST_CASE("transport/history: every range, limit and order gives the events that it says") {
    world w{{}, {.log_events_max = 8}};
    auto& source = w.source.open("c");
    for (int published = 0; published <= 12; ++published) {
        if (published > 0) w.publish("c", std::to_string(published));
        std::optional<std::uint64_t> const bounds[] = {std::nullopt, 0, 1, 4, 5, 8, 11, 12, 13, 99};
        for (auto const& from : bounds)
            for (auto const& to : bounds)
                for (std::optional<std::uint32_t> const limit :
                     {std::optional<std::uint32_t>{}, std::optional{1u}, std::optional{3u}})
                    for (bool const is_reversed : {false, true}) {
                        history_query const q{from, to, limit, is_reversed};
                        auto const page = read_history(source, q, {.events_max = 6});
                        CHECK(page.last == source.last_offset());
                        CHECK(page.first_kept == source.first_offset());
                        CHECK(offsets_in(page.events) ==
                              expected_offsets(source.first_offset(), page.last, q, 6));
                    }
    }
}

TEST_CASE("transport/history: going on from page to page gives each event of the range once") {
    world w{{}, {.log_events_max = 50}};
    auto& source = w.source.open("c");
    fill(w, "c", 70);
    for (auto const& limits : {history_limits{7, 1u << 20}, history_limits{1000, 200}}) {
        for (bool const is_forward : {true, false}) {
            history_query q{is_forward ? std::optional<std::uint64_t>{30} : std::nullopt, 60};
            q.is_reversed = !is_forward;
            std::vector<std::uint64_t> all;
            for (int pages = 0;; ++pages) {
                REQUIRE(pages < 100);
                auto const page = read_history(source, q, limits);
                for (auto const offset : offsets_in(page.events)) all.push_back(offset);
                CHECK_FALSE((page.next_from && page.next_to));
                if (page.next_from) q.from = page.next_from;
                else if (page.next_to) q.to = page.next_to;
                else break;
            }
            auto expected = range(is_forward ? 30 : 21, 60);
            if (!is_forward) std::reverse(expected.begin(), expected.end());
            CHECK(all == expected);
        }
    }
    // An event over the bound is given alone rather than never.
    auto const page = read_history(source, {.from = 70}, {.bytes_max = 1});
    CHECK(offsets_in(page.events) == range(70, 70));
}

TEST_CASE("transport/history: the answer names the bounds, and its cursor goes on without a hole") {
    for (auto const size : {std::size_t{1}, unlimited}) {
        world w;
        fill(w, "c", 3);
        w.publish("c", std::string_view{"\0\xff\n", 3}, {"k", payload_kind::binary});
        auto const r = ask(w, "channel=c&limit=2", {}, size);
        CHECK(r.status == 200);
        CHECK(r.field("Content-Type") == "application/json");
        CHECK(r.body == R"({"history":"c","cursor":")" + w.cursor("c", 4) +
                            R"(","first":1,"last":4,"events":[)"
                            R"({"channel":"c","offset":3,"data":2},)"
                            R"({"channel":"c","offset":4,"key":"k","data64":"AP8K"}],"next_to":2})"
                            "\n");
        CHECK(ask(w, "channel=c&from=1&limit=1").body.ends_with("\"next_from\":2}\n"));
        CHECK(ask(w, "channel=c&from=2&to=3&reverse=1").body.find("next") == std::string::npos);
        w.source.open("quiet");
        CHECK(ask(w, "channel=quiet").body == R"({"history":"quiet","cursor":")" +
                                                  w.cursor("quiet", 0) +
                                                  R"(","first":1,"last":0,"events":[]})"
                                                  "\n");
    }
}

TEST_CASE("transport/history: an answer that is known is 304 until the log changes at an end") {
    world w{{}, {.log_events_max = 2}};
    fill(w, "c", 1);
    auto const tag = ask(w, "channel=c").field("ETag");
    CHECK(tag.size() > 2);
    CHECK(ask(w, "channel=c", {{"If-None-Match", "\"x\", W/" + tag}}).status == 304);
    w.publish("c", "1");
    auto const r = ask(w, "channel=c", {{"If-None-Match", tag}});
    CHECK(r.status == 200);
    CHECK(offsets_in(r.body) == range(1, 2));
}

TEST_CASE("transport/history: refusals have a status, a reason and a counter") {
    struct refused {
        char const* name;
        http::request_head head;
        unsigned status;
        error what;
    };
    for (auto const& v : std::vector<refused>{
             {"POST", request("POST", "/history?channel=c"), 405, error::method_not_allowed},
             {"origin", request("GET", "/history?channel=c", {{"Origin", "null"}}), 403,
              error::origin_refused},
             {"connect", request("GET", "/history?channel=c", {{"Refuse", "me"}}), 403,
              error::not_authorized},
             {"subscribe", request("GET", "/history?channel=secret"), 403, error::not_authorized},
             {"query", request("GET", "/history?channel=%"), 400, error::bad_query},
             {"no channel", request("GET", "/history"), 400, error::bad_query},
             {"two channels", request("GET", "/history?channel=c&channel=d"), 400,
              error::bad_query},
             {"name", request("GET", "/history?channel=c.*"), 400, error::bad_channel_name},
             {"unknown", request("GET", "/history?channel=nowhere"), 404, error::unknown_channel},
             {"from", request("GET", "/history?channel=c&from=x"), 400, error::bad_query},
             {"to", request("GET", "/history?channel=c&to=-1"), 400, error::bad_query},
             {"limit", request("GET", "/history?channel=c&limit=0"), 400, error::bad_query},
             {"two limits", request("GET", "/history?channel=c&limit=1&limit=2"), 400,
              error::bad_query},
             {"reverse", request("GET", "/history?channel=c&reverse=yes"), 400,
              error::bad_query}}) {
        CAPTURE(v.name);
        live_options options;
        options.clients_may_create_channels = true;
        options.hooks.connect = [](http::request_head const& head) -> std::optional<std::string> {
            if (head.field("Refuse")) return std::nullopt;
            return "somebody";
        };
        options.hooks.subscribe = [](auto identity, auto channel) {
            return identity == "somebody" && channel != "secret";
        };
        world w{options};
        w.source.open("c");
        auto const driver = connect<history_transport::session>(w, v.head);
        auto const r = only_response(driver->received);
        CHECK(r.status == v.status);
        CHECK(r.code() == describe(v.what).name);
        CHECK(r.field("Connection") == "close");
        CHECK(w.count(v.what) == 1);
        CHECK(w.count_all() == 1);
        // Nothing is created for a question, although clients may.
        CHECK(w.source.channel_count() == 1);
    }
}

TEST_CASE("transport/history: HEAD gets the head that GET would get [RFC 9110 9.3.2]") {
    world w;
    fill(w, "c", 3);
    auto const got = ask(w, "channel=c");
    CHECK_FALSE(got.body.empty());
    auto const asked =
        connect<history_transport::session>(w, request("HEAD", "/history?channel=c"));
    std::string_view received = asked->received;
    auto const head = take_head(received);
    CHECK(received.empty());
    CHECK(head.status == 200);
    CHECK(head.fields == got.fields);
    CHECK(asked->on.end() == session_end::handback);
}

TEST_CASE("transport/history: an HTTP/1.0 client is told whether its connection stays [RFC 9112 "
          "9.3]") {
    world w;
    fill(w, "c", 1);
    auto const kept = connect<history_transport::session>(
        w, request("GET", "/history?channel=c", {{"Connection", "keep-alive"}}, 0));
    CHECK(only_response(kept->received).field("Connection") == "keep-alive");
    auto const once =
        connect<history_transport::session>(w, request("GET", "/history?channel=c", {}, 0));
    CHECK(only_response(once->received).field("Connection") == "close");
}
