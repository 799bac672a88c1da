#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zlib.h>

#include <livetape/error.hpp>
#include <livetape/wire/deflate.hpp>
#include <livetape/wire/extension.hpp>
#include <livetape/wire/frame_header.hpp>
#include <livetape/wire/message_reader.hpp>
#include <support/hex.hpp>
#include <support/message_driver.hpp>

namespace {

using namespace livetape::websocket;
using namespace livetape::test;
using livetape::error;

std::vector<extension> extensions(std::string_view value) {
    std::vector<extension> found;
    REQUIRE(parse_extensions(value, found));
    return found;
}

/// Both ends of a connection after the handshake; a codec is null where there is no compression.
struct connection {
    connection(deflate_options const& of_server, deflate_options const& of_client) {
        permessage_deflate const server_side{of_server};
        permessage_deflate const client_side{of_client};
        auto answer = server_side.accept(extensions(offer = client_side.offer()));
        server = std::move(answer.codec);
        response = std::move(answer.extension);
        auto verdict = client_side.confirm(extensions(response));
        REQUIRE(verdict.failure == error::none);
        client = std::move(verdict.codec);
    }

    std::string offer;
    std::string response;
    std::unique_ptr<message_codec> server;
    std::unique_ptr<message_codec> client;
};

/// All that a compressed message inflates to, given in pieces to buffers of `out_bytes`.
struct inflated_message {
    std::string text;
    error failure = error::none;
    friend bool operator==(inflated_message const&, inflated_message const&) = default;
};

inflated_message inflate_all(message_codec& codec, std::string_view bytes,
                             std::size_t piece_bytes = std::size_t(-1),
                             std::size_t out_bytes = 1000) {
    inflated_message all;
    std::vector<char> buffer(out_bytes);
    do {
        auto piece = bytes.substr(0, piece_bytes);
        bytes.remove_prefix(piece.size());
        for (bool has_more = true; has_more;) {
            auto const result = codec.inflate(piece, bytes.empty(), buffer);
            REQUIRE(result.bytes <= buffer.size());
            all.text.append(buffer.data(), result.bytes);
            all.failure = result.failure;
            if (result.failure != error::none) return all;
            has_more = result.has_more;
        }
        REQUIRE(piece.empty());
    } while (!bytes.empty());
    return all;
}

/// A server's codec for a peer that takes its context over, or not.
std::unique_ptr<message_codec> receiver(bool is_context_kept = true) {
    deflate_options options;
    options.client_no_context_takeover = !is_context_kept;
    return permessage_deflate{options}.accept(extensions("permessage-deflate")).codec;
}

constexpr masking_key_type key{0x37, 0xfa, 0x21, 0x3d};

std::string frame(role side, opcode code, std::string_view payload, bool is_final,
                  bool is_compressed) {
    std::string out;
    frame_header header{.opcode = code, .is_final = is_final};
    header.reserved_bits = is_compressed ? reserved_bit_1 : std::uint8_t{0};
    header.is_masked = side == role::server;
    header.masking_key = key;
    append_frame(out, header, payload);
    return out;
}

struct vector_case {
    char const* name;
    std::vector<std::string> messages; ///< compressed, one after the other on one connection
    std::vector<std::string> expected;
};

std::vector<vector_case> const vectors{
    {"one block [7.2.3.1]", {from_hex("f2 48 cd c9 c9 07 00")}, {"Hello"}},
    {"shared window [7.2.3.2]",
     {from_hex("f2 48 cd c9 c9 07 00"), from_hex("f2 00 11 00 00")},
     {"Hello", "Hello"}},
    {"no shared window [7.2.3.2]",
     {from_hex("f2 48 cd c9 c9 07 00"), from_hex("f2 48 cd c9 c9 07 00")},
     {"Hello", "Hello"}},
    {"block without compression [7.2.3.3]",
     {from_hex("00 05 00 fa ff 48 65 6c 6c 6f 00")},
     {"Hello"}},
    {"final block [7.2.3.4]", {from_hex("f3 48 cd c9 c9 07 00 00")}, {"Hello"}},
    {"final block at the very end", {from_hex("f3 48 cd c9 c9 07 00")}, {"Hello"}},
    {"final block, then more messages",
     {from_hex("f3 48 cd c9 c9 07 00 00"), from_hex("f2 48 cd c9 c9 07 00"),
      from_hex("f3 48 cd c9 c9 07 00"), from_hex("f2 00 11 00 00")},
     {"Hello", "Hello", "Hello", "Hello"}},
    {"a message that refers back over a final block",
     {from_hex("f3 48 cd c9 c9 07 00 00"), from_hex("f2 00 11 00 00")},
     {"Hello", "Hello"}},
    {"two blocks [7.2.3.5]", {from_hex("f2 48 05 00 00 00 ff ff ca c9 c9 07 00")}, {"Hello"}},
    {"blocks behind a final one in one message",
     {from_hex("f3 48 cd c9 c9 07 00 f2 48 cd c9 c9 07 00")},
     {"HelloHello"}},
    {"empty message [7.2.3.6]", {from_hex("00"), from_hex("00")}, {"", ""}},
    {"empty block of fixed codes", {from_hex("02 00")}, {""}},
    {"empty final block", {from_hex("03 00"), from_hex("03 00 00"), from_hex("00")}, {"", "", ""}},
    {"final stored block without its tail", {from_hex("01"), from_hex("00")}, {"", ""}},
    {"no byte at all", {"", from_hex("f2 48 cd c9 c9 07 00"), ""}, {"", "Hello", ""}},
    {"many empty blocks",
     {from_hex("00 00 00 ff ff 00 00 00 ff ff 00 00 00 ff ff 00 05 00 fa ff 48 65 6c 6c 6f 00")},
     {"Hello"}},
};

TEST_CASE("wire/deflate: inflates the examples and what is like them [RFC 7692 §7.2.3]") {
    for (auto const& v : vectors) {
        CAPTURE(v.name);
        for (std::size_t const piece_bytes : {1u, 2u, 3u, 100u})
            for (std::size_t const out_bytes : {1u, 2u, 5u, 6u, 100u}) {
                CAPTURE(piece_bytes);
                CAPTURE(out_bytes);
                auto codec = receiver();
                for (std::size_t i = 0; i < v.messages.size(); ++i)
                    CHECK(inflate_all(*codec, v.messages[i], piece_bytes, out_bytes) ==
                          inflated_message{v.expected[i]});
            }
    }
}

TEST_CASE("wire/deflate: a final block may end after a full buffer [RFC 7692 §7.2.3.5]") {
    // A final block of 25 letters that ends on a whole byte, twice: its end needs no more input.
    auto const block = from_hex("4b 4c c4 01 00");
    for (std::size_t out_bytes = 1; out_bytes <= 51; ++out_bytes) {
        CAPTURE(out_bytes);
        CHECK(inflate_all(*receiver(), block + block, 100, out_bytes) ==
              inflated_message{std::string(50, 'a')});
    }
}

TEST_CASE("wire/deflate: compresses as the example [RFC 7692 §7.2.3.1, §7.2.3.2]") {
    deflate_options options{.server_no_context_takeover = false, .threshold_bytes = 0};
    auto codec = permessage_deflate{options}.accept(extensions("permessage-deflate")).codec;
    std::string out;
    REQUIRE(codec->deflate("Hello", out));
    CHECK(out == from_hex("f2 48 cd c9 c9 07 00"));
    out.clear();
    REQUIRE(codec->deflate("Hello", out));
    CHECK(out == from_hex("f2 00 11 00 00"));
    REQUIRE(codec->shared() != nullptr);
    out.clear();
    REQUIRE(codec->shared()->deflate("HelloHelloHello", out));
    CHECK(inflate_all(*receiver(), out).text == "HelloHelloHello");
}

TEST_CASE("wire/deflate: fails what is corrupt, truncated or refers too far back [RFC 7692 §6.2]") {
    struct {
        char const* name;
        std::string bytes;
    } const cases[] = {
        {"reserved block type", from_hex("06")},
        {"lengths that do not match", from_hex("00 05 00 fa fe 48 65 6c 6c 6f 00")},
        {"stored block cut", from_hex("00 05 00 fa ff 48 65")},
        {"stored block cut in its lengths", from_hex("00 05 00")},
        {"fixed block cut", from_hex("f2 48 cd c9")},
        {"final fixed block that the tail would complete", from_hex("f3 48 cd c9 c9 07")},
        {"with the tail that should be off", from_hex("f2 48 cd c9 c9 07 00 00 00 ff ff")},
        {"a distance before the beginning", from_hex("f2 00 11 00 00")},
        {"a dynamic block cut", from_hex("04 c0 81")},
    };
    for (auto const& c : cases) {
        CAPTURE(c.name);
        for (std::size_t const piece_bytes : {1u, 100u})
            for (std::size_t const out_bytes : {1u, 100u}) {
                auto codec = receiver();
                CHECK(inflate_all(*codec, c.bytes, piece_bytes, out_bytes).failure ==
                      error::bad_compression);
            }
    }
}

TEST_CASE("wire/deflate: forgets a context that the peer does not take over [RFC 7692 §7.1.1]") {
    auto codec = receiver(false);
    CHECK(inflate_all(*codec, from_hex("f2 48 cd c9 c9 07 00")).text == "Hello");
    CHECK(inflate_all(*codec, from_hex("f2 00 11 00 00")).failure == error::bad_compression);
}

TEST_CASE("wire/deflate: agrees on what a client and a server want [RFC 7692 §7.1]") {
    for (int server_bits = 8; server_bits <= 15; ++server_bits)
        for (int client_bits = 8; client_bits <= 15; ++client_bits)
            for (unsigned takeovers = 0; takeovers < 16; ++takeovers) {
                deflate_options const of_server{
                    .server_no_context_takeover = (takeovers & 1) != 0,
                    .client_no_context_takeover = (takeovers & 2) != 0,
                    .server_max_window_bits = static_cast<std::uint8_t>(server_bits),
                    .client_max_window_bits = static_cast<std::uint8_t>(client_bits),
                    .threshold_bytes = 0};
                deflate_options const of_client{.server_no_context_takeover = (takeovers & 4) != 0,
                                                .client_no_context_takeover = (takeovers & 8) != 0,
                                                .server_max_window_bits = static_cast<std::uint8_t>(
                                                    24 - server_bits > 15 ? 15 : 24 - server_bits),
                                                .threshold_bytes = 0};
                connection pair{of_server, of_client};
                CAPTURE(pair.offer);
                CAPTURE(pair.response);
                REQUIRE(pair.server);
                REQUIRE(pair.client);
                // With a client's window of 8 bits, its side sends everything plain.
                std::string const message(2000, 'x');
                for (int i = 0; i < 2; ++i) {
                    std::string bytes;
                    REQUIRE(pair.server->deflate(message, bytes));
                    CHECK(inflate_all(*pair.client, bytes).text == message);
                    bytes.clear();
                    CHECK(pair.client->deflate(message, bytes) == (client_bits > 8));
                    if (client_bits > 8) CHECK(inflate_all(*pair.server, bytes).text == message);
                }
            }
}

TEST_CASE("wire/deflate: a server takes the first offer that it can keep [RFC 7692 §5, §7]") {
    permessage_deflate const ours{{false, false}};
    auto const answer = [&](std::string_view offers) {
        auto found = ours.accept(extensions(offers));
        CHECK((found.codec != nullptr) == !found.extension.empty());
        return found.extension;
    };
    CHECK(answer("permessage-deflate; server_max_window_bits=10, permessage-deflate") ==
          "permessage-deflate; server_max_window_bits=10");
    CHECK(answer("permessage-deflate; server_max_window_bits=8, permessage-deflate") ==
          "permessage-deflate");
    CHECK(answer("permessage-deflate; server_max_window_bits=010, "
                 "permessage-deflate; client_no_context_takeover") ==
          "permessage-deflate; client_no_context_takeover");
    CHECK(answer("permessage-bzip2, x-webkit-deflate-frame, permessage-deflate") ==
          "permessage-deflate");
    for (char const* const declined :
         {"permessage-bzip2", "Permessage-Deflate", "permessage-deflate; mode=fast",
          "permessage-deflate; server_max_window_bits=8", "x; permessage-deflate",
          "permessage-deflate; client_max_window_bits=16, permessage-deflate; unknown"}) {
        CAPTURE(declined);
        CHECK(answer(declined).empty());
    }
    CHECK(ours.accept({}).codec == nullptr);
}

TEST_CASE("wire/deflate: a server without context shares its bytes, for two windows at most") {
    permessage_deflate const ours;
    auto const shared_for = [&](std::string_view offer) {
        auto const answer = ours.accept(extensions(offer));
        REQUIRE(answer.codec);
        return answer.codec->shared();
    };
    auto const* const wide = shared_for("permessage-deflate");
    CHECK(wide != nullptr);
    CHECK(shared_for("permessage-deflate; client_max_window_bits") == wide);
    CHECK(shared_for("permessage-deflate; server_max_window_bits=15") == wide);
    auto const* const narrow = shared_for("permessage-deflate; server_max_window_bits=9");
    CHECK(narrow != nullptr);
    CHECK(narrow != wide);
    for (std::string const bits : {"10", "11", "12", "13", "14"})
        CHECK(shared_for("permessage-deflate; server_max_window_bits=" + bits) == narrow);

    permessage_deflate const same;
    CHECK(same.accept(extensions("permessage-deflate")).codec->shared() == wide);
    permessage_deflate const faster{{.compression_level = 1}};
    CHECK(faster.accept(extensions("permessage-deflate")).codec->shared() != wide);
    permessage_deflate const alone{{.server_no_context_takeover = false}};
    CHECK(alone.accept(extensions("permessage-deflate")).codec->shared() == wide);
    for (std::string const bits : {"9", "10", "14"})
        CHECK(alone.accept(extensions("permessage-deflate; server_max_window_bits=" + bits))
                  .codec->shared() == narrow);
}

TEST_CASE("wire/deflate: a client fails what it did not ask for [RFC 7692 §7.1]") {
    auto const judge = [](deflate_options const& options, std::string_view response) {
        return permessage_deflate{options}.confirm(extensions(response)).failure;
    };
    deflate_options const takes_over{.server_no_context_takeover = false,
                                     .client_no_context_takeover = false};
    CHECK(judge(takes_over, "permessage-deflate") == error::none);
    CHECK(judge(takes_over, "permessage-deflate; client_max_window_bits=8") == error::none);
    CHECK(judge(takes_over, "permessage-deflate; server_max_window_bits=8") == error::none);
    CHECK(judge(takes_over, "permessage-deflate; server_no_context_takeover; "
                            "client_no_context_takeover") == error::none);
    CHECK(judge({}, "permessage-deflate; server_no_context_takeover") == error::none);
    CHECK(permessage_deflate{}.confirm({}).failure == error::none);
    CHECK(permessage_deflate{}.confirm({}).codec == nullptr);

    for (char const* const wrong :
         {"permessage-deflate", // the server does not grant server_no_context_takeover
          "permessage-bzip2", "permessage-deflate; server_no_context_takeover; x",
          "permessage-deflate; server_no_context_takeover; client_max_window_bits",
          "permessage-deflate; server_no_context_takeover, "
          "permessage-deflate; server_no_context_takeover",
          "permessage-deflate; server_no_context_takeover, permessage-bzip2"}) {
        CAPTURE(wrong);
        CHECK(judge({}, wrong) == error::bad_extension);
    }
    deflate_options const narrow{.server_max_window_bits = 10, .client_max_window_bits = 10};
    std::string const base = "permessage-deflate; server_no_context_takeover";
    CHECK(judge(narrow, base + "; server_max_window_bits=10") == error::none);
    CHECK(judge(narrow, base + "; server_max_window_bits=9") == error::none);
    CHECK(judge(narrow, base + "; server_max_window_bits=11") == error::bad_extension);
    CHECK(judge(narrow, base) == error::bad_extension);
    CHECK(judge(narrow, base + "; server_max_window_bits=10; client_max_window_bits=10") ==
          error::none);
    CHECK(judge(narrow, base + "; server_max_window_bits=10; client_max_window_bits=11") ==
          error::bad_extension);
}

TEST_CASE("wire/deflate: sends plain what does not shrink or is below the threshold") {
    auto const codec = permessage_deflate{}.accept(extensions("permessage-deflate")).codec;
    std::string out = "before";
    CHECK_FALSE(codec->deflate("", out));
    CHECK_FALSE(codec->deflate(std::string(255, 'x'), out));
    std::mt19937 random{7};
    std::string noise(1000, '\0');
    for (auto& c : noise) c = static_cast<char>(random());
    CHECK_FALSE(codec->deflate(noise, out));
    CHECK(out == "before");
    CHECK(codec->deflate(std::string(256, 'x'), out));
    CHECK(out.size() < 30);

    deflate_options options{.server_no_context_takeover = false, .threshold_bytes = 0};
    auto const kept = permessage_deflate{options}.accept(extensions("permessage-deflate")).codec;
    CHECK_FALSE(kept->deflate("", out));
}

/// What a peer with any encoder sends: random levels, flushes and ends of streams.
class random_sender {
public:
    random_sender(std::mt19937& random, int window_bits, bool keeps_context)
        : random_{random}, keeps_context_{keeps_context} {
        auto const pick = [&](int low, int high) {
            return std::uniform_int_distribution{low, high}(random_);
        };
        REQUIRE(deflateInit2(&stream_, pick(0, 9), Z_DEFLATED, -window_bits, pick(1, 9),
                             pick(0, 4)) == Z_OK);
    }
    random_sender(random_sender const&) = delete;
    ~random_sender() { deflateEnd(&stream_); }

    std::string compress(std::string_view message) {
        std::string out;
        while (!message.empty()) {
            auto const size =
                std::uniform_int_distribution<std::size_t>{1, message.size()}(random_);
            int const flushes[] = {Z_NO_FLUSH, Z_NO_FLUSH, Z_BLOCK, Z_PARTIAL_FLUSH, Z_SYNC_FLUSH};
            run(message.substr(0, size), flushes[random_() % 5], out);
            message.remove_prefix(size);
            if (random_() % 8 == 0 && !message.empty()) end_stream(out);
        }
        if (random_() % 4 == 0) {
            end_stream(out);
            if (random_() % 2 == 0) out += '\0';
            return out;
        }
        run({}, Z_SYNC_FLUSH, out);
        if (!keeps_context_) deflateReset(&stream_);
        if (out.ends_with(std::string_view{"\0\0\xff\xff", 4})) out.resize(out.size() - 4);
        return out;
    }

private:
    void end_stream(std::string& out) {
        run({}, Z_FINISH, out);
        deflateReset(&stream_);
    }

    void run(std::string_view from, int flush, std::string& out) {
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(from.data()));
        stream_.avail_in = static_cast<uInt>(from.size());
        do {
            Bytef buffer[512];
            stream_.next_out = buffer;
            stream_.avail_out = sizeof buffer;
            ::deflate(&stream_, flush);
            out.append(reinterpret_cast<char const*>(buffer), sizeof buffer - stream_.avail_out);
        } while (stream_.avail_out == 0);
    }

    std::mt19937& random_;
    z_stream stream_{};
    bool keeps_context_;
};

std::string random_text(std::mt19937& random) {
    static constexpr std::string_view words[] = {"{\"price\":", "101.25", ",\"name\":\"", "\"}",
                                                 "grüße",       "語",     "\U0001f600",   " ",
                                                 "0",           "ab"};
    std::string text;
    std::size_t const sizes[] = {0, 1, 3, 40, 400, 3000};
    auto const count = random() % (sizes[random() % 6] + 1);
    for (std::size_t i = 0; i < count; ++i) text += words[random() % std::size(words)];
    return text;
}

TEST_CASE("wire/deflate: reads what any peer sends, however it is cut [RFC 7692 §6, §7.2]") {
    for (std::uint32_t seed = 1; seed <= 300; ++seed) {
        CAPTURE(seed);
        std::mt19937 random{seed};
        auto const side = random() % 2 == 0 ? role::server : role::client;
        bool const keeps_context = random() % 2 == 0;
        int const bits = static_cast<int>(9 + random() % 7);
        std::string const agreed =
            std::string{keeps_context ? "" : "; client_no_context_takeover"} +
            "; client_max_window_bits=" + std::to_string(bits);
        deflate_options options{.server_no_context_takeover = !keeps_context,
                                .client_no_context_takeover = !keeps_context,
                                .client_max_window_bits = static_cast<std::uint8_t>(bits)};
        permessage_deflate const ours{options};
        auto const response = keeps_context ? std::string{"permessage-deflate"}
                                            : "permessage-deflate; server_no_context_takeover";
        auto const codec = side == role::server
                               ? ours.accept(extensions("permessage-deflate" + agreed)).codec
                               : ours.confirm(extensions(response)).codec;
        REQUIRE(codec);
        random_sender sender{random, side == role::server ? bits : 15, keeps_context};

        std::string bytes;
        received_items expected;
        for (int i = 0; i < 10; ++i) {
            auto message = random_text(random);
            bool const is_compressed = random() % 4 != 0;
            auto const payload = is_compressed ? sender.compress(message) : message;
            auto const code = random() % 2 == 0 ? opcode::text : opcode::binary;
            std::string_view rest = payload;
            bool is_first = true;
            do {
                auto const size = random() % 3 == 0 ? rest.size() : random() % (rest.size() + 1);
                auto const now = rest.substr(0, size);
                rest.remove_prefix(size);
                bool const is_final = rest.empty() && random() % 2 == 0;
                bytes += frame(side, is_first ? code : opcode::continuation, now, is_final,
                               is_first && is_compressed);
                is_first = false;
                if (is_final) break;
                if (random() % 4 == 0) {
                    bytes += frame(side, opcode::ping, "between", true, false);
                    expected.push_back(ping("between"));
                }
            } while (true);
            expected.push_back(code == opcode::text ? text(message) : binary(message));
        }

        message_reader reader{side};
        reader.set_compression(*codec);
        received_items items;
        std::string_view rest = bytes;
        while (!rest.empty()) {
            auto const size = std::min<std::size_t>(rest.size(), 1 + random() % 200);
            feed(reader, rest.substr(0, size), items);
            rest.remove_prefix(size);
        }
        CHECK(items == expected);

        // The same connection again, received in pieces.
        auto const again = side == role::server
                               ? ours.accept(extensions("permessage-deflate" + agreed)).codec
                               : ours.confirm(extensions(response)).codec;
        message_reader in_pieces{side};
        in_pieces.set_compression(*again);
        in_pieces.give_pieces();
        piece_joiner joiner;
        items.clear();
        rest = bytes;
        while (!rest.empty()) {
            auto const size = std::min<std::size_t>(rest.size(), 1 + random() % 3000);
            joiner.feed(in_pieces, rest.substr(0, size), items);
            rest.remove_prefix(size);
        }
        CHECK(items == expected);
    }
}

TEST_CASE("wire/deflate: survives random corruption and says so or gives other text") {
    std::size_t failures = 0;
    for (std::uint32_t seed = 1; seed <= 300; ++seed) {
        CAPTURE(seed);
        std::mt19937 random{seed};
        random_sender sender{random, 15, true};
        auto bytes = sender.compress(random_text(random) + "x");
        bytes[random() % bytes.size()] ^= static_cast<char>(1u << random() % 8);
        auto const codec = receiver();
        auto const result = inflate_all(*codec, bytes, 1 + random() % 50, 1 + random() % 50);
        if (result.failure != error::none) ++failures;
        CHECK((result.failure == error::none || result.failure == error::bad_compression));
    }
    CHECK(failures > 50);
}

TEST_CASE("wire/deflate: both ends understand each other, whatever they agreed on") {
    for (std::uint32_t seed = 1; seed <= 100; ++seed) {
        CAPTURE(seed);
        std::mt19937 random{seed};
        auto const options = [&] {
            return deflate_options{
                .server_no_context_takeover = random() % 2 == 0,
                .client_no_context_takeover = random() % 2 == 0,
                .server_max_window_bits = static_cast<std::uint8_t>(9 + random() % 7),
                .client_max_window_bits = static_cast<std::uint8_t>(9 + random() % 7),
                .memory_level = static_cast<int>(1 + random() % 9),
                .compression_level = static_cast<int>(1 + random() % 9),
                .threshold_bytes = random() % 100};
        };
        connection pair{options(), options()};
        CAPTURE(pair.response);
        for (int i = 0; i < 40; ++i) {
            auto const message = random_text(random);
            bool const to_client = random() % 2 == 0;
            auto& from = to_client ? *pair.server : *pair.client;
            auto& to = to_client ? *pair.client : *pair.server;
            std::string bytes;
            if (!from.deflate(message, bytes)) continue;
            CHECK(inflate_all(to, bytes, 1 + random() % 500).text == message);
        }
    }
}

TEST_CASE("wire/deflate: a reader stops a bomb before it takes memory [RFC 6455 §7.4.1]") {
    auto const bomb = permessage_deflate{}.accept(extensions("permessage-deflate")).codec;
    std::string bytes;
    REQUIRE(bomb->deflate(std::string(std::size_t{64} << 20, 'x'), bytes));
    REQUIRE(bytes.size() < 70'000);
    for (auto const code : {opcode::text, opcode::binary}) {
        auto const codec = receiver();
        message_reader reader{role::server, {1000}};
        reader.set_compression(*codec);
        received_items items;
        feed(reader, frame(role::server, code, bytes, true, true), items);
        CHECK(items == received_items{failed(error::message_too_large)});
    }
}

TEST_CASE("wire/deflate: a large message comes in pieces of bounded size, or fails on its way") {
    auto const sender = permessage_deflate{}.accept(extensions("permessage-deflate")).codec;
    std::string const message(std::size_t{1} << 20, 'x');
    std::string bytes;
    REQUIRE(sender->deflate(message, bytes));
    for (std::size_t const limit : {message.size(), message.size() - 1}) {
        auto const codec = receiver();
        message_reader reader{role::server, {limit}};
        reader.set_compression(*codec);
        reader.give_pieces();
        piece_joiner joiner;
        received_items items;
        joiner.feed(reader, frame(role::server, opcode::text, bytes, true, true), items);
        CHECK(items == received_items{limit == message.size() ? text(message)
                                                              : failed(error::message_too_large)});
        CHECK(joiner.largest_piece() <= 16 * 1024);
        CHECK(joiner.joined().size() <= limit);
    }
}

TEST_CASE("wire/deflate: the limit counts inflated bytes, at, below and above it") {
    auto const sender =
        permessage_deflate{{.threshold_bytes = 0}}.accept(extensions("permessage-deflate")).codec;
    for (std::size_t const limit : {std::size_t{300}, std::size_t{4096}, std::size_t{10'000}})
        for (std::size_t const size : {limit - 1, limit, limit + 1}) {
            CAPTURE(size);
            std::string const message(size, 'y');
            std::string bytes;
            REQUIRE(sender->deflate(message, bytes));
            auto const codec = receiver();
            message_reader reader{role::server, {limit}};
            reader.set_compression(*codec);
            received_items items;
            feed(reader, frame(role::server, opcode::binary, bytes, true, true), items);
            CHECK(items == received_items{size > limit ? failed(error::message_too_large)
                                                       : binary(message)});
        }
    // Data that does not shrink is longer compressed than it is.
    std::mt19937 random{3};
    random_sender any{random, 15, true};
    std::string noise(2000, '\0');
    for (auto& c : noise) c = static_cast<char>(random());
    auto const bytes = any.compress(noise);
    REQUIRE(bytes.size() > noise.size());
    auto const codec = receiver();
    message_reader reader{role::server, {noise.size()}};
    reader.set_compression(*codec);
    received_items items;
    feed(reader, frame(role::server, opcode::binary, bytes, true, true), items);
    CHECK(items == received_items{binary(noise)});
}

TEST_CASE("wire/deflate: a reader takes RSV1 only where it may be [RFC 7692 §6]") {
    auto const hello = from_hex("f2 48 cd c9 c9 07 00");
    auto const read = [](std::string const& bytes, bool has_codec) {
        auto const codec = receiver();
        message_reader reader{role::server};
        if (has_codec) reader.set_compression(*codec);
        received_items items;
        feed(reader, bytes, items);
        return items;
    };
    auto const compressed = frame(role::server, opcode::text, hello, true, true);
    CHECK(read(compressed, true) == received_items{text("Hello")});
    CHECK(read(compressed, false) == received_items{failed(error::bad_reserved_bits)});
    CHECK(read(frame(role::server, opcode::text, hello, false, true) +
                   frame(role::server, opcode::continuation, "", true, true),
               true) == received_items{failed(error::bad_reserved_bits)});
    CHECK(read(frame(role::server, opcode::ping, "", true, true), true) ==
          received_items{failed(error::bad_reserved_bits)});
    for (auto const bit : {reserved_bit_2, reserved_bit_3}) {
        std::string bytes;
        append_frame(bytes,
                     frame_header{.opcode = opcode::text,
                                  .reserved_bits = static_cast<std::uint8_t>(reserved_bit_1 | bit),
                                  .is_masked = true,
                                  .masking_key = key},
                     hello);
        CHECK(read(bytes, true) == received_items{failed(error::bad_reserved_bits)});
    }
}

TEST_CASE("wire/deflate: text that cannot become UTF-8 fails before the message is whole [§8.1]") {
    auto const sender =
        permessage_deflate{{.threshold_bytes = 0}}.accept(extensions("permessage-deflate")).codec;
    std::string bytes;
    REQUIRE(sender->deflate("valid " + std::string(100, 'a') + "\xed\xa0\x80", bytes));
    auto const codec = receiver();
    message_reader reader{role::server};
    reader.set_compression(*codec);
    received_items items;
    feed(reader, frame(role::server, opcode::text, bytes, false, true), items);
    CHECK(items == received_items{failed(error::bad_utf8)});

    bytes.clear();
    REQUIRE(sender->deflate(std::string(100, 'a') + "\xe2\x82", bytes));
    auto const other = receiver();
    message_reader second{role::server};
    second.set_compression(*other);
    items.clear();
    feed(second, frame(role::server, opcode::text, bytes, true, true), items);
    CHECK(items == received_items{failed(error::bad_utf8)});
}

TEST_CASE("wire/deflate: text that is no UTF-8 and then worse fails alike however it is cut") {
    // A stored block of one byte, and then a block of the reserved type.
    auto payload = from_hex("00 01 00 fe ff ff 06");
    SUBCASE("corrupt") {}
    SUBCASE("too large") {
        payload.clear();
        auto const sender = permessage_deflate{{.threshold_bytes = 0}}
                                .accept(extensions("permessage-deflate"))
                                .codec;
        REQUIRE(sender->deflate("\xff" + std::string(100, 'a'), payload));
    }
    auto const bytes = frame(role::server, opcode::text, payload, true, true);
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        CAPTURE(cut);
        auto const codec = receiver();
        message_reader reader{role::server, {4}};
        reader.set_compression(*codec);
        received_items items;
        feed(reader, bytes.substr(0, cut), items);
        feed(reader, bytes.substr(cut), items);
        CHECK(items == received_items{failed(error::bad_utf8)});
    }
}

} // namespace
