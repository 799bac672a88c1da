#include <livetape/analytics/accumulator.hpp>
#include <livetape/analytics/covariance.hpp>
#include <livetape/analytics/detail/decay_factor.hpp>
#include <livetape/analytics/ema.hpp>
#include <livetape/analytics/ewma.hpp>
#include <livetape/analytics/latest_join.hpp>
#include <livetape/analytics/linear_regression.hpp>

#include "support/random_stream.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

using namespace livetape;
using namespace std::chrono_literals;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

struct sample {
    event_time time;
    double value;
};

std::vector<sample> irregular(random_stream& random, std::size_t count) {
    std::vector<sample> samples;
    event_time time{-1h};
    for (std::size_t i = 0; i < count; ++i) {
        time += event_time{static_cast<std::int64_t>(random.below(2'000'000'000))};
        samples.push_back({time, 100 + random.normal()});
    }
    return samples;
}

double age_weight(event_time age, event_time time_constant) {
    return std::exp(-to_seconds(age) / to_seconds(time_constant));
}

/// Norris of the Statistical Reference Datasets of NIST (StRD, linear regression): x, y.
constexpr std::array<std::pair<double, double>, 36> norris{
    {{0.2, 0.1},     {337.4, 338.8}, {118.2, 118.1}, {884.6, 888.0}, {10.1, 9.2},    {226.5, 228.1},
     {666.3, 668.5}, {996.3, 998.5}, {448.6, 449.1}, {777.0, 778.9}, {558.2, 559.2}, {0.4, 0.3},
     {0.6, 0.1},     {775.5, 778.1}, {666.9, 668.8}, {338.0, 339.3}, {447.5, 448.9}, {11.6, 10.8},
     {556.0, 557.7}, {228.1, 228.3}, {995.8, 998.0}, {887.6, 888.8}, {120.2, 119.6}, {0.3, 0.3},
     {0.3, 0.6},     {556.8, 557.6}, {339.1, 339.3}, {887.2, 888.0}, {999.0, 998.5}, {779.0, 778.9},
     {11.1, 10.2},   {118.3, 117.6}, {229.2, 228.9}, {669.1, 668.4}, {448.9, 449.2}, {0.5, 0.2}}};

static_assert(accumulates<ewma, double> && accumulates<ewm_variance, double>);
static_assert(accumulates<ewma_rate> && accumulates<ewma_rate, double>);
static_assert(!accumulator<ema>, "averages of one signal cannot be merged");
static_assert(accumulates<covariance, double, double> && !accumulates<covariance, double>);
static_assert(accumulates<linear_trend, double>);

} // namespace

TEST_CASE("analytics/linear_regression: agrees with NIST's certified values for Norris") {
    linear_regression line;
    for (auto const& [x, y] : norris) line.add(x, y);
    CHECK(is_near(line.slope(), 1.00211681802045, 1e-13));
    CHECK(is_near(line.intercept(), -0.262323073774029, 1e-11));
    CHECK(is_near(line.slope_error(), 0.429796848199937e-3, 1e-10));
    CHECK(is_near(line.intercept_error(), 0.232818234301152, 1e-10));
    CHECK(is_near(line.residual_deviation(), 0.884796396144373, 1e-10));
    CHECK(is_near(line.r_squared(), 0.999993745883712, 1e-14));
}

TEST_CASE("analytics/linear_regression: parts that merge are the whole") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        random_stream random{seed};
        linear_regression whole;
        covariance together;
        std::array<linear_regression, 3> parts;
        std::array<covariance, 3> pairs;
        for (int i = 0; i < 300; ++i) {
            double const x = random.between(1e5, 1.01e5);
            double const y = 3 * x + 100 * random.normal();
            auto const part = random.below(3);
            whole.add(x, y);
            together.add(x, y);
            parts[part].add(x, y);
            pairs[part].add(x, y);
        }
        for (std::size_t i = 1; i < parts.size(); ++i) {
            parts[0].merge(parts[i]);
            pairs[0].merge(pairs[i]);
        }
        CHECK(is_near(parts[0].slope(), whole.slope(), 1e-11));
        CHECK(is_near(parts[0].residual_deviation(), whole.residual_deviation(), 1e-9));
        CHECK(is_near(pairs[0].value(), together.value(), 1e-11));
        CHECK(is_near(pairs[0].correlation(), together.correlation(), 1e-11));
        CHECK(is_near(together.correlation() * together.correlation(), whole.r_squared(), 1e-11));
    }
}

TEST_CASE("analytics/linear_regression: what has no line says so") {
    linear_regression line;
    CHECK(std::isnan(line.slope()));
    line.add(1, 2);
    line.add(1, 3);
    CHECK(std::isnan(line.slope()));
    CHECK(std::isnan(line.residual_deviation()));
    line.add(2, not_a_number);
    line.add(infinity, 1);
    line.add(2, 1e200);
    CHECK(line.left_out() == 3);
    line.add(2, 3);
    line.add(2, 2);
    CHECK(std::abs(line.slope()) < 1e-15);
    CHECK(std::abs(line.r_squared()) < 1e-15);
}

TEST_CASE("analytics/linear_trend: is the slope per second, wherever the epoch and the parts lie") {
    linear_trend trend;
    linear_trend first_half;
    linear_trend second_half;
    event_time const begin{1'762'795'433'971'744'500};
    for (int i = 0; i < 100; ++i) {
        auto const time = begin + i * 100ms;
        double const value = 50 - 2.5 * (i * 0.1);
        trend.add(time, value);
        (i < 50 ? first_half : second_half).add(time, value);
    }
    CHECK(is_near(trend.value(), -2.5, 1e-12));
    CHECK(std::abs(trend.at(begin + 20s)) < 1e-10);
    first_half.merge(second_half);
    CHECK(is_near(first_half.value(), -2.5, 1e-12));
    linear_trend none;
    none.merge(trend);
    CHECK(none.value() == trend.value());
    CHECK(none.origin() == begin);
}

TEST_CASE("analytics/covariance: a perfect relation correlates perfectly, a constant not at all") {
    correlation perfect;
    correlation constant;
    for (int i = 0; i < 100; ++i) {
        perfect.add(i, -3.0 * i + 1);
        constant.add(i, 7);
    }
    CHECK(perfect.value() == doctest::Approx(-1).epsilon(1e-14));
    CHECK(perfect.value() >= -1);
    CHECK(perfect.covariance::value() == doctest::Approx(-3 * 100 * 101 / 12.0));
    CHECK(std::isnan(constant.value()));
    CHECK(constant.covariance::value() == 0);
    constant.add(1, not_a_number);
    CHECK(constant.left_out() == 1);

    correlation huge;
    huge.add(1e140, 1e140);
    huge.add(-1e140, -1e140);
    CHECK(huge.value() == doctest::Approx(1));
}

TEST_CASE("analytics/decay_factor: is the exponential to the last bits") {
    random_stream random{1};
    for (int i = 0; i < 100'000; ++i) {
        double const x = i % 2 == 0 ? random.between(-707, 0) : -std::pow(10, -random.unit() * 15);
        auto const exact = static_cast<double>(std::exp(static_cast<long double>(x)));
        REQUIRE(is_near(detail::decay_factor(x), exact, 4e-16));
    }
    CHECK(detail::decay_factor(0) == 1);
    CHECK(detail::decay_factor(-0.0) == 1);
    CHECK(detail::decay_factor(-709) == 0);
    CHECK(detail::decay_factor(-infinity) == 0);
}

TEST_CASE("analytics/ewma: mean, variance and rate are what the formula says, in any order") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        random_stream random{seed};
        auto const tau = event_time{1s} * static_cast<std::int64_t>(1 + random.below(60));
        auto samples = irregular(random, 200);
        auto const begin = samples.front().time;
        auto const now = samples.back().time;
        // Every fourth is out of order by a few places.
        for (std::size_t i = 4; i < samples.size(); i += 4)
            std::swap(samples[i], samples[i - random.below(4)]);

        ewma mean{tau};
        ewm_variance spread{tau};
        ewma_rate often{tau};
        double weights = 0;
        double sum = 0;
        for (auto const& each : samples) {
            mean.add(each.time, each.value);
            spread.add(each.time, each.value);
            often.add(each.time);
            double const weight = age_weight(now - each.time, tau);
            weights += weight;
            sum += weight * each.value;
        }
        double squares = 0;
        for (auto const& each : samples)
            squares += age_weight(now - each.time, tau) * std::pow(each.value - sum / weights, 2);
        CHECK(is_near(mean.value(), sum / weights, 1e-13));
        CHECK(is_near(spread.mean(), sum / weights, 1e-13));
        CHECK(is_near(spread.value(), squares / weights, 1e-10));
        double const watched =
            to_seconds(tau) * -std::expm1(-to_seconds(now - begin) / to_seconds(tau));
        CHECK(is_near(often.value(), weights / watched, 1e-12));
    }
}

TEST_CASE("analytics/ewma: parts that merge are the whole, whichever is newer") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        random_stream random{seed};
        ewma mean{10s};
        ewm_variance spread{10s};
        ewma_rate often{10s};
        auto const empty = std::tuple{mean, spread, often};
        auto one = empty;
        auto other = empty;
        for (auto const& each : irregular(random, 100)) {
            mean.add(each.time, each.value);
            spread.add(each.time, each.value);
            often.add(each.time, each.value);
            auto& [part_mean, part_spread, part_often] = random.below(2) == 0 ? one : other;
            part_mean.add(each.time, each.value);
            part_spread.add(each.time, each.value);
            part_often.add(each.time, each.value);
        }
        auto merged = empty;
        for (auto const* part : {&one, &other}) {
            std::get<0>(merged).merge(std::get<0>(*part));
            std::get<1>(merged).merge(std::get<1>(*part));
            std::get<2>(merged).merge(std::get<2>(*part));
        }
        CHECK(is_near(std::get<0>(merged).value(), mean.value(), 1e-13));
        CHECK(is_near(std::get<1>(merged).value(), spread.value(), 1e-10));
        CHECK(is_near(std::get<2>(merged).value(), often.value(), 1e-12));
    }
}

TEST_CASE(
    "analytics/ewma: starts unbiased, forgets after long silence, and leaves out no numbers") {
    ewma mean{1s};
    CHECK(std::isnan(mean.value()));
    mean.add(-5h, 42);
    CHECK(mean.value() == 42);
    mean.add(-5h, 44);
    CHECK(mean.value() == 43);
    mean.add(10h, 7);
    CHECK(mean.value() == 7);
    for (double const bad : {not_a_number, infinity, 1e200}) mean.add(10h, bad);
    CHECK(mean.left_out() == 3);
    CHECK(mean.value() == 7);
    mean.add(-5h, 1e100); // too late to weigh anything
    CHECK(mean.value() == 7);

    ewm_variance spread{1s};
    CHECK(std::isnan(spread.value()));
    spread.add(0s, 1);
    CHECK(spread.value() == 0);
    spread.add(0s, 3);
    CHECK(spread.value() == 1);
    spread.add(0s, not_a_number);
    CHECK(spread.left_out() == 1);

    ewma_rate often{1s};
    CHECK(std::isnan(often.value()));
    often.add(0s);
    CHECK(std::isnan(often.value()));
    often.add(1s, infinity);
    CHECK(often.left_out() == 1);
    for (int i = 1; i <= 100; ++i) often.add(i * 100ms);
    CHECK(often.value() == doctest::Approx(10).epsilon(0.06));
    CHECK(often.at(12s) == doctest::Approx(often.value() * std::exp(-2.0)).epsilon(1e-3));
}

TEST_CASE("analytics/ema: a value weighs as long as it stood, not as often as it was reported") {
    ema once{10s};
    ema often{10s};
    once.add(0s, 0);
    often.add(0s, 0);
    once.add(10s, 1);
    for (int i = 1; i <= 100; ++i) often.add(i * 100ms, i == 100 ? 1 : 0);
    CHECK(once.value() == doctest::Approx(often.value()).epsilon(1e-12));
    once.add(20s, 1);
    CHECK(once.value() == doctest::Approx(1 - std::exp(-1)));
    CHECK(once.at(30s) == doctest::Approx(1 - std::exp(-2)));

    // A straight line that began long ago is followed at the distance of the time constant.
    ema line{10s, interpolation::linear};
    ema finer{10s, interpolation::linear};
    for (int i = 0; i <= 100; ++i) line.add(i * 5s, i * 5);
    for (int i = 0; i <= 500'000; ++i) finer.add(i * 1ms, i * 1e-3);
    CHECK(line.value() == doctest::Approx(490).epsilon(1e-9));
    CHECK(finer.value() == doctest::Approx(490).epsilon(1e-9));
    line.add(100s, 0);
    line.add(1000s, not_a_number);
    CHECK(line.left_out() == 2);
    CHECK(line.value() == doctest::Approx(490).epsilon(1e-9));
    CHECK(std::isnan(ema{1s}.value()));
}

TEST_CASE("analytics/latest_join: each update meets the newest value of the other side") {
    latest_join<difference> spread;
    CHECK(!spread.add_left(1s, 10));
    CHECK(!spread.value());
    CHECK(spread.add_right(2s, 7) == 3.0);
    CHECK(spread.add_left(3s, 12) == 5.0);
    CHECK(!spread.add_left(2s, 100));
    CHECK(spread.late() == 1);
    CHECK(spread.value() == 5.0);
    CHECK(spread.add_left(3s, 8) == 1.0);
    CHECK(!spread.add_right(4s, not_a_number));
    CHECK(spread.left_out() == 1);

    latest_join<product> profit;
    profit.add_left(1s, -100);
    CHECK(profit.add_right(1s, 1.5) == -150.0);
    latest_join<ratio> share;
    share.add_left(1s, 1);
    CHECK(std::isnan(*share.add_right(1s, 0)));
    CHECK(share.add_right(1s, 4) == 0.25);
}

TEST_CASE("analytics/latest_join: a side that is too old does not join until it speaks again") {
    latest_join<paired> pairs{10s};
    pairs.add_left(0s, 1);
    CHECK(pairs.add_right(10s, 2).has_value());
    CHECK(!pairs.add_right(11s, 3));
    CHECK(!pairs.value());
    auto const again = pairs.add_left(12s, 4);
    REQUIRE(again.has_value());
    CHECK(again->left == 4);
    CHECK(again->right == 3);
}
