#include <livetape/wire/field_list.hpp>

#include <string_view>

#include <livetape/wire/request_head.hpp>

#include <doctest/doctest.h>

using livetape::http::has_token;
using livetape::http::keep_alive;
using livetape::http::request_head;

TEST_CASE("wire/field_list: finds a token in any element of any line [RFC 9110 5.6.1]") {
    struct {
        std::string_view first, second;
        bool is_found;
    } const vectors[]{
        {"Upgrade", "", true},
        {"keep-alive, Upgrade", "", true},
        {"keep-alive,uPGRADE\t,x", "", true},
        {", ,\tUpgrade ,,", "", true},
        {"keep-alive", "upgrade", true},
        {"", "", false},
        {"Upgraded", "xUpgrade", false},
        {"Upgrade/1", "up, grade", false},
        {"Upgrade x", "Upgrade;x", false},
    };
    for (auto const& v : vectors) {
        CAPTURE(v.first);
        request_head const head{
            "GET", "/", {{"Other", "Upgrade"}, {"CONNECTION", v.first}, {"connection", v.second}}};
        CHECK(has_token(head, "Connection", "upgrade") == v.is_found);
    }
    CHECK_FALSE(has_token(request_head{"GET", "/"}, "Connection", "upgrade"));
}

TEST_CASE("wire/field_list: decides whether a connection stays open [RFC 9112 9.3]") {
    struct {
        std::string_view connection;
        bool in_1_0, in_1_1;
    } const vectors[]{
        {"", false, true},          {"close", false, false},
        {"Keep-Alive", true, true}, {"keep-alive, Close", false, false},
        {"Upgrade", false, true},   {"closed", false, true},
    };
    for (auto const& v : vectors) {
        CAPTURE(v.connection);
        CHECK(keep_alive(request_head{"GET", "/", {{"Connection", v.connection}}, 0}) == v.in_1_0);
        CHECK(keep_alive(request_head{"GET", "/", {{"Connection", v.connection}}, 1}) == v.in_1_1);
    }
}
