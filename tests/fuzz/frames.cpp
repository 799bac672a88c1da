#include <livetape/wire/message_reader.hpp>

#include <support/fuzz.hpp>
#include <support/message_driver.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

// A stream of frames in pieces, for both sides, within the limit of a message; and what was read,
// written as frames again. The first byte chooses side and limit.

namespace {

using namespace livetape;
using websocket::role;

/// The items as frames, masked as the peer of `reader` masks.
std::string to_frames(test::received_items const& items, role reader) {
    using websocket::opcode;
    std::string frames;
    for (auto const& item : items) {
        auto const code = item.kind == test::item_kind::text     ? opcode::text
                          : item.kind == test::item_kind::binary ? opcode::binary
                          : item.kind == test::item_kind::ping   ? opcode::ping
                                                                 : opcode::pong;
        bool const is_close = item.kind == test::item_kind::close;
        if (item.kind == test::item_kind::failed) return frames;
        if (reader == role::client && is_close)
            websocket::append_close_frame(frames, item.close_code, item.payload);
        else if (reader == role::client) websocket::append_frame(frames, code, item.payload);
        else if (is_close)
            websocket::append_masked_close_frame(frames, item.close_code, item.payload,
                                                 {9, 8, 7, 6});
        else websocket::append_masked_frame(frames, code, item.payload, {0, 1, 2, 255});
    }
    return frames;
}

} // namespace

void livetape::fuzz::run(std::string_view input) {
    auto const options = take_byte(input);
    auto const side = (options & 1) != 0 ? role::server : role::client;
    websocket::message_limits const limits{(options & 2) != 0 ? std::size_t{30}
                                                              : std::size_t{1} << 20};

    auto const items = same_in_pieces(input, [&](cutting how) {
        websocket::message_reader reader{side, limits};
        test::received_items found;
        how.feed(input, [&](std::span<char> piece) {
            for (;;) {
                auto const item = reader.next(piece);
                if (item.kind == test::item_kind::none) break;
                found.push_back(
                    {item.kind, std::string{item.payload}, item.close_code, item.failure});
            }
            REQUIRE(piece.empty());
            return true;
        });
        return found;
    });

    std::size_t payload_bytes = 0;
    for (auto const& item : items) {
        payload_bytes += item.payload.size();
        bool const is_message =
            item.kind == test::item_kind::text || item.kind == test::item_kind::binary;
        REQUIRE(item.payload.size() <=
                (is_message ? limits.message_bytes_max : websocket::control_payload_bytes_max));
        if (item.kind == test::item_kind::text) REQUIRE(is_utf8(item.payload));
        bool const is_last =
            item.kind == test::item_kind::close || item.kind == test::item_kind::failed;
        REQUIRE(is_last == (&item == &items.back() && is_last));
        REQUIRE((item.failure != error::none) == (item.kind == test::item_kind::failed));
    }
    REQUIRE(payload_bytes <= input.size());

    auto const frames = to_frames(items, side);
    auto const again = test::read_in_pieces(side, frames, frames.size() + 1);
    auto readable = items;
    if (!readable.empty() && readable.back().kind == test::item_kind::failed) readable.pop_back();
    REQUIRE(again == readable);
}
