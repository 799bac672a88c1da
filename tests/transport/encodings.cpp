#include <livetape/channel/segment.hpp>
#include <livetape/transport/encodings.hpp>
#include <livetape/wire/message_reader.hpp>
#include <livetape/wire/sse_parser.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace livetape;
using namespace std::string_view_literals;
using item_kind = websocket::message_reader::item_kind;

static_assert(encoder<websocket_json_encoder>);
static_assert(encoder<websocket_raw_encoder>);
static_assert(encoder<sse_json_encoder>);
static_assert(encoder<sse_shared_encoder>);
static_assert(encoder<sse_raw_encoder>);
static_assert(encoder<json_list_encoder>);

// 33 is "11" in base 32.
event_view make_event(std::string_view payload, payload_kind kind, std::string_view key = {}) {
    return {"ticks", 33, 121, key, payload, kind, {}};
}

template <class Encoder>
std::string encode(event_view const& event) {
    std::string out = "before";
    Encoder::encode(event, out);
    REQUIRE(out.starts_with("before"));
    return out.substr(6);
}

struct vector {
    char const* name;
    payload_kind kind;
    std::string_view key;
    std::string_view payload;
    std::string_view envelope;
};

vector const vectors[] = {
    {"an object", payload_kind::json, "", R"({"a":1})",
     R"({"channel":"ticks","offset":121,"data":{"a":1}})"},
    {"a key", payload_kind::json, "AAPL", "7",
     R"({"channel":"ticks","offset":121,"key":"AAPL","data":7})"},
    {"a key to escape", payload_kind::json, "a\"\\b\n", "null",
     R"({"channel":"ticks","offset":121,"key":"a\"\\b\n","data":null})"},
    {"pretty-printed JSON", payload_kind::json, "", "{\n  \"a\": [1,\n    2]\n}",
     "{\"channel\":\"ticks\",\"offset\":121,\"data\":{\n  \"a\": [1,\n    2]\n}}"},
    {"text", payload_kind::text, "", "plain", R"({"channel":"ticks","offset":121,"data":"plain"})"},
    {"text with quotes and line ends", payload_kind::text, "", "a\"b\\c\r\n\td\x01",
     R"({"channel":"ticks","offset":121,"data":"a\"b\\c\r\n\td\u0001"})"},
    {"text beyond ASCII", payload_kind::text, "", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
     "{\"channel\":\"ticks\",\"offset\":121,\"data\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"}"},
    {"empty text", payload_kind::text, "", "", R"({"channel":"ticks","offset":121,"data":""})"},
    {"bytes", payload_kind::binary, "k", "\x00\xff\n"sv,
     R"({"channel":"ticks","offset":121,"key":"k","data64":"AP8K"})"},
    {"no bytes", payload_kind::binary, "", "", R"({"channel":"ticks","offset":121,"data64":""})"},
};

} // namespace

TEST_CASE("transport/encodings: an envelope holds channel, offset, key and payload") {
    for (auto const& v : vectors) {
        CAPTURE(v.name);
        std::string out;
        append_envelope(out, make_event(v.payload, v.kind, v.key));
        CHECK(out == v.envelope);
    }
    // 2^64 - 1, the largest offset there is.
    std::string out;
    append_envelope(out, {"c", 1, UINT64_MAX, {}, "0", payload_kind::json, {}});
    CHECK(out == R"({"channel":"c","offset":18446744073709551615,"data":0})");
    // What stands for several says so, what stands for itself has the bytes that it always had.
    out.clear();
    append_envelope(out, {"c", 1, 9, "k", "0", payload_kind::json, {}, 4});
    CHECK(out == R"({"channel":"c","offset":9,"key":"k","count":4,"data":0})");
}

TEST_CASE("transport/encodings: a WebSocket frame holds the envelope, at each size of header") {
    for (auto const& v : vectors) {
        CAPTURE(v.name);
        auto frame = encode<websocket_json_encoder>(make_event(v.payload, v.kind, v.key));
        std::span<char> input{frame};
        websocket::message_reader reader{websocket::role::client};
        auto const item = reader.next(input);
        if (v.kind == payload_kind::binary) {
            CHECK(item.kind == item_kind::binary);
            CHECK(item.payload ==
                  std::string{v.envelope.substr(0, v.envelope.find(R"(,"data64")"))} + "}\n" +
                      std::string{v.payload});
        } else {
            CHECK(item.kind == item_kind::text);
            CHECK(item.payload == v.envelope);
        }
        CHECK(input.empty());
    }
    for (std::size_t const size : {0u, 1u, 125u, 126u, 127u, 65'535u, 65'536u, 200'000u}) {
        CAPTURE(size);
        std::string const payload(size, 'x');
        for (auto const kind : {payload_kind::text, payload_kind::binary}) {
            auto frame = encode<websocket_raw_encoder>(make_event(payload, kind));
            std::span<char> input{frame};
            websocket::message_reader reader{websocket::role::client};
            auto const item = reader.next(input);
            CHECK(item.kind == (kind == payload_kind::text ? item_kind::text : item_kind::binary));
            CHECK((item.payload == payload));
            CHECK(input.empty());
        }
        auto frame = encode<websocket_json_encoder>(make_event(payload, payload_kind::text));
        std::span<char> input{frame};
        websocket::message_reader reader{websocket::role::client};
        auto const item = reader.next(input);
        CHECK((item.payload == R"({"channel":"ticks","offset":121,"data":")" + payload + "\"}"));
        CHECK(input.empty());
    }
    auto json = encode<websocket_raw_encoder>(make_event("{}", payload_kind::json));
    std::span<char> input{json};
    CHECK(websocket::message_reader{websocket::role::client}.next(input).kind == item_kind::text);
}

TEST_CASE(
    "transport/encodings: an SSE block gives its reader the envelope back [WHATWG HTML 9.2.6]") {
    struct expectation {
        std::string bytes, id, data;
    };
    for (auto const& v : vectors) {
        CAPTURE(v.name);
        auto const event = make_event(v.payload, v.kind, v.key);
        bool const is_binary = v.kind == payload_kind::binary;
        std::string raw{v.payload};
        if (is_binary) {
            raw.clear();
            append_base64(raw, v.payload);
        }
        // A reader joins lines with LF, whatever stood between them.
        if (auto const at = raw.find('\r'); at != std::string::npos) raw.erase(at, 1);
        for (auto const& e :
             {expectation{encode<sse_json_encoder>(event), "11-121", std::string{v.envelope}},
              expectation{encode<sse_shared_encoder>(event), "", std::string{v.envelope}},
              expectation{encode<sse_raw_encoder>(event), "11-121", raw}}) {
            for (std::size_t cut = 0; cut <= e.bytes.size(); ++cut) {
                sse::parser parser;
                sse::event found;
                std::string_view first{e.bytes.data(), cut};
                std::string_view rest = std::string_view{e.bytes}.substr(cut);
                auto status = parser.next(first, found);
                if (status != parse_status::done) status = parser.next(rest, found);
                REQUIRE(status == parse_status::done);
                CHECK(found.type == "message");
                CHECK(found.data == e.data);
                CHECK(found.last_event_id == e.id);
            }
        }
    }
}

TEST_CASE("transport/encodings: an element of a list is the envelope after a comma") {
    for (auto const& v : vectors)
        CHECK(encode<json_list_encoder>(make_event(v.payload, v.kind, v.key)) ==
              ',' + std::string{v.envelope});
}

TEST_CASE("transport/encodings: a wrong estimate of size costs memory, not bytes") {
    // Control characters grow sixfold in JSON, line ends sevenfold in SSE: far over the estimate.
    auto const identity = log_identity::make("ticks", 33);
    segment_ref const holder = segment::make(identity, 1, 64, 64 * 40);
    std::string expected_frames, expected_blocks;
    std::string const payload(30, '\n');
    for (std::uint64_t offset = 1; offset <= 64; ++offset) {
        event_view const event{"ticks", 33, offset, {}, payload, payload_kind::text, {}};
        holder->append(event);
        websocket_json_encoder::encode(event, expected_frames);
        sse_raw_encoder::encode(event, expected_blocks);
    }
    auto const all = [&](encoding const& format) {
        std::string bytes;
        for (std::uint32_t index = 0; index < 64;) {
            auto const& area = holder->encoded(format, index);
            bytes += area.bytes(area.begin_of(index), area.begin_of(area.end_index()));
            index = area.end_index();
        }
        return bytes;
    };
    CHECK((all(encoding_of<websocket_json_encoder>) == expected_frames));
    CHECK((all(encoding_of<sse_raw_encoder>) == expected_blocks));
}
