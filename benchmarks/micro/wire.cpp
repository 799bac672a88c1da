#include <livetape/wire/frame_header.hpp>
#include <livetape/wire/handshake.hpp>
#include <livetape/wire/masking.hpp>
#include <livetape/wire/message_reader.hpp>
#include <livetape/wire/request_parser.hpp>
#include <livetape/wire/utf8.hpp>

#include "masked_messages.hpp"

#include <benchmark/benchmark.h>

#include <span>
#include <string>
#include <string_view>

namespace {

using namespace livetape;

constexpr websocket::masking_key_type masking_key{0x12, 0x34, 0x56, 0x78};

constexpr std::string_view upgrade =
    "GET /live/ws?channel=ticks HTTP/1.1\r\n"
    "Host: example.org\r\n"
    "Connection: Upgrade\r\n"
    "Pragma: no-cache\r\n"
    "Cache-Control: no-cache\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 "
    "Safari/537.36\r\n"
    "Upgrade: websocket\r\n"
    "Origin: https://example.org\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-US,en;q=0.9\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    "\r\n";

void set_bytes(benchmark::State& state, std::size_t bytes) {
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

void parse_request(benchmark::State& state) {
    for (auto _ : state) {
        http::request_parser parser;
        auto input = upgrade;
        benchmark::DoNotOptimize(parser.feed(input));
    }
    set_bytes(state, upgrade.size());
}
BENCHMARK(parse_request);

void answer_handshake(benchmark::State& state) {
    http::request_parser parser;
    auto input = upgrade;
    if (parser.feed(input) != parse_status::done)
        return state.SkipWithError("the request is wrong");
    std::string out;
    for (auto _ : state) {
        out.clear();
        benchmark::DoNotOptimize(websocket::check_handshake(parser.head()));
        websocket::append_accept(out, parser.head());
        benchmark::DoNotOptimize(out.data());
    }
}
BENCHMARK(answer_handshake);

void mask(benchmark::State& state) {
    std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
    for (auto _ : state) {
        websocket::apply_mask(bytes, masking_key);
        benchmark::DoNotOptimize(bytes.data());
    }
    set_bytes(state, bytes.size());
}
BENCHMARK(mask)->Arg(64)->Arg(64 << 10);

void parse_frame_header(benchmark::State& state) {
    std::string frame;
    websocket::append_frame(frame, websocket::opcode::text, std::string(200, 'x'));
    for (auto _ : state) {
        websocket::frame_header header;
        benchmark::DoNotOptimize(websocket::parse_header(frame, header));
        benchmark::DoNotOptimize(header);
    }
}
BENCHMARK(parse_frame_header);

/// Masked text messages as they lie in one read; the peers' ways through them are beside this file.
void read_messages(benchmark::State& state) {
    auto const messages = benchmarks::messages_of(static_cast<std::size_t>(state.range(0)));
    websocket::message_reader reader{websocket::role::server};
    std::string bytes;
    for (auto _ : state) {
        bytes = messages.bytes; // reading unmasks in place
        std::span<char> input{bytes};
        std::size_t count = 0;
        while (reader.next(input).kind == websocket::message_reader::item_kind::text) ++count;
        if (count != messages.count) return state.SkipWithError("messages are missing");
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(messages.count));
}
BENCHMARK(read_messages)->Arg(64)->Arg(1024);

void check_utf8(benchmark::State& state, std::string_view piece) {
    std::string text;
    while (text.size() + piece.size() <= std::size_t{64} << 10) text += piece;
    for (auto _ : state) benchmark::DoNotOptimize(is_utf8(text));
    set_bytes(state, text.size());
}
BENCHMARK_CAPTURE(check_utf8, ascii, R"({"symbol":"EURUSD","bid":1.08})");
BENCHMARK_CAPTURE(check_utf8, mixed, "r\u00e9sum\u00e9 \u65e5\u672c\u8a9e ");

} // namespace
