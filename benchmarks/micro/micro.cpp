// Microbenchmarks of the pure parts, with Google Benchmark: micro --benchmark_filter=publish

#include <livetape/channel/hub.hpp>
#include <livetape/channel/subscriber.hpp>
#include <livetape/transport/encodings.hpp>

#include <benchmark/benchmark.h>

#include <string>

namespace {

using namespace livetape;

// The report says what it was compiled with; Google Benchmark knows only the machine.
[[maybe_unused]] bool const is_told = [] {
    benchmark::AddCustomContext("compiler", BENCHMARK_COMPILER);
    benchmark::AddCustomContext("flags", BENCHMARK_FLAGS);
    return true;
}();

std::string payload_of(std::size_t bytes) { return '"' + std::string(bytes - 2, 'x') + '"'; }

void publish(benchmark::State& state) {
    hub all;
    auto& feed = all.open("feed");
    auto const payload = payload_of(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state) benchmark::DoNotOptimize(feed.publish(payload));
}
BENCHMARK(publish)->Arg(64)->Arg(1024);

void publish_keyed(benchmark::State& state) {
    hub all;
    auto& feed = all.open("feed");
    auto const payload = payload_of(64);
    std::vector<std::string> keys;
    for (int i = 0; i < 1000; ++i) keys.push_back("key-" + std::to_string(i));
    std::size_t i = 0;
    for (auto _ : state) benchmark::DoNotOptimize(feed.publish(payload, {keys[i++ % keys.size()]}));
}
BENCHMARK(publish_keyed);

template <class Encoder>
void encode(benchmark::State& state) {
    auto const payload = payload_of(static_cast<std::size_t>(state.range(0)));
    event_view const event{"feed", 0x123456789abcd, 1'234'567, {}, payload, payload_kind::json, {}};
    std::string out;
    for (auto _ : state) {
        out.clear();
        Encoder::encode(event, out);
        benchmark::DoNotOptimize(out.data());
    }
}
BENCHMARK(encode<websocket_raw_encoder>)->Arg(64);
BENCHMARK(encode<websocket_json_encoder>)->Arg(64);
BENCHMARK(encode<sse_json_encoder>)->Arg(64);
BENCHMARK(encode<json_list_encoder>)->Arg(64);

/// One event to so many subscribers that take it and write nothing: what the library adds to a
/// send.
void fan_out(benchmark::State& state) {
    struct reader {
        explicit reader(dispatcher& wakes, write_batch& shared) : cursors{wakes}, batch{shared} {
            cursors.on_ready([](void* self) noexcept { static_cast<reader*>(self)->read(); }, this);
        }
        void read() {
            subscriber::missed_events missed;
            while (cursors.take(batch, missed) == subscriber::taken::run) {
            }
            batch.settle(batch.bytes());
        }
        subscriber cursors;
        write_batch& batch;
    };
    hub all;
    auto const feed = all.try_open("feed");
    dispatcher wakes{[](void*) noexcept {}, nullptr};
    write_batch batch;
    std::vector<std::unique_ptr<reader>> readers;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
        opened_cursor opened;
        readers.push_back(std::make_unique<reader>(wakes, batch));
        readers.back()->cursors.add(feed, encoding_of<websocket_raw_encoder>, {}, opened);
    }
    auto const payload = payload_of(64);
    for (auto _ : state) {
        feed->publish(payload);
        while (wakes.run(256, {})) {
        }
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(fan_out)->Arg(1)->Arg(1000);

} // namespace
