#include <livetape/wire/request_parser.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

using namespace std::string_literals;
using livetape::error;
using livetape::parse_status;
using livetape::http::head_limits;
using livetape::http::request_head;
using livetape::http::request_parser;

namespace {

struct outcome {
    parse_status status = parse_status::need_more;
    error failure = error::none;
    std::string head; // a canonical rendering, empty unless done
    std::string left; // what the parser did not take, if done
};

std::string render(request_head const& head) {
    std::string text;
    text.append(head.method()).append("|").append(head.target()).append("|1.");
    text.append(std::to_string(head.minor_version()));
    for (std::size_t i = 0; i < head.field_count(); ++i) {
        auto const field = head.field_at(i);
        text.append("|").append(field.name).append("=").append(field.value);
    }
    return text;
}

// Feeds the pieces in order; a piece is fed with what the parser left of the one before.
outcome parse(std::vector<std::string> const& pieces, head_limits limits = {}) {
    request_parser parser{limits};
    outcome result;
    for (auto const& piece : pieces) {
        if (result.status == parse_status::done) {
            result.left += piece;
            continue;
        }
        // An exact copy lets the sanitizer see a read past the end.
        std::vector<char> const copy(piece.begin(), piece.end());
        std::string_view input{copy.data(), copy.size()};
        auto const before = result.status;
        result.status = parser.feed(input);
        if (before == parse_status::failed) CHECK(input.size() == piece.size());
        if (result.status == parse_status::need_more) CHECK(input.empty());
        if (result.status == parse_status::done) result.left += input;
    }
    result.failure = parser.failure();
    if (result.status == parse_status::done) result.head = render(parser.head());
    return result;
}

std::vector<std::string> bytewise(std::string_view text) {
    std::vector<std::string> pieces;
    for (char const c : text) pieces.emplace_back(1, c);
    return pieces;
}

// The outcome must not depend on how the bytes were split.
outcome parse_in_every_way(std::string const& text, head_limits limits = {}) {
    auto const whole = parse({text}, limits);
    auto const check_same = [&](outcome const& other) {
        CHECK(other.status == whole.status);
        CHECK(other.failure == whole.failure);
        CHECK(other.head == whole.head);
        CHECK(other.left == whole.left);
    };
    check_same(parse(bytewise(text), limits));
    if (text.size() <= 600) {
        for (std::size_t cut = 0; cut <= text.size(); ++cut) {
            CAPTURE(cut);
            check_same(parse({text.substr(0, cut), text.substr(cut)}, limits));
        }
    }
    return whole;
}

struct accepted {
    char const* name;
    std::string text;
    std::string head;
};

std::vector<accepted> const accepted_heads{
    {"RFC 9112 2.1",
     "GET /hello.txt HTTP/1.1\r\nUser-Agent: curl/7.64.1\r\nHost: www.example.com\r\n"
     "Accept-Language: en, mi\r\n\r\n",
     "GET|/hello.txt|1.1|User-Agent=curl/7.64.1|Host=www.example.com|Accept-Language=en, mi"},
    {"RFC 6455 1.2",
     "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n"
     "Connection: Upgrade\r\n"
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n"
     "Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n",
     "GET|/chat|1.1|Host=server.example.com|Upgrade=websocket|Connection=Upgrade|"
     "Sec-WebSocket-Key=dGhlIHNhbXBsZSBub25jZQ==|Origin=http://example.com|"
     "Sec-WebSocket-Protocol=chat, superchat|Sec-WebSocket-Version=13"},
    {"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", "GET|/|1.0"},
    {"HTTP/1.0 with Host", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", "GET|/|1.0|Host=a"},
    {"a later minor version, RFC 9110 2.5", "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
     "GET|/|1.1|Host=a"},
    {"the last one", "GET / HTTP/1.9\r\nHost: a\r\n\r\n", "GET|/|1.1|Host=a"},
    {"empty lines first, RFC 9112 2.2", "\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET|/|1.1|Host=a"},
    {"asterisk form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS|*|1.1|Host=a"},
    {"absolute form", "GET http://a.example:80/b?c HTTP/1.1\r\nHost: a.example:80\r\n\r\n",
     "GET|http://a.example:80/b?c|1.1|Host=a.example:80"},
    {"absolute form, IPv6, no path",
     "GET HTTPS://[::1]:8443?x=y HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n",
     "GET|HTTPS://[::1]:8443?x=y|1.1|Host=[::1]:8443"},
    {"query with raw brackets", "GET /a?x=[1]|{2}^`\\' HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET|/a?x=[1]|{2}^`\\'|1.1|Host=a"},
    {"white space around values",
     "GET / HTTP/1.1\r\nHost:a\r\nX: \t b \t c\t \r\nEmpty:\r\nBlank:  \t\r\n\r\n",
     "GET|/|1.1|Host=a|X=b \t c|Empty=|Blank="},
    {"obs-text",
     "GET / HTTP/1.1\r\nHost: a\r\nX: caf\xc3\xa9 \xff\xff\xff\xff\xff\xff\xff\xff\r\n\r\n",
     "GET|/|1.1|Host=a|X=caf\xc3\xa9 \xff\xff\xff\xff\xff\xff\xff\xff"},
    {"every token character",
     "M!#$%&'*+-.^_`|~09 / HTTP/1.1\r\nHost: a\r\nx!#$%&'*+-.^_`|~09: y\r\n\r\n",
     "M!#$%&'*+-.^_`|~09|/|1.1|Host=a|x!#$%&'*+-.^_`|~09=y"},
    {"Content-Length", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 007\r\n\r\n",
     "POST|/|1.1|host=a|content-length=007"},
    {"largest Content-Length",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n",
     "POST|/|1.1|Host=a|Content-Length=9223372036854775807"},
    {"chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
     "POST|/|1.1|Host=a|Transfer-Encoding=Chunked"},
};

struct refused {
    char const* name;
    std::string text;
    error failure;
};

// A request line or a set of fields in an otherwise good head.
std::string with_line(std::string const& line) { return line + "\r\nHost: a\r\n\r\n"; }
std::string with_fields(std::string const& fields) {
    return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}
std::string with_host(std::string const& host) {
    return "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
}

std::vector<refused> const refused_heads{
    {"TLS client hello", "\x16\x03\x01\x02\x00\x01"s, error::bad_request_line},
    {"space first", with_line(" GET / HTTP/1.1"), error::bad_request_line},
    {"five empty lines", "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
     error::bad_request_line},
    {"bare LF before the request line", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
     error::bad_request_line},
    {"bare LF ends the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", error::bad_request_line},
    {"bare CR ends the request line", "GET / HTTP/1.1\rHost: a\r\n\r\n", error::bad_request_line},
    {"bare CR before the request line", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
     error::bad_request_line},
    {"method only", with_line("GET"), error::bad_request_line},
    {"method not a token", with_line("G(T / HTTP/1.1"), error::bad_request_line},
    {"method with NUL", with_line("GE\0T / HTTP/1.1"s), error::bad_request_line},
    {"method of 33 bytes", with_line(std::string(33, 'M') + " / HTTP/1.1"),
     error::bad_request_line},
    {"two spaces after the method", with_line("GET  / HTTP/1.1"), error::bad_request_line},
    {"space in the target", with_line("GET /a b HTTP/1.1"), error::bad_request_line},
    {"space after the version", with_line("GET / HTTP/1.1 "), error::bad_request_line},
    {"tab in the request line", with_line("GET\t/ HTTP/1.1"), error::bad_request_line},
    {"no target", with_line("GET  HTTP/1.1"), error::bad_request_line},
    {"relative target", with_line("GET a HTTP/1.1"), error::bad_request_line},
    {"asterisk for GET", with_line("GET * HTTP/1.1"), error::bad_request_line},
    {"CONNECT", with_line("CONNECT a:80 HTTP/1.1"), error::bad_request_line},
    {"CONNECT with origin form", with_line("CONNECT /a HTTP/1.1"), error::bad_request_line},
    {"authority form for GET", with_line("GET a:80 HTTP/1.1"), error::bad_request_line},
    {"other scheme", with_line("GET ftp://a/ HTTP/1.1"), error::bad_request_line},
    {"fragment", with_line("GET /a#b HTTP/1.1"), error::bad_request_line},
    {"target with NUL", with_line("GET /a\0b HTTP/1.1"s), error::bad_request_line},
    {"target with DEL", with_line("GET /a\x7f HTTP/1.1"), error::bad_request_line},
    {"target not ASCII", with_line("GET /caf\xc3\xa9 HTTP/1.1"), error::bad_request_line},
    {"lower-case version", with_line("GET / http/1.1"), error::bad_request_line},
    {"version of one digit", with_line("GET / HTTP/1"), error::bad_request_line},
    {"version of three digits", with_line("GET / HTTP/1.10"), error::bad_request_line},
    {"HTTP/0.9", "GET /\r\n", error::bad_http_version},
    {"HTTP/1.2 without Host", "GET / HTTP/1.2\r\n\r\n", error::bad_host},
    {"HTTP/2.0 preface, RFC 9113 3.4", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", error::bad_http_version},
    {"HTTP/3.0", with_line("GET / HTTP/3.0"), error::bad_http_version},

    {"no colon", with_fields("Field\r\n"), error::bad_header_field},
    {"empty name", with_fields(": value\r\n"), error::bad_header_field},
    {"space before the colon", with_fields("Field : value\r\n"), error::bad_header_field},
    {"space in the name", with_fields("Fie ld: value\r\n"), error::bad_header_field},
    {"name with NUL", with_fields("Fie\0ld: value\r\n"s), error::bad_header_field},
    {"name not ASCII", with_fields("Fi\xc3\xa9ld: value\r\n"), error::bad_header_field},
    {"folded with a space", with_fields("Field: a\r\n b\r\n"), error::bad_header_field},
    {"folded with a tab", with_fields("Field: a\r\n\tb: c\r\n"), error::bad_header_field},
    {"white space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
     error::bad_header_field},
    {"value with NUL", with_fields("Field: a\0b\r\n"s), error::bad_header_field},
    {"value with ESC after eight bytes", with_fields("Field: 12345678\x1b\r\n"),
     error::bad_header_field},
    {"value with DEL in eight bytes",
     with_fields("Field: 123\x7f"
                 "56789\r\n"),
     error::bad_header_field},
    {"value with tab and then control",
     with_fields("Field: 1\t3\x01"
                 "567890\r\n"),
     error::bad_header_field},
    {"bare CR in a value", with_fields("Field: a\rb\r\n"), error::bad_header_field},
    {"bare LF ends a field", with_fields("Field: a\n"), error::bad_header_field},
    {"bare LF ends the head", "GET / HTTP/1.1\r\nHost: a\r\n\n", error::bad_header_field},

    {"no Host in HTTP/1.1", "GET / HTTP/1.1\r\n\r\n", error::bad_host},
    {"two Hosts", with_fields("host: a\r\n"), error::bad_host},
    {"two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", error::bad_host},
    {"empty Host", with_host(""), error::bad_host},
    {"Host with a path", with_host("a/b"), error::bad_host},
    {"Host with user information", with_host("u@a"), error::bad_host},
    {"Host list", with_host("a b"), error::bad_host},
    {"Host port", with_host("a:65536"), error::bad_host},
    {"absolute form without authority", with_line("GET http:///a HTTP/1.1"), error::bad_host},
    {"absolute form with user information", with_line("GET http://u@a/ HTTP/1.1"), error::bad_host},

    {"Content-Length twice", with_fields("Content-Length: 1\r\nContent-Length: 1\r\n"),
     error::bad_content_length},
    {"Content-Length list", with_fields("Content-Length: 1, 1\r\n"), error::bad_content_length},
    {"Content-Length empty", with_fields("Content-Length:\r\n"), error::bad_content_length},
    {"Content-Length negative", with_fields("Content-Length: -1\r\n"), error::bad_content_length},
    {"Content-Length with plus", with_fields("Content-Length: +1\r\n"), error::bad_content_length},
    {"Content-Length hexadecimal", with_fields("Content-Length: 0x1\r\n"),
     error::bad_content_length},
    {"Content-Length 2^63", with_fields("Content-Length: 9223372036854775808\r\n"),
     error::bad_content_length},
    {"Content-Length 2^64", with_fields("Content-Length: 18446744073709551616\r\n"),
     error::bad_content_length},
    {"both framings", with_fields("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
     error::bad_content_length},

    {"gzip", with_fields("Transfer-Encoding: gzip\r\n"), error::bad_transfer_encoding},
    {"gzip, chunked", with_fields("Transfer-Encoding: gzip, chunked\r\n"),
     error::bad_transfer_encoding},
    {"chunked twice in one line", with_fields("Transfer-Encoding: chunked, chunked\r\n"),
     error::bad_transfer_encoding},
    {"chunked twice", with_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
     error::bad_transfer_encoding},
    {"identity", with_fields("Transfer-Encoding: identity\r\n"), error::bad_transfer_encoding},
    {"chunked with a parameter", with_fields("Transfer-Encoding: chunked;q=1\r\n"),
     error::bad_transfer_encoding},
    {"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
     error::bad_transfer_encoding},
};

std::string head_of_size(std::size_t bytes) {
    std::string const start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    return start + std::string(bytes - start.size() - 4, 'x') + "\r\n\r\n";
}

} // namespace

TEST_CASE(
    "wire/request_parser: accepts well-formed heads however they are split [RFC 9112 2 to 6]") {
    for (auto const& v : accepted_heads) {
        CAPTURE(v.name);
        auto const result = parse_in_every_way(v.text);
        CHECK(result.status == parse_status::done);
        CHECK(result.failure == error::none);
        CHECK(result.head == v.head);
        CHECK(result.left.empty());
    }
}

TEST_CASE("wire/request_parser: leaves what follows the head [RFC 9112 6]") {
    for (auto const& v : accepted_heads) {
        CAPTURE(v.name);
        auto const result = parse_in_every_way(v.text + "\r\nbody\n");
        CHECK(result.head == v.head);
        CHECK(result.left == "\r\nbody\n");
    }
}

TEST_CASE("wire/request_parser: wants more before every end of a head") {
    for (auto const& v : accepted_heads) {
        CAPTURE(v.name);
        for (std::size_t cut = 0; cut < v.text.size(); ++cut)
            CHECK(parse({v.text.substr(0, cut)}).status == parse_status::need_more);
    }
}

TEST_CASE("wire/request_parser: refuses malformed heads however they are split [RFC 9112 2 to 6]") {
    for (auto const& v : refused_heads) {
        CAPTURE(v.name);
        auto const result = parse_in_every_way(v.text);
        CHECK(result.status == parse_status::failed);
        CHECK(livetape::describe(result.failure).name == livetape::describe(v.failure).name);
    }
}

TEST_CASE("wire/request_parser: refuses every other control character in a value [RFC 9110 5.5]") {
    for (int c = 0; c < 256; ++c) {
        CAPTURE(c);
        auto const byte = static_cast<char>(static_cast<unsigned char>(c));
        bool const is_allowed = c == '\t' || (c >= 0x20 && c != 0x7f);
        for (std::size_t position = 1; position < 20; ++position) {
            std::string value(20, 'v');
            value[position] = byte;
            auto const result = parse({with_fields("X: " + value + "\r\n")});
            CHECK((result.status == parse_status::done) == is_allowed);
        }
    }
}

TEST_CASE("wire/request_parser: refuses another protocol at its first byte") {
    auto const long_line = "\x16\x03 " + std::string(10000, 'a') + " \r\n";
    CHECK(parse_in_every_way(long_line).failure == error::bad_request_line);

    request_parser parser;
    std::string_view input{"\x16", 1};
    CHECK(parser.feed(input) == parse_status::failed);
    CHECK(parser.failure() == error::bad_request_line);
}

TEST_CASE("wire/request_parser: takes no input after a failure") {
    request_parser parser;
    std::string_view input = "GET / HTTP/9.9\r\n";
    CHECK(parser.feed(input) == parse_status::failed);
    std::string_view later = "GET / HTTP/1.0\r\n\r\n";
    CHECK(parser.feed(later) == parse_status::failed);
    CHECK(later.size() == 18);
    CHECK(parser.failure() == error::bad_http_version);
}

TEST_CASE("wire/request_parser: bounds the bytes of a head") {
    constexpr std::size_t limit = 200;
    for (std::size_t bytes : {limit - 1, limit, limit + 1}) {
        CAPTURE(bytes);
        auto const result = parse_in_every_way(head_of_size(bytes), {.head_bytes_max = limit});
        CHECK((result.status == parse_status::done) == (bytes <= limit));
        CHECK(result.failure == (bytes <= limit ? error::none : error::head_too_large));
    }
    SUBCASE("before the head ends") {
        auto const unfinished = head_of_size(2 * limit).substr(0, limit);
        CHECK(parse_in_every_way(unfinished, {.head_bytes_max = limit}).failure ==
              error::head_too_large);
        CHECK(parse({unfinished.substr(1)}, {.head_bytes_max = limit}).failure == error::none);
    }
    SUBCASE("with the defaults") {
        CHECK(parse({head_of_size(16384)}).status == parse_status::done);
        CHECK(parse({head_of_size(16385)}).failure == error::head_too_large);
    }
}

TEST_CASE("wire/request_parser: bounds the request target [RFC 9112 3]") {
    constexpr std::size_t limit = 100;
    for (std::size_t bytes : {limit - 1, limit, limit + 1, 3 * limit}) {
        CAPTURE(bytes);
        auto const line = "GET /" + std::string(bytes - 1, 'a') + " HTTP/1.1";
        auto const result = parse_in_every_way(with_line(line), {.target_bytes_max = limit});
        CHECK((result.status == parse_status::done) == (bytes <= limit));
        CHECK(result.failure == (bytes <= limit ? error::none : error::target_too_long));
    }
    SUBCASE("before the line ends") {
        auto const unfinished = "GET /" + std::string(2 * limit, 'a');
        CHECK(parse_in_every_way(unfinished, {.target_bytes_max = limit}).failure ==
              error::target_too_long);
    }
    SUBCASE("an endless method is no target") {
        CHECK(
            parse_in_every_way(std::string(2 * limit, 'a'), {.target_bytes_max = limit}).failure ==
            error::bad_request_line);
    }
    SUBCASE("nor is it a large head") {
        CHECK(parse_in_every_way(std::string(2 * limit, 'a'),
                                 {.head_bytes_max = 2 * limit, .target_bytes_max = limit})
                  .failure == error::bad_request_line);
    }
    SUBCASE("neither is what follows something that is no method") {
        auto const line = "G\xc3\x84T /" + std::string(2 * limit, 'a') + " HTTP/1.1";
        CHECK(parse_in_every_way(with_line(line), {.target_bytes_max = limit}).failure ==
              error::bad_request_line);
    }
    SUBCASE("the longest method does not shorten it") {
        auto const line = std::string(32, 'M') + " /" + std::string(limit - 1, 'a') + " HTTP/1.1";
        CHECK(parse_in_every_way(with_line(line), {.target_bytes_max = limit}).status ==
              parse_status::done);
    }
    SUBCASE("with the defaults") {
        CHECK(parse({with_line("GET /" + std::string(8191, 'a') + " HTTP/1.1")}).status ==
              parse_status::done);
        CHECK(parse({with_line("GET /" + std::string(8192, 'a') + " HTTP/1.1")}).failure ==
              error::target_too_long);
    }
}

TEST_CASE("wire/request_parser: bounds the number of fields") {
    for (std::size_t fields : {2u, 3u, 4u}) {
        CAPTURE(fields);
        std::string text;
        for (std::size_t i = 1; i < fields; ++i) text += "a: b\r\n";
        auto const result = parse_in_every_way(with_fields(text), {.fields_max = 3});
        CHECK(result.failure == (fields <= 3 ? error::none : error::head_too_large));
    }
}

TEST_CASE("wire/request_parser: parses pipelined requests one after the other [RFC 9112 9.3.2]") {
    std::string const text =
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: b\r\n\r\nGET";
    std::string_view input = text;
    request_parser parser;
    CHECK_FALSE(parser.has_begun());
    REQUIRE(parser.feed(input) == parse_status::done);
    REQUIRE(parser.feed(input) == parse_status::done);
    auto const first = parser.release();
    CHECK_FALSE(parser.has_begun());
    REQUIRE(parser.feed(input) == parse_status::done);
    auto const second = parser.release();
    CHECK(parser.feed(input) == parse_status::need_more);
    CHECK(parser.has_begun());
    CHECK(render(first) == "GET|/1|1.1|Host=a");
    CHECK(render(second) == "GET|/2|1.1|Host=b");
}
