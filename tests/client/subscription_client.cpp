#include <livetape/client/subscription_client.hpp>

#include <support/relay.hpp>
#include <support/subscription_world.hpp>

#include <doctest/doctest.h>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/use_future.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <variant>
#include <vector>

namespace {

using namespace livetape;
using namespace livetape::test;
using namespace std::chrono_literals;
using fixture = subscription_world;

} // namespace

TEST_CASE("client/subscription_client: gets events in order over each transport") {
    for (auto const& transports : each_alone) {
        CAPTURE(static_cast<int>(transports[0]));
        fixture f;
        auto& clock = f.all->open("clock");
        clock.publish("0");
        subscription_client feed{f.io.get_executor(), f.address(), quick(transports)};
        feed.subscribe("clock");
        CHECK(f.live(feed) == transports[0]);
        clock.publish("{\"a\":1.0}");
        clock.publish("text", {.key = "k", .kind = payload_kind::text});
        clock.publish(std::string_view{"\0\1", 2}, {.kind = payload_kind::binary});
        auto item = std::get<feed_event>(f.take(feed));
        CHECK(item.channel == "clock");
        CHECK(item.offset == 2);
        CHECK(item.data == "{\"a\":1.0}");
        CHECK_FALSE(item.key);
        auto const cursor = item.cursor;
        item = std::get<feed_event>(f.take(feed));
        CHECK(item.data == "\"text\"");
        CHECK(text_of(item) == "text");
        CHECK(item.key == "k");
        item = std::get<feed_event>(f.take(feed));
        CHECK(item.is_binary);
        CHECK(item.data.size() == 2);

        subscription_client again{f.io.get_executor(), f.address(), quick(transports)};
        again.subscribe("clock", {.cursor = cursor});
        CHECK(f.next(again) == "clock3=\"text\"");
    }
}

TEST_CASE("client/subscription_client: each channel begins as its subscriber wants") {
    for (auto const& transports : each_alone) {
        CAPTURE(static_cast<int>(transports[0]));
        fixture f;
        for (auto const* name : {"a", "b", "c"}) {
            auto& channel = f.all->open(name);
            channel.publish("1", {.key = "x"});
            channel.publish("2", {.key = "y"});
            channel.publish("3", {.key = "x"});
        }
        subscription_client feed{f.io.get_executor(), f.address(), quick(transports)};
        feed.subscribe("a", {.cursor = "oldest"});
        feed.subscribe("b", {.has_snapshot = true});
        feed.subscribe("c");
        std::map<char, std::string> seen;
        for (int i = 0; i < 5; ++i) {
            auto const item = f.next(feed);
            seen[item[0]] += item.substr(1) + ' ';
        }
        CHECK(seen['a'] == "1=1 2=2 3=3 ");
        CHECK(seen['b'] == "2=2 3=3 ");
        f.all->publish("c", "4");
        CHECK(f.next(feed) == "c4=4");
        f.all->publish("b", "4");
        CHECK(f.next(feed) == "b4=4");
    }
}

TEST_CASE(
    "client/subscription_client: gets the newest of the keys that it wants, and their counts") {
    for (auto const& transports : each_alone) {
        CAPTURE(static_cast<int>(transports[0]));
        fixture f;
        for (auto const* key : {"x", "y", "x"}) f.all->publish("a", "1", {.key = key});
        auto options = quick(transports);
        options.delivery = {feed_mode::latest, 20ms, std::vector<std::string>{"x", "z\""}};
        subscription_client feed{f.io.get_executor(), f.address(), options};
        feed.subscribe("a", {.cursor = "oldest"});
        CHECK(f.live(feed) == transports[0]);
        auto item = std::get<feed_event>(f.take(feed));
        CHECK(item.offset == 3);
        CHECK(item.count == 2);
        f.all->publish("a", "2", {.key = "y"});
        f.all->publish("a", "2", {.key = "z\""});
        item = std::get<feed_event>(f.take(feed));
        CHECK(item.offset == 5);
        CHECK(item.count == 1);
    }
}

TEST_CASE("client/subscription_client: a rate that the server does not have is refused by it") {
    for (auto const& transports : each_alone) {
        CAPTURE(static_cast<int>(transports[0]));
        fixture f;
        f.all->open("a");
        auto options = quick(transports);
        options.delivery.interval = 1h;
        subscription_client feed{f.io.get_executor(), f.address(), options};
        feed.subscribe("a");
        CHECK(f.end_of(feed) == error::bad_rate);
    }
}

TEST_CASE("client/subscription_client: each channel is delivered as its subscriber wants") {
    for (auto const& transports : each_alone) {
        CAPTURE(static_cast<int>(transports[0]));
        fixture f;
        for (auto const* name : {"a", "b", "c"})
            for (auto const* key : {"x", "y,z", "x"}) f.all->publish(name, "1", {.key = key});
        subscription_client feed{f.io.get_executor(), f.address(), quick(transports)};
        feed.subscribe("a", {.cursor = "oldest"});
        feed.subscribe(
            "b", {.cursor = "oldest", .delivery = feed_delivery{feed_mode::latest, {}, {}, {}}});
        feed.subscribe("c", {.cursor = "oldest",
                             .delivery = feed_delivery{
                                 feed_mode::every, 10ms, std::vector<std::string>{"y,z"}, {}}});
        std::map<char, std::string> seen;
        for (int i = 0; i < 6; ++i) {
            auto const item = f.next(feed);
            seen[item[0]] += item.substr(1) + ' ';
        }
        CHECK(seen['a'] == "1=1 2=1 3=1 ");
        CHECK(seen['b'] == "2=1 3=1 ");
        CHECK(seen['c'] == "2=1 ");
    }
}

TEST_CASE("client/subscription_client: a delivery is changed while it is live, also for the next "
          "connection") {
    for (auto const& transports : each_alone) {
        CAPTURE(static_cast<int>(transports[0]));
        fixture f;
        for (auto const* key : {"x", "y"}) f.all->publish("a", "1", {.key = key});
        relay between{f.io, f.port};
        subscription_client feed{f.io.get_executor(), between.url("/live"), quick(transports)};
        feed.subscribe("a", {.cursor = "oldest"});
        CHECK(f.next(feed) == "a1=1");
        CHECK(f.next(feed) == "a2=1");
        feed.change("a", {feed_mode::every, {}, std::vector<std::string>{"x"}, {}});
        feed.change("none", {});
        f.until([&] { return f.has_keys("a", {"x"}); });
        f.all->publish("a", "2", {.key = "y"});
        f.all->publish("a", "3", {.key = "x"});
        CHECK(f.next(feed) == "a4=3");
        feed.add_keys("a", {"y", "x"});
        feed.remove_keys("a", {"x"});
        feed.remove_keys("none", {"x"});
        f.until([&] { return f.has_keys("a", {"y"}); });
        f.all->publish("a", "5", {.key = "x"});
        f.all->publish("a", "6", {.key = "y"});
        auto item = f.next(feed);
        // The newest event of a key that is added comes at once where commands can say so.
        if (item == "a3=2") item = f.next(feed);
        CHECK(item == "a6=6");
        between.cut();
        f.all->publish("a", "7", {.key = "x"});
        f.all->publish("a", "8", {.key = "y"});
        CHECK(f.next(feed) == "a8=8");
    }
}

TEST_CASE("client/subscription_client: a change that is refused leaves a subscription as it was") {
    fixture f;
    f.all->open("a");
    subscription_client feed{f.io.get_executor(), f.address(), quick({by_websocket})};
    feed.subscribe("a");
    f.live(feed);
    feed.change("a", {feed_mode::every, 1h, {}, {}});
    CHECK(f.next(feed) == "a?bad_rate");
    f.all->publish("a", "1");
    CHECK(f.next(feed) == "a1=1");
}

TEST_CASE("client/subscription_client: draws as often as it gives credit") {
    fixture f;
    f.all->open("a");
    subscription_client feed{f.io.get_executor(), f.address(), quick({by_websocket})};
    feed.subscribe("a", {.delivery = feed_delivery{feed_mode::latest, {}, {}, 1}});
    f.live(feed);
    f.all->publish("a", "1");
    CHECK(f.next(feed) == "a1=1");
    f.all->publish("a", "2");
    f.all->publish("a", "3");
    feed.give_credit("a", 1);
    CHECK(f.next(feed) == "a3=3");
}

TEST_CASE("client/subscription_client: is told that the host has closed a channel") {
    for (auto const transport : {by_websocket, by_sse}) {
        CAPTURE(static_cast<int>(transport));
        fixture f;
        for (auto const* name : {"a", "b"}) f.all->publish(name, "1");
        subscription_client feed{f.io.get_executor(), f.address(), quick({transport})};
        feed.subscribe("a", {.cursor = "oldest"});
        CHECK(f.next(feed) == "a1=1");
        feed.subscribe("b", {.cursor = "oldest"});
        CHECK(f.next(feed) == "b1=1");
        f.until([&] {
            return f.all->find("a")->subscriber_count() == 1 &&
                   f.all->find("b")->subscriber_count() == 1;
        });
        f.all->publish("a", "2");
        f.all->close("a");
        CHECK(f.next(feed) == "a2=2");
        CHECK(f.next(feed) == "a?unknown_channel");
        f.all->publish("b", "2");
        CHECK(f.next(feed) == "b2=2");
        f.all->close("b");
        CHECK(f.end_of(feed) == error::unknown_channel);
    }
}

TEST_CASE("client/subscription_client: follows a pattern, whatever comes, goes and is cut") {
    for (auto const& transports : each_alone) {
        CAPTURE(static_cast<int>(transports[0]));
        fixture f;
        f.all->publish("s.a", "1");
        f.all->publish("t.a", "1");
        relay between{f.io, f.port};
        subscription_client feed{f.io.get_executor(), between.url("/live"), quick(transports)};
        feed.subscribe("s.*", {.cursor = "oldest"});
        CHECK(f.next(feed) == "s.a1=1");
        f.all->publish("s.b", "1");
        CHECK(f.next(feed) == "s.b1=1");
        between.cut();
        f.all->publish("s.c", "1");
        f.all->publish("s.a", "2");
        std::map<std::string, int> seen;
        for (int i = 0; i < 2; ++i) ++seen[f.next(feed)];
        CHECK(seen == std::map<std::string, int>{{"s.a2=2", 1}, {"s.c1=1", 1}});
        feed.change("s.*", {feed_mode::latest, {}, {}, {}});
        f.until([&] {
            return f.is_delivered(
                "s.b", [](auto const& how) { return how.mode == delivery_mode::latest; });
        });
        f.all->publish("s.b", "2");
        CHECK(f.next(feed) == "s.b2=2");
        feed.subscribe("t.a");
        feed.unsubscribe("s.*");
        f.until([&] {
            return f.all->find("s.a")->subscriber_count() == 0 &&
                   f.all->find("t.a")->subscriber_count() == 1;
        });
        f.all->publish("s.a", "3");
        f.all->publish("t.a", "2");
        CHECK(f.next(feed) == "t.a2=2");
    }
}

TEST_CASE("client/subscription_client: channels come and go while it is live") {
    for (auto const& transports : each_alone) {
        CAPTURE(static_cast<int>(transports[0]));
        fixture f;
        for (auto const* name : {"a", "b"}) f.all->publish(name, "1");
        subscription_client feed{f.io.get_executor(), f.address(), quick(transports)};
        feed.subscribe("a");
        f.live(feed);
        feed.subscribe("b", {.cursor = "oldest"});
        CHECK(f.next(feed) == "b1=1");
        f.all->publish("a", "2");
        CHECK(f.next(feed) == "a2=2");
        feed.unsubscribe("a");
        feed.unsubscribe("none");
        f.io.poll();
        f.all->publish("b", "2");
        CHECK(f.next(feed) == "b2=2");
        f.all->publish("a", "3");
        feed.unsubscribe("b");
        f.io.poll();
        feed.subscribe("a", {.cursor = "oldest"});
        feed.subscribe("a");
        CHECK(f.next(feed) == "a?already_subscribed");
        CHECK(f.next(feed) == "a1=1");
        CHECK(f.next(feed) == "a2=2");
        CHECK(f.next(feed) == "a3=3");
    }
}

TEST_CASE("client/subscription_client: one channel is refused, and the others go on") {
    for (auto const& transports : each_alone) {
        CAPTURE(static_cast<int>(transports[0]));
        fixture f;
        f.all->publish("a", "1");
        subscription_client feed{f.io.get_executor(), f.address(), quick(transports)};
        feed.subscribe("a", {.cursor = "oldest"});
        feed.subscribe("nope");
        std::string seen = f.next(feed);
        seen += ' ' + f.next(feed);
        bool const is_either =
            seen == "a1=1 nope?unknown_channel" || seen == "nope?unknown_channel a1=1";
        CHECK_MESSAGE(is_either, seen);
        f.all->publish("a", "2");
        CHECK(f.next(feed) == "a2=2");
    }
}

TEST_CASE("client/subscription_client: a channel that is gone when it comes back is refused, and "
          "the others go on") {
    for (auto const& transports : each_alone) {
        CAPTURE(static_cast<int>(transports[0]));
        fixture f;
        for (auto const* const each : {"a", "b", "c"}) f.all->publish(each, "1");
        subscription_client feed{f.io.get_executor(), f.address(), quick(transports)};
        for (auto const* const each : {"a", "b", "c"}) feed.subscribe(each, {.cursor = "oldest"});
        std::multiset<std::string> seen;
        for (int i = 0; i < 3; ++i) seen.insert(f.next(feed));
        CHECK(seen == std::multiset<std::string>{"a1=1", "b1=1", "c1=1"});

        // From where they were, on a server that has not b any more.
        auto const of_a = cursor_text(*f.all->find("a"), 1);
        auto const of_b = cursor_text(*f.all->find("b"), 1);
        auto const of_c = cursor_text(*f.all->find("c"), 1);
        f.all->close("b");
        subscription_client again{f.io.get_executor(), f.address(), quick(transports)};
        again.subscribe("a", {.cursor = of_a});
        again.subscribe("b", {.cursor = of_b});
        again.subscribe("c", {.cursor = of_c});
        CHECK(f.next(again) == "b?unknown_channel");
        f.all->publish("a", "2");
        CHECK(f.next(again) == "a2=2");
        f.all->publish("c", "2");
        CHECK(f.next(again) == "c2=2");
    }
}

TEST_CASE("client/subscription_client: refused altogether, it ends with the reason") {
    for (auto const& transports : each_alone) {
        CAPTURE(static_cast<int>(transports[0]));
        fixture f;
        f.all->open("a");
        auto const gone = cursor_text(*f.all->find("a"), 0);
        f.start();
        subscription_client feed{f.io.get_executor(), f.address(), quick(transports)};
        feed.subscribe("a", {.cursor = gone});
        feed.subscribe("b", {.cursor = gone});
        CHECK(f.end_of(feed) == error::unknown_channel);
    }
}

TEST_CASE("client/subscription_client: ends with the reason when no channel is left to wait for") {
    for (auto const& transports : each_alone) {
        CAPTURE(static_cast<int>(transports[0]));
        fixture f;
        subscription_client feed{f.io.get_executor(), f.address(), quick(transports)};
        feed.subscribe("nope");
        CHECK(f.end_of(feed) == error::unknown_channel);

        f.all->open("a");
        subscription_client ahead{f.io.get_executor(), f.address(), quick(transports)};
        ahead.subscribe("a", {.cursor = "nonsense!"});
        CHECK(f.end_of(ahead) == error::bad_cursor);
    }
}

TEST_CASE("client/subscription_client: a server that was started again is told by a gap") {
    for (auto const& transports : each_alone) {
        CAPTURE(static_cast<int>(transports[0]));
        fixture f;
        for (int i = 0; i < 5; ++i) f.all->publish("a", "1");
        f.all->publish("b", "1");
        relay between{f.io, f.port};
        subscription_client feed{f.io.get_executor(), between.url("/live"), quick(transports)};
        feed.subscribe("a");
        feed.subscribe("b");
        f.live(feed);
        f.all->publish("a", "6");
        CHECK(f.next(feed) == "a6=6");
        f.all->publish("b", "2");
        CHECK(f.next(feed) == "b2=2");

        f.start();
        f.all->publish("a", "1");
        f.all->open("b");
        between.go_to(f.port);
        std::map<char, std::string> seen;
        for (int i = 0; i < 3; ++i) {
            auto const item = f.next(feed);
            seen[item[0]] += item.substr(1) + ' ';
        }
        CHECK(seen['a'] == "!1-0 epoch 1=1 ");
        CHECK(seen['b'] == "!1-0 epoch ");
        f.all->publish("a", "2");
        CHECK(f.next(feed) == "a2=2");
    }
}

TEST_CASE("client/subscription_client: what retention dropped while it was away is told") {
    for (auto const& transports : each_alone) {
        CAPTURE(static_cast<int>(transports[0]));
        fixture f{{.log_events_max = 10}};
        relay between{f.io, f.port};
        std::size_t bytes_left = relay::unlimited;
        between.budget = [&] { return bytes_left; };
        f.all->publish("a", "1");
        subscription_client feed{f.io.get_executor(), between.url("/live"), quick(transports)};
        feed.subscribe("a", {.cursor = "oldest"});
        CHECK(f.next(feed) == "a1=1");
        // What cuts the connection is a new server on the same hub.
        f.served.emplace(f.io.get_executor(), *f.all);
        f.served->live("/live");
        for (int i = 2; i <= 30; ++i) f.all->publish("a", std::to_string(i));
        between.go_to(f.served->listen({asio::ip::address_v4::loopback(), 0}).port());
        auto const gap = f.next(feed);
        CHECK(gap.starts_with("a!2-"));
        CHECK(gap.ends_with(" retention"));
        auto last = f.next(feed);
        while (last != "a30=30") last = f.next(feed);
    }
}

TEST_CASE("client/subscription_client: does not read further than its queue has room") {
    for (auto const& transports : each_alone) {
        CAPTURE(static_cast<int>(transports[0]));
        fixture f{{.log_bytes_max = 64u << 20}};
        f.all->open("a");
        relay between{f.io, f.port};
        auto options = quick(transports);
        options.queue_items_max = 10;
        subscription_client feed{f.io.get_executor(), between.url("/live"), options};
        feed.subscribe("a");
        f.live(feed);
        auto const large = '"' + std::string(10'000, '7') + '"';
        for (int i = 0; i < 3000; ++i) f.all->publish("a", large);
        for (std::uint64_t offset = 1; offset <= 3000; ++offset)
            REQUIRE(std::get<feed_event>(f.take(feed)).offset == offset);
    }
}

TEST_CASE("client/subscription_client: cancelling a read loses no item") {
    fixture f;
    f.all->open("a");
    subscription_client feed{f.io.get_executor(), f.address(), quick()};
    feed.subscribe("a");
    f.live(feed);
    asio::cancellation_signal cancel;
    std::optional<std::error_code> result;
    feed.next(asio::bind_cancellation_slot(
        cancel.slot(), [&](std::error_code ec, feed_item const&) { result = ec; }));
    f.io.poll();
    cancel.emit(asio::cancellation_type::terminal);
    test::run_until(f.io, [&] { return result.has_value(); });
    CHECK(*result == asio::error::operation_aborted);
    f.all->publish("a", "1");
    CHECK(f.next(feed) == "a1=1");
    feed.close();
    CHECK(f.end_of(feed) == asio::error::operation_aborted);
}

TEST_CASE("client/subscription_client: futures, from a thread that does not run it") {
    asio::io_context io;
    hub all;
    server served{io.get_executor(), all};
    served.live("/live");
    auto const port = served.listen({asio::ip::address_v4::loopback(), 0}).port();
    auto& clock = all.open("clock");
    std::thread runner{[&] { io.run(); }};
    {
        subscription_client feed{io.get_executor(),
                                 "ws://127.0.0.1:" + std::to_string(port) + "/live/"};
        feed.subscribe("clock", {.cursor = "oldest"});
        std::uint64_t seen = 0;
        while (seen < 100) {
            clock.publish("1");
            auto const item = feed.next(asio::use_future).get();
            if (auto const* const event = std::get_if<feed_event>(&item)) {
                REQUIRE(event->offset == seen + 1);
                seen = event->offset;
            }
        }
    }
    served.stop();
    runner.join();
}

TEST_CASE(
    "client/subscription_client: may be destroyed at any time, and with a stopped io_context") {
    for (auto const& transports : each_alone) {
        for (int steps = 0; steps < 40; ++steps) {
            CAPTURE(steps);
            fixture f;
            f.all->publish("a", "1");
            bool is_called = false;
            {
                subscription_client feed{f.io.get_executor(), f.address(), quick(transports)};
                feed.subscribe("a", {.cursor = "oldest"});
                feed.next([&](std::error_code, feed_item const&) { is_called = true; });
                for (int i = 0; i < steps; ++i) f.io.poll_one();
            }
            if (steps % 2 == 0) continue;
            test::run_until(f.io, [&] { return is_called; });
        }
    }
}
