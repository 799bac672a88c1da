#include <livetape/client/websocket_client.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read_until.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <asio/write.hpp>
#include <livetape/net/server.hpp>

#include <doctest/doctest.h>

using namespace livetape;
using namespace std::chrono_literals;
using asio::ip::tcp;
using websocket::opcode;

// Asio 1.22 has no coroutines with clang 14 and the library of g++: what needs them is left out
// there.

namespace {

#ifdef ASIO_HAS_CO_AWAIT
/// Runs one coroutine to its end.
void run_coroutine(asio::io_context& io, std::function<asio::awaitable<void>()> const& body) {
    std::exception_ptr failure;
    bool is_done = false;
    asio::co_spawn(io, body, [&](std::exception_ptr thrown) {
        failure = thrown;
        is_done = true;
        io.stop();
    });
    io.run();
    CHECK(is_done);
    if (failure) std::rethrow_exception(failure);
}
#endif

/// An echo server of this library, in the io_context of the test.
struct echo_server {
    explicit echo_server(asio::io_context& io) : served{io.get_executor(), all} {
        live_options live;
        live.message_bytes_max = 4u << 20;
        served.websocket(
            "/echo",
            [](websocket_link& link, opcode code, std::string_view payload) {
                link.send(code, payload);
            },
            live);
        port = served.listen({asio::ip::address_v4::loopback(), 0}).port();
    }

    [[nodiscard]] std::string url(std::string_view host = "127.0.0.1") const {
        return "ws://" + std::string{host} + ":" + std::to_string(port) + "/echo";
    }

    hub all;
    server served;
    std::uint16_t port = 0;
};

} // namespace

#ifdef ASIO_HAS_CO_AWAIT
TEST_CASE("client/websocket: talks to this library's server, with coroutines") {
    asio::io_context io;
    echo_server server{io};
    run_coroutine(io, [&]() -> asio::awaitable<void> {
        websocket_client client{io.get_executor()};
        for (int round = 0; round < 2; ++round) {
            co_await client.connect(server.url(), asio::use_awaitable);
            for (std::size_t const size :
                 std::initializer_list<std::size_t>{0, 1, 125, 126, 65535, 65536, 1000000}) {
                std::string const payload(size, 'x');
                co_await client.write_text(payload, asio::use_awaitable);
                auto message = co_await client.read(asio::use_awaitable);
                CHECK(message.is_text());
                CHECK(message.payload == payload);
                co_await client.write_binary(payload, asio::use_awaitable);
                message = co_await client.read(asio::use_awaitable);
                CHECK_FALSE(message.is_text());
                CHECK(message.payload.size() == size);
            }
            co_await client.close(websocket::close_code::going_away, asio::use_awaitable);
            CHECK(client.peer_close().code == 1001);
        }
    });
}
#endif

TEST_CASE("client/websocket: talks with futures from another thread") {
    asio::io_context io;
    echo_server server{io};
    auto const guard = asio::make_work_guard(io);
    std::thread thread{[&] { io.run(); }};
    // Everything is called on the executor; the futures wait here. The promise lives until both
    // threads are done with it, and the client ends where it lived: a future may be ready while the
    // other thread is still on its way out of the operation.
    auto const on_executor = [&](auto call) {
        auto const started = std::make_shared<std::promise<decltype(call())>>();
        auto result = started->get_future();
        asio::post(io, [started, call] { started->set_value(call()); });
        return result.get();
    };
    auto client = std::make_unique<websocket_client>(io.get_executor());
    on_executor([&] { return client->connect(server.url(), asio::use_future); }).get();
    on_executor([&] { return client->write_text("future", asio::use_future); }).get();
    auto const message = on_executor([&] { return client->read(asio::use_future); }).get();
    CHECK(message.payload == "future");
    on_executor([&] { return client->close(1000, {}, asio::use_future); }).get();
    // The exception is looked at once the other thread is gone: what libstdc++ counts its
    // references with is invisible to the thread sanitizer.
    auto ended = on_executor([&] { return client->read(asio::use_future); });
    ended.wait();
    asio::post(io, [&] {
        client.reset();
        io.stop();
    });
    thread.join();
    CHECK_THROWS_AS(ended.get(), std::system_error);
}

#ifdef ASIO_HAS_CO_AWAIT
TEST_CASE("client/dial: tries the other family where the first is dead [RFC 8305 5]") {
    asio::io_context io;
    echo_server server{io}; // 127.0.0.1 alone; localhost may be ::1 as well
    run_coroutine(io, [&]() -> asio::awaitable<void> {
        websocket_client client{io.get_executor()};
        co_await client.connect(server.url("localhost"), asio::use_awaitable);
        CHECK(client.is_open());
    });
}
#endif

namespace {

/// A port that neither answers nor refuses: its backlog is full.
class black_hole {
public:
    black_hole() {
        for (auto& each : waiting_) each.async_connect(address(), asio::detached);
        io_.poll();
    }
    [[nodiscard]] tcp::endpoint address() const { return acceptor_.local_endpoint(); }

private:
    static tcp::acceptor listen(asio::io_context& io) {
        tcp::acceptor made{io, tcp::v4()};
        made.bind({asio::ip::address_v4::loopback(), 0});
        made.listen(0);
        return made;
    }

    asio::io_context io_; // its own: these connections never come about
    tcp::acceptor acceptor_ = listen(io_);
    std::array<tcp::socket, 4> waiting_{tcp::socket{io_}, tcp::socket{io_}, tcp::socket{io_},
                                        tcp::socket{io_}};
};

struct dialled {
    std::error_code ec;
    tcp::endpoint peer;
};

dialled dial_addresses(asio::io_context& io, std::vector<tcp::endpoint> addresses,
                       dial_options const& options) {
    std::optional<dialled> result;
    auto const operation =
        std::make_shared<detail::dial_operation>(io.get_executor(), url{}, options, nullptr);
    auto const note = [&](std::error_code ec, tcp::socket socket) {
        result = dialled{ec, ec ? tcp::endpoint{} : socket.remote_endpoint()};
        CHECK(socket.is_open() == !ec);
    };
    operation->start(std::move(addresses), {note, io.get_executor()});
    io.restart();
    io.run();
    return result.value();
}

} // namespace

TEST_CASE("client/dial: goes past an address that does not answer [RFC 8305 5]") {
    asio::io_context io;
    black_hole dead;
    tcp::acceptor live{io, {asio::ip::address_v4::loopback(), 0}};
    tcp::acceptor closed{io, {asio::ip::address_v4::loopback(), 0}};
    auto const refusing = closed.local_endpoint();
    closed.close();
    dial_options options;
    options.attempt_delay = 1ms;
    auto const found =
        dial_addresses(io, {dead.address(), refusing, live.local_endpoint()}, options);
    CHECK(found.ec == std::error_code{});
    CHECK(found.peer == live.local_endpoint());

    CHECK(dial_addresses(io, {refusing, refusing}, options).ec == asio::error::connection_refused);
    options.connect_timeout = 5ms;
    CHECK(dial_addresses(io, {dead.address()}, options).ec == error::connect_timeout);
}

TEST_CASE("client/dial: is cancelled while it waits") {
    asio::io_context io;
    black_hole dead;
    url to;
    REQUIRE(parse_url("ws://" + std::string{"127.0.0.1:"} + std::to_string(dead.address().port()),
                      to) == error::none);
    asio::cancellation_signal signal;
    std::optional<std::error_code> outcome;
    dial(io.get_executor(), to, {},
         asio::bind_cancellation_slot(signal.slot(), [&](std::error_code ec, tcp::socket socket) {
             outcome = ec;
             CHECK_FALSE(socket.is_open());
         }));
    io.poll();
    CHECK_FALSE(outcome.has_value());
    signal.emit(asio::cancellation_type::terminal);
    io.restart();
    io.run();
    CHECK(outcome.value() == asio::error::operation_aborted);
}

#ifdef ASIO_HAS_CO_AWAIT
namespace {

/// A proxy for one connection: reads the head of a request, answers, and, if it answers 200,
/// carries bytes between the two sides.
class tiny_proxy {
public:
    tiny_proxy(asio::io_context& io, std::string answer)
        : io_{io}, acceptor_{io, {asio::ip::address_v4::loopback(), 0}}, answer_{
                                                                             std::move(answer)} {
        asio::co_spawn(io, serve(), asio::detached);
    }

    [[nodiscard]] proxy_options options() const {
        return {"127.0.0.1", acceptor_.local_endpoint().port(), {}, {}};
    }
    std::string request;

private:
    asio::awaitable<void> serve() {
        tcp::socket client = co_await acceptor_.async_accept(asio::use_awaitable);
        co_await asio::async_read_until(client, asio::dynamic_buffer(request), "\r\n\r\n",
                                        asio::use_awaitable);
        co_await asio::async_write(client, asio::buffer(answer_), asio::use_awaitable);
        if (answer_.find(" 200 ") == std::string::npos) co_return;
        auto const colon = request.find(':');
        auto const port = static_cast<std::uint16_t>(std::stoi(request.substr(colon + 1)));
        tcp::socket server{io_};
        co_await server.async_connect({asio::ip::address_v4::loopback(), port},
                                      asio::use_awaitable);
        client_ = std::move(client);
        server_ = std::move(server);
        asio::co_spawn(io_, carry(*client_, *server_), asio::detached);
        co_await carry(*server_, *client_);
    }

    asio::awaitable<void> carry(tcp::socket& from, tcp::socket& to) {
        std::array<char, 4096> bytes;
        std::error_code ec;
        for (;;) {
            auto const size = co_await from.async_read_some(
                asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, ec));
            if (ec) break;
            co_await asio::async_write(to, asio::buffer(bytes, size),
                                       asio::redirect_error(asio::use_awaitable, ec));
        }
        to.shutdown(tcp::socket::shutdown_send, ec);
    }

    asio::io_context& io_;
    tcp::acceptor acceptor_;
    std::string answer_;
    std::optional<tcp::socket> client_;
    std::optional<tcp::socket> server_;
};

} // namespace

TEST_CASE("client/dial: goes through a proxy [RFC 9110 9.3.6]") {
    asio::io_context io;
    echo_server server{io};
    tiny_proxy proxy{io, "HTTP/1.1 200 Established\r\nVia: x\r\n\r\n"};
    run_coroutine(io, [&]() -> asio::awaitable<void> {
        websocket_client client{io.get_executor()};
        client.options().dial.proxy = proxy.options();
        client.options().dial.proxy.user = "Aladdin";
        client.options().dial.proxy.password = "open sesame";
        co_await client.connect(server.url(), asio::use_awaitable);
        co_await client.write_text("through", asio::use_awaitable);
        auto const message = co_await client.read(asio::use_awaitable);
        CHECK(message.payload == "through");
        co_await client.close(1000, {}, asio::use_awaitable);
    });
    CHECK(proxy.request.find("CONNECT 127.0.0.1:" + std::to_string(server.port)) == 0);
    CHECK(proxy.request.find("Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n") !=
          std::string::npos);
}

TEST_CASE("client/dial: says what the proxy answered") {
    struct {
        std::string answer;
        error failure;
        unsigned status;
    } const vectors[]{
        {"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
         error::proxy_refused, 407},
        {"HTTP/1.1 503 Busy\r\n\r\n", error::proxy_refused, 503},
        {"SOCKS?\r\n", error::bad_status_line, 0},
    };
    for (auto const& v : vectors) {
        CAPTURE(v.answer);
        asio::io_context io;
        tiny_proxy proxy{io, v.answer};
        run_coroutine(io, [&]() -> asio::awaitable<void> {
            websocket_client client{io.get_executor()};
            client.options().dial.proxy = proxy.options();
            std::error_code ec;
            co_await client.connect("ws://host/", asio::redirect_error(asio::use_awaitable, ec));
            CHECK(ec == v.failure);
            CHECK(client.response().status() == v.status);
        });
    }
}
#endif
