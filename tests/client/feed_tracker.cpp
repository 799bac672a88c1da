#include <livetape/client/feed_tracker.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace {

using namespace livetape;

/// A tracker, and what it hands on as text: `a5` for an event, `a!1-4` for a gap.
struct tracked {
    feed_tracker on;
    feed_tracker::items items;

    static server_message parse(std::string_view json) {
        server_message found;
        REQUIRE(parse_server_message(json, found) == error::none);
        return found;
    }
    static std::string event(std::string_view channel, int offset) {
        return R"({"channel":")" + std::string{channel} + R"(","offset":)" +
               std::to_string(offset) + R"(,"data":1})";
    }
    static std::string gap(std::string_view channel, int from, int to,
                           std::string_view reason = "retention") {
        return R"({"gap":")" + std::string{channel} + R"(","from":)" + std::to_string(from) +
               R"(,"to":)" + std::to_string(to) + R"(,"reason":")" + std::string{reason} + R"("})";
    }
    static std::string subscribed(std::string_view channel, std::string_view cursor,
                                  bool is_recovered) {
        return R"({"subscribed":")" + std::string{channel} + R"(","cursor":")" +
               std::string{cursor} + R"(","recovered":)" + (is_recovered ? "true}" : "false}");
    }

    void websocket(std::string const& json) { on.on_websocket(parse(json), items); }
    void stream(std::string const& json) {
        REQUIRE(on.on_stream(parse(json), items) == error::none);
    }
    void id(std::string_view text) { REQUIRE(on.on_stream_id(text, items) == error::none); }
    void poll(std::string const& json, std::string_view channel = {}) {
        poll_answer answer;
        REQUIRE(parse_poll_answer(json, answer) == error::none);
        REQUIRE(on.on_poll(std::move(answer), channel, items) == error::none);
    }

    std::string take() {
        std::string all;
        for (auto const& each : std::exchange(items, {})) {
            if (!all.empty()) all += ' ';
            if (auto const* const event = std::get_if<feed_event>(&each)) {
                all += event->channel + std::to_string(event->offset);
                CHECK(event->cursor.ends_with('-' + std::to_string(event->offset)));
            } else {
                auto const& gap = std::get<feed_gap>(each);
                all += gap.channel + '!' + std::to_string(gap.from) + '-' + std::to_string(gap.to);
            }
        }
        return all;
    }

    std::string cursor_of(std::string_view channel) const {
        for (auto const& each : on.subscriptions())
            if (each.channel == channel) return each.cursor;
        return "none";
    }
};

} // namespace

TEST_CASE("client/feed_tracker: begins where the subscriber wants, and goes on from what came") {
    tracked t;
    CHECK(t.on.add("a", {.cursor = "oldest", .has_snapshot = true}));
    CHECK_FALSE(t.on.add("a", {}));
    CHECK(t.on.add("b", {.cursor = "e-7"}));
    auto all = t.on.subscriptions();
    REQUIRE(all.size() == 2);
    CHECK(all[0].cursor == "oldest");
    CHECK(all[0].has_snapshot);
    CHECK_FALSE(all[0].is_known);
    CHECK(all[1].cursor == "e-7");
    CHECK(all[1].is_known);
    CHECK(t.on.cursor() == "b~e-7");

    t.websocket(tracked::subscribed("a", "f-0", false));
    t.websocket(tracked::event("a", 1));
    all = t.on.subscriptions();
    CHECK(all[0].cursor == "f-1");
    CHECK_FALSE(all[0].has_snapshot);
    CHECK(t.on.cursor() == "a~f-1!b~e-7");
    CHECK(t.on.remove("b"));
    CHECK_FALSE(t.on.remove("b"));
    CHECK(t.on.cursor() == "f-1");
}

TEST_CASE("client/feed_tracker: WebSocket events are handed on once, after their subscription") {
    tracked t;
    t.on.add("a", {});
    t.websocket(tracked::event("a", 3));
    CHECK(t.take() == "");
    t.websocket(tracked::subscribed("a", "e-3", false));
    t.websocket(tracked::event("a", 4));
    t.websocket(tracked::event("a", 4));
    t.websocket(tracked::event("b", 9));
    t.websocket(tracked::event("a", 5));
    CHECK(t.take() == "a4 a5");
    t.on.restart();
    t.websocket(tracked::subscribed("a", "e-5", true));
    t.websocket(tracked::event("a", 6));
    CHECK(t.take() == "a6");
}

TEST_CASE("client/feed_tracker: a gap is not lost when the connection ends before its notice") {
    tracked t;
    t.on.add("a", {.cursor = "e-5"});
    t.websocket(tracked::subscribed("a", "e-90", false));
    CHECK(t.cursor_of("a") == "e-5");
    t.on.restart();
    CHECK(t.cursor_of("a") == "e-5");
    t.websocket(tracked::subscribed("a", "e-95", false));
    t.websocket(tracked::gap("a", 6, 95));
    CHECK(t.take() == "a!6-95");
    CHECK(t.cursor_of("a") == "e-95");
    t.websocket(tracked::event("a", 96));
    CHECK(t.take() == "a96");
}

TEST_CASE("client/feed_tracker: a new epoch begins to count anew on WebSocket") {
    tracked t;
    t.on.add("a", {.cursor = "e-500"});
    t.websocket(tracked::subscribed("a", "f-0", false));
    t.websocket(tracked::gap("a", 1, 0, "epoch"));
    t.websocket(tracked::event("a", 1));
    CHECK(t.take() == "a!1-0 a1");
    CHECK(t.cursor_of("a") == "f-1");
}

TEST_CASE("client/feed_tracker: a stream of one channel has an id with each event") {
    tracked t;
    t.on.add("a", {});
    t.id("e-4");
    CHECK(t.cursor_of("a") == "e-4");
    t.stream(tracked::event("a", 5));
    CHECK(t.take() == "a5");
    t.id("e-5");
    // A snapshot, whose events bring the first ids.
    tracked s;
    s.on.add("a", {.has_snapshot = true});
    s.stream(tracked::event("a", 2));
    CHECK(s.take() == "");
    s.id("e-2");
    CHECK(s.take() == "a2");
    s.stream(tracked::event("a", 7));
    s.id("e-7");
    CHECK(s.take() == "a7");
}

TEST_CASE("client/feed_tracker: what a stream of several channels repeats is dropped") {
    tracked t;
    t.on.add("a", {});
    t.on.add("b", {});
    t.id("a~e-4!b~f-0");
    t.stream(tracked::event("a", 5));
    t.stream(tracked::event("b", 1));
    CHECK(t.take() == "a5 b1");
    // It breaks off before the id; what the client has is more than the server knows.
    t.on.restart();
    CHECK(t.on.cursor() == "a~e-5!b~f-1");
    t.id("a~e-4!b~f-0");
    CHECK(t.on.cursor() == "a~e-5!b~f-1");
    t.stream(tracked::event("a", 5));
    t.stream(tracked::event("a", 6));
    t.stream(tracked::event("b", 1));
    t.id("a~e-6!b~f-1");
    CHECK(t.take() == "a6");
}

TEST_CASE("client/feed_tracker: events wait for the epoch that they belong to") {
    tracked t;
    t.on.add("a", {.cursor = "e-500"});
    t.on.add("b", {.cursor = "f-3"});
    t.stream(tracked::gap("a", 1, 0, "epoch"));
    t.stream(tracked::event("a", 1));
    t.stream(tracked::event("b", 4));
    CHECK(t.take() == "b4");
    // Without the id it is as if they had not come.
    t.on.restart();
    CHECK(t.cursor_of("a") == "e-500");
    t.stream(tracked::gap("a", 1, 0, "epoch"));
    t.stream(tracked::event("a", 1));
    t.stream(tracked::event("a", 2));
    t.id("a~g-2!b~f-4");
    CHECK(t.take() == "a!1-0 a1 a2");
    CHECK(t.on.cursor() == "a~g-2!b~f-4");
}

TEST_CASE("client/feed_tracker: what waits for an epoch is bounded") {
    tracked t{feed_tracker{2}, {}};
    t.on.add("a", {});
    t.on.add("b", {});
    t.stream(tracked::event("a", 1));
    t.stream(tracked::event("a", 2));
    CHECK(t.on.on_stream(tracked::parse(tracked::event("a", 3)), t.items) ==
          error::message_too_large);
    t.on.restart();
    t.stream(tracked::event("a", 1));
    t.stream(tracked::event("a", 2));
    t.id("a~e-2!b~f-0");
    CHECK(t.take() == "a1 a2");
}

TEST_CASE("client/feed_tracker: a gap of retention is told once, and events go on after it") {
    tracked t;
    t.on.add("a", {.cursor = "e-5"});
    t.on.add("b", {.cursor = "f-0"});
    t.stream(tracked::gap("a", 6, 40));
    t.on.restart();
    t.stream(tracked::gap("a", 6, 40));
    t.stream(tracked::event("a", 12));
    t.stream(tracked::event("a", 41));
    CHECK(t.take() == "a!6-40 a12 a41");
}

TEST_CASE("client/feed_tracker: a poll's answer is taken as a whole") {
    tracked t;
    t.on.add("a", {.cursor = "oldest"});
    t.poll(R"({"cursor":"e-2","events":[)" + tracked::event("a", 1) + ',' + tracked::event("a", 2) +
           "]}");
    CHECK(t.take() == "a1 a2");
    t.poll(R"({"cursor":"e-9","gaps":[)" + tracked::gap("a", 3, 8) + R"(],"events":[)" +
           tracked::event("a", 9) + "]}");
    CHECK(t.take() == "a!3-8 a9");
    t.poll(R"({"cursor":"f-1","gaps":[)" + tracked::gap("a", 1, 0, "epoch") + R"(],"events":[)" +
           tracked::event("a", 1) + "]}");
    CHECK(t.take() == "a!1-0 a1");
    CHECK(t.on.cursor() == "f-1");

    t.on.add("b", {});
    t.poll(R"({"cursor":"g-7","events":[]})", "b");
    CHECK(t.on.cursor() == "a~f-1!b~g-7");
    t.poll(R"({"cursor":"a~f-2!b~g-8","events":[)" + tracked::event("b", 8) + ',' +
           tracked::event("a", 2) + "]}");
    CHECK(t.take() == "b8 a2");
}

TEST_CASE("client/feed_tracker: what is no cursor is refused") {
    tracked t;
    t.on.add("a", {});
    for (auto const* id :
         {"x", "-1", "e-", "e-x", "a~x", "a~e-1!", "e-1!x", "e-99999999999999999999"}) {
        CAPTURE(id);
        auto const failure = t.on.on_stream_id(id, t.items);
        CHECK((failure == error::bad_envelope) == (std::string_view{id} != "a~e-1!"));
    }
    // Of a channel that was not asked for: left alone.
    CHECK(t.on.on_stream_id("z~e-1", t.items) == error::none);
}

TEST_CASE("client/feed_tracker: a pattern brings channels on WebSocket, and is resumed by theirs") {
    tracked t;
    CHECK(t.on.add("s.*", {.cursor = "now"}));
    CHECK_FALSE(t.on.add("s.*", {}));
    CHECK(t.on.subscriptions()[0].cursor == "now");
    t.websocket(R"({"subscribed":"s.*","id":1,"cursor":"oldest","recovered":false})");
    CHECK(t.on.subscriptions()[0].cursor == "oldest");
    auto const brought = [](std::string_view channel, std::string_view cursor) {
        return R"({"subscribed":")" + std::string{channel} + R"(","pattern":"s.*","cursor":")" +
               std::string{cursor} + R"(","recovered":false})";
    };
    t.websocket(brought("s.a", "e1-0"));
    t.websocket(tracked::event("s.a", 1));
    t.websocket(tracked::event("s.a", 2));
    t.websocket(brought("s.b", "e2-4"));
    t.websocket(tracked::event("other", 9));
    CHECK(t.take() == "s.a1 s.a2");
    REQUIRE(t.on.subscriptions().size() == 1);
    CHECK(t.on.subscriptions()[0].cursor == "s.a~e1-2!s.b~e2-4");
    CHECK(t.on.subscriptions()[0].is_known);

    // It is subscribed to anew: the reply names the place that was asked for, more has come since.
    t.websocket(tracked::event("s.a", 3));
    t.websocket(brought("s.a", "e1-2"));
    t.websocket(tracked::event("s.a", 3));
    t.websocket(tracked::event("s.a", 4));
    CHECK(t.take() == "s.a3 s.a4");

    // One that is no more is told of and forgotten; when it comes again, it is a new one.
    t.on.restart();
    t.websocket(tracked::gap("s.a", 1, 0, "epoch"));
    CHECK(t.take() == "s.a!1-0");
    CHECK(t.on.subscriptions()[0].cursor == "s.b~e2-4");
    t.websocket(brought("s.a", "e9-0"));
    t.websocket(tracked::event("s.a", 1));
    CHECK(t.take() == "s.a1");

    // A channel of it may be named too, and stays when the pattern ends.
    CHECK(t.on.add("s.b", {}));
    CHECK_FALSE(t.on.add("s.b", {}));
    CHECK(t.on.subscriptions().size() == 2);
    CHECK(t.on.remove("s.*"));
    CHECK_FALSE(t.on.contains("s.a"));
    CHECK(t.on.cursor() == "e2-4");
}

TEST_CASE("client/feed_tracker: a pattern over streams and polls covers what the cursor names") {
    tracked t;
    t.on.add("s.>", {});
    t.id("oldest");
    CHECK(t.on.cursor() == "oldest");
    t.stream(tracked::event("s.a", 1));
    t.stream(tracked::event("x.a", 1));
    CHECK(t.take().empty());
    t.id("s.a~e1-1");
    CHECK(t.take() == "s.a1");
    CHECK(t.on.cursor() == "s.a~e1-1");
    // A write that dies before its id is repeated.
    t.stream(tracked::event("s.b", 1));
    t.on.restart();
    CHECK(t.on.cursor() == "s.a~e1-1");
    t.stream(tracked::event("s.b", 1));
    t.stream(tracked::event("s.a", 2));
    CHECK(t.take() == "s.a2");
    t.id("s.a~e1-2!s.b~e2-1");
    CHECK(t.take() == "s.b1");

    // Coming back, one is no more.
    t.on.restart();
    t.stream(tracked::gap("s.a", 1, 0, "epoch"));
    t.id("s.b~e2-1");
    CHECK(t.take() == "s.a!1-0");
    CHECK(t.on.cursor() == "s.b~e2-1");

    t.poll(R"({"cursor":"s.b~e2-1!s.c~e3-2","events":[)" + tracked::event("s.c", 1) + ',' +
           tracked::event("s.c", 2) + "]}");
    CHECK(t.take() == "s.c1 s.c2");
    t.poll(R"({"cursor":"s.c~e3-2","gaps":[)" + tracked::gap("s.b", 1, 0, "epoch") +
           R"(],"events":[]})");
    CHECK(t.take() == "s.b!1-0");
    CHECK(t.on.cursor() == "s.c~e3-2");

    // Beside a channel that was asked for by its name.
    t.on.add("t", {});
    CHECK(t.on.cursor() == "s.c~e3-2");
    t.poll(R"({"cursor":"e7-3","events":[]})", "t");
    CHECK(t.on.cursor() == "s.c~e3-2!t~e7-3");
    CHECK(t.on.remove("s.>"));
    CHECK(t.on.cursor() == "e7-3");
}

TEST_CASE("client/feed_pattern: covers what the server's patterns do") {
    struct row {
        std::string_view pattern;
        std::string_view name;
        bool is_covered;
    };
    for (auto const& v :
         {row{"a.*", "a.b", true}, row{"a.*", "a", false}, row{"a.*", "a.b.c", false},
          row{"a.>", "a.b", true}, row{"a.>", "a.b.c", true}, row{"a.>", "a", false},
          row{">", "a", true}, row{">", "a.b", true}, row{"*", "a", true}, row{"*", "a.b", false},
          row{"*.b", "a.b", true}, row{"*.b", "a.c", false}, row{">", "@presence/a", false},
          row{"*", "@presence/a", false}, row{"@presence/a.*", "@presence/a.b", true},
          row{"a.*.c", "a.b.c", true}, row{"a.*.c", "a.b.d", false}, row{"ab.*", "a.b", false}}) {
        CAPTURE(v.pattern);
        CAPTURE(v.name);
        CHECK(detail::covers(v.pattern, v.name) == v.is_covered);
    }
    CHECK(detail::is_pattern("a.*"));
    CHECK_FALSE(detail::is_pattern("a.b"));
}
