// Microbenchmarks of the sketches, values a second: micro --benchmark_filter=sketch

#include <livetape/analytics/ddsketch.hpp>
#include <livetape/analytics/decayed_top_k.hpp>
#include <livetape/analytics/hyperloglog.hpp>
#include <livetape/analytics/kll_sketch.hpp>
#include <livetape/analytics/reservoir_sample.hpp>
#include <livetape/analytics/space_saving.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace livetape;

/// More than any cache of the first level holds, so that no branch predictor learns the input.
constexpr std::size_t input_size = 1u << 18;

/// Latencies: log-normal, five decades.
std::vector<double> latencies() {
    std::mt19937_64 random{1};
    std::lognormal_distribution<double> draw{0, 1.5};
    std::vector<double> values(input_size);
    for (auto& each : values) each = draw(random);
    return values;
}

/// Ranks 1 to 1,000,000 with probability in proportion to rank^-exponent, mixed so that the order
/// of keys says nothing.
std::vector<std::uint64_t> zipf_keys(double exponent) {
    std::vector<double> cumulated(1'000'000);
    double sum = 0;
    for (std::size_t i = 0; i < cumulated.size(); ++i)
        cumulated[i] = sum += std::pow(static_cast<double>(i + 1), -exponent);
    std::mt19937_64 random{2};
    std::uniform_real_distribution<double> draw{0, sum};
    std::vector<std::uint64_t> keys(input_size);
    for (auto& each : keys) {
        auto const at = std::lower_bound(cumulated.begin(), cumulated.end(), draw(random));
        each = mix_bits(static_cast<std::uint64_t>(at - cumulated.begin()));
    }
    return keys;
}

template <class Sketch, class Values>
void add_all(benchmark::State& state, Sketch& sketch, Values const& values) {
    for (auto _ : state) {
        for (auto const& each : values) sketch.add(each);
        benchmark::DoNotOptimize(&sketch);
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(values.size()));
}

void sketch_ddsketch(benchmark::State& state) {
    ddsketch sketch;
    add_all(state, sketch, latencies());
}
BENCHMARK(sketch_ddsketch);

void sketch_ddsketch_both_signs(benchmark::State& state) {
    auto values = latencies();
    std::mt19937 random{3};
    for (auto& each : values)
        if (random() % 2 == 0) each = -each;
    ddsketch sketch;
    add_all(state, sketch, values);
}
BENCHMARK(sketch_ddsketch_both_signs);

void sketch_kll(benchmark::State& state) {
    kll_sketch sketch;
    add_all(state, sketch, latencies());
}
BENCHMARK(sketch_kll);

void sketch_hyperloglog(benchmark::State& state) {
    std::mt19937_64 random{4};
    std::vector<std::uint64_t> hashes(input_size);
    for (auto& each : hashes) each = random();
    hyperloglog sketch;
    for (auto _ : state) {
        for (auto const each : hashes) sketch.add_hash(each);
        benchmark::DoNotOptimize(&sketch);
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(hashes.size()));
}
BENCHMARK(sketch_hyperloglog);

void sketch_hyperloglog_strings(benchmark::State& state) {
    std::vector<std::string> keys(input_size / 4);
    for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = "visitor-" + std::to_string(i);
    hyperloglog sketch;
    add_all(state, sketch, keys);
}
BENCHMARK(sketch_hyperloglog_strings);

/// 1,000 counters; the argument is ten times the exponent.
void sketch_space_saving_zipf(benchmark::State& state) {
    space_saving<std::uint64_t> sketch{1000};
    add_all(state, sketch, zipf_keys(static_cast<double>(state.range(0)) / 10));
}
BENCHMARK(sketch_space_saving_zipf)->Arg(10)->Arg(11)->Arg(12)->Arg(15);

void sketch_space_saving_words(benchmark::State& state) {
    std::vector<std::string> words;
    for (auto const each : zipf_keys(1.1))
        words.push_back("word-" + std::to_string(each % 1000000));
    space_saving<std::string> sketch{1000};
    add_all(state, sketch, words);
}
BENCHMARK(sketch_space_saving_words);

/// 1,000 counters, a millisecond from event to event.
void sketch_decayed_top_k_zipf(benchmark::State& state) {
    auto const keys = zipf_keys(1.1);
    decayed_top_k<std::uint64_t> sketch;
    std::chrono::nanoseconds now{0};
    for (auto _ : state) {
        for (auto const each : keys) sketch.add(now += std::chrono::milliseconds{1}, each);
        benchmark::DoNotOptimize(&sketch);
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(keys.size()));
}
BENCHMARK(sketch_decayed_top_k_zipf);

void sketch_reservoir(benchmark::State& state) {
    reservoir_sample<double> sketch{1000, 5};
    add_all(state, sketch, latencies());
}
BENCHMARK(sketch_reservoir);

} // namespace
