#include <livetape/client/websocket_machine.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <livetape/transport/websocket_session.hpp>
#include <livetape/wire/client_handshake.hpp>
#include <livetape/wire/request_parser.hpp>
#include <livetape/wire/response_parser.hpp>

#include <support/message_driver.hpp>
#include <support/session_driver.hpp>

#include <doctest/doctest.h>

using namespace livetape;
using namespace std::chrono_literals;
using websocket::opcode;

namespace {

time_point const start{1h};

std::string frame(opcode code, std::string_view payload, bool is_final = true) {
    std::string out;
    websocket::append_frame(out, websocket::frame_header{.opcode = code, .is_final = is_final},
                            payload);
    return out;
}

std::string close_frame(std::uint16_t code, std::string_view reason = {}) {
    std::string out;
    websocket::append_close_frame(out, code, reason);
    return out;
}

/// A machine, its stream and its peer, whose reader is a server's.
struct machine_driver {
    explicit machine_driver(websocket_client_options const& given = {})
        : options{given}, machine{options, masking_keys{std::array<std::uint32_t, 8>{}}, nullptr,
                                  start} {}

    /// Gives bytes to the machine; `messages` gets what the user would read.
    void receive(std::string_view bytes, time_point now = start) {
        std::vector<char> block(bytes.begin(), bytes.end());
        std::span<char> input{block};
        while (auto const message = machine.next(input, now))
            messages.push_back((message->is_text() ? "text " : "binary ") +
                               std::string{message->payload});
        CHECK(input.empty());
    }

    /// Writes one batch; its bytes.
    std::string write_batch(time_point now = start) {
        std::string out;
        for (auto const piece : machine.begin_batch(now)) out += piece;
        if (!out.empty()) machine.written();
        return out;
    }

    /// Writes all that waits; what a server makes of it.
    test::received_items write_all(time_point now = start) {
        test::received_items items;
        for (;;) {
            auto const bytes = write_batch(now);
            if (bytes.empty()) return items;
            test::feed(peer, bytes, items);
        }
    }

    websocket_client_options options;
    detail::websocket_machine machine;
    websocket::message_reader peer{websocket::role::server, {std::size_t{1} << 24}};
    std::vector<std::string> messages;
};

} // namespace

TEST_CASE("client/machine: masks each frame with a fresh key [RFC 6455 5.3]") {
    machine_driver client;
    CHECK(client.machine.send(opcode::text, "a") == error::none);
    CHECK(client.machine.send(opcode::binary, std::string(1, '\0')) == error::none);
    CHECK(client.machine.ping("p") == error::none);
    CHECK(client.machine.queued_count() == 2);
    auto const bytes = client.write_batch();
    CHECK(client.machine.written_count() == 2);
    masking_keys keys{std::array<std::uint32_t, 8>{}};
    std::string expected;
    auto const first = keys.next();
    auto const second = keys.next();
    websocket::append_masked_frame(expected, opcode::ping, "p", keys.next());
    websocket::append_masked_frame(expected, opcode::text, "a", first);
    websocket::append_masked_frame(expected, opcode::binary, std::string(1, '\0'), second);
    CHECK(bytes == expected);
}

TEST_CASE("client/machine: gives messages and answers pings however they come [RFC 6455 5.5.2]") {
    auto const bytes = frame(opcode::text, "one") + frame(opcode::ping, "p") +
                       frame(opcode::binary, "t", false) + frame(opcode::ping, "q") +
                       frame(opcode::continuation, "wo") + frame(opcode::pong, "unasked");
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
        CAPTURE(piece);
        machine_driver client;
        for (std::size_t at = 0; at < bytes.size(); at += piece)
            client.receive(std::string_view{bytes}.substr(at, piece));
        CHECK(client.messages == std::vector<std::string>{"text one", "binary two"});
        CHECK(client.write_all() == test::received_items{test::pong("p"), test::pong("q")});
        CHECK_FALSE(client.machine.has_ended());
    }
}

TEST_CASE("client/machine: cuts long messages so that pongs go between [RFC 6455 5.4]") {
    websocket_client_options options;
    options.fragment_bytes = 100'000;
    machine_driver client{options};
    std::string const message(250'000, 'x');
    CHECK(client.machine.send(opcode::text, message) == error::none);
    test::received_items items;
    test::feed(client.peer, client.write_batch(), items);
    CHECK(items.empty());
    CHECK(client.machine.written_count() == 0);
    client.receive(frame(opcode::ping, "p"));
    for (auto const& item : client.write_all()) items.push_back(item);
    CHECK(items == test::received_items{test::pong("p"), test::text(message)});
    CHECK(client.machine.written_count() == 1);

    options.fragment_bytes = 0;
    machine_driver whole{options};
    CHECK(whole.machine.send(opcode::text, message) == error::none);
    CHECK(whole.write_batch().size() == message.size() + 14);
}

TEST_CASE("client/machine: bounds the messages that wait") {
    websocket_client_options options;
    options.queue_bytes_max = 100;
    machine_driver client{options};
    CHECK(client.machine.send(opcode::binary, std::string(1000, 'a')) == error::none);
    CHECK(client.machine.send(opcode::binary, "b") == error::write_queue_full);
    CHECK(client.write_all().size() == 1);
    CHECK(client.machine.send(opcode::binary, std::string(50, 'a')) == error::none);
    auto const room = 100u - (50 + 6);
    CHECK(client.machine.send(opcode::binary, std::string(room + 1, 'a')) ==
          error::write_queue_full);
    CHECK(client.machine.send(opcode::binary, std::string(room, 'a')) == error::none);
    CHECK(client.write_all().size() == 2);
}

TEST_CASE("client/machine: sends no text that is not UTF-8 [RFC 6455 5.6]") {
    machine_driver client;
    CHECK(client.machine.send(opcode::text, "\xff") == error::bad_utf8);
    CHECK(client.write_batch().empty());
    CHECK(client.machine.send(opcode::binary, "\xff") == error::none);
}

TEST_CASE("client/machine: closes behind the messages that wait [RFC 6455 7.1.2]") {
    machine_driver client;
    CHECK(client.machine.send(opcode::text, "last") == error::none);
    client.machine.close(1001, "going", start);
    client.machine.close(1000, "again", start);
    CHECK(client.machine.is_closing());
    CHECK(client.machine.send(opcode::text, "late") == error::connection_closed);
    CHECK(client.machine.ping("late") == error::connection_closed);
    CHECK(client.write_all() ==
          test::received_items{test::text("last"), test::closed(1001, "going")});
    CHECK_FALSE(client.machine.is_cleanly_closed());

    client.receive(frame(opcode::text, "still") + frame(opcode::ping, "p") +
                   close_frame(1001, "bye") + frame(opcode::text, "never"));
    CHECK(client.messages == std::vector<std::string>{"text still"});
    CHECK(client.write_batch().empty());
    CHECK(client.machine.is_cleanly_closed());
    CHECK(client.machine.why() == error::connection_closed);
    CHECK(client.machine.peer_close().code == 1001);
    CHECK(client.machine.peer_close().reason == "bye");
    CHECK_FALSE(client.machine.is_cut());
    client.machine.end_of_stream(std::make_error_code(std::errc::connection_reset));
    CHECK(client.machine.is_cut());
    CHECK(client.machine.why() == error::connection_closed);
}

TEST_CASE("client/machine: answers the peer's close before messages that wait [RFC 6455 5.5.1]") {
    for (unsigned const number : {1000u, 1005u, 4999u}) {
        auto const code = static_cast<std::uint16_t>(number);
        machine_driver client;
        CHECK(client.machine.send(opcode::text, "unsent") == error::none);
        client.receive(close_frame(code));
        CHECK(client.write_all() == test::received_items{test::closed(code)});
        CHECK(client.machine.is_cleanly_closed());
        CHECK(client.machine.peer_close().code == code);
        CHECK(client.machine.written_count() == 0);
    }
}

TEST_CASE("client/machine: answers a peer that closes and ends at once") {
    machine_driver client;
    client.receive(close_frame(1000));
    client.machine.end_of_input(std::make_error_code(std::errc::connection_reset));
    CHECK_FALSE(client.machine.wants_input());
    CHECK_FALSE(client.machine.is_cut());
    CHECK(client.write_all() == test::received_items{test::closed(1000)});
    CHECK(client.machine.is_cut());
    CHECK(client.machine.is_cleanly_closed());
}

TEST_CASE("client/machine: its own close frame survives the peer's") {
    machine_driver client;
    CHECK(client.machine.send(opcode::text, "unsent") == error::none);
    client.machine.close(4000, "mine", start);
    client.receive(close_frame(4001, "theirs"));
    CHECK(client.write_all() == test::received_items{test::closed(4000, "mine")});
    CHECK(client.machine.peer_close().code == 4001);
}

TEST_CASE("client/machine: fails a connection whose peer breaks a rule [RFC 6455 7.1.7]") {
    std::string masked;
    websocket::append_masked_frame(masked, opcode::text, "x", {1, 2, 3, 4});
    struct {
        std::string bytes;
        error failure;
    } const vectors[]{
        {masked, error::masked_frame},
        {"\x83\x01x", error::bad_opcode},
        {"\xc1\x01x", error::bad_reserved_bits},
        {std::string{"\x82\x7e\x00\x01x", 5}, error::non_minimal_length},
        {frame(opcode::ping, "x", false), error::fragmented_control},
        {std::string{"\x89\x7e\x00\x7e", 4}, error::control_too_long},
        {frame(opcode::continuation, "x"), error::unexpected_continuation},
        {frame(opcode::text, "x", false) + frame(opcode::text, "x"), error::expected_continuation},
        {frame(opcode::text, "\xff"), error::bad_utf8},
        {frame(opcode::close, "x"), error::bad_close_payload},
        {frame(opcode::close, std::string{"\x03\xed", 2}), error::bad_close_code},
        {frame(opcode::binary, std::string((1u << 20) + 1, 'x')), error::message_too_large},
    };
    for (auto const& v : vectors) {
        CAPTURE(describe(v.failure).name);
        machine_driver client;
        CHECK(client.machine.send(opcode::text, "unsent") == error::none);
        client.receive(v.bytes + frame(opcode::text, "never"));
        CHECK(client.messages.empty());
        CHECK(client.machine.why() == v.failure);
        auto const items = client.write_all();
        REQUIRE(items.size() == 1);
        CHECK(items[0].close_code == describe(v.failure).close_code);
        CHECK_FALSE(client.machine.is_cleanly_closed());
        CHECK(client.machine.send(opcode::text, "late") == error::connection_closed);
    }
}

TEST_CASE("client/machine: pings into a silence and gives a silent peer up") {
    machine_driver client;
    auto& machine = client.machine;
    CHECK(machine.deadline() == time_point::max());
    machine.set_reading(true, start);
    CHECK(machine.deadline() == start + 25s);
    machine.wake(start + 24s);
    CHECK(client.write_all().empty());
    machine.wake(start + 25s);
    CHECK(client.write_all(start + 25s) == test::received_items{test::ping("")});
    CHECK(machine.deadline() == start + 50s);

    SUBCASE("anything that is heard puts it off") {
        client.receive(frame(opcode::pong, ""), start + 26s);
        CHECK(machine.deadline() == start + 51s);
    }
    SUBCASE("silence does not") {
        machine.wake(start + 50s);
        CHECK(client.write_all(start + 50s).size() == 1);
        CHECK(machine.deadline() == start + 75s);
        machine.wake(start + 75s);
        CHECK(machine.is_cut());
        CHECK(machine.why() == error::idle_timeout);
        CHECK(machine.deadline() == time_point::max());
    }
    SUBCASE("nobody is at fault while nobody reads") {
        machine.set_reading(false, start + 26s);
        CHECK(machine.deadline() == time_point::max());
        machine.set_reading(true, start + 1h);
        CHECK(machine.deadline() == start + 1h + 25s);
    }
}

TEST_CASE("client/machine: sends no pings if it shall not") {
    websocket_client_options options;
    options.ping_interval = 0ms;
    machine_driver client{options};
    client.machine.set_reading(true, start);
    CHECK(client.machine.deadline() == time_point::max());
    client.machine.wake(start + 1h);
    CHECK_FALSE(client.machine.is_cut());
    CHECK(client.write_batch().empty());
}

TEST_CASE("client/machine: gives up a stream that takes nothing") {
    machine_driver client;
    CHECK(client.machine.send(opcode::text, "x") == error::none);
    CHECK(client.machine.begin_batch(start).size() == 1);
    CHECK(client.machine.begin_batch(start + 1s).empty());
    CHECK(client.machine.deadline() == start + 30s);
    client.machine.wake(start + 30s);
    CHECK(client.machine.is_cut());
    CHECK(client.machine.why() == error::stalled);
}

TEST_CASE("client/machine: gives up a peer that does not answer its close frame") {
    machine_driver client;
    client.machine.close(1000, {}, start);
    CHECK(client.write_all().size() == 1);
    CHECK(client.machine.deadline() == start + 5s);
    client.machine.wake(start + 5s);
    CHECK(client.machine.is_cut());
    CHECK(client.machine.why() == error::close_timeout);
    CHECK_FALSE(client.machine.is_cleanly_closed());
}

TEST_CASE("client/machine: ends the wait for a peer that answers and stays") {
    machine_driver client;
    client.receive(close_frame(1000));
    CHECK(client.write_all().size() == 1);
    client.machine.wake(start + 5s);
    CHECK(client.machine.is_cut());
    CHECK(client.machine.why() == error::connection_closed);
    CHECK(client.machine.is_cleanly_closed());
}

TEST_CASE("client/machine: bounds the pongs that a peer does not take") {
    machine_driver client;
    auto const ping = frame(opcode::ping, std::string(125, 'p'));
    for (int i = 0; i < 600 && !client.machine.has_ended(); ++i) client.receive(ping);
    CHECK(client.machine.why() == error::control_flood);
    auto const items = client.write_all();
    CHECK(items.back().close_code == 1008);
    CHECK(items.size() < 600);
}

TEST_CASE("client/machine: says what the stream said when it breaks [RFC 6455 7.1.5]") {
    machine_driver client;
    auto const reset = std::make_error_code(std::errc::connection_reset);
    client.machine.end_of_stream(reset);
    CHECK(client.machine.is_cut());
    CHECK(client.machine.why() == reset);
    CHECK(client.machine.peer_close().code == 1006);
    CHECK(client.machine.send(opcode::text, "x") == error::connection_closed);
}

TEST_CASE("client/machine: talks to the server's session, in pieces of any size") {
    for (std::size_t const piece :
         {std::size_t{1}, std::size_t{2}, std::size_t{7}, test::unlimited}) {
        CAPTURE(piece);
        url to;
        REQUIRE(parse_url("ws://host/live/ws", to) == error::none);
        websocket::handshake_offer offer;
        offer.subprotocols = {"livetape.v1.json"};
        auto const key = websocket::handshake_key({});
        std::string request;
        websocket::append_handshake(request, to, offer, key);
        http::request_parser requests;
        std::string_view input = request;
        REQUIRE(requests.feed(input) == parse_status::done);

        test::world world;
        world.source.open("ticks");
        test::session_driver<websocket_session> server{world.context(), requests.head(), "/ws"};
        server.piece_bytes = piece;
        server.start();
        http::response_parser responses;
        input = server.received;
        REQUIRE(responses.feed(input) == parse_status::done);
        websocket::handshake_agreement agreement;
        REQUIRE(websocket::check_response(responses.head(), offer, key, agreement) == error::none);
        CHECK(agreement.subprotocol == "livetape.v1.json");
        std::size_t taken = server.received.size() - input.size();

        machine_driver client;
        auto const exchange = [&] {
            for (auto bytes = client.write_batch(); !bytes.empty(); bytes = client.write_batch())
                server.send(bytes, piece);
            client.receive(std::string_view{server.received}.substr(taken));
            taken = server.received.size();
        };
        CHECK(client.machine.send(opcode::text, R"({"subscribe":"ticks","id":1})") == error::none);
        exchange();
        REQUIRE(client.messages.size() == 1);
        CHECK(client.messages[0].find(R"("subscribed":"ticks")") != std::string::npos);
        world.publish("ticks", "1");
        world.publish("ticks", "2");
        exchange();
        REQUIRE(client.messages.size() == 3);
        CHECK(client.messages[2].find(R"("data":2)") != std::string::npos);
        client.machine.close(1000, "done", start);
        exchange();
        CHECK(client.machine.is_cleanly_closed());
        CHECK(client.machine.peer_close().code == 1000);
        CHECK(server.is_over);
    }
}
