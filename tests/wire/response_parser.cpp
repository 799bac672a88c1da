#include <livetape/wire/response_parser.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <livetape/wire/body.hpp>

#include <doctest/doctest.h>

using namespace std::string_literals;
using livetape::error;
using livetape::parse_status;
using livetape::http::body_decoder;
using livetape::http::body_framing;
using livetape::http::body_reader;
using livetape::http::head_limits;
using livetape::http::read_response_framing;
using livetape::http::response_head;
using livetape::http::response_parser;

namespace {

struct outcome {
    parse_status status = parse_status::need_more;
    error failure = error::none;
    std::string head; // a canonical rendering, empty unless done
    std::string left;

    friend bool operator==(outcome const&, outcome const&) = default;
};

std::string render(response_head const& head) {
    std::string text = std::to_string(head.status());
    text.append("|").append(head.reason()).append("|1.");
    text.append(std::to_string(head.minor_version()));
    for (std::size_t i = 0; i < head.field_count(); ++i) {
        auto const field = head.field_at(i);
        text.append("|").append(field.name).append("=").append(field.value);
    }
    return text;
}

outcome parse(std::vector<std::string> const& pieces, head_limits limits) {
    response_parser parser{limits};
    outcome result;
    for (auto const& piece : pieces) {
        // An exact copy lets the sanitizer see a read past the end.
        std::vector<char> const copy(piece.begin(), piece.end());
        std::string_view input{copy.data(), copy.size()};
        result.status = parser.feed(input);
        if (result.status == parse_status::need_more) CHECK(input.empty());
        if (result.status == parse_status::done) result.left += input;
    }
    result.failure = parser.failure();
    if (result.status == parse_status::done) result.head = render(parser.head());
    return result;
}

// The outcome must not depend on how the bytes were split.
outcome parse_in_every_way(std::string const& text, head_limits limits = {}) {
    auto const whole = parse({text}, limits);
    std::vector<std::string> bytes;
    for (char const c : text) bytes.emplace_back(1, c);
    CHECK(parse(bytes, limits) == whole);
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        CAPTURE(cut);
        CHECK(parse({text.substr(0, cut), text.substr(cut)}, limits) == whole);
    }
    return whole;
}

response_head with(unsigned status, std::string_view name = {}, std::string_view value = {}) {
    response_head head{status};
    if (!name.empty()) head.add_field(name, value);
    return head;
}

body_framing framing_of(response_head const& head, std::string_view method = "GET") {
    body_framing framing;
    CHECK(read_response_framing(head, method, framing) == error::none);
    return framing;
}

} // namespace

TEST_CASE("wire/response_parser: reads heads however they are split [RFC 9112 4]") {
    struct {
        std::string text;
        std::string_view head;
    } const vectors[]{
        {"HTTP/1.1 200 OK\r\n\r\n", "200|OK|1.1"},
        {"HTTP/1.0 404 Not Found\r\nA: b\r\n\r\n", "404|Not Found|1.0|A=b"},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX:\t y \r\n\r\n",
         "101|Switching Protocols|1.1|Upgrade=websocket|X=y"},
        {"HTTP/1.1 204 \r\n\r\n", "204||1.1"},
        {"HTTP/1.1 204\r\n\r\n", "204||1.1"},
        {"HTTP/1.1 999 \xff\t!\r\n\r\n", "999|\xff\t!|1.1"},
        {"HTTP/1.2 200 OK\r\nA: b\r\n\r\n", "200|OK|1.1|A=b"}, // RFC 9110 2.5
        {"HTTP/1.1 100 Continue\r\n\r\n", "100|Continue|1.1"},
    };
    for (auto const& v : vectors) {
        CAPTURE(v.text);
        for (std::string const& after : {""s, "HTTP/1.1 200 OK\r\n"s, "\x81\x00"s}) {
            auto const result = parse_in_every_way(v.text + after);
            CHECK(result.status == parse_status::done);
            CHECK(result.head == v.head);
            CHECK(result.left == after);
        }
        for (std::size_t cut = 0; cut < v.text.size(); ++cut)
            CHECK(parse({v.text.substr(0, cut)}, {}).status == parse_status::need_more);
    }
}

TEST_CASE("wire/response_parser: refuses what is no head [RFC 9112 2.2, 4, 5]") {
    struct {
        std::string text;
        error failure;
    } const vectors[]{
        {"\r\n", error::bad_status_line},
        {"\n", error::bad_status_line},
        {"x", error::bad_status_line},
        {"\x16\x03\x01", error::bad_status_line},
        {"<html>", error::bad_status_line},
        {"HTTPS/1.1 200 OK\r\n", error::bad_status_line},
        {"http/1.1 200 OK\r\n", error::bad_status_line},
        {"HTTP/11 200 OK\r\n\r\n", error::bad_status_line},
        {"HTTP/1.x 200 OK\r\n", error::bad_status_line},
        {"HTTP/1.1\r\n", error::bad_status_line},
        {"HTTP/1.1 \r\n", error::bad_status_line},
        {"HTTP/1.1  200 OK\r\n", error::bad_status_line},
        {"HTTP/1.1\t200 OK\r\n", error::bad_status_line},
        {"HTTP/1.1 20 OK\r\n", error::bad_status_line},
        {"HTTP/1.1 2000 OK\r\n", error::bad_status_line},
        {"HTTP/1.1 099 OK\r\n", error::bad_status_line},
        {"HTTP/1.1 -20 OK\r\n", error::bad_status_line},
        {"HTTP/1.1 2x0 OK\r\n", error::bad_status_line},
        {"HTTP/1.1 200 O\rK\r\n", error::bad_status_line},
        {"HTTP/1.1 200 O\0K\r\n"s, error::bad_status_line},
        {"HTTP/1.1 200 OK\n", error::bad_status_line},
        {"HTTP/2.0 200 OK\r\n", error::bad_http_version},
        {"HTTP/1.1 200 OK\r\nA: b\n", error::bad_header_field},
        {"HTTP/1.1 200 OK\r\nA\r\n", error::bad_header_field},
        {"HTTP/1.1 200 OK\r\n: b\r\n", error::bad_header_field},
        {"HTTP/1.1 200 OK\r\nA : b\r\n", error::bad_header_field},
        {"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n", error::bad_header_field},
        {"HTTP/1.1 200 OK\r\nA: b\rc\r\n", error::bad_header_field},
        {"HTTP/1.1 200 OK\r\n\n", error::bad_header_field},
    };
    for (auto const& v : vectors) {
        CAPTURE(v.text);
        auto const result = parse_in_every_way(v.text);
        CHECK(result.status == parse_status::failed);
        CHECK(result.failure == v.failure);
    }
}

TEST_CASE("wire/response_parser: bounds heads in bytes and in fields") {
    std::string const text = "HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n";
    auto const failure = [&](head_limits limits) {
        return parse_in_every_way(text, limits).failure;
    };
    CHECK(failure({.head_bytes_max = text.size() + 1}) == error::none);
    CHECK(failure({.head_bytes_max = text.size()}) == error::none);
    CHECK(failure({.head_bytes_max = text.size() - 1}) == error::head_too_large);
    CHECK(failure({.fields_max = 3}) == error::none);
    CHECK(failure({.fields_max = 2}) == error::none);
    CHECK(failure({.fields_max = 1}) == error::head_too_large);
}

TEST_CASE("wire/response_parser: goes on after an interim response [RFC 9110 15.2]") {
    response_parser parser;
    std::string_view input = "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx";
    CHECK(parser.feed(input) == parse_status::done);
    CHECK(parser.feed(input) == parse_status::done);
    auto const interim = parser.release();
    CHECK(interim.is_interim());
    CHECK(interim.field("a") == "b");
    CHECK(parser.feed(input) == parse_status::done);
    CHECK(parser.head().status() == 200);
    CHECK_FALSE(parser.head().is_interim());
    CHECK(parser.head().field_count() == 0);
    CHECK(input == "x");
    CHECK_FALSE(response_head{101}.is_interim());
}

TEST_CASE("wire/body_framing: delimits the body of a response [RFC 9112 6.3]") {
    CHECK(framing_of(with(200)).is_until_end);
    CHECK(framing_of(with(500, "content-length", "7")).length == 7);
    CHECK(framing_of(with(200, "Transfer-Encoding", "Chunked")).is_chunked);
    for (unsigned const status : {100u, 101u, 204u, 304u}) {
        auto const framing = framing_of(with(status, "Content-Length", "7"));
        CHECK(framing.length == 0);
        CHECK_FALSE(framing.is_until_end);
    }
    CHECK_FALSE(framing_of(with(200), "HEAD").is_until_end);
    CHECK(framing_of(with(200, "Content-Length", "7"), "HEAD").length == 0);

    body_framing framing;
    auto const failure = [&](response_head const& head) {
        return read_response_framing(head, "GET", framing);
    };
    CHECK(failure(with(200, "Content-Length", "x")) == error::bad_content_length);
    CHECK(failure(with(200, "Transfer-Encoding", "gzip")) == error::bad_transfer_encoding);
    auto both = with(200, "Content-Length", "1");
    both.add_field("Transfer-Encoding", "chunked");
    CHECK(failure(both) == error::bad_content_length);
    response_head old{200, "OK", {{"Transfer-Encoding", "chunked"}}, 0};
    CHECK(failure(old) == error::bad_transfer_encoding);
}

TEST_CASE("wire/body_decoder: hands out content as it comes, until the connection ends") {
    body_decoder decoder{{.is_until_end = true}, 6};
    std::string_view content;
    for (std::string_view input : {"abc", "def"}) {
        auto const piece = input;
        CHECK(decoder.next(input, content) == parse_status::need_more);
        CHECK(content == piece);
        CHECK(decoder.next(input, content) == parse_status::need_more);
        CHECK(content.empty());
    }
    SUBCASE("ended") {
        CHECK(decoder.end());
        std::string_view input = "more";
        CHECK(decoder.next(input, content) == parse_status::done);
        CHECK(input == "more");
    }
    SUBCASE("over the limit") {
        std::string_view input = "g";
        CHECK(decoder.next(input, content) == parse_status::failed);
        CHECK(decoder.failure() == error::body_too_large);
        CHECK_FALSE(decoder.end());
    }
}

TEST_CASE("wire/body_decoder: does not take a broken connection for the end [RFC 9112 8]") {
    std::string_view content;
    body_decoder chunked{{.is_chunked = true}};
    std::string_view input = "3\r\nabc\r\n";
    CHECK(chunked.next(input, content) == parse_status::need_more);
    CHECK(content == "abc");
    CHECK(chunked.next(input, content) == parse_status::need_more);
    CHECK(content.empty());
    CHECK_FALSE(chunked.end());
    input = "0\r\n\r\nx";
    CHECK(chunked.next(input, content) == parse_status::done);
    CHECK(chunked.end());
    CHECK(input == "x");

    body_decoder sized{{.length = 3}};
    input = "ab";
    CHECK(sized.next(input, content) == parse_status::need_more);
    CHECK_FALSE(sized.end());
    CHECK(body_decoder{{}}.end());
}

TEST_CASE("wire/body: collects a response's body to the end of the connection") {
    body_reader reader{{.is_until_end = true}, 100};
    std::string_view input = "hello";
    CHECK(reader.feed(input) == parse_status::need_more);
    CHECK(input.empty());
    CHECK(reader.end());
    CHECK(reader.feed(input) == parse_status::done);
    CHECK(reader.body() == "hello");
}
