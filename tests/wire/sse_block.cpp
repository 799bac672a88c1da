#include <livetape/wire/sse_block.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using livetape::sse::append_block;
using livetape::sse::append_comment;
using livetape::sse::block;

TEST_CASE("wire/sse_block: writes blocks [WHATWG HTML 9.2.5]") {
    struct {
        char const* name;
        block from;
        std::string_view text;
    } const vectors[]{
        {"data", {.data = "{\"a\":1}"}, "data: {\"a\":1}\n\n"},
        {"data and id", {.data = "x", .id = "5"}, "id: 5\ndata: x\n\n"},
        {"all",
         {.data = "x", .id = "5", .event = "e", .retry = 1500ms},
         "id: 5\nevent: e\nretry: 1500\ndata: x\n\n"},
        {"id only", {.id = "a:1,b:2"}, "id: a:1,b:2\n\n"},
        {"retry only", {.retry = 0ms}, "retry: 0\n\n"},
        {"empty data", {.data = ""}, "data: \n\n"},
        {"leading space", {.data = " x"}, "data:  x\n\n"},
        {"LF", {.data = "a\nb"}, "data: a\ndata: b\n\n"},
        {"CR", {.data = "a\rb"}, "data: a\ndata: b\n\n"},
        {"CR LF", {.data = "a\r\nb"}, "data: a\ndata: b\n\n"},
        {"LF CR", {.data = "a\n\rb"}, "data: a\ndata: \ndata: b\n\n"},
        {"mixed, at the ends",
         {.data = "\n\r\na\r\rb\r"},
         "data: \ndata: \ndata: a\ndata: \ndata: b\ndata: \n\n"},
        {"a field in the data",
         {.data = "a\n\nid: 7\n\nevent: x"},
         "data: a\ndata: \ndata: id: 7\ndata: \ndata: event: x\n\n"},
        {"nothing", {}, "\n"},
    };
    for (auto const& v : vectors) {
        CAPTURE(v.name);
        std::string out = "before\n";
        append_block(out, v.from);
        CHECK(out == "before\n" + std::string{v.text});
    }
}

TEST_CASE("wire/sse_block: writes comments [WHATWG HTML 9.2.5]") {
    struct {
        std::string_view from, text;
    } const vectors[]{
        {"", ":\n\n"},
        {"hello", ": hello\n\n"},
        {"two\nlines", ": two\n: lines\n\n"},
        {"a\r\ndata: b", ": a\n: data: b\n\n"},
    };
    for (auto const& v : vectors) {
        std::string out;
        append_comment(out, v.from);
        CHECK(out == v.text);
    }
    std::string out;
    append_comment(out);
    CHECK(out == ":\n\n");
}
