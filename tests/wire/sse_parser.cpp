#include <livetape/wire/sse_parser.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include <livetape/wire/sse_block.hpp>

using namespace std::chrono_literals;
using namespace std::string_literals;
using livetape::error;
using livetape::parse_status;
using livetape::sse::append_block;
using livetape::sse::append_comment;
using livetape::sse::event;
using livetape::sse::parser;
using livetape::sse::parser_limits;

namespace {

struct outcome {
    std::vector<std::string> events; // "type|data|last event id"
    std::string last_event_id;
    std::optional<std::chrono::milliseconds> retry;
    error failure = error::none;

    bool operator==(outcome const& other) const {
        return events == other.events && last_event_id == other.last_event_id &&
               retry == other.retry && failure == other.failure;
    }
};

void feed(parser& of, std::string_view piece, outcome& result) {
    std::vector<char> const copy(piece.begin(), piece.end());
    std::string_view input{copy.data(), copy.size()};
    event found;
    auto status = of.next(input, found);
    for (; status == parse_status::done; status = of.next(input, found)) {
        result.events.push_back(std::string{found.type} + "|" + std::string{found.data} + "|" +
                                std::string{found.last_event_id});
    }
    if (status == parse_status::need_more) CHECK(input.empty());
}

outcome parse(std::vector<std::string> const& pieces, parser_limits limits = {}) {
    parser of{limits};
    outcome result;
    for (auto const& piece : pieces) feed(of, piece, result);
    result.last_event_id = of.last_event_id();
    result.retry = of.reconnection_time();
    result.failure = of.failure();
    return result;
}

outcome parse_in_every_way(std::string const& text, parser_limits limits = {}) {
    auto const whole = parse({text}, limits);
    std::vector<std::string> bytes;
    for (char const c : text) bytes.emplace_back(1, c);
    CHECK((parse(bytes, limits) == whole));
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        CAPTURE(cut);
        CHECK((parse({text.substr(0, cut), text.substr(cut)}, limits) == whole));
    }
    return whole;
}

struct vector {
    char const* name;
    std::string text;
    std::vector<std::string> events;
    std::string last_event_id;
    std::optional<std::chrono::milliseconds> retry;
};

std::vector<vector> const vectors{
    {"WHATWG 9.2.6: two lines",
     "data: YHOO\ndata: +2\ndata: 10\n\n",
     {"message|YHOO\n+2\n10|"},
     "",
     {}},
    {"WHATWG 9.2.6: four blocks",
     ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
     {"message|first event|1", "message|second event|", "message| third event|"},
     "",
     {}},
    {"WHATWG 9.2.6: an unfinished block",
     "data\n\ndata\ndata\n\ndata:",
     {"message||", "message|\n|"},
     "",
     {}},
    {"WHATWG 9.2.6: an optional space",
     "data:test\n\ndata: test\n\n",
     {"message|test|", "message|test|"},
     "",
     {}},
    {"CR", "data: a\rid: 1\r\rdata: b\r\r", {"message|a|1", "message|b|1"}, "1", {}},
    {"CR LF", "data: a\r\nid: 1\r\n\r\ndata: b\r\n\r\n", {"message|a|1", "message|b|1"}, "1", {}},
    {"mixed line ends",
     "data: a\rdata: b\ndata: c\r\n\ndata: d\n\r",
     {"message|a\nb\nc|", "message|d|"},
     "",
     {}},
    {"byte order mark",
     "\xef\xbb\xbf"
     "data: a\n\n",
     {"message|a|"},
     "",
     {}},
    {"byte order mark alone", "\xef\xbb\xbf\n", {}, "", {}},
    {"two byte order marks",
     "\xef\xbb\xbf\xef\xbb\xbf"
     "data: a\n\ndata: b\n\n",
     {"message|b|"},
     "",
     {}},
    {"half a byte order mark",
     "\xef\xbb"
     "data: a\ndata: b\n\n",
     {"message|b|"},
     "",
     {}},
    {"byte order mark later",
     "data: a\n\n\xef\xbb\xbf"
     "data: b\n\n",
     {"message|a|"},
     "",
     {}},
    {"event type", "event: x\ndata: a\n\ndata: b\n\n", {"x|a|", "message|b|"}, "", {}},
    {"event type without data is dropped", "event: x\n\ndata: b\n\n", {"message|b|"}, "", {}},
    {"last of several types", "event: x\nevent: y\ndata: a\nevent\n\n", {"message|a|"}, "", {}},
    {"id without data", "id: 4\n\ndata: a\n\n", {"message|a|4"}, "4", {}},
    {"id of an unfinished block", "id: 4\n\nid: 5\n", {}, "4", {}},
    {"empty id", "id: 4\ndata: a\n\nid:\ndata: b\n\n", {"message|a|4", "message|b|"}, "", {}},
    {"id with NUL",
     "id: 4\n\nid: 5\0"
     "6\ndata: a\n\n"s,
     {"message|a|4"},
     "4",
     {}},
    {"retry", "retry: 1500\n", {}, "", 1500ms},
    {"retry not of digits",
     "retry: 1500\nretry: 1s\nretry: -1\nretry: +1\nretry:\nretry:  2\nretry: 9x\n",
     {},
     "",
     1500ms},
    {"retry too large", "retry: 4294967296\n", {}, "", {}},
    {"unknown fields",
     "foo: bar\nDATA: x\n data: y\ndata : z\nx\ndata: a\n\n",
     {"message|a|"},
     "",
     {}},
    {"comments", ":\n: data: x\n:data\ndata: a\n:\ndata: b\n\n", {"message|a\nb|"}, "", {}},
    {"colons in the value", "data: a: b::\n\n", {"message|a: b::|"}, "", {}},
    {"one space is dropped", "data:  a \ndata:\tb\n\n", {"message| a \n\tb|"}, "", {}},
    {"empty lines", "\n\n\r\n\r\n\ndata: a\n\n\n\n", {"message|a|"}, "", {}},
    {"NUL in data", "data: a\0b\n\n"s, {"message|a\0b|"s}, "", {}},
};

} // namespace

TEST_CASE("wire/sse_parser: reads event streams however they are split [WHATWG HTML 9.2.6]") {
    for (auto const& v : vectors) {
        CAPTURE(v.name);
        auto const result = parse_in_every_way(v.text);
        CHECK((result.events == v.events));
        CHECK(result.last_event_id == v.last_event_id);
        CHECK((result.retry == v.retry));
        CHECK(result.failure == error::none);
    }
}

TEST_CASE("wire/sse_parser: dispatches at a CR without waiting for an LF") {
    parser of;
    outcome result;
    feed(of, "data: a\r\n\r", result);
    CHECK(result.events.size() == 1);
    feed(of, "\ndata: b\r\n\r\n", result);
    CHECK((result.events == std::vector<std::string>{"message|a|", "message|b|"}));
}

TEST_CASE("wire/sse_parser: leaves what follows an event in the input") {
    parser of;
    event found;
    std::string_view input = "data: a\n\ndata: b\n\n";
    CHECK(of.next(input, found) == parse_status::done);
    CHECK(input == "data: b\n\n");
    CHECK(found.data == "a");
}

TEST_CASE("wire/sse_parser: bounds a line") {
    parser_limits const limits{.line_bytes_max = 10, .data_bytes_max = 100};
    struct {
        std::string text;
        error failure;
    } const lines[]{
        {"data:6789\n\n", error::none},
        {"data:67890\n\n", error::none},
        {"data:67890", error::none},
        {"data:678901\n\n", error::message_too_large},
        {"data:678901", error::message_too_large},
        {":2345678901", error::message_too_large},
        {"\xef\xbb"
         "345678901",
         error::message_too_large},
    };
    for (auto const& v : lines) {
        CAPTURE(v.text);
        CHECK(parse_in_every_way(v.text, limits).failure == v.failure);
    }
}

TEST_CASE("wire/sse_parser: bounds the data of an event") {
    parser_limits const limits{.line_bytes_max = 100, .data_bytes_max = 8};
    CHECK((parse_in_every_way("data:1234\ndata:67\n\n", limits).events ==
           std::vector<std::string>{"message|1234\n67|"}));
    CHECK((parse_in_every_way("data:1234\ndata:678\n\ndata:12345678\n\n", limits).events.size() ==
           2));
    for (std::string const& text :
         {"data:1234\ndata:6789\n"s, "data:123456789\n"s, "data:12345678\ndata:\n"s}) {
        CAPTURE(text);
        auto const result = parse_in_every_way(text + "\ndata:a\n\n", limits);
        CHECK(result.failure == error::message_too_large);
        CHECK(result.events.empty());
    }
}

TEST_CASE("wire/sse_parser: keeps id and reconnection time for the next connection") {
    parser of;
    outcome result;
    feed(of, "\xef\xbb\xbfid: 4\nretry: 10\ndata: a\n\nid: 5\ndata: lost\r", result);
    of.restart();
    CHECK(of.last_event_id() == "4");
    CHECK((of.reconnection_time() == std::optional<std::chrono::milliseconds>{10ms}));
    feed(of,
         "\xef\xbb\xbf"
         "data: b\n\n",
         result);
    CHECK((result.events == std::vector<std::string>{"message|a|4", "message|b|4"}));

    SUBCASE("after a failure as well") {
        parser small{{.line_bytes_max = 8, .data_bytes_max = 8}};
        feed(small, "data: 789", result);
        CHECK(small.failure() == error::message_too_large);
        small.restart();
        feed(small, "data: c\n\n", result);
        CHECK(result.events.back() == "message|c|");
    }
}

TEST_CASE("wire/sse_parser: reads what append_block writes, line ends as LF") {
    struct {
        std::string_view data, event_type, id;
        std::string_view read;
    } const blocks[]{
        {"{\"a\":1}", "", "7", "message|{\"a\":1}|7"},
        {"", "empty", "8", "empty||8"},
        {" a\r\nb\rc\n\nd\n", "x", "", "x| a\nb\nc\n\nd\n|8"},
        {":data: x\nid: 9", "", "", "message|:data: x\nid: 9|8"},
    };
    std::string text;
    std::vector<std::string> expected;
    for (auto const& v : blocks) {
        append_block(text, {.data = v.data, .id = v.id, .event = v.event_type});
        append_comment(text, "a\nb");
        expected.emplace_back(v.read);
    }
    append_block(text, {.id = "10", .retry = 20ms});
    auto const result = parse_in_every_way(text);
    CHECK((result.events == expected));
    CHECK(result.last_event_id == "10");
    CHECK((result.retry == std::optional<std::chrono::milliseconds>{20ms}));
}
