#include <livetape/wire/body.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

using namespace std::string_literals;
using livetape::error;
using livetape::parse_status;
using livetape::http::body_reader;
using livetape::http::check_expectation;
using livetape::http::expects_continue;
using livetape::http::request_head;

namespace {

request_head const chunked{"POST", "/", {{"Transfer-Encoding", "chunked"}}};

request_head sized(std::string_view length) { return {"POST", "/", {{"Content-Length", length}}}; }

struct outcome {
    parse_status status = parse_status::need_more;
    error failure = error::none;
    std::string body;
    std::string left;
};

outcome read(request_head const& head, std::vector<std::string> const& pieces, std::size_t limit) {
    body_reader reader{head, limit};
    outcome result;
    std::string_view nothing;
    result.status = reader.feed(nothing);
    for (auto const& piece : pieces) {
        std::vector<char> const copy(piece.begin(), piece.end());
        std::string_view input{copy.data(), copy.size()};
        auto const before = result.status;
        result.status = reader.feed(input);
        if (before != parse_status::need_more) CHECK(input.size() == piece.size());
        if (result.status == parse_status::need_more) CHECK(input.empty());
        if (result.status == parse_status::done) result.left += input;
    }
    result.failure = reader.failure();
    if (result.status == parse_status::done) result.body = reader.body();
    return result;
}

outcome read_in_every_way(request_head const& head, std::string const& text, std::size_t limit) {
    auto const whole = read(head, {text}, limit);
    auto const check_same = [&](outcome const& other) {
        CHECK(other.status == whole.status);
        CHECK(other.failure == whole.failure);
        CHECK(other.body == whole.body);
        CHECK(other.left == whole.left);
    };
    std::vector<std::string> bytes;
    for (char const c : text) bytes.emplace_back(1, c);
    check_same(read(head, bytes, limit));
    for (std::size_t cut = 0; cut <= text.size() && text.size() < 1000; ++cut) {
        CAPTURE(cut);
        check_same(read(head, {text.substr(0, cut), text.substr(cut)}, limit));
    }
    return whole;
}

} // namespace

TEST_CASE("wire/body: is done at once when the request has no body [RFC 9112 6.3]") {
    for (auto const& head : {request_head{"GET", "/"}, sized("0")}) {
        auto const result = read_in_every_way(head, "GET / HTTP/1.1\r\n", 0);
        CHECK(result.status == parse_status::done);
        CHECK(result.body.empty());
        CHECK(result.left == "GET / HTTP/1.1\r\n");
    }
}

TEST_CASE("wire/body: takes as many bytes as Content-Length says [RFC 9112 6.2]") {
    std::string const text = "{\"a\":1}\r\n\0\xff"s;
    auto const length = std::to_string(text.size());
    for (std::string const& after : {""s, "POST"s}) {
        auto const result = read_in_every_way(sized(length), text + after, 100);
        CHECK(result.status == parse_status::done);
        CHECK(result.body == text);
        CHECK(result.left == after);
    }
    for (std::size_t cut = 0; cut < text.size(); ++cut)
        CHECK(read(sized(length), {text.substr(0, cut)}, 100).status == parse_status::need_more);
}

TEST_CASE("wire/body: bounds Content-Length before anything arrives") {
    CHECK(read(sized("9"), {}, 10).status == parse_status::need_more);
    CHECK(read(sized("10"), {}, 10).status == parse_status::need_more);
    auto const result = read(sized("11"), {}, 10);
    CHECK(result.status == parse_status::failed);
    CHECK(result.failure == error::body_too_large);
}

TEST_CASE("wire/body: decodes chunks however they are split [RFC 9112 7.1]") {
    struct {
        char const* name;
        std::string text;
        std::string_view body;
    } const vectors[]{
        {"empty", "0\r\n\r\n", ""},
        {"one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello"},
        {"several", "4\r\nWiki\r\n7\r\npedia i\r\nB\r\nn \r\nchunks.\r\n0\r\n\r\n",
         "Wikipedia in \r\nchunks."},
        {"lower case and leading zeros", "000a\r\n0123456789\r\n0000\r\n\r\n", "0123456789"},
        {"sixteen digits", "0000000000000001\r\na\r\n0\r\n\r\n", "a"},
        {"extensions", "1;a\r\nx\r\n1;b=c;d=\"e f\"\r\ny\r\n0;z\r\n\r\n", "xy"},
        {"white space before an extension", "1 \t;a\r\nx\r\n0\r\n\r\n", "x"},
        {"trailers", "1\r\nx\r\n0\r\nExpires: never\r\nX:\t y \r\n\r\n", "x"},
    };
    for (auto const& v : vectors) {
        CAPTURE(v.name);
        for (std::string const& after : {""s, "GET / HTTP/1.1\r\n"s}) {
            auto const result = read_in_every_way(chunked, v.text + after, 100);
            CHECK(result.status == parse_status::done);
            CHECK(result.body == v.body);
            CHECK(result.left == after);
        }
        for (std::size_t cut = 0; cut < v.text.size(); ++cut)
            CHECK(read(chunked, {v.text.substr(0, cut)}, 100).status == parse_status::need_more);
    }
}

TEST_CASE("wire/body: refuses malformed chunks however they are split [RFC 9112 7.1]") {
    struct {
        char const* name;
        std::string text;
    } const vectors[]{
        {"no size", "\r\n"},
        {"not a digit", "g\r\n"},
        {"negative", "-1\r\n"},
        {"prefix", "0x1\r\na\r\n"},
        {"space before the size", " 1\r\na\r\n"},
        {"space after the size", "1 \r\na\r\n"},
        {"seventeen digits", "00000000000000001\r\na\r\n"},
        {"bare LF after the size", "1\na\r\n"},
        {"bare CR after the size", "1\ra\r\n"},
        {"extension only", ";a\r\n"},
        {"extension with bare LF", "1;a\nb\r\n"},
        {"extension with bare CR", "1;a\rb\r\n"},
        {"extension with NUL", "1;\0\r\n"s},
        {"longer than its size", "1\r\nab\r\n"},
        {"bare LF after the data", "1\r\na\n0\r\n\r\n"},
        {"bare CR after the data", "1\r\na\r0\r\n\r\n"},
        {"two lines after the data", "1\r\na\r\n\r\n"},
        {"trailer with bare LF", "0\r\nA: b\n\r\n"},
        {"trailer with bare CR", "0\r\nA: b\rc\r\n"},
        {"trailer with control", "0\r\nA: \x01\r\n"},
        {"folded trailer", "0\r\nA: b\r\n c\r\n"},
        {"trailer without a colon", "0\r\nA\r\n"},
        {"trailer without a name", "0\r\n: b\r\n"},
        {"trailer with a space before the colon", "0\r\nA : b\r\n"},
        {"bare LF at the end", "0\r\n\n"},
        {"bare CR at the end", "0\r\n\rX"},
    };
    for (auto const& v : vectors) {
        CAPTURE(v.name);
        auto const result = read_in_every_way(chunked, v.text, 100);
        CHECK(result.status == parse_status::failed);
        CHECK(result.failure == error::bad_transfer_encoding);
    }
}

TEST_CASE("wire/body: bounds chunked bodies when a size is announced") {
    std::string const five = "5\r\nhello\r\n";
    CHECK(read_in_every_way(chunked, five + "4\r\n1234\r\n0\r\n\r\n", 10).body == "hello1234");
    CHECK(read_in_every_way(chunked, five + "5\r\n12345\r\n0\r\n\r\n", 10).body == "hello12345");
    for (std::string const& size : {"6"s, "10"s, "ffffffffffffffff"s}) {
        auto const result = read_in_every_way(chunked, five + size, 10);
        CHECK(result.status == parse_status::failed);
        CHECK(result.failure == error::body_too_large);
    }
}

TEST_CASE("wire/body: bounds chunk extensions") {
    auto const with_extension = [](std::size_t bytes) {
        return "1;" + std::string(bytes - 1, 'e') + "\r\na\r\n";
    };
    constexpr auto one_max = body_reader::chunk_extension_bytes_max;
    CHECK(read_in_every_way(chunked, with_extension(one_max) + "0\r\n\r\n", 99).body == "a");
    CHECK(read_in_every_way(chunked, with_extension(one_max + 1), 99).failure ==
          error::bad_transfer_encoding);
    CHECK(read(chunked, {"1" + std::string(one_max + 1, ' ')}, 99).failure ==
          error::bad_transfer_encoding);

    std::string many;
    for (std::size_t i = 0; i < body_reader::extensions_bytes_max / one_max; ++i)
        many += with_extension(one_max);
    CHECK(read(chunked, {many + "0\r\n\r\n"}, 99).status == parse_status::done);
    CHECK(read(chunked, {many + "0;\r\n\r\n"}, 99).failure == error::bad_transfer_encoding);
}

TEST_CASE("wire/body: bounds the trailer section") {
    auto const with_trailer = [](std::size_t bytes) {
        return "0\r\nA:" + std::string(bytes - 6, 't') + "\r\n\r\n";
    };
    constexpr auto most = body_reader::trailer_bytes_max;
    CHECK(read_in_every_way(chunked, with_trailer(most - 1), 0).status == parse_status::done);
    CHECK(read_in_every_way(chunked, with_trailer(most), 0).status == parse_status::done);
    CHECK(read_in_every_way(chunked, with_trailer(most + 1), 0).failure == error::head_too_large);
}

TEST_CASE("wire/body: refuses framings that could be read in two ways [RFC 9112 6.3]") {
    struct {
        request_head head;
        error failure;
    } const vectors[]{
        {{"POST", "/", {{"Content-Length", "1"}, {"Content-Length", "1"}}},
         error::bad_content_length},
        {sized("1x"), error::bad_content_length},
        {sized("9223372036854775808"), error::bad_content_length},
        {{"POST", "/", {{"Content-Length", "1"}, {"Transfer-Encoding", "chunked"}}},
         error::bad_content_length},
        {{"POST", "/", {{"Transfer-Encoding", "gzip, chunked"}}}, error::bad_transfer_encoding},
        {{"POST", "/", {{"Transfer-Encoding", "chunked"}}, 0}, error::bad_transfer_encoding},
        {{"POST", "/", {{"Content-Length", "1"}, {"Expect", "tea"}}}, error::expectation_failed},
    };
    for (auto const& v : vectors) {
        CAPTURE(livetape::describe(v.failure).name);
        auto const result = read(v.head, {"a"}, 100);
        CHECK(result.status == parse_status::failed);
        CHECK(result.failure == v.failure);
    }
}

TEST_CASE("wire/body: understands the expectation of 100-continue alone [RFC 9110 10.1.1]") {
    struct {
        request_head head;
        bool is_expected;
        error failure;
    } const vectors[]{
        {{"POST", "/"}, false, error::none},
        {{"POST", "/", {{"Expect", "100-continue"}}}, true, error::none},
        {{"POST", "/", {{"expect", "100-Continue"}}}, true, error::none},
        {{"POST", "/", {{"Expect", "100-continue"}}, 0}, false, error::none},
        {{"POST", "/", {{"Expect", ""}}}, false, error::expectation_failed},
        {{"POST", "/", {{"Expect", "100-continue, x"}}}, false, error::expectation_failed},
        {{"POST", "/", {{"Expect", "100-continue"}, {"Expect", "x"}}},
         false,
         error::expectation_failed},
    };
    for (auto const& v : vectors) {
        CHECK(expects_continue(v.head) == v.is_expected);
        CHECK(check_expectation(v.head) == v.failure);
    }
}
