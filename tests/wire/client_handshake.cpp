#include <livetape/wire/client_handshake.hpp>

#include <string>
#include <string_view>

#include <livetape/wire/proxy_tunnel.hpp>
#include <livetape/wire/request_parser.hpp>

#include <doctest/doctest.h>

using namespace livetape;
using websocket::append_handshake;
using websocket::check_response;
using websocket::handshake_agreement;
using websocket::handshake_offer;

namespace {

constexpr std::string_view sample_key = "dGhlIHNhbXBsZSBub25jZQ==";        // RFC 6455 §1.3
constexpr std::string_view sample_accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; // and its answer

http::response_head response(unsigned status = 101, int minor_version = 1) {
    http::response_head head;
    head.set_status_line(status, "", minor_version);
    head.add_field("Upgrade", "websocket");
    head.add_field("Connection", "Upgrade");
    head.add_field("Sec-WebSocket-Accept", sample_accept);
    return head;
}

/// The same without the field that is named, and with another in its place if it has a value.
http::response_head response_with(std::string_view name, std::string_view value) {
    http::response_head head;
    head.set_status_line(101, "", 1);
    auto const whole = response();
    for (std::size_t i = 0; i < whole.field_count(); ++i)
        if (whole.field_at(i).name != name)
            head.add_field(whole.field_at(i).name, whole.field_at(i).value);
    if (!value.empty()) head.add_field(name, value);
    return head;
}

error check(http::response_head const& head, handshake_offer const& offer = {}) {
    handshake_agreement agreement;
    return check_response(head, offer, sample_key, agreement);
}

} // namespace

TEST_CASE("wire/client_handshake: sends what a server takes [RFC 6455 4.1]") {
    url to;
    REQUIRE(parse_url("wss://[::1]:9001/chat?a=b", to) == error::none);
    handshake_offer offer;
    offer.subprotocols = {"v2.chat", "v1.chat"};
    offer.origin = "https://example.org";
    offer.extensions = "permessage-deflate";
    offer.fields = {{"Authorization", "Bearer x\r\nEvil: y"}};
    std::string out;
    append_handshake(out, to, offer, sample_key);
    CHECK(out == "GET /chat?a=b HTTP/1.1\r\n"
                 "Host: [::1]:9001\r\n"
                 "Upgrade: websocket\r\n"
                 "Connection: Upgrade\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                 "Sec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Protocol: v2.chat, v1.chat\r\n"
                 "Sec-WebSocket-Extensions: permessage-deflate\r\n"
                 "Origin: https://example.org\r\n"
                 "Authorization: Bearer x  Evil: y\r\n"
                 "\r\n");

    http::request_parser parser;
    std::string_view input = out;
    REQUIRE(parser.feed(input) == parse_status::done);
    CHECK(websocket::check_handshake(parser.head()) == error::none);
    std::string answer;
    websocket::append_accept(answer, parser.head(), "v1.chat");
    CHECK(answer.find(sample_accept) != std::string::npos);

    out.clear();
    REQUIRE(parse_url("ws://example.org", to) == error::none);
    append_handshake(out, to, {}, sample_key);
    CHECK(out.substr(0, out.find("Upgrade")) == "GET / HTTP/1.1\r\nHost: example.org\r\n");
    CHECK(out.find("Protocol") == std::string::npos);
    CHECK(out.find("Extensions") == std::string::npos);
    CHECK(out.find("Origin") == std::string::npos);
}

TEST_CASE("wire/client_handshake: makes a key of 16 bytes [RFC 6455 4.1]") {
    CHECK(websocket::handshake_key({'t', 'h', 'e', ' ', 's', 'a', 'm', 'p', 'l', 'e', ' ', 'n', 'o',
                                    'n', 'c', 'e'}) == sample_key);
}

TEST_CASE("wire/client_handshake: accepts a response that answers the request [RFC 6455 4.1]") {
    CHECK(check(response()) == error::none);
    CHECK(check(response_with("Upgrade", "WebSocket")) == error::none);
    CHECK(check(response_with("Connection", "keep-alive, UPGRADE")) == error::none);

    handshake_offer offer;
    offer.subprotocols = {"a", "b"};
    offer.extensions = "x, permessage-deflate; client_max_window_bits";
    auto head = response();
    CHECK(check(head, offer) == error::none);
    head.add_field("Sec-WebSocket-Protocol", "b");
    head.add_field("Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits=9");
    head.add_field("Sec-WebSocket-Extensions", "x");
    handshake_agreement agreement;
    CHECK(check_response(head, offer, sample_key, agreement) == error::none);
    CHECK(agreement.subprotocol == "b");
    REQUIRE(agreement.extensions.size() == 2);
    CHECK(agreement.extensions[0].name == "permessage-deflate");
    CHECK(agreement.extensions[0].parameters[0].value == "9");
}

TEST_CASE("wire/client_handshake: refuses any other response, and says why [RFC 6455 4.1]") {
    for (unsigned const status : {100u, 200u, 204u, 301u, 307u, 400u, 401u, 407u, 426u, 503u})
        CHECK(check(response(status)) == error::unexpected_status);

    CHECK(check(response(101, 0)) == error::bad_upgrade_response);
    for (std::string_view const value : {"", "h2c", "websocket, h2c", "websockets"})
        CHECK(check(response_with("Upgrade", value)) == error::bad_upgrade_response);
    for (std::string_view const value : {"", "close", "upgraded"})
        CHECK(check(response_with("Connection", value)) == error::bad_upgrade_response);

    for (std::string_view const value :
         {"", "dGhlIHNhbXBsZSBub25jZQ==", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
          "s3pPLMBiTxaQ9kYGzzhZRbK+xO==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo"})
        CHECK(check(response_with("Sec-WebSocket-Accept", value)) == error::bad_accept);
    auto twice = response();
    twice.add_field("Sec-WebSocket-Accept", sample_accept);
    CHECK(check(twice) == error::bad_accept);
}

TEST_CASE("wire/client_handshake: takes nothing that was not offered [RFC 6455 4.1, 9.1]") {
    handshake_offer offer;
    offer.subprotocols = {"a", "b"};
    offer.extensions = "x";
    for (std::string_view const name : {"c", "A", "a, b"}) {
        auto head = response();
        head.add_field("Sec-WebSocket-Protocol", name);
        CHECK(check(head, offer) == error::unoffered_subprotocol);
        CHECK(check(head) == error::unoffered_subprotocol);
    }
    auto head = response();
    head.add_field("Sec-WebSocket-Protocol", "a");
    CHECK(check(head, offer) == error::none);
    head.add_field("Sec-WebSocket-Protocol", "b");
    CHECK(check(head, offer) == error::unoffered_subprotocol);

    auto const extended = [&](std::string_view value) {
        auto with = response();
        with.add_field("Sec-WebSocket-Extensions", value);
        return check(with, offer);
    };
    CHECK(extended("x") == error::none);
    CHECK(extended("y") == error::unoffered_extension);
    CHECK(extended("x, y") == error::unoffered_extension);
    CHECK(extended("x, x") == error::unoffered_extension);
    CHECK(extended("x;") == error::bad_extension);
    CHECK(extended("x; a=") == error::bad_extension);
}

TEST_CASE("wire/proxy_tunnel: asks for a tunnel, with credentials if there are some [RFC 7617 2]") {
    std::string out;
    http::append_connect(out, "example.org:443", {}, {});
    CHECK(out == "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n");
    out.clear();
    http::append_connect(out, "[::1]:443", "Aladdin", "open sesame");
    CHECK(out == "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n"
                 "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
}
