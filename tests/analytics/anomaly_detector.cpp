#include <livetape/analytics/anomaly_detector.hpp>
#include <livetape/analytics/anomaly_ensemble.hpp>
#include <livetape/analytics/tail_probability.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

using namespace livetape;
using namespace std::chrono_literals;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

struct sample {
    event_time time;
    double value;
};

std::vector<anomaly_score> scores_of(std::vector<sample> const& samples) {
    anomaly_detector detector;
    std::vector<anomaly_score> scores;
    for (auto const& each : samples) scores.push_back(detector.add(each.time, each.value));
    return scores;
}

/// Two weeks of a daily rhythm with noise, every five minutes.
std::vector<sample> two_weeks(std::uint32_t seed) {
    std::mt19937 random{seed};
    std::normal_distribution<double> noise{0, 3};
    std::vector<sample> samples;
    for (int i = 0; i < 14 * 288; ++i) {
        double const of_day = static_cast<double>(i % 288) / 288;
        double const value = 100 + 40 * std::sin(2 * 3.14159265 * of_day) + noise(random);
        samples.push_back({i * 5min, value});
    }
    return samples;
}

/// Whether an onset of at least 0.997, as the NAB scorer chose, lies in the rows [from, to).
bool is_reported(std::vector<anomaly_score> const& scores, std::size_t from, std::size_t to) {
    return std::any_of(scores.begin() + static_cast<std::ptrdiff_t>(from),
                       scores.begin() + static_cast<std::ptrdiff_t>(to),
                       [](anomaly_score const& each) { return each.onset >= 0.997; });
}

/// A few files of the Numenta Anomaly Benchmark, where it lies beside the checkout.
std::vector<std::vector<sample>> benchmark_files() {
    std::filesystem::path folder = absolute(std::filesystem::path{__FILE__}).parent_path();
    for (int up = 0; up < 5; ++up, folder = folder.parent_path())
        if (exists(folder / "shared/data/nab")) break;
    std::vector<std::vector<sample>> files;
    for (auto const* const name :
         {"realKnownCause/rogue_agent_key_hold.csv", "realTraffic/TravelTime_387.csv",
          "artificialNoAnomaly/art_flatline.csv", "realAdExchange/exchange-4_cpm_results.csv"}) {
        std::ifstream file{folder / "shared/data/nab" / name};
        std::string line;
        if (!std::getline(file, line)) continue;
        auto& samples = files.emplace_back();
        while (std::getline(file, line)) {
            auto const number = [&](std::size_t at) { return std::stoi(line.substr(at, 2)); };
            samples.push_back(
                {std::chrono::hours{24 * number(8) + number(11)} + std::chrono::minutes{number(14)},
                 std::stod(line.substr(line.find(',') + 1))});
        }
    }
    return files;
}

void check_same(anomaly_score const& left, anomaly_score const& right) {
    REQUIRE(left.score == right.score);
    REQUIRE(left.onset == right.onset);
}

} // namespace

TEST_CASE("analytics/tail_probability: is uniform under the null, whatever the distribution") {
    for (std::uint32_t seed = 1; seed <= 3; ++seed)
        for (int shape = 0; shape < 3; ++shape) {
            CAPTURE(seed);
            CAPTURE(shape);
            std::mt19937 random{seed};
            std::normal_distribution<double> normal;
            std::array<int, 3> below{};
            std::array const limits{0.5, 0.1, 0.01};
            constexpr int count = 40000;
            tail_probability tail;
            for (int i = 0; i < count + 2000; ++i) {
                double const x = std::fabs(normal(random));
                double const value = shape == 0 ? x : shape == 1 ? std::exp(3 * x) : 1e-7 * x * x;
                double const p = tail.probability(value);
                tail.add(value);
                if (i < 2000) continue;
                for (std::size_t k = 0; k < limits.size(); ++k) below[k] += p <= limits[k];
            }
            // The count of ties makes it slightly too careful, never too bold.
            for (std::size_t k = 0; k < limits.size(); ++k) {
                CHECK(below[k] > 0.75 * limits[k] * count);
                CHECK(below[k] < 1.1 * limits[k] * count);
            }
        }
}

TEST_CASE("analytics/tail_probability: goes on as a power law beyond what it saw, but not far") {
    // Pareto values of index 1/2, that is γ = 2: p(x) = x^-1/2.
    std::mt19937 random{4};
    std::uniform_real_distribution<double> uniform{1e-12, 1};
    tail_probability tail{{.memory = 1e6, .tail_share = 0.05}};
    double largest = 0;
    for (int i = 0; i < 20000; ++i) {
        double const x = std::pow(uniform(random), -2);
        largest = std::max(largest, x);
        tail.add(x);
    }
    double const at_max = tail.surprise(largest);
    double const beyond = tail.surprise(largest * 1e3);
    CHECK(beyond - at_max == doctest::Approx(1.5).epsilon(0.2)); // log10 of (10^3)^1/2
    CHECK(tail.surprise(largest * 1e6) > beyond);
    CHECK(tail.surprise(1e300) <= 2 * std::log10(20002.0));
}

TEST_CASE("analytics/tail_probability: nothing seen, nothing but zeros, and what is no number") {
    tail_probability tail;
    CHECK(tail.surprise(1) == 0);
    tail.add(not_a_number);
    CHECK(tail.weight() == 0);
    CHECK(tail.surprise(not_a_number) == 0);
    for (int i = 0; i < 99; ++i) tail.add(i % 2 == 0 ? 0.0 : -5.0);
    CHECK(tail.probability(0) == 1);
    CHECK(tail.probability(-5) == 1);
    CHECK(tail.probability(1e-9) <= 0.011);
    tail.add(infinity);
    CHECK(tail.probability(infinity) > 0);
    CHECK(tail.probability(infinity) < 0.05);
}

TEST_CASE("analytics/tail_probability: what is always seen is no surprise, wherever in its bin") {
    for (double magnitude = 1; magnitude < 2; magnitude += 0.01) {
        CAPTURE(magnitude);
        tail_probability tail;
        for (int i = 0; i < 100; ++i) tail.add(magnitude);
        CHECK(tail.probability(magnitude) >= 0.5);
    }
}

TEST_CASE("analytics/tail_probability: forgets, and stays exact however long it runs") {
    tail_probability tail{{.memory = 100}};
    for (int i = 0; i < 1000; ++i) tail.add(1000);
    CHECK(tail.probability(1000) >= 0.5);
    for (int i = 0; i < 100'000; ++i) tail.add(1);
    CHECK(tail.weight() == doctest::Approx(101).epsilon(0.01));
    CHECK(tail.probability(1000) < 0.02);
}

TEST_CASE("analytics/anomaly_ensemble: small joint probabilities hold, independent or the same") {
    for (bool const is_same : {false, true}) {
        CAPTURE(is_same);
        std::mt19937 random{21};
        std::normal_distribution<double> normal;
        anomaly_ensemble ensemble{4};
        constexpr int count = 40000;
        int below_hundredth = 0;
        for (int i = 0; i < count + 2000; ++i) {
            std::array<double, 4> magnitudes{};
            for (auto& each : magnitudes) each = std::fabs(normal(random));
            if (is_same) magnitudes.fill(magnitudes[0]);
            double const score = anomaly_ensemble::score(ensemble.add(magnitudes));
            REQUIRE((score >= 0 && score <= 1));
            if (i >= 2000) below_hundredth += score >= 0.99;
        }
        // Wilson's table for four tests: the harmonic mean is slightly too small.
        CHECK(below_hundredth > 0.007 * count);
        CHECK(below_hundredth < 0.014 * count);
    }
}

TEST_CASE(
    "analytics/anomaly_ensemble: what is missing is not known, what is too much passed over") {
    anomaly_ensemble given{3};
    anomaly_ensemble fewer{3};
    constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
    for (int i = 0; i < 300; ++i) {
        double const magnitude = i % 17;
        double const expected = given.add(std::array{magnitude, unknown, unknown});
        CHECK(fewer.add(std::array{magnitude}) == expected);
    }
    double const expected = given.add(std::array{1e9, 1e9, 1e9});
    CHECK(expected > 0);
    CHECK(fewer.add(std::array{1e9, 1e9, 1e9, 1e9}) == expected);
}

TEST_CASE("analytics/anomaly_ensemble: who is believed less has less to say, nobody has it all") {
    std::array const weights{1.0, 3.0};
    anomaly_ensemble ensemble{weights};
    CHECK(ensemble.size() == 2);
    std::array ordinary{1.0, 1.0};
    for (int i = 0; i < 999; ++i) ensemble.add(ordinary);
    auto first = ensemble;
    auto second = ensemble;
    // One in a thousand by rank and more by the power law: cut to 10^-4, with half of the other.
    double const by_first = first.add(std::array{1e9, 1.0});
    double const by_second = second.add(std::array{1.0, 1e9});
    CHECK(by_first == doctest::Approx(std::log10(0.25e4)).epsilon(0.01));
    CHECK(by_second == doctest::Approx(std::log10(0.75e4)).epsilon(0.01));
    CHECK(ensemble.add(std::array{1e9, 1e9}) == doctest::Approx(anomaly_ensemble::surprise_max));
}

TEST_CASE("analytics/anomaly_detector: on noise, scores are calibrated and onsets are rare") {
    for (std::uint32_t seed = 1; seed <= 4; ++seed)
        for (int shape = 0; shape < 4; ++shape) {
            CAPTURE(seed);
            CAPTURE(shape);
            std::mt19937 random{seed};
            std::normal_distribution<double> normal;
            anomaly_detector detector;
            std::array const limits{0.9, 0.99, 0.997};
            std::array<int, 3> above{};
            int onsets = 0;
            int malformed = 0;
            constexpr int count = 20000;
            double walk = 0;
            for (int i = 0; i < count + 1000; ++i) {
                double const x = normal(random);
                walk = 0.95 * walk + x;
                double const value = shape == 0   ? 1e6 + 1e3 * x      // noise
                                     : shape == 1 ? std::exp(x)        // skewed, heavy tails
                                     : shape == 2 ? walk               // correlated
                                                  : std::floor(3 + x); // few values, many ties
                auto const result = detector.add(i * 1min, value);
                malformed += !(result.score >= 0 && result.score <= 1);
                malformed += result.onset != 0 && result.onset != result.score;
                if (i < 1000) continue;
                for (std::size_t k = 0; k < limits.size(); ++k)
                    above[k] += result.score >= limits[k];
                onsets += result.onset >= 0.997;
            }
            for (std::size_t k = 0; k < limits.size(); ++k) {
                CAPTURE(limits[k]);
                CHECK(above[k] > 0.4 * (1 - limits[k]) * count);
                CHECK(above[k] < 1.6 * (1 - limits[k]) * count);
            }
            CHECK(onsets < 40); // one in 500 values
            CHECK(malformed == 0);
        }
}

TEST_CASE("analytics/anomaly_detector: recall of five kinds of trouble, precision of onsets") {
    constexpr std::size_t begin = 11 * 288 + 100;
    constexpr std::size_t length = 144; // half a day
    constexpr int seeds = 20;
    int false_onsets = 0;
    for (int kind = 0; kind < 5; ++kind) {
        int found = 0;
        for (std::uint32_t seed = 1; seed <= seeds; ++seed) {
            auto samples = two_weeks(seed);
            for (std::size_t i = begin; i < begin + length; ++i) {
                double& value = samples[i].value;
                if (kind == 0) value += i == begin ? 40 : 0;         // a spike
                if (kind == 1) value += 30;                          // another level
                if (kind == 2) value = samples[begin].value;         // a sensor is stuck
                if (kind == 3) value = 200 - value;                  // the day is upside down
                if (kind == 4) value += (i % 2 == 0 ? 1 : -1) * 15.; // it swings
            }
            auto const scores = scores_of(samples);
            found += is_reported(scores, begin, begin + length);
            for (std::size_t i = 700; i < begin; ++i) false_onsets += scores[i].onset >= 0.997;
        }
        CAPTURE(kind);
        CHECK(found >= 19); // recall at least 95 %
    }
    MESSAGE("false onsets per week: " << false_onsets / (5.0 * seeds) * 2016 / (begin - 700));
    CHECK(false_onsets < 5 * seeds * 5); // less than five in nine days
}

TEST_CASE("analytics/anomaly_detector: a constant stream is no news, the first change is") {
    std::vector<sample> samples;
    for (int i = 0; i < 3000; ++i) samples.push_back({i * 1s, i < 2000 ? 45.0 : 45.001});
    auto const scores = scores_of(samples);
    for (std::size_t i = 0; i < 2000; ++i) REQUIRE(scores[i].score <= 0.25);
    CHECK(scores[2000].onset > 0.999);
}

TEST_CASE("analytics/anomaly_detector: is the same for another unit, one that rounds nothing") {
    auto samples = two_weeks(77);
    auto const before = scores_of(samples);
    for (auto& each : samples) each.value *= 256; // a whole number of octaves
    auto const after = scores_of(samples);
    // Only what lies within a bin's rounding of its edge could differ, and stillness has a floor.
    for (std::size_t i = 0; i < before.size(); ++i)
        REQUIRE(before[i].score == doctest::Approx(after[i].score).epsilon(1e-6));
}

TEST_CASE("analytics/anomaly_detector: what is no number is counted and changes nothing") {
    auto const samples = two_weeks(5);
    anomaly_detector clean;
    anomaly_detector dirty;
    std::uint64_t bad = 0;
    for (auto const& each : samples) {
        for (double const value : {not_a_number, infinity, -infinity, 1e300}) {
            auto const result = dirty.add(each.time, value);
            REQUIRE(result.score == 0);
            REQUIRE(result.onset == 0);
            ++bad;
        }
        check_same(dirty.add(each.time, each.value), clean.add(each.time, each.value));
    }
    CHECK(dirty.left_out() == bad);
    CHECK(clean.left_out() == 0);
}

TEST_CASE("analytics/anomaly_detector: takes huge and tiny values, any time, in any order") {
    std::mt19937_64 random{13};
    anomaly_detector detector;
    for (int i = 0; i < 20000; ++i) {
        auto const bits = random();
        double value = 0;
        static_assert(sizeof bits == sizeof value);
        std::copy_n(reinterpret_cast<char const*>(&bits), sizeof bits,
                    reinterpret_cast<char*>(&value));
        auto const time = i % 3 == 0 ? event_time{static_cast<std::int64_t>(random())} : 0s;
        auto const result = detector.add(time, value);
        REQUIRE((result.score >= 0 && result.score <= 1));
        REQUIRE((result.onset >= 0 && result.onset <= result.score));
    }
}

TEST_CASE("analytics/anomaly_detector: no look-ahead, a prefix scores as the beginning of all") {
    auto files = benchmark_files();
    if (files.empty()) MESSAGE("SKIPPED for NAB: shared/data/nab is not beside the checkout");
    files.push_back(two_weeks(1));
    for (auto const& samples : files) {
        auto const whole = scores_of(samples);
        auto const again = scores_of(samples);
        REQUIRE(whole.size() == samples.size());
        for (std::size_t i = 0; i < whole.size(); ++i) check_same(whole[i], again[i]);
        for (std::size_t const size : {std::size_t{1}, std::size_t{187}, samples.size() / 2}) {
            // What comes later is not only missing but different.
            auto other = samples;
            for (std::size_t i = size; i < other.size(); ++i) other[i].value *= -1e6;
            auto const scores = scores_of(other);
            for (std::size_t i = 0; i < size; ++i) check_same(scores[i], whole[i]);
        }
    }
}

TEST_CASE("analytics/anomaly_detector: tells what it expects, by the hour") {
    anomaly_detector detector;
    CHECK(std::isnan(detector.expected(0s).value));
    CHECK(std::isnan(detector.expected(0s).deviation));
    for (auto const& each : two_weeks(3)) detector.add(each.time, each.value);
    for (int hour = 0; hour < 24; ++hour) {
        CAPTURE(hour);
        auto const time = std::chrono::hours{24 * 14 + hour};
        double const of_day = (hour + 0.5) / 24;
        auto const expected = detector.expected(time);
        CHECK(std::fabs(expected.value - (100 + 40 * std::sin(2 * 3.14159265 * of_day))) < 3);
        CHECK(expected.deviation > 1);
        CHECK(expected.deviation < 6); // noise, and the slope within the hour
        CHECK(detector.expected(time - 24h * 100).value == expected.value); // any time will do
    }
    double const before = detector.expected(0s).value;
    detector.add(0s, not_a_number);
    CHECK(detector.expected(0s).value == before);
}

TEST_CASE("analytics/anomaly_detector: a copy goes on as the original does") {
    auto const samples = two_weeks(2);
    anomaly_detector original;
    for (std::size_t i = 0; i < 2000; ++i) original.add(samples[i].time, samples[i].value);
    anomaly_detector copy = original;
    for (std::size_t i = 2000; i < samples.size(); ++i)
        check_same(copy.add(samples[i].time, samples[i].value),
                   original.add(samples[i].time, samples[i].value));
    // All else is fixed arrays of the sizes that the options name.
    CHECK(sizeof(tail_probability) < 5 * 1024);
    CHECK(sizeof(anomaly_detector) < 1024);
    static_assert(std::is_trivially_copyable_v<tail_probability>);
}
