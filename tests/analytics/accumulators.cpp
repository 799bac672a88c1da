#include <livetape/analytics/combine.hpp>
#include <livetape/analytics/count.hpp>
#include <livetape/analytics/first_last.hpp>
#include <livetape/analytics/histogram.hpp>
#include <livetape/analytics/mean.hpp>
#include <livetape/analytics/min_max.hpp>
#include <livetape/analytics/ohlc.hpp>
#include <livetape/analytics/rate.hpp>
#include <livetape/analytics/sum.hpp>
#include <livetape/analytics/variance.hpp>

#include "support/random_stream.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

using namespace livetape;
using namespace std::chrono_literals;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double greatest = std::numeric_limits<double>::max();
constexpr double tiniest = std::numeric_limits<double>::denorm_min();

using all_of_one =
    combine<count, sum, mean, variance, livetape::min, livetape::max, first, last, ohlc, rate>;
static_assert(accumulates<all_of_one, double>);
static_assert(accumulates<combine<ohlcv, vwap, mean>, double, double>);
static_assert(!accumulates<vwap, double>, "there is no volume");
static_assert(!accumulates<mean, char const*>);
static_assert(accumulates<histogram, double> && accumulates<log_histogram, float>);

/// A data set of the Statistical Reference Datasets of NIST (StRD, univariate summary statistics,
/// www.itl.nist.gov/div898/strd), whose values are certified to fifteen digits.
struct certified {
    std::string name;
    std::vector<double> values;
    double mean;
    double deviation;
    double mean_error;      // relative, that the test allows
    double deviation_error; // the condition of NumAcc3 and 4 is 1e7 and 1e8
};

std::vector<double> alternating(double first, double low, double high) {
    std::vector<double> values{first};
    for (int i = 0; i < 500; ++i) {
        values.push_back(low);
        values.push_back(high);
    }
    return values;
}

std::vector<certified> const& nist() {
    static std::vector<certified> const sets{
        {"NumAcc1", {10000001, 10000003, 10000002}, 10000002, 1, 1e-15, 1e-15},
        {"NumAcc2", alternating(1.2, 1.1, 1.3), 1.2, 0.1, 1e-15, 1e-13},
        {"NumAcc3", alternating(1000000.2, 1000000.1, 1000000.3), 1000000.2, 0.1, 1e-15, 1e-8},
        {"NumAcc4", alternating(10000000.2, 10000000.1, 10000000.3), 10000000.2, 0.1, 1e-15, 1e-7},
        {"Mavro",
         {2.00180, 2.00170, 2.00180, 2.00190, 2.00180, 2.00170, 2.00150, 2.00140, 2.00150, 2.00150,
          2.00170, 2.00180, 2.00180, 2.00190, 2.00190, 2.00210, 2.00200, 2.00160, 2.00140, 2.00130,
          2.00130, 2.00150, 2.00150, 2.00160, 2.00150, 2.00140, 2.00130, 2.00140, 2.00150, 2.00140,
          2.00150, 2.00160, 2.00150, 2.00160, 2.00190, 2.00200, 2.00200, 2.00210, 2.00220, 2.00230,
          2.00240, 2.00250, 2.00270, 2.00260, 2.00260, 2.00260, 2.00270, 2.00260, 2.00250, 2.00240},
         2.001856,
         0.000429123454003053,
         1e-15,
         1e-12},
        {"Michelso",
         {299.85, 299.74, 299.90, 300.07, 299.93, 299.85, 299.95, 299.98, 299.98, 299.88,
          300.00, 299.98, 299.93, 299.65, 299.76, 299.81, 300.00, 300.00, 299.96, 299.96,
          299.96, 299.94, 299.96, 299.94, 299.88, 299.80, 299.85, 299.88, 299.90, 299.84,
          299.83, 299.79, 299.81, 299.88, 299.88, 299.83, 299.80, 299.79, 299.76, 299.80,
          299.88, 299.88, 299.88, 299.86, 299.72, 299.72, 299.62, 299.86, 299.97, 299.95,
          299.88, 299.91, 299.85, 299.87, 299.84, 299.84, 299.85, 299.84, 299.84, 299.84,
          299.89, 299.81, 299.81, 299.82, 299.80, 299.77, 299.76, 299.74, 299.75, 299.76,
          299.91, 299.92, 299.89, 299.86, 299.88, 299.72, 299.84, 299.85, 299.85, 299.78,
          299.89, 299.84, 299.78, 299.81, 299.76, 299.81, 299.79, 299.81, 299.82, 299.85,
          299.87, 299.87, 299.81, 299.74, 299.81, 299.94, 299.95, 299.80, 299.81, 299.87},
         299.8524,
         0.0790105478190518,
         1e-15,
         1e-12},
    };
    return sets;
}

/// Whether two accumulators of everything came to the same, sums and squares up to rounding.
void check_same(all_of_one const& one, all_of_one const& other) {
    CHECK(one.get<count>().value() == other.get<count>().value());
    CHECK(is_near(one.get<mean>().value(), other.get<mean>().value(), 1e-15));
    CHECK(is_near(one.get<variance>().value(), other.get<variance>().value(), 1e-12));
    CHECK(is_near(one.get<livetape::min>().value(), other.get<livetape::min>().value(), 0));
    CHECK(is_near(one.get<livetape::max>().value(), other.get<livetape::max>().value(), 0));
    CHECK(is_near(one.get<first>().value(), other.get<first>().value(), 0));
    CHECK(is_near(one.get<last>().value(), other.get<last>().value(), 0));
    CHECK(is_near(one.get<ohlc>().value().open, other.get<ohlc>().value().open, 0));
    CHECK(is_near(one.get<ohlc>().value().close, other.get<ohlc>().value().close, 0));
    CHECK(is_near(one.get<rate>().value(), other.get<rate>().value(), 1e-15));
}

} // namespace

TEST_CASE("analytics/accumulators: mean and variance agree with NIST's certified values") {
    for (auto const& set : nist()) {
        CAPTURE(set.name);
        mean average;
        variance spread;
        for (double const value : set.values) {
            average.add(value);
            spread.add(value);
        }
        CHECK(is_near(average.value(), set.mean, set.mean_error));
        CHECK(is_near(spread.mean(), set.mean, set.mean_error * 4));
        CHECK(is_near(spread.deviation(), set.deviation, set.deviation_error));
    }
}

TEST_CASE("analytics/accumulators: parts of a stream that merge are the stream") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        random_stream random{seed};
        all_of_one whole;
        std::vector<all_of_one> parts(1 + random.below(8));
        event_time time{0};
        auto const values = 100 + random.below(400);
        for (std::uint64_t i = 0; i < values; ++i) {
            time += event_time{1 + static_cast<std::int64_t>(random.below(1'000'000'000))};
            double const value = random.between(900, 1100);
            whole.add(time, value);
            parts[random.below(parts.size())].add(time, value);
        }
        all_of_one merged;
        for (auto const& part : parts) merged.merge(part);
        check_same(merged, whole);
    }
}

TEST_CASE("analytics/accumulators: what merges with nothing stays what it is, bit by bit") {
    all_of_one some;
    random_stream random{7};
    for (int i = 0; i < 100; ++i) some.add(i * 1s, random.normal());
    auto right = some;
    right.merge(all_of_one{});
    all_of_one left;
    left.merge(some);
    CHECK(std::get<3>(left.value()) == std::get<3>(some.value()));
    CHECK(std::get<2>(left.value()) == std::get<2>(some.value()));
    CHECK(std::get<2>(right.value()) == std::get<2>(some.value()));
    CHECK(std::get<3>(right.value()) == std::get<3>(some.value()));
}

TEST_CASE("analytics/accumulators: nothing has no mean, and its sum is zero") {
    all_of_one const none;
    CHECK(none.get<count>().value() == 0);
    CHECK(none.get<sum>().value() == 0);
    CHECK(std::isnan(none.get<mean>().value()));
    CHECK(std::isnan(none.get<variance>().value()));
    CHECK(std::isnan(none.get<variance>().population()));
    CHECK(std::isnan(none.get<livetape::min>().value()));
    CHECK(std::isnan(none.get<livetape::max>().value()));
    CHECK(std::isnan(none.get<first>().value()));
    CHECK(std::isnan(none.get<last>().value()));
    CHECK(std::isnan(none.get<ohlc>().value().open));
    CHECK(std::isnan(none.get<rate>().value()));
    CHECK(std::isnan(ohlcv{}.value().vwap));
    CHECK(ohlcv{}.value().volume == 0);

    variance one;
    one.add(5);
    CHECK(std::isnan(one.value()));
    CHECK(one.population() == 0);
}

TEST_CASE("analytics/accumulators: values that are not finite are left out and counted") {
    all_of_one mixed;
    all_of_one clean;
    for (int i = 0; i < 10; ++i) {
        for (double const bad : {not_a_number, infinity, -infinity}) mixed.add(i * 1s, bad);
        mixed.add(i * 1s, i);
        clean.add(i * 1s, i);
    }
    CHECK(mixed.get<count>().value() == 40);
    CHECK(mixed.get<mean>().left_out() == 30);
    CHECK(mixed.get<variance>().left_out() == 30);
    CHECK(mixed.get<livetape::min>().left_out() == 30);
    CHECK(mixed.get<livetape::max>().left_out() == 30);
    CHECK(mixed.get<first>().left_out() == 30);
    CHECK(mixed.get<last>().left_out() == 30);
    CHECK(mixed.get<ohlc>().left_out() == 30);
    CHECK(mixed.get<mean>().value() == clean.get<mean>().value());
    CHECK(mixed.get<variance>().value() == clean.get<variance>().value());
    CHECK(mixed.get<livetape::max>().value() == 9);
    CHECK(mixed.get<ohlc>().value().low == 0);
    CHECK(mixed.get<last>().value() == 9);

    auto merged = mixed;
    merged.merge(mixed);
    CHECK(merged.get<mean>().left_out() == 60);
}

TEST_CASE("analytics/sum: digits that cancel are not lost") {
    sum total;
    for (double const value : {1.0, 1e100, 1.0, -1e100}) total.add(value);
    CHECK(total.value() == 2);

    sum tenths;
    for (int i = 0; i < 1'000'000; ++i) tenths.add(0.1);
    CHECK(tenths.value() == 100000.0);

    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        random_stream random{seed};
        sum compensated;
        long double exact = 0;
        for (int i = 0; i < 10'000; ++i) {
            double const value = random.normal() * std::pow(10, random.between(-5, 5));
            compensated.add(value);
            exact += static_cast<long double>(value);
        }
        CHECK(is_near(compensated.value(), static_cast<double>(exact), 1e-13));
    }
}

TEST_CASE("analytics/accumulators: huge and tiny values keep their meaning") {
    mean average;
    average.add(greatest);
    CHECK(average.value() == greatest);
    average.add(greatest);
    CHECK(average.value() == infinity);
    average.add(-greatest);
    CHECK(average.value() == infinity);

    mean small;
    small.add(tiniest);
    small.add(tiniest * 3);
    CHECK(small.value() == tiniest * 2);

    variance spread;
    spread.add(variance::magnitude_max);
    spread.add(-variance::magnitude_max);
    CHECK(spread.value() == doctest::Approx(2 * variance::magnitude_max * variance::magnitude_max));
    spread.add(greatest);
    CHECK(spread.left_out() == 1);
    CHECK(spread.count() == 2);

    livetape::max most;
    most.add(-greatest);
    CHECK(most.value() == -greatest);
}

TEST_CASE("analytics/first_last: the event time decides, not the order of arrival") {
    first earliest;
    last latest;
    for (auto const& [time, value] :
         {std::pair{5s, 1.0}, {3s, 2.0}, {3s, 3.0}, {9s, 4.0}, {9s, 5.0}, {7s, 6.0}}) {
        earliest.add(time, value);
        latest.add(time, value);
    }
    CHECK(earliest.value() == 2);
    CHECK(earliest.time() == 3s);
    CHECK(latest.value() == 5);
    CHECK(latest.time() == 9s);

    last later;
    later.add(8s, 7);
    latest.merge(later);
    CHECK(latest.value() == 5);
    later.merge(latest);
    CHECK(later.value() == 5);
}

TEST_CASE("analytics/ohlc: bars of parts make the bar of the whole, in any order") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        random_stream random{seed};
        ohlcv whole;
        ohlcv even;
        ohlcv odd;
        for (int i = 0; i < 200; ++i) {
            double const price = random.between(90, 110);
            double const volume = static_cast<double>(random.below(100));
            whole.add(i * 1s, price, volume);
            (i % 2 == 0 ? even : odd).add(i * 1s, price, volume);
        }
        odd.merge(even);
        auto const bar = odd.value();
        auto const expected = whole.value();
        CHECK(bar.open == expected.open);
        CHECK(bar.high == expected.high);
        CHECK(bar.low == expected.low);
        CHECK(bar.close == expected.close);
        CHECK(bar.count == expected.count);
        CHECK(bar.volume == expected.volume);
        CHECK(is_near(bar.vwap, expected.vwap, 1e-15));
    }
}

TEST_CASE("analytics/ohlc: a price that is always negative has a negative high") {
    ohlc bar;
    for (double const price : {-3.0, -1.0, -2.0}) bar.add(1s, price);
    CHECK(bar.value().open == -3);
    CHECK(bar.value().high == -1);
    CHECK(bar.value().low == -3);
    CHECK(bar.value().close == -2);
}

TEST_CASE("analytics/ohlc: trades with impossible volumes are left out of bar and average") {
    ohlcv bar;
    bar.add(1s, 10, 5);
    bar.add(2s, 1000, -1);
    bar.add(2s, 1000, not_a_number);
    bar.add(2s, not_a_number, 1);
    bar.add(2s, greatest, greatest);
    bar.add(3s, 20, 0);
    CHECK(bar.left_out() == 4);
    CHECK(bar.value().count == 2);
    CHECK(bar.value().high == 20);
    CHECK(bar.value().vwap == 10);

    vwap none;
    none.add(10, 0);
    CHECK(std::isnan(none.value()));
    CHECK(none.left_out() == 0);
}

TEST_CASE("analytics/rate: running, n events enclose n - 1 intervals") {
    rate events;
    CHECK(std::isnan(events.value()));
    events.add(10s);
    CHECK(std::isnan(events.value()));
    events.add(11s);
    events.add(14s);
    CHECK(events.value() == 0.5);

    rate bytes;
    for (auto const time : {14s, 11s, 10s}) bytes.add(time, 100);
    CHECK(bytes.value() == 50);
    bytes.add(12s, infinity);
    CHECK(bytes.left_out() == 1);

    bytes.cover(10s, 20s);
    CHECK(bytes.value() == 30);
}

TEST_CASE("analytics/histogram: every value is in the bucket whose borders enclose it") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        CAPTURE(seed);
        random_stream random{seed};
        log_histogram logarithmic{{.low = 0.01, .high = 1000, .bits = 3}};
        std::vector<std::uint64_t> expected(logarithmic.bucket_count());
        std::uint64_t below = 0;
        std::uint64_t above = 0;
        for (int i = 0; i < 2000; ++i) {
            double const value = std::pow(10, random.between(-3, 4));
            logarithmic.add(value);
            if (value < logarithmic.lower_bound(0)) ++below;
            else if (value >= 1000) ++above;
            else
                for (std::size_t b = 0; b < expected.size(); ++b)
                    if (value >= logarithmic.lower_bound(b) &&
                        value < logarithmic.lower_bound(b + 1))
                        ++expected[b];
        }
        for (std::size_t b = 0; b < expected.size(); ++b) {
            CAPTURE(b);
            CHECK(logarithmic.value()[b] == expected[b]);
            double const width = logarithmic.lower_bound(b + 1) - logarithmic.lower_bound(b);
            CHECK(width <= logarithmic.lower_bound(b) / 8);
        }
        CHECK(logarithmic.below() == below);
        CHECK(logarithmic.above() == above);
        CHECK(logarithmic.count() == 2000);
    }
}

TEST_CASE("analytics/histogram: borders belong to the bucket above them") {
    histogram fixed{{.low = -2, .high = 2, .buckets = 4}};
    for (double const value : {-2.0, -1.0, 0.0, 1.0, 2.0, -2.0001, 1.9999, -0.0}) fixed.add(value);
    CHECK(fixed.value()[0] == 1);
    CHECK(fixed.value()[1] == 1);
    CHECK(fixed.value()[2] == 2);
    CHECK(fixed.value()[3] == 2);
    CHECK(fixed.below() == 1);
    CHECK(fixed.above() == 1);
    CHECK(fixed.lower_bound(4) == 2);

    log_histogram logarithmic{{.low = 1, .high = 16, .bits = 1}};
    CHECK(logarithmic.bucket_count() == 8);
    for (double const value : {1.0, 1.5, 2.0, 16.0, 0.0, -3.0, 0.99}) logarithmic.add(value);
    CHECK(logarithmic.value()[0] == 1);
    CHECK(logarithmic.value()[1] == 1);
    CHECK(logarithmic.value()[2] == 1);
    CHECK(logarithmic.above() == 1);
    CHECK(logarithmic.below() == 3);
}

TEST_CASE("analytics/histogram: merges exactly and leaves out what is no number") {
    histogram one{{.low = 0, .high = 10, .buckets = 10}};
    histogram other = one;
    histogram both = one;
    random_stream random{3};
    for (int i = 0; i < 1000; ++i) {
        double const value = random.between(-1, 11);
        (i % 3 == 0 ? one : other).add(value);
        both.add(value);
    }
    one.add(not_a_number);
    other.add(infinity);
    one.merge(other);
    CHECK(std::vector(one.value().begin(), one.value().end()) ==
          std::vector(both.value().begin(), both.value().end()));
    CHECK(one.count() == 1000);
    CHECK(one.below() == both.below());
    CHECK(one.above() == both.above());
    CHECK(one.left_out() == 2);
}

TEST_CASE("analytics/combine: each part takes of a sample what it can") {
    combine<ohlcv, mean, count, sum> all;
    all.add(1s, 10.0, 2.0);
    all.add(2s, 20.0, 4.0);
    auto const [bar, average, events, total] = all.value();
    CHECK(bar.volume == 6);
    CHECK(average == 15);
    CHECK(events == 2);
    CHECK(total == 30);
}
