#include <livetape/net/server.hpp>
#include <livetape/net/tls.hpp>

#include <support/tls_certificates.hpp>
#include <support/tls_client.hpp>

#include <doctest/doctest.h>

#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace livetape;
using test::blocking_client;
using test::certificate_authority;
using test::item_kind;
using test::pem_pair;
using test::tls_client;
using test::tls_offer;
using namespace std::chrono_literals;

tls_certificate certificate_of(pem_pair const& pem) { return {.chain = pem.chain, .key = pem.key}; }

/// What most tests do with: one authority and one certificate for `localhost`.
certificate_authority const& authority() {
    static certificate_authority const made{"livetape test authority"};
    return made;
}

tls_options simple_options() {
    static auto const pem = authority().issue("localhost", "DNS:localhost,IP:127.0.0.1");
    tls_options options;
    options.certificates = {certificate_of(pem)};
    return options;
}

/// A server that listens with TLS, and its thread.
class tls_server {
public:
    explicit tls_server(tls_options with = simple_options(), server_options options = {},
                        live_options live = {}, channel_options const& channels = {})
        : all{channels}, tls{std::move(with)}, served{io.get_executor(), all, std::move(options)} {
        live.hooks.publish = [](std::string_view, std::string_view) { return true; };
        live.clients_may_create_channels = true;
        served.live("/live", std::move(live));
        served.get("/hello", [](http::request_head const&) {
            return http_reply{200, "text/plain", "hello", {}};
        });
        live_options large;
        large.message_bytes_max = 4u << 20;
        served.websocket(
            "/echo",
            [](websocket_link& link, websocket::opcode code, std::string_view payload) {
                link.send(code, payload);
            },
            std::move(large));
        port = served.listen({asio::ip::address_v4::loopback(), 0}, tls).port();
        thread_ = std::thread{[this] { io.run(); }};
    }
    ~tls_server() { stop(); }

    /// Returns when `io.run` has: whatever keeps it alive makes the test time out.
    void stop() {
        if (!thread_.joinable()) return;
        served.stop();
        thread_.join();
    }

    template <class F>
    auto on_thread(F f) {
        std::packaged_task<decltype(f())()> task{std::move(f)};
        auto result = task.get_future();
        asio::post(io, [&task] { task(); });
        return result.get();
    }

    void wait_for_connections(std::size_t count) {
        while (on_thread([this] { return served.connection_count(); }) != count)
            std::this_thread::yield();
    }

    void wait_for_error(error of, std::uint64_t count = 1) {
        while (served.errors()[of] < count) std::this_thread::yield();
    }

    asio::io_context io{1};
    hub all;
    tls_context tls;
    server served;
    std::uint16_t port = 0;

private:
    std::thread thread_;
};

/// A folder for files that is gone afterwards.
class temporary_folder {
public:
    temporary_folder() {
        auto name = (std::filesystem::temp_directory_path() / "livetape_XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    temporary_folder(temporary_folder const&) = delete;
    temporary_folder& operator=(temporary_folder const&) = delete;
    ~temporary_folder() { std::filesystem::remove_all(path_); }

    std::filesystem::path write(std::string_view name, std::string_view text) const {
        auto const file = path_ / name;
        std::ofstream{file, std::ios::binary} << text;
        return file;
    }

    std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

/// Why the handshake failed, as the client sees it.
std::string refusal(std::uint16_t port, tls_offer const& offer) {
    try {
        tls_client client{port, offer};
        client.get("/hello");
        auto const answer = client.read_to_end();
        return answer.empty() ? client.reason() : "served";
    } catch (std::runtime_error const& failure) {
        return failure.what();
    }
}

bool is_served(std::uint16_t port, tls_offer const& offer = {}) {
    tls_client client{port, offer};
    client.get("/hello");
    return client.read_response().ends_with("hello");
}

} // namespace

TEST_CASE("net/tls: serves one event over every transport, with TLS 1.2 and 1.3") {
    for (int const version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        CAPTURE(version);
        tls_offer const offer{.version_min = version,
                              .version_max = version,
                              .server_name = "localhost",
                              .authority = authority().pem()};
        tls_server s;
        s.all.open("a");
        tls_client websocket{s.port, offer};
        CHECK(websocket.version() == (version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3"));
        websocket.open_websocket("/live/ws?channel=a");
        CHECK(contains(websocket.read_message().payload, R"("subscribed":"a")"));
        tls_client sse{s.port, offer};
        sse.get("/live/sse?channel=a");
        CHECK(contains(sse.read_until("\n\n"), "text/event-stream"));
        tls_client poll{s.port, offer};
        poll.get("/live/poll?channel=a&wait=60&cursor=oldest");

        tls_client publisher{s.port, offer};
        publisher.send("POST /live/publish?channel=a HTTP/1.1\r\nHost: test\r\n"
                       "Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"x\":1}"
                       "GET /hello HTTP/1.1\r\nHost: test\r\n\r\n");
        CHECK(contains(publisher.read_response(), R"("offset":1)"));
        CHECK(publisher.read_response().ends_with("hello"));

        auto const envelope = R"({"channel":"a","offset":1,"data":{"x":1}})";
        CHECK(websocket.read_message().payload == envelope);
        CHECK(contains(sse.read_until("\n\n"), envelope));
        CHECK(contains(poll.read_response(), envelope));
        poll.get("/live/poll?channel=a");
        CHECK(contains(poll.read_response(), envelope));
    }
}

TEST_CASE("net/tls: refuses TLS 1.1 [RFC 8996]") {
    tls_server s;
    auto const why =
        refusal(s.port, {.version_min = TLS1_1_VERSION, .version_max = TLS1_1_VERSION});
    CHECK(contains(why, "protocol version"));
    s.wait_for_error(error::tls_handshake_failed);
    CHECK(is_served(s.port));
}

TEST_CASE("net/tls: agrees on http/1.1 alone, and serves those who offer no protocol [RFC 7301]") {
    tls_server s;
    tls_client both{s.port, {.protocols = "\x02h2\x08http/1.1"}};
    CHECK(both.protocol() == "http/1.1");
    CHECK(tls_client{s.port}.protocol().empty());
    CHECK(contains(refusal(s.port, {.protocols = "\x02h2\x06http/2"}), "no application protocol"));
    s.wait_for_error(error::tls_handshake_failed);
}

TEST_CASE("net/tls: shows the certificate of the name that is asked for [RFC 6066 3]") {
    tls_options options;
    options.certificates = {
        certificate_of(authority().issue("first", "DNS:first.test")),
        certificate_of(authority().issue("wild", "DNS:*.b.test,DNS:A.test")),
        certificate_of(authority().issue("exact", "DNS:exact.b.test")),
        certificate_of(authority().issue("nameless")),
    };
    tls_server s{std::move(options)};
    std::array<std::array<std::string, 2>, 9> const answers{{{"", "first"},
                                                             {"first.test", "first"},
                                                             {"a.test", "wild"},
                                                             {"A.TEST", "wild"},
                                                             {"x.b.test", "wild"},
                                                             {"exact.b.test", "exact"},
                                                             {"y.x.b.test", "first"},
                                                             {"b.test", "first"},
                                                             {"nameless", "first"}}};
    for (auto const& each : answers) {
        CAPTURE(each[0]);
        tls_client client{s.port, {.server_name = each[0]}};
        CHECK(client.server_certificate() == each[1]);
        client.get("/hello");
        CHECK(client.read_response().ends_with("hello"));
    }
}

TEST_CASE("net/tls: gives new connections the certificate that was reloaded, or keeps the old") {
    temporary_folder const folder;
    auto const write = [&](pem_pair const& pem) {
        folder.write("chain.pem", pem.chain);
        folder.write("key.pem", pem.key);
    };
    write(authority().issue("before"));
    tls_options options;
    options.certificates = {{folder / "chain.pem", folder / "key.pem"}};
    tls_server s{std::move(options)};
    tls_client old{s.port};
    CHECK(old.server_certificate() == "before");

    write(authority().issue("after"));
    CHECK(tls_client{s.port}.server_certificate() == "before");
    s.tls.reload();
    CHECK(tls_client{s.port}.server_certificate() == "after");
    old.get("/hello");
    CHECK(old.read_response().ends_with("hello"));

    folder.write("key.pem", "nonsense");
    std::error_code ec;
    s.tls.reload(ec);
    CHECK(ec);
    CHECK_THROWS_WITH_AS(s.tls.reload(), doctest::Contains("key.pem"), std::system_error);
    CHECK(tls_client{s.port}.server_certificate() == "after");
}

TEST_CASE("net/tls: reloads while connections come in") {
    tls_server s;
    std::atomic<bool> is_over = false;
    std::thread reloading{[&] {
        while (!is_over) s.tls.reload();
    }};
    int served = 0;
    for (int i = 0; i < 50; ++i) served += is_served(s.port) ? 1 : 0;
    is_over = true;
    reloading.join();
    CHECK(served == 50);
}

TEST_CASE("net/tls: says which file it cannot use, and why") {
    temporary_folder const folder;
    auto const pem = authority().issue("localhost");
    auto const chain = folder.write("chain.pem", pem.chain);
    auto const key = folder.write("key.pem", pem.key);
    auto const other_key = folder.write("other.pem", authority().issue("other").key);
    auto const locked_key = folder.write("locked.pem", certificate_authority::encrypted_key());
    auto const empty = folder.write("empty.pem", "");
    auto const broken = folder.write(
        "broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    auto const half_broken = folder.write("half.pem", pem.chain + "-----BEGIN CERTIFICATE-----\n");
    struct bad_case {
        std::filesystem::path chain;
        std::filesystem::path key;
        std::filesystem::path authorities;
        std::string named;
    };
    std::vector<bad_case> const cases{
        {folder / "missing.pem", key, {}, "certificate file " + (folder / "missing.pem").string()},
        {folder / "", key, {}, "certificate file"},
        {empty, key, {}, "empty.pem"},
        {broken, key, {}, "broken.pem"},
        {half_broken, key, {}, "half.pem"},
        {key, key, {}, "certificate file"},
        {chain, folder / "missing.pem", {}, "private key file"},
        {chain, chain, {}, "private key file"},
        {chain, other_key, {}, "other.pem: key values mismatch"},
        {chain, locked_key, {}, "locked.pem"},
        {chain, key, folder / "missing.pem", "client authorities file"},
        {chain, key, key, "client authorities file"},
    };
    for (auto const& each : cases) {
        CAPTURE(each.named);
        tls_options options;
        options.certificates = {{each.chain, each.key}};
        if (!each.authorities.empty()) options.clients = client_certificates::required;
        options.client_authorities_file = each.authorities;
        std::error_code ec;
        tls_context const not_thrown{options, ec};
        CHECK(ec);
        CHECK_THROWS_WITH_AS(tls_context{options}, doctest::Contains(each.named.c_str()),
                             std::system_error);
    }
    std::error_code ec = std::make_error_code(std::errc::invalid_argument);
    tls_context const good{{.certificates = {{chain, key}}}, ec};
    CHECK_FALSE(ec);
}

TEST_CASE("net/tls: asks clients for certificates if it is told to") {
    certificate_authority const of_clients{"of clients"};
    auto const known = of_clients.issue("known");
    auto const stranger = certificate_authority{"of strangers"}.issue("stranger");
    for (int const version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        CAPTURE(version);
        auto const with = [&](pem_pair const& certificate) {
            return tls_offer{
                .version_min = version, .version_max = version, .certificate = certificate};
        };
        auto options = simple_options();
        options.client_authorities = of_clients.pem();
        {
            tls_server s{options};
            CHECK(is_served(s.port, with(stranger)));
        }
        options.clients = client_certificates::optional;
        {
            tls_server s{options};
            CHECK(is_served(s.port, with({})));
            CHECK(is_served(s.port, with(known)));
            CHECK(contains(refusal(s.port, with(stranger)), "unknown ca"));
            s.wait_for_error(error::tls_handshake_failed);
        }
        options.clients = client_certificates::required;
        {
            tls_server s{options};
            CHECK(is_served(s.port, with(known)));
            CHECK(refusal(s.port, with({})) != "served");
            CHECK(contains(refusal(s.port, with(stranger)), "unknown ca"));
            s.wait_for_error(error::tls_handshake_failed, 2);
        }
    }
}

TEST_CASE("net/tls: resumes a session without asking for the certificate again [RFC 8446 2.2]") {
    for (int const version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        CAPTURE(version);
        tls_server s;
        tls_client first{s.port, {.version_min = version, .version_max = version}};
        first.get("/hello");
        first.read_response(); // with TLS 1.3 the tickets come before it
        CHECK_FALSE(first.is_resumed());
        tls_client second{
            s.port, {.version_min = version, .version_max = version, .session = first.session()}};
        CHECK(second.is_resumed());
        second.get("/hello");
        CHECK(second.read_response().ends_with("hello"));
        s.tls.reload();
        tls_client third{
            s.port, {.version_min = version, .version_max = version, .session = first.session()}};
        CHECK_FALSE(third.is_resumed());
    }
}

TEST_CASE("net/tls: gives up on a handshake that takes too long") {
    auto options = simple_options();
    options.handshake_timeout = 1ms;
    tls_server s{std::move(options)};
    blocking_client silent{s.port};
    CHECK(silent.read_to_end().empty());
    blocking_client halfway{s.port};
    halfway.send({"\x16\x03\x01\x02\x00\x01", 6});
    CHECK(halfway.read_to_end().empty());
    CHECK(s.served.errors()[error::request_timeout] == 2);
    s.wait_for_connections(0);
}

TEST_CASE("net/tls: tells those who speak no TLS so") {
    tls_server s;
    for (auto const request : {"GET /hello HTTP/1.1\r\nHost: test\r\n\r\n",
                               "POST /hello HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n"}) {
        blocking_client plain{s.port};
        plain.send(request);
        auto const answer = plain.read_to_end();
        CHECK(answer.starts_with("HTTP/1.1 400 "));
        CHECK(contains(answer, "tls_required"));
    }
    s.wait_for_error(error::tls_required, 2);
    blocking_client nonsense{s.port};
    nonsense.send(std::string(100'000, 'x'));
    nonsense.shut_down();
    nonsense.read_to_end();
    blocking_client absent{s.port};
    absent.shut_down();
    absent.read_to_end();
    blocking_client rude{s.port};
    rude.reset();
    s.wait_for_error(error::tls_handshake_failed, 3);
    s.wait_for_connections(0);
}

TEST_CASE("net/tls: closes those over the limit of connections before the handshake") {
    server_options options;
    options.connections_max = 1;
    tls_server s{simple_options(), std::move(options)};
    std::optional<blocking_client> first{s.port};
    s.wait_for_connections(1);
    CHECK_THROWS(tls_client{s.port});
    CHECK(s.served.errors()[error::too_many_connections] == 1);
    first.reset();
    s.wait_for_connections(0);
    CHECK(is_served(s.port));
}

TEST_CASE("net/tls: stops in the middle of handshakes, and says good-bye to everybody else") {
    server_options options;
    options.drain_timeout = 10min;
    tls_server s{simple_options(), std::move(options)};
    s.all.open("a");
    blocking_client silent{s.port};
    blocking_client halfway{s.port};
    halfway.send({"\x16\x03\x01\x02\x00\x01", 6});
    blocking_client failed{s.port};
    failed.send("nonsense");
    tls_client idle{s.port};
    idle.get("/hello");
    idle.read_response();
    tls_client sse{s.port};
    sse.get("/live/sse?channel=a");
    sse.read_until("\n\n");
    tls_client websocket{s.port};
    websocket.open_websocket("/live/ws?channel=a");
    websocket.read_message();
    s.wait_for_connections(6);
    s.wait_for_error(error::tls_handshake_failed);
    s.served.stop();

    CHECK(silent.read_to_end().empty());
    CHECK(halfway.read_to_end().empty());
    failed.read_to_end();
    CHECK(idle.read_to_end().empty());
    CHECK(idle.has_close_notify());
    sse.read_to_end();
    CHECK(sse.has_close_notify());
    CHECK(websocket.read_message().close_code == 1001);
    websocket.send_frame(websocket::opcode::close, "\x03\xe9");
    CHECK(websocket.read_to_end().empty());
    CHECK(websocket.has_close_notify());
    websocket.shut_down();
    {
        auto const gone = std::move(static_cast<blocking_client&>(sse));
        auto const also_gone = std::move(static_cast<blocking_client&>(websocket));
    }
    s.stop();
    CHECK(s.served.connection_count() == 0);
}

TEST_CASE("net/tls: ends a response and a connection that is kept no longer with close_notify") {
    server_options options;
    options.request.keep_alive_timeout = 1ms;
    tls_server s{simple_options(), std::move(options)};
    tls_client once{s.port};
    try {
        once.send("GET /hello HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        once.read_to_end();
    } catch (std::runtime_error const&) {
        // The timeout may be over before the request is there.
    }
    CHECK(once.has_close_notify());
    tls_client idle{s.port};
    CHECK(idle.read_to_end().empty());
    CHECK(idle.has_close_notify());
}

TEST_CASE("net/tls: answers a client that has said close_notify, and drops one that has not") {
    tls_server s;
    tls_client half{s.port};
    half.get("/hello");
    half.shut_down();
    CHECK(half.read_to_end().ends_with("hello"));
    CHECK(half.has_close_notify());

    tls_client cut{s.port};
    cut.open_websocket("/echo");
    cut.blocking_client::shut_down();
    cut.read_to_end();
    {
        auto const gone = std::move(static_cast<blocking_client&>(half));
        auto const also_gone = std::move(static_cast<blocking_client&>(cut));
    }
    s.wait_for_connections(0);
}

TEST_CASE("net/tls: carries large messages both ways while the client is slow to read") {
    tls_server s;
    tls_client client{s.port, {.receive_buffer_bytes = 4096}};
    client.open_websocket("/echo");
    std::string large(1u << 20, ' ');
    for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>('a' + i % 23);
    for (int i = 0; i < 3; ++i) {
        client.send_frame(websocket::opcode::binary, large);
        CHECK(client.read_message() == test::binary(large));
    }
    client.send_frame(websocket::opcode::text, "after");
    CHECK(client.read_message() == test::text("after"));
    client.send_frame(websocket::opcode::close, "\x03\xe8");
    CHECK(client.read_message() == test::closed(1000));
    CHECK(client.read_to_end().empty());
    CHECK(client.has_close_notify());
}

TEST_CASE("net/tls: reads no more from a client that does not read, until it does") {
    tls_server s;
    tls_client client{s.port, {.receive_buffer_bytes = 4096}};
    client.open_websocket("/echo");
    // With this on its way back there is room for nothing else.
    std::string const large(1u << 20, 'x');
    for (int i = 0; i < 3; ++i) {
        client.send_frame(websocket::opcode::binary, large);
        for (int k = 0; k < 20; ++k) {
            client.send_frame(websocket::opcode::text, std::to_string(k) + std::string(500, '.'));
            client.send_frame(websocket::opcode::ping, std::to_string(k));
        }
        // Pongs may overtake messages, but not each other.
        int texts = 0, pongs = 0, wrong = 0;
        bool has_large = false;
        while (texts < 20 || pongs < 20) {
            auto const message = client.read_message();
            if (message.kind == item_kind::pong)
                wrong += message.payload == std::to_string(pongs++) ? 0 : 1;
            else if (!std::exchange(has_large, true))
                wrong += message == test::binary(large) ? 0 : 1;
            else wrong += message.payload.starts_with(std::to_string(texts++) + '.') ? 0 : 1;
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("net/tls: sends a long run of the log in large records, to slow readers too") {
    channel_options channels;
    channels.log_bytes_max = 64u << 20;
    channels.log_events_max = 100'000;
    for (int const receive_buffer_bytes : {0, 4096}) {
        CAPTURE(receive_buffer_bytes);
        tls_server s{simple_options(), {}, {}, channels};
        auto& a = s.all.open("a");
        constexpr int count = 20'000;
        std::string const filling(200, 'x');
        for (int i = 0; i < count; ++i) a.publish('"' + std::to_string(i) + filling + '"');
        tls_client client{s.port, {.receive_buffer_bytes = receive_buffer_bytes}};
        client.open_websocket("/live/ws/raw/a?cursor=oldest");
        auto const before = client.record_count();
        int wrong = 0;
        std::size_t bytes = 0;
        for (int i = 0; i < count; ++i) {
            auto const payload = client.read_message().payload;
            wrong += payload == '"' + std::to_string(i) + filling + '"' ? 0 : 1;
            bytes += payload.size() + 4;
        }
        CHECK(wrong == 0);
        CHECK(client.record_bytes_max() > 16'000);
        CHECK(client.record_count() - before < bytes / 8'000);
        for (int i = 0; i < 5; ++i) a.publish("1");
        for (int i = 0; i < 5; ++i) CHECK(client.read_message().payload == "1");
    }
}

TEST_CASE("net/tls: cuts a client that takes nothing, without close_notify") {
    live_options live;
    live.write_timeout = 1ms;
    channel_options channels;
    channels.log_bytes_max = 64u << 20;
    tls_server s{simple_options(), {}, std::move(live), channels};
    auto& a = s.all.open("a");
    for (int i = 0; i < 100; ++i) a.publish('"' + std::string(100'000, 'x') + '"');
    tls_client client{s.port, {.receive_buffer_bytes = 4096}};
    client.get("/live/sse?channel=a&cursor=oldest");
    s.wait_for_connections(0);
    client.read_to_end();
    CHECK_FALSE(client.has_close_notify());
}

TEST_CASE("net/tls: goes with its connections, before the io_context") {
    for (bool const is_polled_afterwards : {false, true}) {
        auto io = std::make_unique<asio::io_context>();
        auto all = std::make_unique<hub>();
        auto served = std::make_unique<server>(io->get_executor(), *all);
        auto const port =
            served->listen({asio::ip::address_v4::loopback(), 0}, tls_context{simple_options()})
                .port();
        std::vector<blocking_client> clients;
        for (auto const text : {"", "\x16\x03\x01", "nonsense"})
            clients.emplace_back(port).send(text);
        while (served->connection_count() < clients.size() ||
               served->errors()[error::tls_handshake_failed] < 1)
            io->poll();
        served.reset();
        if (is_polled_afterwards) {
            io->poll();
            for (auto& each : clients) each.read_to_end();
        }
        all.reset();
        io.reset();
    }
}

TEST_CASE("net/tls: says so when the port is in use") {
    tls_server s;
    asio::io_context io;
    server second{io.get_executor(), s.all};
    std::error_code ec;
    CHECK(second.listen({asio::ip::address_v4::loopback(), s.port}, s.tls, {}, ec).port() == 0);
    CHECK(ec == asio::error::address_in_use);
    CHECK_THROWS_AS(second.listen({asio::ip::address_v4::loopback(), s.port}, s.tls),
                    std::system_error);
}
