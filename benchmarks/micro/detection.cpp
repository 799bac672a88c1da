// Microbenchmarks of the detectors: micro --benchmark_filter=detect

#include <livetape/analytics/anomaly_detector.hpp>
#include <livetape/analytics/change_point.hpp>
#include <livetape/analytics/half_space_trees.hpp>
#include <livetape/analytics/logistic_regression.hpp>
#include <livetape/analytics/robust_z_score.hpp>
#include <livetape/analytics/seasonal_baseline.hpp>
#include <livetape/analytics/threshold_alarm.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace {

using namespace livetape;
using namespace std::chrono_literals;

/// A month of a daily rhythm with noise, a minute apart.
std::vector<double> const& metric() {
    static std::vector<double> const values = [] {
        std::mt19937 random{1};
        std::normal_distribution<double> noise{0, 3};
        std::vector<double> made(std::size_t{1} << 16);
        for (std::size_t i = 0; i < made.size(); ++i)
            made[i] =
                100 + 40 * std::sin(static_cast<double>(i) * (6.2831853 / 1440)) + noise(random);
        return made;
    }();
    return values;
}

/// Feeds the metric over and over, its time going on.
template <class Add>
void run(benchmark::State& state, Add add) {
    auto const& values = metric();
    std::size_t i = 0;
    event_time time{0};
    for (auto _ : state) {
        benchmark::DoNotOptimize(add(time, values[i++ % values.size()]));
        time += 1min;
    }
    state.SetItemsProcessed(state.iterations());
}

void detect_anomaly(benchmark::State& state) {
    anomaly_detector detector;
    run(state, [&](event_time time, double value) { return detector.add(time, value).onset; });
}
BENCHMARK(detect_anomaly);

void detect_threshold(benchmark::State& state) {
    threshold_alarm alarm{{.fire_at = 130, .resolve_at = 120}};
    run(state, [&](event_time time, double value) { return alarm.add(time, value); });
}
BENCHMARK(detect_threshold);

void detect_page_hinkley(benchmark::State& state) {
    page_hinkley test{{.delta = 1.5, .lambda = 100}};
    run(state, [&](event_time, double value) { return test.add(value); });
}
BENCHMARK(detect_page_hinkley);

void detect_seasonal_residual(benchmark::State& state) {
    seasonal_baseline baseline;
    run(state, [&](event_time time, double value) { return baseline.add(time, value); });
}
BENCHMARK(detect_seasonal_residual);

void detect_robust_z_score(benchmark::State& state) {
    robust_z_score scores{{.window = static_cast<std::size_t>(state.range(0))}};
    run(state, [&](event_time, double value) { return scores.add(value); });
}
BENCHMARK(detect_robust_z_score)->Arg(50)->Arg(500)->Arg(5000);

void detect_half_space_trees(benchmark::State& state) {
    half_space_trees trees{{.dimensions = 1}};
    run(state, [&](event_time, double value) {
        return trees.add(std::array{half_space_trees::squash(value, 100, 30)});
    });
}
BENCHMARK(detect_half_space_trees);

void detect_logistic_regression(benchmark::State& state) {
    logistic_regression learner{4};
    run(state, [&](event_time, double value) {
        double const x = (value - 100) / 40;
        return learner.learn(std::array{x, x * x, x * x * x, 1 - x}, value > 120);
    });
}
BENCHMARK(detect_logistic_regression);

} // namespace
