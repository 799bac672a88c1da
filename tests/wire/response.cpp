#include <livetape/wire/response.hpp>

#include <cstddef>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

using livetape::error;
using namespace livetape::http;

namespace {

std::string head_of(std::string const& response) {
    return response.substr(0, response.find("\r\n\r\n") + 4);
}

std::string body_of(std::string const& response) {
    return response.substr(response.find("\r\n\r\n") + 4);
}

bool has_line(std::string const& response, std::string const& line) {
    return head_of(response).find("\r\n" + line + "\r\n") != std::string::npos;
}

} // namespace

TEST_CASE("wire/response: builds a head line by line [RFC 9112 4]") {
    std::string out;
    append_status_line(out, 200);
    append_field(out, "Content-Type", "text/event-stream");
    append_content_length(out, 12);
    append_end_of_head(out);
    CHECK(out == "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                 "Content-Length: 12\r\n\r\n");
}

TEST_CASE("wire/response: keeps the space after a status without a phrase [RFC 9112 4]") {
    std::string out;
    append_status_line(out, 299);
    CHECK(out == "HTTP/1.1 299 \r\n");
}

TEST_CASE("wire/response: has a phrase for every status it refuses with") {
    for (std::size_t i = 0; i < livetape::error_count; ++i) {
        auto const& known = livetape::describe(static_cast<error>(i));
        CAPTURE(known.name);
        CHECK_FALSE(reason_phrase(known.http_status).empty());
    }
    for (unsigned const status : {100u, 101u, 201u, 202u, 204u, 206u, 301u, 302u, 304u, 307u, 308u,
                                  401u, 406u, 411u, 412u, 415u, 416u})
        CHECK_FALSE(reason_phrase(status).empty());
}

TEST_CASE("wire/response: lets no value begin another line [RFC 9110 5.5]") {
    struct {
        std::string_view value, line;
    } const vectors[]{
        {"a\tb", "X: a\tb\r\n"},
        {"caf\xc3\xa9", "X: caf\xc3\xa9\r\n"},
        {"", "X: \r\n"},
        {"a\r\nSet-Cookie: b", "X: a  Set-Cookie: b\r\n"},
        {{"a\0b\x7f\n", 5}, "X: a b  \r\n"},
    };
    for (auto const& v : vectors) {
        CAPTURE(v.line);
        std::string out;
        append_field(out, "X", v.value);
        CHECK(out == v.line);
    }
}

TEST_CASE("wire/response: refuses with the status and the message of the table") {
    CHECK(refusal(error::not_found, "", true) ==
          "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 73\r\n"
          "Cache-Control: no-store\r\n\r\n"
          R"({"error":{"code":"not_found","message":"there is nothing at this path"}})"
          "\n");
}

TEST_CASE("wire/response: refuses with every error, with the length of its body") {
    for (std::size_t i = 1; i < livetape::error_count; ++i) {
        auto const why = static_cast<error>(i);
        auto const& known = livetape::describe(why);
        CAPTURE(known.name);
        auto const text = refusal(why, {}, false);
        CHECK(text.find("HTTP/1.1 " + std::to_string(known.http_status) + " ") == 0);
        CHECK(has_line(text, "Content-Length: " + std::to_string(body_of(text).size())));
        CHECK(body_of(text).find("\"code\":\"" + std::string{known.name} + "\"") == 10);
        bool const is_upgrade = known.http_status == 426;
        CHECK(has_line(text, is_upgrade ? "Connection: close, Upgrade" : "Connection: close"));
        CHECK(has_line(text, "Upgrade: websocket") == is_upgrade);
        CHECK(has_line(text, "Sec-WebSocket-Version: 13") == is_upgrade);
    }
}

TEST_CASE("wire/response: escapes the detail and adds the caller's fields") {
    auto const text =
        refusal(error::method_not_allowed, "use \"GET\"\n", true, "Allow: GET\r\nX: y\r\n");
    CHECK(body_of(text) == R"({"error":{"code":"method_not_allowed","message":"use \"GET\"\n"}})"
                           "\n");
    CHECK(has_line(text, "Allow: GET"));
    CHECK(has_line(text, "X: y"));
    CHECK(has_line(text, "Content-Length: " + std::to_string(body_of(text).size())));
    CHECK(text.find("Connection:") == std::string::npos);
}

TEST_CASE("wire/response: asks for an upgrade on a connection that stays [RFC 9110 15.5.22]") {
    for (auto const why : {error::upgrade_required, error::bad_websocket_version}) {
        auto const text = refusal(why, {}, true);
        CHECK(has_line(text, "Connection: Upgrade"));
        CHECK(has_line(text, "Upgrade: websocket"));
        CHECK(has_line(text, "Sec-WebSocket-Version: 13"));
    }
}
