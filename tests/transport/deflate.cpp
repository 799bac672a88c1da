#include "support/session_driver.hpp"

#include <livetape/transport/compressed_encodings.hpp>
#include <livetape/transport/message_session.hpp>
#include <livetape/transport/websocket_session.hpp>
#include <livetape/wire/deflate.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace livetape;
using namespace livetape::test;
using websocket::deflate_options;
using websocket::permessage_deflate;

live_options with_deflate(deflate_options const& options = {}) {
    live_options live;
    live.compression = std::make_shared<permessage_deflate>(options);
    return live;
}

/// A client that offers compression, on a session of the server.
template <session Session>
struct deflate_client {
    template <class... Arguments>
    deflate_client(world& w, std::string_view target, std::string_view offer,
                   Arguments&&... arguments)
        : head{handshake(target, {{"Sec-WebSocket-Extensions", offer}})},
          on{w.context(), head, std::forward<Arguments>(arguments)...} {
        on.start();
        std::string_view bytes = on.received;
        extension = take_head(bytes).field("Sec-WebSocket-Extensions");
        std::vector<websocket::extension> accepted;
        REQUIRE(websocket::parse_extensions(extension, accepted));
        // A client that takes what the server says, since it offers what the test says.
        permessage_deflate const client{
            {.server_no_context_takeover = false, .client_no_context_takeover = false}};
        auto verdict = client.confirm(accepted);
        REQUIRE(verdict.failure == error::none);
        codec = std::move(verdict.codec);
    }

    [[nodiscard]] websocket_inbox inbox() { return read_websocket(on.received, codec.get()); }

    /// Bytes of the stream behind the handshake's answer.
    [[nodiscard]] std::string_view stream() const {
        std::string_view bytes = on.received;
        take_head(bytes);
        return bytes;
    }

    void send_compressed(std::string_view message) {
        std::string bytes;
        std::string payload;
        bool const is_compressed = codec->deflate(message, payload);
        if (!is_compressed) payload = message;
        websocket::frame_header header;
        header.is_masked = true;
        header.masking_key = {1, 2, 3, 4};
        if (is_compressed) header.reserved_bits = websocket::reserved_bit_1;
        websocket::append_frame(bytes, header, payload);
        on.send(bytes);
    }

    http::request_head head;
    session_driver<Session> on;
    std::string extension;
    std::unique_ptr<websocket::message_codec> codec;
};

struct live_client : deflate_client<websocket_session> {
    live_client(world& w, std::string_view target, std::string_view offer = "permessage-deflate")
        : deflate_client{w, target, offer, std::string_view{target}.substr(0, target.find('?'))} {}
};

std::string compressible_json() {
    std::string json = "{";
    for (int i = 0; i < 20; ++i)
        json += "\"field" + std::to_string(i) + "\":\"a value that is much like the others\",";
    json.back() = '}';
    return json;
}

/// A compression that counts what it compresses: what it makes is the message backwards.
class counting_compression final : public websocket::compression {
public:
    class compressor final : public websocket::shared_compressor {
    public:
        bool deflate(std::string_view message, std::string& out) const override {
            ++count;
            out.append(message.rbegin(), message.rend());
            return true;
        }
        mutable std::size_t count = 0;
    };

    class codec final : public websocket::message_codec {
    public:
        explicit codec(compressor const& shared) : shared_{shared} {}
        inflated inflate(std::string_view&, bool, std::span<char>) override {
            return {0, false, error::bad_compression};
        }
        bool deflate(std::string_view message, std::string& out) override {
            return shared_.deflate(message, out);
        }
        websocket::shared_compressor const* shared() const noexcept override { return &shared_; }

    private:
        compressor const& shared_;
    };

    answer accept(std::span<websocket::extension const> offers) const override {
        if (offers.empty()) return {};
        return {std::make_unique<codec>(shared), "x-backwards"};
    }
    std::string offer() const override { return "x-backwards"; }
    verdict confirm(std::span<websocket::extension const>) const override { return {}; }

    compressor shared;
};

} // namespace

TEST_CASE("transport/deflate: without the option an offer is not answered") {
    world w;
    live_client client{w, "/ws", "permessage-deflate; client_max_window_bits"};
    CHECK(client.extension.empty());
}

TEST_CASE("transport/deflate: an event is compressed once for all that share it") {
    auto const counting = std::make_shared<counting_compression>();
    live_options live;
    live.compression = counting;
    world w{live};
    w.source.open("a");
    std::vector<std::unique_ptr<session_driver<websocket_session>>> sharing;
    for (int i = 0; i < 100; ++i) {
        auto const head = handshake("/ws?channel=a", {{"Sec-WebSocket-Extensions", "x-backwards"}});
        sharing.push_back(
            std::make_unique<session_driver<websocket_session>>(w.context(), head, "/ws"));
        sharing.back()->start();
    }
    auto const plain = connect<websocket_session>(w, handshake("/ws?channel=a"));
    counting->shared.count = 0;
    for (int i = 0; i < 10; ++i) w.publish("a", std::to_string(i));
    CHECK(counting->shared.count == 10);
    for (auto const& each : sharing)
        CHECK(each->received.substr(each->received.find("\r\n\r\n")) ==
              sharing.front()->received.substr(sharing.front()->received.find("\r\n\r\n")));
    CHECK(offsets_in(read_websocket(plain->received).messages) == range(1, 10));
}

TEST_CASE("transport/deflate: subscribers get each event whole, whatever they agreed on") {
    auto const payload = compressible_json();
    for (bool const takes_over : {false, true}) {
        world w{with_deflate({.server_no_context_takeover = !takes_over,
                              .client_no_context_takeover = !takes_over})};
        w.source.open("a");
        std::string const targets[] = {"/ws?channel=a", "/ws/raw/a"};
        for (auto const& target : targets) {
            auto const plain = connect<websocket_session>(w, handshake(target));
            live_client wide{w, target};
            live_client same{w, target, "permessage-deflate; client_max_window_bits"};
            live_client narrow{w, target, "permessage-deflate; server_max_window_bits=10"};
            live_client declined{w, target, "permessage-deflate; server_max_window_bits=8"};
            CHECK(declined.extension.empty());
            auto const before = wide.stream().size();
            for (int i = 0; i < 5; ++i) {
                w.publish("a", payload);
                w.publish("a", "short");
                if (target == targets[0]) {
                    wide.send_compressed(R"({"unsubscribe":")" + std::string(500, 'x') + R"("})");
                    narrow.on.send(masked(R"({"unsubscribe":")" + std::string(500, 'x') + R"("})"));
                }
            }
            CHECK(wide.stream().size() - before < 5 * payload.size() / 2);
            auto const expected = read_websocket(plain->received).messages;
            CHECK(same.inbox().messages == expected);
            CHECK(declined.inbox().messages == expected);
            for (auto* const client : {&wide, &narrow}) {
                auto messages = client->inbox().messages;
                CHECK(std::erase_if(messages, [](auto const& message) {
                          return message.starts_with(R"({"error")");
                      }) == (target == targets[0] ? 5 : 0));
                CHECK(messages == expected);
            }
        }
    }
}

TEST_CASE("transport/deflate: a client's compressed commands are obeyed, a bomb is not") {
    auto live = with_deflate();
    live.message_bytes_max = 2000;
    world w{live};
    live_client client{w, "/ws"};
    w.source.open("a");
    client.send_compressed(R"({"subscribe":"a","comment":")" + std::string(1000, 'c') + R"("})");
    auto const inbox = client.inbox();
    REQUIRE(inbox.messages.size() == 1);
    CHECK(inbox.messages.front().starts_with(R"({"subscribed":"a")"));

    client.send_compressed(R"({"subscribe":")" + std::string(100'000, 'c') + R"("})");
    CHECK(client.inbox().close_code == 1009);
    CHECK(w.count(error::message_too_large) == 1);

    live_client corrupt{w, "/ws"};
    std::string bytes;
    websocket::append_frame(bytes,
                            websocket::frame_header{.reserved_bits = websocket::reserved_bit_1,
                                                    .is_masked = true,
                                                    .masking_key = {1, 2, 3, 4}},
                            "\xff\xff\xff");
    corrupt.on.send(bytes);
    CHECK(corrupt.inbox().close_code == 1007);
    CHECK(w.count(error::bad_compression) == 1);
}

TEST_CASE("transport/deflate: a host's messages are compressed for the connection they go to") {
    for (bool const takes_over : {false, true}) {
        world w{with_deflate({.server_no_context_takeover = !takes_over,
                              .client_no_context_takeover = !takes_over})};
        message_handler const echo = [](websocket_link& link, websocket::opcode code,
                                        std::string_view payload) { link.send(code, payload); };
        deflate_client<message_session> client{w, "/echo", "permessage-deflate", echo};
        auto const message = compressible_json();
        std::size_t sizes[2];
        for (auto& size : sizes) {
            auto const before = client.stream().size();
            client.send_compressed(message);
            size = client.stream().size() - before;
        }
        CHECK(client.inbox().messages == std::vector<std::string>(2, message));
        CHECK(sizes[0] < message.size() / 2);
        // Only where the context is taken over the second message costs less than the first.
        CHECK((sizes[1] < sizes[0] / 2) == takes_over);
    }
}
