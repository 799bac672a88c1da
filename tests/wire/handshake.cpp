#include <doctest/doctest.h>

#include <array>
#include <initializer_list>
#include <string>
#include <string_view>

#include <livetape/error.hpp>
#include <livetape/wire/handshake.hpp>
#include <livetape/wire/request_head.hpp>

namespace {

using livetape::error;
using livetape::http::header_field;
using livetape::http::request_head;
using namespace livetape::websocket;

struct field_vector {
    char const* name;
    error expected;
    std::initializer_list<header_field> fields;
};

constexpr std::string_view good_key = "dGhlIHNhbXBsZSBub25jZQ==";

/// The handshake of RFC 6455 §1.2, with the field called `without` left out and `fields` added.
request_head handshake(std::string_view without = {},
                       std::initializer_list<header_field> fields = {},
                       std::string_view method = "GET", int minor_version = 1) {
    request_head head{method, "/chat", {}, minor_version};
    for (auto const& field : std::initializer_list<header_field>{{"Host", "server.example.com"},
                                                                 {"Upgrade", "websocket"},
                                                                 {"Connection", "Upgrade"},
                                                                 {"Sec-WebSocket-Key", good_key},
                                                                 {"Sec-WebSocket-Version", "13"}})
        if (field.name != without) head.add_field(field.name, field.value);
    for (auto const& field : fields) head.add_field(field.name, field.value);
    return head;
}

void check_replaced(std::string_view field, std::initializer_list<field_vector> vectors) {
    for (auto const& v : vectors) {
        CAPTURE(v.name);
        CHECK(check_handshake(handshake(field, v.fields)) == v.expected);
    }
}

TEST_CASE("wire/handshake: the accept value of the standard [RFC 6455 §1.3]") {
    CHECK(accept_value(good_key) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    CHECK(accept_value("x3JJHMbDL1EzLkh9GBhXDw==") == "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
}

TEST_CASE("wire/handshake: accepts a right one, and wants GET and HTTP/1.1 [RFC 6455 §4.2.1]") {
    CHECK(check_handshake(handshake()) == error::none);
    CHECK(check_handshake(handshake({}, {}, "POST")) == error::method_not_allowed);
    CHECK(check_handshake(handshake({}, {}, "get")) == error::method_not_allowed);
    CHECK(check_handshake(handshake({}, {}, "GET", 0)) == error::upgrade_required);
    CHECK(check_handshake(handshake("Host")) == error::bad_host);
    CHECK(check_handshake(handshake({}, {{"host", "other"}})) == error::bad_host);
}

TEST_CASE("wire/handshake: wants an upgrade to websocket [RFC 6455 §4.2.1, items 3 and 4]") {
    auto const missing = error::upgrade_required;
    check_replaced(
        "Upgrade",
        {
            {"missing", missing, {}},
            {"any case", error::none, {{"UPGRADE", "WebSocket"}}},
            {"in a list", error::none, {{"Upgrade", "h2c , websocket"}}},
            {"on a second line", error::none, {{"Upgrade", "h2c"}, {"Upgrade", "websocket"}}},
            {"other", missing, {{"Upgrade", "h2c"}}},
            {"longer", missing, {{"Upgrade", "websockets"}}},
            {"empty", missing, {{"Upgrade", ""}}},
        });
    check_replaced(
        "Connection",
        {
            {"missing", missing, {}},
            {"as browsers send it", error::none, {{"Connection", "keep-alive, Upgrade"}}},
            {"any case", error::none, {{"connection", "upgrade"}}},
            {"on a second line",
             error::none,
             {{"Connection", "keep-alive"}, {"Connection", "UPGRADE"}}},
            {"other", missing, {{"Connection", "keep-alive"}}},
            {"in a word", missing, {{"Connection", "no-upgrade"}}},
        });
    CHECK(is_upgrade(handshake()));
    CHECK(is_upgrade(handshake("Sec-WebSocket-Key")));
    CHECK_FALSE(is_upgrade(handshake("Upgrade")));
    CHECK_FALSE(is_upgrade(handshake("Connection")));
}

TEST_CASE("wire/handshake: wants one version, 13 [RFC 6455 §4.2.1, item 6]") {
    auto const bad = error::bad_websocket_version;
    check_replaced(
        "Sec-WebSocket-Version",
        {
            {"missing", bad, {}},
            {"8", bad, {{"Sec-WebSocket-Version", "8"}}},
            {"14", bad, {{"Sec-WebSocket-Version", "14"}}},
            {"leading zero", bad, {{"Sec-WebSocket-Version", "013"}}},
            {"a list", bad, {{"Sec-WebSocket-Version", "13, 8"}}},
            {"a word", bad, {{"Sec-WebSocket-Version", "thirteen"}}},
            {"empty", bad, {{"Sec-WebSocket-Version", ""}}},
            {"repeated", bad, {{"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Version", "13"}}},
            {"any case of the name", error::none, {{"sec-websocket-version", "13"}}},
        });
}

TEST_CASE("wire/handshake: wants one key of 16 bytes [RFC 6455 §4.2.1, item 5]") {
    auto const bad = error::bad_websocket_key;
    check_replaced(
        "Sec-WebSocket-Key",
        {
            {"missing", bad, {}},
            {"empty", bad, {{"Sec-WebSocket-Key", ""}}},
            {"15 bytes", bad, {{"Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAA"}}},
            {"16 bytes", error::none, {{"Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="}}},
            {"17 bytes", bad, {{"Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAAA="}}},
            {"18 bytes", bad, {{"Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAAAA"}}},
            {"no padding", bad, {{"Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA"}}},
            {"unused bits", bad, {{"Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAB=="}}},
            {"foreign letter", bad, {{"Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAA-A=="}}},
            {"a list", bad, {{"Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==, A"}}},
            {"repeated", bad, {{"Sec-WebSocket-Key", good_key}, {"Sec-WebSocket-Key", good_key}}},
            {"blanks around it",
             error::none,
             {{"Sec-WebSocket-Key", " AAAAAAAAAAAAAAAAAAAAAA== "}}},
        });
}

TEST_CASE("wire/handshake: reads the offered subprotocols [RFC 6455 §4.2.1, item 8]") {
    auto const bad = error::bad_subprotocol;
    constexpr std::string_view name = "Sec-WebSocket-Protocol";
    check_replaced({}, {
                           {"one", error::none, {{name, "chat"}}},
                           {"list", error::none, {{name, "chat, superchat"}}},
                           {"lines",
                            error::none,
                            {{name, "chat"}, {"sec-websocket-protocol", "superchat,v1.json"}}},
                           {"names differ in case", error::none, {{name, "chat, Chat"}}},
                           {"empty elements", error::none, {{name, ", chat,,"}}},
                           {"empty", bad, {{name, ""}}},
                           {"only commas", bad, {{name, ", ,"}}},
                           {"repeated", bad, {{name, "chat, superchat, chat"}}},
                           {"repeated on another line", bad, {{name, "chat"}, {name, "chat"}}},
                           {"blank in a name", bad, {{name, "chat room"}}},
                           {"no token", bad, {{name, "chat/1"}}},
                           {"quoted", bad, {{name, "\"chat\""}}},
                       });
    for (auto const count : {31, 32, 33}) {
        std::string list;
        for (int i = 0; i < count; ++i) list += "p" + std::to_string(i) + ",";
        CHECK(check_handshake(handshake({}, {{name, list}})) == (count <= 32 ? error::none : bad));
    }
}

TEST_CASE("wire/handshake: chooses a subprotocol in the server's order [RFC 6455 §4.2.2]") {
    constexpr std::string_view name = "Sec-WebSocket-Protocol";
    constexpr std::array<std::string_view, 3> supported{"v2.json", "v1.json", "text"};
    CHECK(choose_subprotocol(handshake(), supported).empty());
    CHECK(choose_subprotocol(handshake({}, {{name, "other"}}), supported).empty());
    CHECK(choose_subprotocol(handshake({}, {{name, "V2.JSON"}}), supported).empty());
    CHECK(choose_subprotocol(handshake({}, {{name, "text, v1.json"}}), supported) == "v1.json");
    CHECK(choose_subprotocol(handshake({}, {{name, "text"}, {name, "v2.json"}}), supported) ==
          "v2.json");
    CHECK(choose_subprotocol(handshake({}, {{name, "text, text"}}), supported).empty());
    CHECK(choose_subprotocol(handshake({}, {{name, "text"}}), {}).empty());
}

TEST_CASE("wire/handshake: ignores unknown extensions, refuses malformed ones [RFC 6455 §9.1]") {
    constexpr std::string_view name = "Sec-WebSocket-Extensions";
    auto const bad = error::bad_extension;
    check_replaced(
        {},
        {
            {"of a browser", error::none, {{name, "permessage-deflate; client_max_window_bits"}}},
            {"unknown", error::none, {{name, "x-one; a=1; b=\"2\", x-two"}}},
            {"lines", error::none, {{name, "x-one"}, {name, ""}, {name, "x-two"}}},
            {"empty", bad, {{name, ""}}},
            {"no name", bad, {{name, "; a=1"}}},
            {"open quote", bad, {{name, "x-one; a=\"1"}}},
            {"malformed second line", bad, {{name, "x-one"}, {name, "x two"}}},
        });
}

TEST_CASE("wire/handshake: writes the response [RFC 6455 §1.2, §4.2.2]") {
    std::string out = "before";
    append_accept(out, handshake(), "chat");
    CHECK(out == "beforeHTTP/1.1 101 Switching Protocols\r\n"
                 "Upgrade: websocket\r\n"
                 "Connection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                 "Sec-WebSocket-Protocol: chat\r\n"
                 "\r\n");
    out.clear();
    std::array<header_field, 2> const extra{{{"Server", "here"}, {"Set-Cookie", "a=b"}}};
    append_accept(out, handshake(), {}, extra);
    CHECK(out == "HTTP/1.1 101 Switching Protocols\r\n"
                 "Upgrade: websocket\r\n"
                 "Connection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                 "Server: here\r\n"
                 "Set-Cookie: a=b\r\n"
                 "\r\n");
}

} // namespace
