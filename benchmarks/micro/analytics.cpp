#include <livetape/analytics/covariance.hpp>
#include <livetape/analytics/ewma.hpp>
#include <livetape/analytics/group_by.hpp>
#include <livetape/analytics/histogram.hpp>
#include <livetape/analytics/hopping_window.hpp>
#include <livetape/analytics/linear_regression.hpp>
#include <livetape/analytics/mean.hpp>
#include <livetape/analytics/min_max.hpp>
#include <livetape/analytics/ohlc.hpp>
#include <livetape/analytics/pipeline.hpp>
#include <livetape/analytics/session_window.hpp>
#include <livetape/analytics/sliding_window.hpp>
#include <livetape/analytics/tumbling_window.hpp>
#include <livetape/analytics/variance.hpp>
#include <livetape/channel/hub.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace livetape;
using namespace std::chrono_literals;

struct sample {
    event_time time;
    double value;
    double volume;
};

std::uint64_t next_random(std::uint64_t& state) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/// A price that wanders, at irregular times of about a microsecond.
std::vector<sample> const& samples() {
    static std::vector<sample> const made = [] {
        std::vector<sample> all(std::size_t{1} << 12);
        std::uint64_t random = 42;
        event_time time{0};
        double price = 100;
        for (auto& each : all) {
            time += event_time{next_random(random) % 2000};
            price += static_cast<double>(next_random(random) % 201) / 100 - 1;
            each = {time, price, static_cast<double>(next_random(random) % 1000)};
        }
        return all;
    }();
    return made;
}

/// Calls `add(sample)` for a stream of samples that goes on in time from round to round.
template <class Add>
void run(benchmark::State& state, Add add) {
    auto const& all = samples();
    event_time round{0};
    for (auto _ : state) {
        for (auto const& each : all) add(sample{each.time + round, each.value, each.volume});
        round += all.back().time;
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(all.size()));
}

template <class Accumulator>
void add_values(benchmark::State& state, Accumulator const& empty) {
    auto into = empty;
    run(state, [&](sample const& each) { detail::feed(into, each.time, each.value); });
    benchmark::DoNotOptimize(into.value());
}

template <class Accumulator>
void add_pairs(benchmark::State& state, Accumulator const& empty) {
    auto into = empty;
    run(state, [&](sample const& each) { detail::feed(into, each.time, each.value, each.volume); });
    benchmark::DoNotOptimize(into.value());
}

template <class Window>
void add_to_window(benchmark::State& state, Window window) {
    std::uint64_t closed = 0;
    run(state, [&](sample const& each) {
        for (auto result = window.add(each.time, each.value); result; result = window.next())
            ++closed;
    });
    benchmark::DoNotOptimize(closed);
}

template <class Window>
void slide(benchmark::State& state, Window window) {
    double total = 0;
    run(state, [&](sample const& each) {
        window.add(each.time, each.value);
        total += window.value();
    });
    benchmark::DoNotOptimize(total);
}

BENCHMARK_CAPTURE(add_values, mean, mean{});
BENCHMARK_CAPTURE(add_values, variance, variance{});
BENCHMARK_CAPTURE(add_values, max, livetape::max{});
BENCHMARK_CAPTURE(add_values, ewma, ewma{1ms});
BENCHMARK_CAPTURE(add_values, ewm_variance, ewm_variance{1ms});
BENCHMARK_CAPTURE(add_values, ewma_rate, ewma_rate{1ms});
BENCHMARK_CAPTURE(add_values, linear_trend, linear_trend{});
BENCHMARK_CAPTURE(add_values, histogram, histogram{{-1000, 1000, 100}});
BENCHMARK_CAPTURE(add_values, log_histogram, log_histogram{{1, 1e4, 4}});
BENCHMARK_CAPTURE(add_values, ohlc, ohlc{});
BENCHMARK_CAPTURE(add_pairs, ohlcv, ohlcv{});
BENCHMARK_CAPTURE(add_pairs, covariance, covariance{});
BENCHMARK_CAPTURE(add_to_window, tumbling_mean, tumbling_window<mean>{1ms});
BENCHMARK_CAPTURE(add_to_window, tumbling_ohlc, tumbling_window<ohlc>{1ms});
BENCHMARK_CAPTURE(add_to_window, hopping_mean, hopping_window<mean>{10ms, 1ms});
BENCHMARK_CAPTURE(add_to_window, session_mean, session_window<mean>{1999ns});
BENCHMARK_CAPTURE(slide, time_mean_1000, sliding_window<mean>{1ms});
BENCHMARK_CAPTURE(slide, time_max_1000, sliding_window<livetape::max>{1ms});
BENCHMARK_CAPTURE(slide, count_max_1000, sliding_count_window<livetape::max>{1000});

void add_to(mean& into, event_time) { into.add(1); }
void add_to(tumbling_window<mean>& into, event_time time) { into.add(time, 1.0); }

template <class Operator>
void group(benchmark::State& state, Operator initial) {
    std::vector<std::string> keys;
    for (int i = 0; i < 10'000; ++i) keys.push_back("sensor-" + std::to_string(i));
    std::uint64_t random = 7;
    std::vector<std::uint16_t> order(std::size_t{1} << 16);
    for (auto& each : order) each = static_cast<std::uint16_t>(next_random(random) % keys.size());

    group_by<Operator> groups{std::move(initial), {.keys_max = 10'000}};
    event_time time{0};
    for (auto _ : state)
        for (auto const index : order) {
            time += 100ns;
            add_to(groups.at(keys[index]), time);
        }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(order.size()));
}

BENCHMARK_CAPTURE(group, mean_10000_keys, mean{});
BENCHMARK_CAPTURE(group, tumbling_mean_10000_keys, tumbling_window<mean>{1s});

/// Payloads of 100 bytes, ten each millisecond of event time and of 100 keys in turn, to three
/// operators that publish when their windows close. The argument is their length in milliseconds:
/// at 1,000 there are three results for 100 payloads, at 100 thirty.
void json_to_three_operators(benchmark::State& state) {
    std::chrono::milliseconds const length{state.range(0)};
    hub channels;
    auto& source = channels.open("ticks");
    auto run = from(source)
                   .json()
                   .time("time", 1e-3)
                   .number("price")
                   .number("volume")
                   .key("symbol")
                   .window(tumbling{length})
                   .apply<ohlcv>()
                   .to(channels.open("bars"))
                   .window(tumbling{length})
                   .apply<variance>()
                   .to(channels.open("spreads"))
                   .window(hopping{10 * length, length})
                   .apply<mean>()
                   .to(channels.open("averages"));
    constexpr std::size_t batch = 1000;
    std::vector<std::string> payloads;
    std::uint64_t number = 0;
    bool is_100_bytes = true;
    for (auto _ : state) {
        state.PauseTiming();
        payloads.clear();
        for (std::size_t i = 0; i < batch; ++i, ++number) {
            auto const time = 1'700'000'000'000 + number / 10;
            auto text = "{\"time\":" + std::to_string(time) + ",\"symbol\":\"S" +
                        std::to_string(100 + number % 100) +
                        "\",\"price\":" + std::to_string(100'000 + number % 977) +
                        ".25,\"volume\":" + std::to_string(10 + number % 89) + ",\"venue\":\"";
            text.append(98 - text.size(), 'v') += "\"}";
            is_100_bytes = is_100_bytes && text.size() == 100;
            payloads.push_back(std::move(text));
        }
        state.ResumeTiming();
        for (auto const& payload : payloads) source.publish(payload);
        while (run.run() > 0) {
        }
    }
    if (!is_100_bytes) return state.SkipWithError("the payloads are not 100 bytes long");
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(batch));
}
BENCHMARK(json_to_three_operators)->Arg(1000)->Arg(100);

} // namespace
