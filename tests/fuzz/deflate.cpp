#include <livetape/wire/deflate.hpp>
#include <livetape/wire/message_reader.hpp>

#include <support/fuzz.hpp>
#include <support/message_driver.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// permessage-deflate. The first two bytes are the options of server and client, who must agree; the
// first line is what another client offers; the rest arrives as frames, and then as one compressed
// message; and it is sent, both ways, and must come out as it was.

namespace {

using namespace livetape;
using websocket::message_codec;

constexpr std::size_t message_bytes_max = 20'000;

websocket::permessage_deflate make_extension(unsigned options) {
    return websocket::permessage_deflate{
        {.server_no_context_takeover = (options & 1) != 0,
         .client_no_context_takeover = (options & 2) != 0,
         .server_max_window_bits = static_cast<std::uint8_t>(8 + (options >> 2) % 8),
         .client_max_window_bits = static_cast<std::uint8_t>(8 + (options >> 5) % 8),
         .memory_level = 1,
         .threshold_bytes = 4}};
}

std::vector<websocket::extension> parse(std::string_view value) {
    std::vector<websocket::extension> found;
    REQUIRE(websocket::parse_extensions(value, found));
    return found;
}

/// All that a compressed message inflates to, through buffers of random sizes.
std::pair<std::string, error> inflate(message_codec& codec, std::string_view message,
                                      fuzz::cutting how) {
    std::string all;
    auto failure = error::none;
    std::size_t bytes_left = message.size();
    fuzz::choices sizes{message};
    how.feed(message, [&](std::span<char> piece) {
        std::string_view input{piece.data(), piece.size()};
        bytes_left -= piece.size();
        for (bool has_more = true; has_more && failure == error::none;) {
            std::vector<char> out(1 + sizes.up_to(300));
            auto const result = codec.inflate(input, bytes_left == 0, out);
            REQUIRE(result.bytes <= out.size());
            all.append(out.data(), result.bytes);
            has_more = result.has_more && all.size() < message_bytes_max;
            failure = result.failure;
        }
        return failure == error::none && all.size() < message_bytes_max;
    });
    all.resize(std::min(all.size(), message_bytes_max));
    // How much comes out before corrupt data is found depends on how zlib was called.
    if (failure != error::none) all.clear();
    return {all, failure};
}

void check_round_trip(message_codec& from, message_codec& to, std::string_view message) {
    for (int i = 0; i < 2; ++i) {
        std::string sent = "before";
        if (!from.deflate(message, sent)) {
            REQUIRE(sent == "before");
            return;
        }
        auto const [got, failure] =
            inflate(to, std::string_view{sent}.substr(6), {fuzz::cutting::kind::random, message});
        REQUIRE(failure == error::none);
        REQUIRE(got == message);
    }
}

} // namespace

void livetape::fuzz::run(std::string_view input) {
    auto const server = make_extension(take_byte(input));
    auto const client = make_extension(take_byte(input));
    std::vector<websocket::extension> offers;
    if (websocket::parse_extensions(take_line(input), offers)) {
        auto const answer = server.accept(offers);
        REQUIRE((answer.codec == nullptr) == answer.extension.empty());
        if (answer.codec) REQUIRE(parse(answer.extension).size() == 1);
    }

    auto const offer = client.offer();
    auto const agreed = server.accept(parse(offer));
    if (!agreed.codec) return;
    auto const verdict = client.confirm(parse(agreed.extension));
    REQUIRE(verdict.failure == error::none);
    REQUIRE(verdict.codec != nullptr);
    check_round_trip(*agreed.codec, *verdict.codec, input);
    check_round_trip(*verdict.codec, *agreed.codec, input);

    same_in_pieces(input, [&](cutting how) {
        auto const fresh = server.accept(parse(offer));
        return inflate(*fresh.codec, input, how);
    });
    same_in_pieces(input, [&](cutting how) {
        auto const fresh = client.confirm(parse(agreed.extension));
        websocket::message_reader reader{websocket::role::client, {300}};
        reader.set_compression(*fresh.codec);
        test::received_items items;
        how.feed(input, [&](std::span<char> piece) {
            for (;;) {
                auto const item = reader.next(piece);
                if (item.kind == test::item_kind::none) break;
                REQUIRE(item.payload.size() <= 300);
                if (item.kind == test::item_kind::text) REQUIRE(is_utf8(item.payload));
                items.push_back(
                    {item.kind, std::string{item.payload}, item.close_code, item.failure});
            }
            REQUIRE(piece.empty());
            return true;
        });
        // Corrupt data may be found before what it inflates to is too much, or no text.
        if (!items.empty() && (items.back().failure == error::bad_utf8 ||
                               items.back().failure == error::message_too_large))
            items.back().failure = error::bad_compression;
        return items;
    });
}
