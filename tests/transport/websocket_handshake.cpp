#include "support/session_driver.hpp"

#include <livetape/transport/message_session.hpp>
#include <livetape/transport/request_session.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// The opening handshake as bytes that a client sends: what the parser of heads, the request session
// and the link make of it together.

namespace {

using namespace livetape;
using namespace livetape::test;
using namespace std::chrono_literals;
using namespace std::string_literals;

message_handler const echo = [](websocket_link& link, websocket::opcode code,
                                std::string_view payload) { link.send(code, payload); };

/// A connection to a server that speaks WebSocket on every path, from the first byte on.
struct connection_from_start {
    explicit connection_from_start(world& w, request_options const& how = {})
        : to{w}, options{how}, request{w.endpoint.errors(), w.wakes, virtual_now, options} {
        request.start();
    }

    /// Sends bytes in pieces; those behind the request's head go to the session that it opens.
    void send(std::string_view bytes, std::size_t piece_bytes = unlimited) {
        while (!bytes.empty()) {
            auto const piece = bytes.substr(0, piece_bytes);
            bytes.remove_prefix(piece.size());
            if (opened) {
                opened->send(piece);
                continue;
            }
            request.send(piece);
            if (request.on.end() == session_end::handback) open();
        }
    }

    [[nodiscard]] std::string const& received() const {
        return opened ? opened->received : request.received;
    }
    [[nodiscard]] bool is_over() const {
        return opened ? opened->is_over
                      : request.is_over && request.on.end() != session_end::handback;
    }

    world& to;
    request_options options; // which the session refers to
    session_driver<request_session> request;
    http::request_head head;
    std::unique_ptr<session_driver<message_session>> opened;

private:
    void open() {
        head = request.on.take_head();
        opened = std::make_unique<session_driver<message_session>>(to.context(), head, echo);
        opened->start();
        if (auto const unread = request.on.take_unread(); !unread.empty()) opened->send(unread);
    }
};

/// The handshake of RFC 6455 §1.2; `first_line` and `fields` stand for what is told apart.
std::string request_text(std::string_view fields,
                         std::string_view first_line = "GET /chat HTTP/1.1",
                         std::string_view host = "Host: server.example.com\r\n") {
    return std::string{first_line} + "\r\n" + std::string{host} + std::string{fields} + "\r\n";
}

std::string const usual_fields = "Upgrade: websocket\r\n"
                                 "Connection: Upgrade\r\n"
                                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                 "Sec-WebSocket-Version: 13\r\n";

struct opening {
    char const* name;
    std::string text;
    unsigned status;
    error why = error::none;
};

std::vector<opening> openings() {
    auto const with = [](std::string const& more) { return request_text(usual_fields + more); };
    auto const with_line = [](char const* line) { return request_text(usual_fields, line); };
    auto const with_host = [](char const* host) {
        return request_text(usual_fields, "GET /chat HTTP/1.1", host);
    };
    auto const with_upgrade = [](std::string const& upgrade, std::string const& connection) {
        return request_text(upgrade + connection +
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                            "Sec-WebSocket-Version: 13\r\n");
    };
    auto const with_key = [](std::string const& fields) {
        return request_text("Upgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Version: 13\r\n" +
                            fields);
    };
    return {
        {"RFC 6455 §1.2", request_text(usual_fields), 101},
        {"§4.2.1 item 1: absolute form", with_line("GET http://server.example.com/chat HTTP/1.1"),
         101},
        {"absolute form of another host, RFC 9112 §3.2.2",
         with_line("GET http://other.example:8080/chat HTTP/1.1"), 101},
        {"absolute form of https", with_line("GET https://server.example.com HTTP/1.1"), 101},
        {"absolute form of ws", with_line("GET ws://server.example.com/chat HTTP/1.1"), 400,
         error::bad_request_line},
        {"absolute form without host", with_line("GET http:///chat HTTP/1.1"), 400,
         error::bad_host},
        {"authority form", with_line("CONNECT server.example.com:80 HTTP/1.1"), 400,
         error::bad_request_line},
        {"POST", with_line("POST /chat HTTP/1.1"), 405, error::method_not_allowed},
        {"OPTIONS of everything", with_line("OPTIONS * HTTP/1.1"), 405, error::method_not_allowed},
        {"method in lower case", with_line("get /chat HTTP/1.1"), 405, error::method_not_allowed},
        {"HTTP/1.0", with_line("GET /chat HTTP/1.0"), 426, error::upgrade_required},
        {"§4.2.1 item 1: HTTP/1.1 or higher", with_line("GET /chat HTTP/1.2"), 101},
        {"HTTP/2.0", with_line("GET /chat HTTP/2.0"), 505, error::bad_http_version},
        {"HTTP/0.9", "GET /chat\r\n", 505, error::bad_http_version},

        {"§4.2.1 item 2: no Host", with_host(""), 400, error::bad_host},
        {"two Hosts", with_host("Host: a\r\nHost: b\r\n"), 400, error::bad_host},
        {"empty Host", with_host("Host:\r\n"), 400, error::bad_host},
        {"Host with a path", with_host("Host: a/b\r\n"), 400, error::bad_host},
        {"Host with a bad port", with_host("Host: a:b\r\n"), 400, error::bad_host},
        {"Host of IPv6 with port", with_host("Host: [::1]:8080\r\n"), 101},

        {"§4.2.1 item 3: no Upgrade", with_upgrade("", "Connection: Upgrade\r\n"), 426,
         error::upgrade_required},
        {"another Upgrade", with_upgrade("Upgrade: h2c\r\n", "Connection: Upgrade\r\n"), 426,
         error::upgrade_required},
        {"Upgrade in any case, in a list",
         with_upgrade("upgrade: h2c,\tWebSocket\r\n", "connection: keep-alive , uPgRaDe\r\n"), 101},
        {"Upgrade on two lines",
         with_upgrade("Upgrade: h2c\r\nUpgrade: websocket\r\n",
                      "Connection: keep-alive\r\nConnection: upgrade\r\n"),
         101},
        {"§4.2.1 item 4: no Connection", with_upgrade("Upgrade: websocket\r\n", ""), 426,
         error::upgrade_required},
        {"Connection without upgrade",
         with_upgrade("Upgrade: websocket\r\n", "Connection: keep-alive\r\n"), 426,
         error::upgrade_required},

        {"§4.2.1 item 5: no key", with_key(""), 400, error::bad_websocket_key},
        {"key of 15 bytes", with_key("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA\r\n"), 400,
         error::bad_websocket_key},
        {"key that is no base64", with_key("Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==\r\n"), 400,
         error::bad_websocket_key},
        {"two keys", with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), 400,
         error::bad_websocket_key},
        {"§4.2.1 item 6: two versions", with("Sec-WebSocket-Version: 13\r\n"), 426,
         error::bad_websocket_version},
        {"§4.2.1 item 8: malformed subprotocols", with("Sec-WebSocket-Protocol: a b\r\n"), 400,
         error::bad_subprotocol},
        {"unknown subprotocols", with("Sec-WebSocket-Protocol: a, b\r\n"), 101},
        {"§4.2.1 item 9: malformed extensions", with("Sec-WebSocket-Extensions: a; =b\r\n"), 400,
         error::bad_extension},
        {"unknown extensions", with("Sec-WebSocket-Extensions: x-one; a=\"b\", x-two\r\n"), 101},
        {"unknown fields", with("X-Anything: at all\r\nCookie: a=b; c=d\r\n"), 101},

        {"Content-Length of 0", with("Content-Length: 0\r\n"), 101},
        {"a body", with("Content-Length: 5\r\n"), 400, error::bad_content_length},
        {"a chunked body", with("Transfer-Encoding: chunked\r\n"), 400, error::bad_content_length},
        {"both lengths, RFC 9112 §6.1", with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
         400, error::bad_content_length},
        {"two lengths", with("Content-Length: 0\r\nContent-Length: 0\r\n"), 400,
         error::bad_content_length},
        {"folded field, RFC 9112 §5.2", with("X-A: b\r\n c\r\n"), 400, error::bad_header_field},
        {"field without colon", with("nonsense\r\n"), 400, error::bad_header_field},
        {"NUL in a field", with("X-A: \0\r\n"s), 400, error::bad_header_field},
        {"bare LF", with("X-A: b\n"), 400, error::bad_header_field},
        {"no end of fields", with(std::string(17000, 'x')), 431, error::head_too_large},
        {"too many fields", with([] {
             std::string lines;
             for (int i = 0; i < 100; ++i) lines += "a: b\r\n";
             return lines;
         }()),
         431, error::head_too_large},
        {"a target without end",
         with_line(("GET /" + std::string(9000, 'a') + " HTTP/1.1").c_str()), 414,
         error::target_too_long},
        {"TLS instead of HTTP", "\x16\x03\x01\x02\0\x01\0\x01"s, 400, error::bad_request_line},
    };
}

} // namespace

TEST_CASE("transport/websocket_handshake: requests as bytes, in one piece and dripping [RFC 6455 "
          "§4.2]") {
    for (auto const& o : openings()) {
        CAPTURE(o.name);
        for (std::size_t const piece : {unlimited, std::size_t{1}, std::size_t{13}}) {
            CAPTURE(piece);
            world w;
            connection_from_start client{w};
            client.send(o.text, piece);
            auto const inbox = read_websocket(client.received());
            CHECK(inbox.handshake.status == o.status);
            if (o.why != error::none) {
                CHECK(inbox.handshake.code() == describe(o.why).name);
                CHECK(w.count(o.why) == 1);
                CHECK(w.count_all() == 1);
                CHECK(client.is_over());
            } else {
                CHECK(inbox.handshake.field("Sec-WebSocket-Accept") ==
                      "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
                CHECK(inbox.handshake.field("Upgrade") == "websocket");
                CHECK(inbox.handshake.field("Connection") == "Upgrade");
                CHECK(inbox.handshake.field("Sec-WebSocket-Protocol").empty());
                CHECK(inbox.handshake.field("Sec-WebSocket-Extensions").empty());
                CHECK(w.count_all() == 0);
                CHECK_FALSE(client.is_over());
            }
            if (o.status == 426) {
                CHECK(inbox.handshake.field("Sec-WebSocket-Version") == "13");
                CHECK(inbox.handshake.field("Upgrade") == "websocket");
            }
        }
    }
}

TEST_CASE("transport/websocket_handshake: frames that come with the request are answered, wherever "
          "they are cut [RFC 6455 §4.1]") {
    auto const head = request_text(usual_fields);
    auto const all = head + masked("hello") + masked("ping", websocket::opcode::ping) +
                     masked_close(1000, "bye");
    for (std::size_t cut = 0; cut <= all.size(); ++cut) {
        world w;
        connection_from_start client{w};
        client.send(std::string_view{all}.substr(0, cut));
        client.send(std::string_view{all}.substr(cut));
        auto const inbox = read_websocket(client.received());
        CAPTURE(cut);
        CHECK(inbox.order == "moc");
        CHECK(inbox.close_code == 1000);
        CHECK(client.is_over());
    }
}

TEST_CASE("transport/websocket_handshake: frames behind a request that is refused are not read") {
    world w;
    connection_from_start client{w};
    client.send(request_text(usual_fields, "GET /chat HTTP/1.0") + masked("hello"));
    auto const inbox = read_websocket(client.received());
    CHECK(inbox.handshake.status == 426);
    CHECK(inbox.handshake.body.find("hello") == std::string::npos);
    CHECK(client.is_over());
}

TEST_CASE("transport/websocket_handshake: a request that drips is cut off when its time is over") {
    world w;
    connection_from_start client{w, {.head_timeout = 10s}};
    auto const text = request_text(usual_fields);
    std::size_t sent = 0;
    // A byte a second, of which none makes the wait longer.
    while (!client.request.is_over && sent < text.size()) {
        client.send(std::string_view{text}.substr(sent++, 1));
        client.request.advance(1s);
    }
    CHECK(sent == 10);
    CHECK(read_websocket(client.received()).handshake.status == 408);
    CHECK(w.count(error::request_timeout) == 1);
}

TEST_CASE(
    "transport/websocket_handshake: a peer that vanishes is forgotten at every stage [RFC 6455 "
    "§7.1.5]") {
    auto const text = request_text(usual_fields);
    world w;
    for (std::size_t cut = 0; cut < text.size(); ++cut) {
        connection_from_start client{w};
        client.send(std::string_view{text}.substr(0, cut));
        client.request.end_input();
        CHECK(client.request.is_over);
        CHECK(client.received().empty());
    }
    for (std::string const& sent :
         {""s, masked("hello").substr(0, 1), masked("hello").substr(0, 7), masked("hello")}) {
        connection_from_start half_closed{w};
        half_closed.send(text + sent);
        half_closed.opened->end_input();
        CHECK(half_closed.opened->is_over);
        CHECK(read_websocket(half_closed.received()).close_code == 0);

        connection_from_start silent{w};
        silent.send(text + sent);
        silent.opened->advance(120s);
        CHECK(silent.opened->is_over);
        CHECK(read_websocket(silent.received()).close_code == 4003);
    }
    CHECK(w.count(error::idle_timeout) == 4);
    CHECK(w.count_all() == 4);
}
