// What a hub's channels cost nobody in particular: micro --benchmark_filter=channel

#include <livetape/channel/hub.hpp>
#include <livetape/channel/pattern_index.hpp>
#include <livetape/channel/subscriber.hpp>
#include <livetape/transport/encodings.hpp>

#include <benchmark/benchmark.h>

#include <malloc.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace livetape;

/// What a session does when something is due, without a socket.
void take_all(void* client) noexcept {
    write_batch batch;
    subscriber::missed_events missed;
    while (static_cast<subscriber*>(client)->take(batch, missed) != subscriber::taken::nothing)
        batch.settle(batch.bytes());
}

/// Each thread publishes into a channel of its own, which nobody reads.
void channel_publish(benchmark::State& state) {
    static hub all;
    auto& feed = all.open("feed." + std::to_string(state.thread_index()));
    std::string const payload(64, '1');
    for (auto _ : state) benchmark::DoNotOptimize(feed.publish(payload));
}
BENCHMARK(channel_publish)->Threads(1)->Threads(2)->UseRealTime();

void channel_publish_keyed(benchmark::State& state) {
    hub all;
    auto& feed = all.open("feed");
    std::string const payload(64, '1');
    std::vector<std::string> keys;
    for (int i = 0; i < 100; ++i) keys.push_back("key-" + std::to_string(i));
    std::size_t i = 0;
    for (auto _ : state)
        benchmark::DoNotOptimize(feed.publish(payload, {.key = keys[i++ % keys.size()]}));
}
BENCHMARK(channel_publish_keyed);

void channel_publish_timed(benchmark::State& state) {
    hub all;
    auto& feed = all.open("feed", {.publish_interval = std::chrono::seconds{1}});
    std::string const payload(64, '1');
    for (auto _ : state) benchmark::DoNotOptimize(feed.publish(payload));
}
BENCHMARK(channel_publish_timed);

void channel_publish_with_id(benchmark::State& state) {
    hub all;
    auto& feed = all.open("feed");
    std::string const payload(64, '1');
    std::size_t i = 0;
    for (auto _ : state) {
        auto const id = std::to_string(++i);
        benchmark::DoNotOptimize(feed.publish(payload, {.id = id}));
    }
}
BENCHMARK(channel_publish_with_id);

/// 10,000 patterns of three to four tokens, a third of them with a wildcard in the first one.
void channel_match_patterns(benchmark::State& state) {
    pattern_index<int> index;
    for (int i = 0; i < 10'000; ++i) {
        auto const a = "site-" + std::to_string(i % 100);
        auto const b = "line-" + std::to_string(i / 100 % 100);
        auto const c = "sensor-" + std::to_string(i % 37);
        switch (i % 3) {
        case 0: index.add("*." + b + "." + c + ".value", i); break;
        case 1: index.add(a + ".*." + c + ".*", i); break;
        default: index.add(a + "." + b + ".>", i);
        }
    }
    std::vector<std::string> names;
    for (int i = 0; i < 1000; ++i)
        names.push_back("site-" + std::to_string(i * 7 % 100) + ".line-" +
                        std::to_string(i * 13 % 100) + ".sensor-" + std::to_string(i % 37) +
                        ".value");
    std::size_t at = 0;
    std::size_t matches = 0;
    for (auto _ : state) index.match(names[at++ % names.size()], [&](int) { ++matches; });
    state.counters["matches"] =
        benchmark::Counter(static_cast<double>(matches), benchmark::Counter::kAvgIterations);
}
BENCHMARK(channel_match_patterns);

/// Heap bytes of a channel that has so many events, of 100,000 in a hub.
void channel_footprint(benchmark::State& state) {
    constexpr int channel_count = 100'000;
    std::string const payload(64, '1');
    for (auto _ : state) {
        auto const before = mallinfo2().uordblks;
        auto const all = std::make_unique<hub>();
        for (int i = 0; i < channel_count; ++i) {
            auto& each = all->open("sensors." + std::to_string(i));
            for (int event = 0; event < state.range(0); ++event) each.publish(payload);
        }
        state.counters["bytes"] =
            static_cast<double>(mallinfo2().uordblks - before) / channel_count;
    }
    state.counters["sizeof"] = sizeof(channel);
}
BENCHMARK(channel_footprint)->Arg(0)->Arg(1)->Iterations(1)->Unit(benchmark::kMillisecond);

/// Heap bytes of a quiet channel with one subscription, of 100,000 in a hub, each client having 100
/// of them: before the first event, and after one without a key (1) or with one (2) that was read.
void channel_footprint_subscribed(benchmark::State& state) {
    constexpr int channel_count = 100'000;
    constexpr int channels_per_client = 100;
    std::string const payload(64, '1');
    for (auto _ : state) {
        auto const before = mallinfo2().uordblks;
        auto const all = std::make_unique<hub>();
        auto const wakes = std::make_unique<dispatcher>([](void*) noexcept {}, nullptr);
        std::vector<std::unique_ptr<subscriber>> clients;
        for (int i = 0; i < channel_count; ++i) {
            if (i % channels_per_client == 0)
                clients.push_back(std::make_unique<subscriber>(*wakes));
            opened_cursor opened;
            clients.back()->add(all->try_open("sensors." + std::to_string(i)),
                                encoding_of<websocket_json_encoder>, {}, opened);
        }
        for (int i = 0; i < channel_count && state.range(0) > 0; ++i)
            all->publish("sensors." + std::to_string(i), payload,
                         {.key = state.range(0) == 1 ? "" : "AAPL"});
        wakes->run(clients.size(), clock::now());
        for (auto const& client : clients) take_all(client.get());
        state.counters["bytes"] =
            static_cast<double>(mallinfo2().uordblks - before) / channel_count;
    }
    state.counters["sizeof"] = sizeof(channel) + sizeof(channel_feed) + sizeof(subscription);
}
BENCHMARK(channel_footprint_subscribed)
    ->DenseRange(0, 2)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

/// A publish, and what it costs the thread of so many clients that each watch 20 keys of 10,000:
/// the event goes to about one in 500 of them.
void channel_publish_watched(benchmark::State& state) {
    constexpr unsigned key_count = 10'000;
    constexpr unsigned keys_per_client = 20;
    hub all;
    auto const feed = all.try_open("feed");
    std::string const payload(64, '1');
    std::vector<std::string> keys;
    for (unsigned i = 0; i < key_count; ++i) keys.push_back("key-" + std::to_string(i));

    dispatcher wakes{[](void*) noexcept {}, nullptr};
    std::vector<std::unique_ptr<subscriber>> clients;
    for (unsigned i = 0; i < state.range(0); ++i) {
        delivery_options chosen;
        chosen.mode = delivery_mode::latest;
        auto& wanted = chosen.keys.emplace();
        for (unsigned k = 0; k < keys_per_client; ++k)
            wanted.push_back(keys[(i * 7919 + k * 503) % key_count]);
        clients.push_back(std::make_unique<subscriber>(wakes));
        opened_cursor opened;
        clients.back()->add(feed, encoding_of<websocket_json_encoder>, {}, chosen, opened);
        clients.back()->on_ready(take_all, clients.back().get());
    }
    std::size_t i = 0;
    for (auto _ : state) {
        feed->publish(payload, {.key = keys[i++ * 31 % key_count]});
        wakes.run(clients.size(), time_point{});
    }
}
BENCHMARK(channel_publish_watched)->Arg(100)->Arg(10'000);

void channel_find(benchmark::State& state) {
    static hub all;
    if (state.thread_index() == 0)
        for (int i = 0; i < 1000; ++i) all.open(std::to_string(i));
    std::string const name = std::to_string(state.thread_index());
    for (auto _ : state) benchmark::DoNotOptimize(all.find(name));
}
BENCHMARK(channel_find)->Threads(1)->Threads(8)->UseRealTime();

} // namespace
