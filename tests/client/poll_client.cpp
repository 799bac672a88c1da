#include <livetape/channel/hub.hpp>
#include <livetape/client/http_date.hpp>
#include <livetape/client/poll_client.hpp>
#include <livetape/net/server.hpp>

#include <support/scripted_server.hpp>

#include <doctest/doctest.h>

#include <asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

namespace {

using namespace livetape;
using namespace std::chrono_literals;
using test::scripted_answer;
using test::scripted_server;

poll_client_options quick() {
    poll_client_options options;
    options.reconnect.backoff = {.delay_min = 1ms, .delay_max = 2ms, .requested_delay_max = 2ms};
    return options;
}

std::string answer(std::string_view cursor, std::string_view body = "{}") {
    return test::response("200 OK", "application/json", body,
                          "ETag: \"" + std::string{cursor} + "\"\r\n");
}

std::string cut(std::string whole) {
    whole.pop_back();
    return whole;
}

struct fixture {
    asio::io_context io;

    poll_response take(poll_client& client) {
        auto [ec, found] = test::take_next<poll_response>(io, client);
        REQUIRE_FALSE(ec);
        return found;
    }
    std::error_code end_of(poll_client& client) {
        return test::take_next<poll_response>(io, client).first;
    }
};

} // namespace

TEST_CASE(
    "client/poll_client: polls on one connection, each time with the cursor of the last answer") {
    fixture f;
    scripted_server server{f.io, [](std::string const&, std::size_t number) {
                               return scripted_answer{
                                   answer("e-" + std::to_string(number), std::to_string(number)),
                                   false};
                           }};
    auto options = quick();
    options.events_max = 7;
    poll_client client{f.io.get_executor(), server.url("/live/poll?channel=a"), options};
    for (int i = 0; i < 3; ++i) {
        auto const found = f.take(client);
        CHECK(found.body == std::to_string(i));
        CHECK(found.cursor == "e-" + std::to_string(i));
    }
    CHECK(server.connection_count == 1);
    CHECK(server.requests.at(0).starts_with(
        "GET /live/poll?channel=a&cursor=now&wait=0&limit=7 HTTP/1.1\r\n"));
    CHECK(server.requests.at(1).starts_with(
        "GET /live/poll?channel=a&cursor=e-0&wait=25&limit=7 HTTP/1.1\r\n"));
    CHECK(server.requests.at(2).starts_with(
        "GET /live/poll?channel=a&cursor=e-1&wait=25&limit=7 HTTP/1.1\r\n"));
}

TEST_CASE("client/poll_client: sends a request again when the idle connection was closed [RFC 9112 "
          "9.3.1]") {
    fixture f;
    scripted_server server{f.io, [](std::string const&, std::size_t number) {
                               return scripted_answer{answer("e-" + std::to_string(number))};
                           }};
    poll_client client{f.io.get_executor(), server.url("/"), quick()};
    CHECK(f.take(client).cursor == "e-0");
    CHECK(f.take(client).cursor == "e-1");
    CHECK(f.take(client).cursor == "e-2");
    CHECK(server.connection_count >= 3);
}

TEST_CASE(
    "client/poll_client: leaves a connection that the server is going to close [RFC 9112 9.6]") {
    for (std::string const line :
         {"HTTP/1.1 200 OK\r\nConnection: other, Close\r\n", "HTTP/1.0 200 OK\r\n"}) {
        CAPTURE(line);
        fixture f;
        scripted_server server{f.io, [&](std::string const&, std::size_t) {
                                   return scripted_answer{
                                       line + "Content-Type: application/json\r\nETag: \"c\"\r\n"
                                              "Content-Length: 2\r\n\r\n{}",
                                       false};
                               }};
        poll_client client{f.io.get_executor(), server.url("/"), quick()};
        for (int i = 0; i < 3; ++i) CHECK(f.take(client).body == "{}");
        CHECK(server.connection_count >= 3);
    }
}

TEST_CASE("client/poll_client: keeps its cursor through failures that pass") {
    fixture f;
    scripted_server server{
        f.io, [](std::string const&, std::size_t number) {
            switch (number) {
            case 1: return scripted_answer{test::response("502 Bad Gateway", "text/html", "<p>")};
            case 2: return scripted_answer{cut(answer("e-9", "{}"))};
            case 3:
                return scripted_answer{test::response("429 Too Many Requests", "text/plain", "",
                                                      "Retry-After: 0\r\n")};
            case 4: return scripted_answer{test::redirect("/there?cursor=e-0", "308 Moved")};
            default: return scripted_answer{answer("e-" + std::to_string(number)), false};
            }
        }};
    poll_client client{f.io.get_executor(), server.url("/"), quick()};
    CHECK(f.take(client).cursor == "e-0");
    CHECK(f.take(client).cursor == "e-5");
    for (std::size_t i : {1u, 2u})
        CHECK(server.requests.at(i).starts_with("GET /?cursor=e-0&wait=25 "));
    // After an answer that was cut it asks for less at a time.
    for (std::size_t i : {3u, 4u})
        CHECK(server.requests.at(i).starts_with("GET /?cursor=e-0&wait=25&limit=500 "));
    CHECK(server.requests.at(5).starts_with("GET /there?cursor=e-0 "));
}

TEST_CASE("client/poll_client: ends when polling makes no sense") {
    struct row {
        char const* name;
        std::string answer;
        std::error_code expected;
    };
    for (auto const& each : {
             row{"400", test::response("400 Bad Request", "application/json", "{}"),
                 error::unexpected_status},
             row{"a page", test::response("200 OK", "text/html", "<p>"), error::bad_content_type},
             row{"no cursor", test::response("200 OK", "application/json", "{}"),
                 error::bad_envelope},
         }) {
        CAPTURE(each.name);
        fixture f;
        scripted_server server{f.io, [bytes = each.answer](std::string const&, std::size_t) {
                                   return scripted_answer{bytes};
                               }};
        poll_client client{f.io.get_executor(), server.url("/"), quick()};
        CHECK(f.end_of(client) == each.expected);
    }
}

TEST_CASE("client/poll_client: an answer over the limit is not kept") {
    fixture f;
    scripted_server server{f.io, [](std::string const&, std::size_t number) {
                               return scripted_answer{
                                   answer("e-0", std::string(number == 0 ? 11 : 10, ' '))};
                           }};
    auto options = quick();
    options.body_bytes_max = 10;
    poll_client client{f.io.get_executor(), server.url("/"), options};
    CHECK(f.take(client).body.size() == 10);
    CHECK(server.requests.size() >= 2);
}

TEST_CASE("client/poll_client: follows a server of this library without loss") {
    fixture f;
    hub all;
    server served{f.io.get_executor(), all};
    served.live("/live");
    auto const port = served.listen({asio::ip::address_v4::loopback(), 0}).port();
    auto& clock = all.open("clock");
    auto options = quick();
    options.events_max = 3;
    options.cursor = "oldest";
    clock.publish("0");
    poll_client client{f.io.get_executor(),
                       "http://127.0.0.1:" + std::to_string(port) + "/live/poll?channel=clock",
                       options};
    std::string seen;
    for (int next = 1; next < 20; ++next) {
        auto const found = f.take(client);
        seen += found.body;
        clock.publish(std::to_string(next));
    }
    for (int i = 0; i < 19; ++i) {
        CAPTURE(i);
        auto const text = "\"data\":" + std::to_string(i) + '}';
        auto const at = seen.find(text);
        while (seen.find(text) == std::string::npos) seen += f.take(client).body;
        CHECK(seen.find(text, at + 1) == std::string::npos);
    }
}

TEST_CASE("client/http_date: reads the three forms, and nothing else [RFC 9110 5.6.7]") {
    using detail::parse_http_date;
    using std::chrono::sys_seconds;
    sys_seconds const then{std::chrono::seconds{784111777}};
    for (auto const* text : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                             "Sun Nov  6 08:49:37 1994"}) {
        CAPTURE(text);
        CHECK(parse_http_date(text) == then);
    }
    CHECK(parse_http_date("Tue, 29 Feb 2028 23:59:60 GMT"));
    CHECK(parse_http_date("Tuesday, 01-Jan-69 00:00:00 GMT") >
          parse_http_date("Thursday, 01-Jan-70 00:00:00 GMT"));
    for (auto const* text :
         {"", "120", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
          "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 ovD 1994 08:49:37 GMT",
          "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 8:49:37 GMT",
          "Sun, 06 Nov 1994 08-49-37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT x",
          "Sun, 06 Nov 99999999999 08:49:37 GMT", "Sun, 06 Nov 12345 08:49:37 GMT",
          "Sun, 06 Nov 1994 08:+9:37 GMT"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_http_date(text));
    }
}

TEST_CASE(
    "client/http_exchange: Retry-After counts from the server's own clock [RFC 9110 10.2.3]") {
    auto const asked = [](std::string_view after, std::string_view date) {
        http::response_parser parser;
        std::string const text = "HTTP/1.1 503 Busy\r\nRetry-After: " + std::string{after} +
                                 "\r\n" + std::string{date} + "\r\n";
        std::string_view input = text;
        REQUIRE(parser.feed(input) == parse_status::done);
        return detail::retry_after(parser.release());
    };
    auto const date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    CHECK(asked("7", "") == 7s);
    CHECK(asked("Sun, 06 Nov 1994 08:50:37 GMT", date) == 60s);
    CHECK(asked("Sun, 06 Nov 1994 08:49:37 GMT", date) == 0s);
    CHECK(asked("Sun, 06 Nov 1994 08:49:36 GMT", date) == 0s);
    CHECK(asked("Sun, 06 Nov 1994 08:50:37 GMT", "") == 0s);
    CHECK(asked("soon", date) == 0s);
    CHECK(asked("-1", date) == 0s);
}

TEST_CASE("client/poll_limit: halves what is asked for after a failure, and doubles it again") {
    detail::poll_limit any;
    CHECK(any.parameter() == 0);
    any.failed();
    CHECK(any.parameter() == 500);
    for (int i = 0; i < 20; ++i) any.failed();
    CHECK(any.parameter() == 1);
    any.succeeded();
    CHECK(any.parameter() == 2);
    for (int i = 0; i < 20; ++i) any.succeeded();
    CHECK(any.parameter() == 0);
    detail::poll_limit few{10};
    CHECK(few.parameter() == 10);
    few.failed();
    CHECK(few.parameter() == 5);
    few.succeeded();
    few.succeeded();
    CHECK(few.parameter() == 10);
}
