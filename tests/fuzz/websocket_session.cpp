#include <livetape/transport/websocket_session.hpp>

#include <support/session_script.hpp>

#include <cstddef>
#include <string>
#include <string_view>

// A WebSocket session: the first line is the request target, the others are a session_script with
//
//     m TEXT          the client sends a text message
//     x HEX PAYLOAD   the client sends a frame with that first byte: any opcode, FIN and RSV bits
//
// What the client gets is well-formed, and each channel's events come in order, none missing.

namespace {

using namespace livetape;

std::string frame(std::string_view line) {
    auto const high = line.size() < 4 ? -1 : http::hex_digit_value(line[2]);
    auto const low = line.size() < 4 ? -1 : http::hex_digit_value(line[3]);
    if (high < 0 || low < 0) return {};
    std::string bytes;
    websocket::append_masked_frame(bytes, websocket::opcode::binary,
                                   line.substr(std::min<std::size_t>(5, line.size())),
                                   {1, 2, 3, 4});
    bytes.front() = static_cast<char>(high * 16 + low);
    return bytes;
}

} // namespace

void livetape::fuzz::run(std::string_view input) {
    bool const has_snapshot = input.find("snapshot") != std::string_view::npos;
    bool const has_choice = may_choose(input);
    auto around = make_world();
    std::string const target{take_line(input)};
    auto const head = test::handshake(target);
    auto const path = head.path();
    if (!websocket_transport::matches(head, path)) return;
    bool const is_raw = path.starts_with(websocket_transport::raw_prefix);
    auto const client = test::connect<websocket_session>(around, head);

    session_script script{around, *client};
    while (!input.empty()) {
        auto const line = take_line(input);
        if (line.starts_with("m ")) script.send(test::masked(line.substr(2)));
        else if (line.starts_with("x ")) script.send(frame(line));
        else script.play(line);
    }
    script.finish();

    auto const inbox = test::read_websocket(client->received);
    REQUIRE((inbox.handshake.status == 101 || inbox.handshake.status >= 400));
    delivery_check check{has_snapshot, has_choice};
    if (is_raw) return;
    for (std::size_t i = 0; i < inbox.messages.size(); ++i) {
        std::string_view const message = inbox.messages[i];
        // Of a binary message the part before the bytes is the envelope.
        bool const is_text = inbox.kinds[i] == websocket::message_reader::item_kind::text;
        check.take(message.substr(0, is_text ? message.size() : message.find('\n')));
    }
    if (client->is_over) return;
    auto& cursors = client->on.cursors();
    for (std::size_t i = 0; i < cursors.count(); ++i) check.check_end(cursors.at(i).source());
}
