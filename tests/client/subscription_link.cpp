#include <livetape/client/subscription_client.hpp>

#include <support/relay.hpp>
#include <support/scripted_server.hpp>
#include <support/subscription_world.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <variant>
#include <vector>

// What may stand between a subscription client and its server, and servers that are none.

namespace {

using namespace livetape;
using namespace livetape::test;
using namespace std::chrono_literals;
using fixture = subscription_world;

} // namespace

TEST_CASE("client/subscription_link: falls back when upgrades are blocked [RFC 9110 7.8]") {
    struct row {
        char const* name;
        std::string answer; // empty: the request goes on without its upgrade
    };
    for (auto const& each :
         {row{"stripped", ""}, row{"400", test::response("400 Bad Request", "text/plain", "")},
          row{"426", test::response("426 Upgrade Required", "text/plain", "")},
          row{"502", test::response("502 Bad Gateway", "text/html", "<p>")},
          row{"200", test::response("200 OK", "text/html", "<p>")},
          row{"403", test::response("403 Forbidden", "text/html", "<p>")},
          row{"501", test::response("501 Not Implemented", "text/html", "<p>")},
          row{"nothing", "\r\n"}, row{"half an answer", "HTTP/1.1 101 Switching Pro"},
          row{"no WebSocket",
              "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"}}) {
        CAPTURE(each.name);
        fixture f;
        f.all->open("a");
        relay between{f.io, f.port};
        between.on_request = [answer = each.answer](std::string& head) {
            auto const at = head.find("\r\nUpgrade:");
            if (at == std::string::npos) return std::string{};
            head.replace(at, 10, "\r\nX-Removed:");
            return answer;
        };
        subscription_client feed{f.io.get_executor(), between.url("/live"), quick()};
        feed.subscribe("a");
        CHECK(std::get<feed_connecting>(f.take(feed)).transport == by_websocket);
        CHECK(std::get<feed_connecting>(f.take(feed)).transport == by_sse);
        CHECK(std::get<feed_live>(f.take(feed)).transport == by_sse);
        f.all->publish("a", "1");
        CHECK(f.next(feed) == "a1=1");
    }
}

TEST_CASE("client/subscription_link: polls where streams do not get through either") {
    for (auto const& each : {
             std::pair{"a page", test::response("200 OK", "text/html", "<p>")},
             std::pair{"406", test::response("406 Not Acceptable", "text/plain", "")},
             std::pair{"cut", std::string{"HTTP/1.1 200 OK\r\n"}},
             std::pair{"held back",
                       std::string{"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"}},
         }) {
        CAPTURE(each.first);
        fixture f;
        f.all->open("a");
        relay between{f.io, f.port};
        between.on_request = [answer = each.second](std::string& head) {
            if (head.starts_with("GET /live/poll")) return std::string{};
            if (head.starts_with("GET /live/sse")) return answer;
            return test::response("426 Upgrade Required", "text/plain", "");
        };
        subscription_client feed{f.io.get_executor(), between.url("/live"), quick()};
        feed.subscribe("a");
        CHECK(f.live(feed) == by_poll);
        f.all->publish("a", "1");
        CHECK(f.next(feed) == "a1=1");
    }
}

TEST_CASE("client/subscription_link: a proxy that lets a stream begin and keeps its bytes") {
    for (auto const first : {by_websocket, by_sse}) {
        CAPTURE(static_cast<int>(first));
        fixture f;
        f.all->open("a");
        // Passes the head of the response, and then nothing, as long as the client waits.
        scripted_server holding{
            f.io, [&](std::string const& head, std::size_t) {
                if (head.starts_with("GET /live/poll"))
                    return scripted_answer{test::redirect(f.address() + "/poll?x")};
                if (head.starts_with("GET /live/sse"))
                    return scripted_answer{
                        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", false};
                auto const at = head.find("Sec-WebSocket-Key: ") + 19;
                return scripted_answer{"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                       "Connection: Upgrade\r\nSec-WebSocket-Accept: " +
                                           websocket::accept_value(head.substr(at, 24)) +
                                           "\r\n\r\n",
                                       false};
            }};
        auto options = quick({first, by_poll});
        options.first_bytes_timeout = 10ms;
        subscription_client feed{f.io.get_executor(), holding.url("/live"), options};
        feed.subscribe("a");
        CHECK(f.live(feed) == by_poll);
        f.all->publish("a", "1");
        CHECK(f.next(feed) == "a1=1");
    }
}

TEST_CASE("client/subscription_link: does what a busy server asks [RFC 9110 10.2.3]") {
    for (auto const& transports : each_alone) {
        CAPTURE(static_cast<int>(transports[0]));
        fixture f;
        f.all->open("a");
        relay between{f.io, f.port};
        int refusals = 0;
        between.on_request = [&](std::string&) {
            return ++refusals > 2 ? std::string{}
                                  : test::response("503 Service Unavailable", "text/plain", "",
                                                   "Retry-After: 7\r\n");
        };
        subscription_client feed{f.io.get_executor(), between.url("/live"), quick(transports)};
        feed.subscribe("a");
        for (int i = 0; i < 2; ++i) {
            CHECK(std::get<feed_connecting>(f.take(feed)).transport == transports[0]);
            auto const waiting = std::get<feed_waiting>(f.take(feed));
            CHECK(waiting.delay >= 2ms);
            CHECK(waiting.why.requested_delay == 7s);
            CHECK(waiting.why.http_status == 503);
        }
        CHECK(f.live(feed) == transports[0]);
    }
}

TEST_CASE("client/subscription_link: follows redirects [RFC 9110 15.4]") {
    for (auto const& transports : each_alone) {
        CAPTURE(static_cast<int>(transports[0]));
        fixture f;
        f.all->publish("a", "1");
        f.all->publish("b", "1");
        scripted_server moved{f.io, [&](std::string const& head, std::size_t) {
                                  auto const target = head.substr(4, head.find(" HTTP") - 4);
                                  return scripted_answer{test::redirect(
                                      f.address() + target.substr(std::string{"/old"}.size()))};
                              }};
        subscription_client feed{f.io.get_executor(), moved.url("/old"), quick(transports)};
        feed.subscribe("a", {.cursor = "oldest"});
        feed.subscribe("b", {.cursor = "oldest"});
        std::string seen = f.next(feed);
        seen += f.next(feed);
        CHECK((seen == "a1=1b1=1" || seen == "b1=1a1=1"));
        f.all->publish("b", "2");
        CHECK(f.next(feed) == "b2=2");
    }
}

TEST_CASE("client/subscription_link: redirects that must not be followed end it") {
    for (auto const& transports : each_alone) {
        CAPTURE(static_cast<int>(transports[0]));
        fixture f;
        for (auto const* location : {"ftp://a.test/ws", "", "/live/again"}) {
            CAPTURE(location);
            scripted_server server{f.io, [&](std::string const&, std::size_t) {
                                       return scripted_answer{test::redirect(location)};
                                   }};
            subscription_client feed{f.io.get_executor(), server.url("/live"), quick(transports)};
            feed.subscribe("a");
            CHECK(f.end_of(feed) == error::redirect_refused);
        }
    }
}

TEST_CASE("client/subscription_link: a server that ends streams with 204 is left alone") {
    fixture f;
    scripted_server server{f.io, [](std::string const&, std::size_t) {
                               return scripted_answer{"HTTP/1.1 204 No Content\r\n\r\n"};
                           }};
    subscription_client feed{f.io.get_executor(), server.url("/live"), quick({by_sse, by_poll})};
    feed.subscribe("a");
    CHECK(f.end_of(feed) == error::no_content);
}

TEST_CASE("client/subscription_link: a wrong address is named with what it answered") {
    for (auto const& transports : each_alone) {
        CAPTURE(static_cast<int>(transports[0]));
        fixture f;
        subscription_client feed{f.io.get_executor(), f.address() + "ly", quick(transports)};
        feed.subscribe("a");
        std::string message;
        for (;;) {
            auto const [ec, item] = test::take_next<feed_item>(f.io, feed);
            if (ec) break;
            if (auto const* const refused = std::get_if<feed_refusal>(&item)) {
                CHECK(refused->ec == error::not_found);
                message += refused->message;
            }
        }
        CHECK(message.find("there is nothing at this path") != std::string::npos);
        CHECK(message.find("HTTP status 404") != std::string::npos);
        CHECK(message.find(f.address() + "ly") != std::string::npos);
    }
}

TEST_CASE("client/subscription_link: polls get through a link that cuts what is large") {
    fixture f;
    for (int i = 0; i < 200; ++i) f.all->publish("a", '"' + std::string(1000, 'x') + '"');
    relay between{f.io, f.port};
    between.budget = [] { return std::size_t{20'000}; };
    subscription_client feed{f.io.get_executor(), between.url("/live"), quick({by_poll})};
    feed.subscribe("a", {.cursor = "oldest"});
    for (int i = 1; i <= 200; ++i) CHECK(f.next(feed).starts_with("a" + std::to_string(i) + '='));
}

TEST_CASE("client/subscription_link: what is no livetape server is not believed") {
    fixture f;
    scripted_server server{
        f.io, [](std::string const& head, std::size_t) {
            return head.starts_with("GET /live/sse")
                       ? scripted_answer{"HTTP/1.1 200 OK\r\nContent-Type: "
                                         "text/event-stream\r\n\r\ndata: hello\n\n"}
                       : scripted_answer{test::response("200 OK", "application/json", "{}")};
        }};
    auto options = quick({by_sse, by_poll});
    options.reconnect.attempts_max = 4;
    subscription_client feed{f.io.get_executor(), server.url("/live"), options};
    feed.subscribe("a");
    CHECK(f.end_of(feed) == error::bad_envelope);
    CHECK(server.requests.size() == 4);
}

TEST_CASE("client/subscription_link: nothing is lost, repeated or reordered by cut connections") {
    auto const seed = std::random_device{}();
    MESSAGE("seed ", seed);
    for (auto const& transports :
         {transport_list{by_websocket}, {by_sse}, {by_poll}, {by_websocket, by_sse, by_poll}}) {
        CAPTURE(seed);
        CAPTURE(static_cast<int>(transports[0]));
        CAPTURE(transports.size());
        std::mt19937 random{seed};
        fixture f;
        relay between{f.io, f.port};
        between.budget = [&random] { return 1 + random() % (random() % 2 == 0 ? 400 : 8000); };
        std::vector<std::string> const names{"a", "b", "c"};
        for (auto const& name : names) f.all->publish(name, "0");
        auto options = quick(transports);
        options.reconnect.short_lives_max = 5;
        options.queue_items_max = 50;
        subscription_client feed{f.io.get_executor(), between.url("/live"), options};
        for (auto const& name : names) feed.subscribe(name, {.cursor = "oldest"});

        constexpr std::uint64_t event_count = 300;
        std::map<std::string, std::uint64_t> published, seen;
        for (auto const& name : names) published[name] = 1;
        auto const is_complete = [&] {
            for (auto const& name : names)
                if (seen[name] != event_count) return false;
            return true;
        };
        while (!is_complete()) {
            // An answer to a poll comes as a whole or not at all, so it must fit what gets through.
            std::uint64_t due = 0;
            for (auto const& name : names) due += published[name] - seen[name];
            for (auto burst = random() % 4; burst > 0 && due < 20; --burst) {
                auto const& name = names[random() % names.size()];
                if (published[name] == event_count) continue;
                f.all->publish(name,
                               std::to_string(published[name]++) + std::string(random() % 60, ' '));
                ++due;
            }
            if (due == 0) continue;
            auto const item = f.take(feed);
            REQUIRE_FALSE(std::holds_alternative<feed_gap>(item));
            REQUIRE_FALSE(std::holds_alternative<feed_refusal>(item));
            auto const* const event = std::get_if<feed_event>(&item);
            if (event == nullptr) continue;
            REQUIRE(event->offset == seen[event->channel] + 1);
            REQUIRE(std::stoull(event->data) == seen[event->channel]);
            seen[event->channel] = event->offset;
        }
        CHECK(between.connection_count > 10);
    }
}
