#include <livetape/wire/request_head.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <doctest/doctest.h>

using livetape::http::equals_ignoring_case;
using livetape::http::request_head;

TEST_CASE("wire/request_head: takes targets apart [RFC 9112 3.2]") {
    struct {
        std::string_view target, path, query, authority;
    } const vectors[]{
        {"/", "/", "", "host:1"},
        {"/a/b?c=d&e", "/a/b", "c=d&e", "host:1"},
        {"/a?", "/a", "", "host:1"},
        {"/a?b?c", "/a", "b?c", "host:1"},
        {"/a?u=http://x/y", "/a", "u=http://x/y", "host:1"},
        {"http://other/a?b", "/a", "b", "other"},
        {"https://other:8443/", "/", "", "other:8443"},
        {"http://other", "/", "", "other"},
        {"http://other?b/c", "/", "b/c", "other"},
        {"http://[::1]:80/a", "/a", "", "[::1]:80"},
        {"*", "*", "", "host:1"},
        {"", "", "", "host:1"},
    };
    for (auto const& v : vectors) {
        CAPTURE(v.target);
        request_head const head{"GET", v.target, {{"host", "host:1"}}};
        CHECK(head.target() == v.target);
        CHECK(head.path() == v.path);
        CHECK(head.query() == v.query);
        CHECK(head.authority() == v.authority);
    }
    CHECK(request_head{"GET", "/"}.authority().empty());
}

TEST_CASE("wire/request_head: finds fields in any case, the first of several [RFC 9110 5.1]") {
    request_head const head{"GET", "/", {{"Accept", "a"}, {"ACCEPT", "b"}, {"X", ""}}, 0};
    CHECK(head.method() == "GET");
    CHECK(head.minor_version() == 0);
    CHECK(head.field_count() == 3);
    CHECK(head.field_at(1).name == "ACCEPT");
    CHECK(head.field_at(1).value == "b");
    CHECK(head.field("accept") == std::optional<std::string_view>{"a"});
    CHECK(head.field("x") == std::optional<std::string_view>{""});
    CHECK_FALSE(head.field("Accep").has_value());
    CHECK(head.count("accept") == 2);
    CHECK(head.count("none") == 0);
}

TEST_CASE("wire/request_head: keeps its text when it is copied and moved") {
    request_head first;
    first.reserve(100, 2);
    first.add_field("Name", "value");
    first.set_request_line("POST", "/p?q", 1);
    request_head const copy = first;
    request_head const moved = std::move(first);
    for (auto const* head : {&copy, &moved}) {
        CHECK(head->method() == "POST");
        CHECK(head->path() == "/p");
        CHECK(head->query() == "q");
        CHECK(head->field("name") == std::optional<std::string_view>{"value"});
    }
}

TEST_CASE("wire/request_head: compares without regard to ASCII case only") {
    CHECK(equals_ignoring_case("", ""));
    CHECK(equals_ignoring_case("Sec-WebSocket-Key", "sec-websocket-KEY"));
    CHECK_FALSE(equals_ignoring_case("a", "ab"));
    CHECK_FALSE(equals_ignoring_case("@[`{", "`{@["));
    CHECK_FALSE(equals_ignoring_case("\xc3\xa9", "\xc3\x89"));
}
