#include <livetape/analytics/alarm_cooldown.hpp>
#include <livetape/analytics/change_point.hpp>
#include <livetape/analytics/half_space_trees.hpp>
#include <livetape/analytics/level_shift.hpp>
#include <livetape/analytics/logistic_regression.hpp>
#include <livetape/analytics/model_score.hpp>
#include <livetape/analytics/robust_z_score.hpp>
#include <livetape/analytics/seasonal_baseline.hpp>
#include <livetape/analytics/slope_change.hpp>
#include <livetape/analytics/threshold_alarm.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <deque>
#include <limits>
#include <random>
#include <vector>

using namespace livetape;
using namespace std::chrono_literals;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

double median_of(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    auto const n = values.size();
    return n % 2 != 0 ? values[n / 2] : values[n / 2 - 1] / 2 + values[n / 2] / 2;
}

} // namespace

TEST_CASE("analytics/threshold_alarm: fires once while the value hovers between the levels") {
    threshold_alarm alarm{{.fire_at = 10, .resolve_at = 8}};
    CHECK(alarm.add(0s, 9.9) == alarm_change::none);
    CHECK(alarm.add(1s, 10) == alarm_change::fired);
    for (double const value : {12.0, 9.0, 10.0, 8.1, 11.0, not_a_number})
        CHECK(alarm.add(2s, value) == alarm_change::none);
    CHECK(alarm.is_firing());
    CHECK(alarm.add(3s, 8) == alarm_change::resolved);
    CHECK(alarm.add(4s, 9) == alarm_change::none);
    CHECK(alarm.add(5s, infinity) == alarm_change::fired);
}

TEST_CASE("analytics/threshold_alarm: stays quiet for the cool-down, then reports what still is") {
    threshold_alarm alarm{{.fire_at = 10, .resolve_at = 8, .cooldown = 60s}};
    CHECK(alarm.add(0s, 10) == alarm_change::fired);
    CHECK(alarm.add(1s, 0) == alarm_change::resolved);
    CHECK(alarm.add(60s, 20) == alarm_change::none);
    CHECK(alarm.add(61s, 20) == alarm_change::fired);
}

TEST_CASE("analytics/threshold_alarm: waits until the value has stayed, and time never runs back") {
    threshold_alarm alarm{{.fire_at = 10, .resolve_at = 8, .hold_for = 5s}};
    CHECK(alarm.add(100s, 10) == alarm_change::none);
    CHECK(alarm.add(104s, 9) == alarm_change::none); // starts anew
    CHECK(alarm.add(105s, 10) == alarm_change::none);
    CHECK(alarm.add(50s, 10) == alarm_change::none);
    CHECK(alarm.add(109s, 10) == alarm_change::none);
    CHECK(alarm.add(110s, 10) == alarm_change::fired);
}

TEST_CASE("analytics/change_point: both tests find a step of two deviations within 20 values") {
    for (std::uint32_t seed = 1; seed <= 50; ++seed) {
        CAPTURE(seed);
        std::mt19937 random{seed};
        std::normal_distribution<double> noise;
        double const step = seed % 2 == 0 ? 2 : -2;
        auto const expected = step > 0 ? change_direction::up : change_direction::down;
        page_hinkley learnt{{.delta = 0.5, .lambda = 15}};
        cusum known{{.slack = 1, .limit = 8}};
        for (int i = 0; i < 200; ++i) {
            double const value = noise(random);
            REQUIRE(learnt.add(value) == change_direction::none);
            REQUIRE(known.add(value) == change_direction::none);
        }
        auto learnt_change = change_direction::none;
        auto known_change = change_direction::none;
        for (int i = 0; i < 20; ++i) {
            double const value = step + noise(random);
            if (learnt_change == change_direction::none) learnt_change = learnt.add(value);
            if (known_change == change_direction::none) known_change = known.add(value);
        }
        CHECK(learnt_change == expected);
        CHECK(known_change == expected);
    }
}

TEST_CASE("analytics/change_point: cusum alarms as seldom and as fast as its table says") {
    // Average run lengths of k = 1/2, h = 5, both sides: 465 without a shift, 10.4 with one of a
    // deviation (Montgomery, table 9.3).
    constexpr int alarms_max = 4000;
    struct row {
        double shift;
        double length;
    };
    for (row const& expected : {row{0, 465}, row{1, 10.38}}) {
        CAPTURE(expected.shift);
        std::mt19937 random{7};
        std::normal_distribution<double> noise{expected.shift};
        cusum test;
        std::int64_t values = 0;
        for (int alarms = 0; alarms < alarms_max; ++values)
            alarms += test.add(noise(random)) != change_direction::none;
        double const length = static_cast<double>(values) / alarms_max;
        CHECK(length == doctest::Approx(expected.length).epsilon(0.05));
    }
}

TEST_CASE("analytics/change_point: what is no number changes nothing") {
    page_hinkley test{{.delta = 0, .lambda = 1, .values_min = 1}};
    for (double const value : {1.0, not_a_number, infinity, -infinity, 1.0})
        CHECK(test.add(value) == change_direction::none);
    CHECK(test.mean() == 1);
    CHECK(test.value() == 0);
}

TEST_CASE("analytics/robust_z_score: agrees with sorting the window, ties and all") {
    for (std::size_t const window : {1U, 2U, 3U, 10U, 101U}) {
        for (std::uint32_t seed = 1; seed <= 4; ++seed) {
            CAPTURE(window);
            CAPTURE(seed);
            std::mt19937 random{seed};
            // Even seeds give many ties.
            std::uniform_real_distribution<double> real{-100, 100};
            robust_z_score scores{{.window = window, .values_min = 1}};
            std::deque<double> kept;
            for (int i = 0; i < 500; ++i) {
                double value = real(random);
                if (seed % 2 == 0) value = std::floor(value / 40);
                scores.add(value);
                kept.push_back(value);
                if (kept.size() > window) kept.pop_front();
                std::vector<double> const all{kept.begin(), kept.end()};
                double const median = median_of(all);
                std::vector<double> distances;
                for (double const each : all) distances.push_back(std::fabs(each - median));
                REQUIRE(scores.size() == all.size());
                REQUIRE(scores.median() == median);
                REQUIRE(scores.median_deviation() == doctest::Approx(median_of(distances)));
            }
        }
    }
}

TEST_CASE("analytics/robust_z_score: a third of wild values does not hide an outlier") {
    std::mt19937 random{3};
    std::normal_distribution<double> noise{50, 2};
    robust_z_score scores{{.window = 300, .values_min = 100}};
    for (int i = 0; i < 300; ++i) scores.add(i % 3 == 0 ? 1e6 * i : noise(random));
    CHECK(scores.score(50) > -3);
    CHECK(scores.score(50) < 3);
    CHECK(scores.score(80) > 5);
    CHECK(scores.score(20) < -5);
}

TEST_CASE("analytics/robust_z_score: a stuck window, too few values and what is no number") {
    robust_z_score scores{{.window = 10, .values_min = 5}};
    CHECK(std::isnan(scores.median()));
    for (double const value : {7.0, not_a_number, 7.0, infinity, 7.0, 7.0})
        CHECK(scores.add(value) == 0);
    CHECK(scores.size() == 4);
    CHECK(scores.add(100) == 0); // the fifth value has only four to be judged by
    CHECK(scores.add(7) == 0);
    CHECK(scores.add(8) == infinity);
    CHECK(scores.add(6) == -infinity);
    CHECK(scores.size() == 8);
}

TEST_CASE("analytics/seasonal_baseline: learns a day and sees the hour that is missing") {
    seasonal_baseline day;
    auto const usual = [](int hour) { return hour >= 9 && hour < 17 ? 100.0 : 10.0; };
    for (int hour = 0; hour < 24 * 10; ++hour) {
        double const residual = day.add(std::chrono::hours{hour}, usual(hour % 24));
        CHECK(residual == 0);
    }
    CHECK(day.expected(12h) == 100);
    CHECK(day.add(24h * 10 + 12h, 10) == -90);
    CHECK(day.add(24h * 10 + 13h, 100) == 0);
    // Before the epoch the slots go on: -1 h is 23:00.
    CHECK(day.expected(-1h) == 10);
    CHECK(day.expected(-12h) == day.expected(12h));
    CHECK(day.add(0h, not_a_number) == 0);
    CHECK(day.add(0h, infinity) == 0);
    CHECK(day.expected(0h) == 10);
}

TEST_CASE("analytics/seasonal_baseline: a week tells Saturday from Monday, a day does not") {
    seasonal_baseline day;
    seasonal_baseline week{seasonal_baseline::weekly()};
    double worst_of_day = 0;
    double worst_of_week = 0;
    for (int hour = 0; hour < 24 * 7 * 8; ++hour) {
        double const value = hour / 24 % 7 >= 5 ? 0 : 50;
        double const of_day = day.add(std::chrono::hours{hour}, value);
        double const of_week = week.add(std::chrono::hours{hour}, value);
        if (hour < 24 * 14) continue;
        worst_of_day = std::max(worst_of_day, std::fabs(of_day));
        worst_of_week = std::max(worst_of_week, std::fabs(of_week));
    }
    CHECK(worst_of_week == 0);
    CHECK(worst_of_day > 20);
    CHECK(std::isnan(seasonal_baseline{}.expected(0h)));
}

TEST_CASE("analytics/level_shift: is the difference of two means, and does not drift") {
    std::mt19937 random{11};
    std::uniform_real_distribution<double> uniform{-1e9, 1e9};
    for (std::size_t const width : {1U, 2U, 7U, 50U}) {
        CAPTURE(width);
        level_shift shift{width};
        std::deque<double> kept;
        for (int i = 0; i < 5000; ++i) {
            double const value = i < 2500 ? uniform(random) : 1.0;
            shift.add(value);
            kept.push_back(value);
            if (kept.size() > 2 * width) kept.pop_front();
            REQUIRE(shift.is_ready() == (kept.size() == 2 * width));
            if (!shift.is_ready()) continue;
            double recent = 0;
            double before = 0;
            for (std::size_t k = 0; k < width; ++k) before += kept[k], recent += kept[k + width];
            double const expected = (recent - before) / static_cast<double>(width);
            REQUIRE(shift.value() == doctest::Approx(expected).epsilon(1e-9).scale(1e9));
        }
        CHECK(shift.value() == 0); // nothing is left of the large values
        CHECK(shift.add(not_a_number) == 0);
    }
}

TEST_CASE("analytics/seasonal_baseline: the deviation is the mean distance, once there are two") {
    seasonal_baseline baseline{{.slots = 1, .smoothing = 0.1}};
    CHECK(std::isnan(baseline.expected(0s)));
    baseline.add(0s, 10);
    CHECK(baseline.expected(0s) == 10);
    baseline.add(0s, 14);
    CHECK(std::isnan(baseline.deviation(0s)));
    baseline.add(0s, 6); // the mean is 12
    CHECK(baseline.deviation(0s) == doctest::Approx((4 + 6) / 2.));
    std::mt19937 random{8};
    std::normal_distribution<double> noise{50, 3};
    for (int i = 0; i < 1000; ++i) baseline.add(0s, noise(random));
    // That of a normal distribution is 0.8 standard deviations; 19 values or so are remembered.
    CHECK(baseline.deviation(0s) > 1.2);
    CHECK(baseline.deviation(0s) < 4);
}

TEST_CASE("analytics/slope_change: is the second difference of means, and does not drift") {
    std::mt19937 random{12};
    std::uniform_real_distribution<double> uniform{-1e9, 1e9};
    for (std::size_t const width : {1U, 2U, 7U, 50U}) {
        CAPTURE(width);
        slope_change bend{width};
        std::deque<double> kept;
        for (int i = 0; i < 5000; ++i) {
            double const value = i < 2500 ? uniform(random) : 3.0 * i; // a straight line
            bend.add(value);
            kept.push_back(value);
            if (kept.size() > 3 * width) kept.pop_front();
            REQUIRE(bend.is_ready() == (kept.size() == 3 * width));
            if (!bend.is_ready()) continue;
            double expected = 0;
            for (std::size_t k = 0; k < width; ++k)
                expected += kept[k] - 2 * kept[k + width] + kept[k + 2 * width];
            expected /= static_cast<double>(width);
            REQUIRE(bend.value() == doctest::Approx(expected).epsilon(1e-9).scale(1e9));
        }
        CHECK(bend.value() == doctest::Approx(0).scale(15000)); // nothing is left of what was large
        double const before = bend.value();
        CHECK(bend.add(not_a_number) == before);
        CHECK(bend.add(infinity) == before);
    }
}

TEST_CASE("analytics/alarm_cooldown: says what is news, at any threshold") {
    alarm_cooldown cooldown{{.length = 10, .margin = 0.1}};
    CHECK(cooldown.add(0) == 0);
    CHECK(cooldown.add(2) == 2);
    CHECK(cooldown.add(1.9) == 0); // more than the 1.8 that is left, but not by a tenth
    CHECK(cooldown.add(3) == 3);
    for (int i = 0; i < 4; ++i) CHECK(cooldown.add(1.5) == 0);
    CHECK(cooldown.add(2) == 2);
    CHECK(cooldown.add(not_a_number) == 0);
    alarm_cooldown off{{.length = 0}};
    for (int i = 0; i < 3; ++i) CHECK(off.add(1) == 1);
}

TEST_CASE("analytics/half_space_trees: isolates what lies apart, the same for the same seed") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        CAPTURE(seed);
        std::mt19937_64 random{seed};
        std::normal_distribution<double> noise{0, 0.03};
        half_space_trees trees{{.dimensions = 2, .seed = seed}};
        half_space_trees twin{{.dimensions = 2, .seed = seed}};
        double highest_usual = 0;
        double lowest_odd = 1;
        for (int i = 0; i < 2000; ++i) {
            bool const is_odd = i >= 500 && i % 100 == 99;
            // Each coordinate of the odd ones is usual; their combination is not.
            bool const first = i % 2 == 0;
            double const x = (first ? 0.2 : 0.8) + noise(random);
            double const y = (first != is_odd ? 0.2 : 0.8) + noise(random);
            std::array const point{x, y};
            double const isolation = trees.add(point);
            REQUIRE(isolation == twin.add(point));
            REQUIRE((isolation >= 0 && isolation <= 1));
            if (i < 250) REQUIRE(isolation == 0);
            if (i < 500) continue;
            if (is_odd) lowest_odd = std::min(lowest_odd, isolation);
            else if (std::fabs(x - (first ? 0.2 : 0.8)) < 0.03 &&
                     std::fabs(y - (first ? 0.2 : 0.8)) < 0.03)
                highest_usual = std::max(highest_usual, isolation);
        }
        CHECK(lowest_odd > highest_usual);
    }
}

TEST_CASE("analytics/half_space_trees: takes points that are no numbers, squash any number") {
    half_space_trees trees{{.dimensions = 1, .window = 10}};
    for (double const value : {not_a_number, infinity, -infinity, 1e300, 0.0})
        for (int i = 0; i < 20; ++i) {
            double const isolation = trees.add(std::array{value});
            CHECK((isolation >= 0 && isolation <= 1));
        }
    CHECK(half_space_trees::squash(5, 5, 2) == 0.5);
    CHECK(half_space_trees::squash(7, 5, 2) == 0.75);
    CHECK(half_space_trees::squash(-1e300, 0, 1) >= 0);
    CHECK(half_space_trees::squash(1e300, 0, 1) <= 1);
}

TEST_CASE("analytics/logistic_regression: finds the weights that made the labels") {
    std::mt19937 random{5};
    std::normal_distribution<double> normal;
    std::uniform_real_distribution<double> uniform;
    logistic_regression learner{2};
    double loss = 0;
    double loss_of_truth = 0;
    constexpr int count = 50000;
    for (int i = 0; i < count; ++i) {
        std::array const features{normal(random), normal(random)};
        double const truth = 1 / (1 + std::exp(-(2 * features[0] - features[1] + 0.5)));
        bool const label = uniform(random) < truth;
        double const guess = learner.learn(features, label);
        if (i < count / 2) continue;
        loss -= std::log(label ? guess : 1 - guess);
        loss_of_truth -= std::log(label ? truth : 1 - truth);
    }
    CHECK(learner.weight(0) == doctest::Approx(2).epsilon(0.1));
    CHECK(learner.weight(1) == doctest::Approx(-1).epsilon(0.1));
    CHECK(learner.weight(2) == doctest::Approx(0.5).epsilon(0.2));
    CHECK(loss < 1.01 * loss_of_truth);
}

TEST_CASE("analytics/logistic_regression: bad features teach nothing, far ones do not overflow") {
    logistic_regression learner{1};
    CHECK(learner.probability(std::array{3.0}) == 0.5);
    CHECK(std::isnan(learner.learn(std::array{not_a_number}, true)));
    CHECK(std::isnan(learner.learn(std::array{infinity}, true)));
    CHECK(learner.weight(0) == 0);
    CHECK(learner.weight(1) == 0);
    for (int i = 0; i < 100; ++i) learner.learn(std::array{1.0}, true);
    CHECK(learner.probability(std::array{1e308}) == 1);
    CHECK(learner.probability(std::array{-1e308}) == 0);
}

TEST_CASE("analytics/model_score: any callable becomes an operator, kept within 0 and 1") {
    struct reading {
        double temperature;
        bool has_failed; // known after the fact
    };
    model_score failure{logistic_regression{1}, [](logistic_regression& learnt, reading const& r) {
                            return learnt.learn(std::array{r.temperature - 60}, r.has_failed);
                        }};
    std::mt19937 random{9};
    std::uniform_real_distribution<double> temperature{40, 80};
    for (int i = 0; i < 5000; ++i) {
        double const t = temperature(random);
        failure.add(reading{t, t > 60});
    }
    CHECK(failure.add(reading{75, true}) > 0.95);
    CHECK(failure.add(reading{45, false}) < 0.05);
    CHECK(failure.add(reading{not_a_number, false}) == 0);
    CHECK(failure.left_out() == 1);

    model_score raw{0, [](int& calls, double x) { return ++calls, x; }};
    CHECK(raw.add(7.0) == 1);
    CHECK(raw.add(-infinity) == 0);
    CHECK(raw.add(0.25) == 0.25);
    CHECK(raw.state() == 3);
}
