#include <livetape/analytics/decayed_top_k.hpp>
#include <livetape/analytics/space_saving.hpp>
#include <livetape/analytics/tumbling_window.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

// The sketches that keep the heaviest keys, against exact counts in a map. Sketches are small and
// streams have many keys, so that counters change hands all the time.

namespace {

using namespace livetape;
using namespace std::chrono_literals;

static_assert(accumulates<space_saving<std::uint64_t>, std::uint64_t>);
static_assert(accumulates<space_saving<std::string>, std::string_view>);
static_assert(accumulates<decayed_top_k<std::string>, std::string_view>);

/// Keys 0, 1, 2 … with falling probability; `exponent` 0 is uniform.
class zipf_stream {
public:
    zipf_stream(std::size_t keys, double exponent, std::uint64_t seed) : random_{seed} {
        double sum = 0;
        for (std::size_t i = 0; i < keys; ++i)
            cumulated_.push_back(sum += std::pow(static_cast<double>(i + 1), -exponent));
    }
    std::uint64_t draw() {
        std::uniform_real_distribution<double> uniform{0, cumulated_.back()};
        auto const at = std::lower_bound(cumulated_.begin(), cumulated_.end(), uniform(random_));
        return static_cast<std::uint64_t>(at - cumulated_.begin());
    }
    std::mt19937_64& random() { return random_; }

private:
    std::mt19937_64 random_;
    std::vector<double> cumulated_;
};

using exact_counts = std::map<std::uint64_t, std::uint64_t>;

/// All that the sketch promises about every key that there is, and its order.
void check_bounds(space_saving<std::uint64_t> const& sketch, exact_counts const& exact,
                  std::size_t counters) {
    std::uint64_t total = 0;
    for (auto const& [key, count] : exact) total += count;
    REQUIRE(sketch.total() == total);
    REQUIRE(sketch.size() <= counters);
    CHECK(sketch.least_count() <= total / counters);
    for (auto const& [key, count] : exact) {
        auto const told = sketch.estimate(key);
        CHECK(told.count >= count);
        CHECK(told.count - told.error <= count);
        CHECK(told.error <= total / counters);
        if (count > total / counters) CHECK(sketch.contains(key));
    }
    std::vector<space_saving<std::uint64_t>::item> top(counters + 1);
    auto const written = sketch.top(top);
    REQUIRE(written == sketch.size());
    for (std::size_t i = 1; i < written; ++i) CHECK(top[i - 1].count >= top[i].count);
    auto const owned = sketch.value();
    REQUIRE(owned.size() == written);
    for (std::size_t i = 0; i < written; ++i) {
        CHECK(owned[i] == top[i]);
        CHECK(sketch.estimate(top[i].key) == top[i]);
        CHECK(exact.count(top[i].key) == 1);
    }
}

TEST_CASE("analytics/space_saving: counts keep their bounds on streams of every skew") {
    for (double const exponent : {0.0, 0.8, 1.2, 2.0}) {
        for (std::size_t const counters : {1u, 2u, 7u, 50u, 1000u}) {
            for (std::uint64_t seed = 1; seed <= 5; ++seed) {
                CAPTURE(exponent);
                CAPTURE(counters);
                CAPTURE(seed);
                zipf_stream stream{500, exponent, seed};
                space_saving<std::uint64_t> sketch{counters};
                exact_counts exact;
                for (int i = 0; i < 3000; ++i) {
                    auto const key = stream.draw();
                    sketch.add(key);
                    ++exact[key];
                    if (i % 500 == 0) check_bounds(sketch, exact, counters);
                }
                check_bounds(sketch, exact, counters);
            }
        }
    }
}

TEST_CASE("analytics/space_saving: weights of any size keep the bounds too") {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        CAPTURE(seed);
        zipf_stream stream{200, 1, seed};
        space_saving<std::uint64_t> sketch{20};
        exact_counts exact;
        for (int i = 0; i < 2000; ++i) {
            auto const key = stream.draw();
            auto const weight = stream.random()() % (i % 10 == 0 ? 1000 : 4);
            sketch.add(key, weight);
            if (weight > 0) exact[key] += weight;
        }
        check_bounds(sketch, exact, 20);
    }
}

TEST_CASE("analytics/space_saving: is exact while the keys are fewer than the counters") {
    zipf_stream stream{40, 1, 1};
    space_saving<std::uint64_t> sketch{40};
    exact_counts exact;
    for (int i = 0; i < 5000; ++i) {
        auto const key = stream.draw();
        sketch.add(key);
        ++exact[key];
    }
    for (auto const& each : sketch.value()) {
        CHECK(each.count == exact[each.key]);
        CHECK(each.error == 0);
    }
    CHECK(sketch.estimate(10'000).count == (sketch.size() < 40 ? 0 : sketch.least_count()));
}

TEST_CASE("analytics/space_saving: merged sketches keep the bounds for the streams together") {
    for (double const exponent : {0.0, 1.0, 1.5}) {
        for (std::uint64_t seed = 1; seed <= 20; ++seed) {
            CAPTURE(exponent);
            CAPTURE(seed);
            constexpr std::size_t counters = 30;
            space_saving<std::uint64_t> merged{counters};
            exact_counts exact;
            // Streams with keys of their own and keys in common; one is empty, one is short.
            for (std::uint64_t part = 0; part < 5; ++part) {
                zipf_stream stream{300, exponent, seed * 10 + part};
                space_saving<std::uint64_t> sketch{counters};
                for (int i = 0; i < std::array{1000, 0, 20, 3000, 500}[part]; ++i) {
                    auto const key = stream.draw() + part * 20;
                    sketch.add(key);
                    ++exact[key];
                }
                merged.merge(sketch);
                check_bounds(merged, exact, counters);
            }
            // And goes on counting.
            zipf_stream stream{300, exponent, seed};
            for (int i = 0; i < 1000; ++i) {
                auto const key = stream.draw();
                merged.add(key);
                ++exact[key];
            }
            check_bounds(merged, exact, counters);
        }
    }
}

TEST_CASE(
    "analytics/space_saving: strings are keys like numbers, also long, empty and similar ones") {
    space_saving<std::string> sketch{3};
    std::array<space_saving<std::string>::item, 5> top;
    CHECK(sketch.top(top) == 0);
    CHECK(sketch.value().empty());
    CHECK(sketch.estimate("x").count == 0);
    std::string const long_key(1000, 'x');
    for (int i = 0; i < 5; ++i) sketch.add(long_key);
    for (int i = 0; i < 3; ++i) sketch.add("");
    sketch.add(std::string_view{"\0", 1});
    REQUIRE(sketch.top(top) == 3);
    CHECK(top[0].key == long_key);
    CHECK(top[1].key.empty());
    CHECK(top[2].key.size() == 1);
    sketch.add("new"); // takes over from the one with a single event
    REQUIRE(sketch.top(top) == 3);
    CHECK(top[2].key == "new");
    CHECK(top[2].count == 2);
    CHECK(top[2].error == 1);
    CHECK(sketch.top(std::span{top}.first(1)) == 1);
    CHECK(sketch.top({}) == 0);
    sketch.clear();
    CHECK(sketch.size() == 0);
    CHECK(sketch.total() == 0);
    CHECK_FALSE(sketch.contains(""));
    sketch.add("again");
    CHECK(sketch.value() == std::vector<counted_key<std::string, std::uint64_t>>{{"again", 1, 0}});
}

struct weighted_event {
    std::chrono::nanoseconds time;
    std::uint64_t key;
    double weight;
};

constexpr auto half_life = 10s;

double decayed(weighted_event const& event, std::chrono::nanoseconds now) {
    return event.weight * std::exp2(-std::chrono::duration<double>{now - event.time} / half_life);
}

/// All that the sketch promises about every key that there is.
void check_bounds(decayed_top_k<std::uint64_t> const& sketch,
                  std::vector<weighted_event> const& events, std::size_t counters,
                  std::chrono::nanoseconds now) {
    std::map<std::uint64_t, double> exact;
    double total = 0;
    for (auto const& each : events) {
        exact[each.key] += decayed(each, now);
        total += decayed(each, now);
    }
    double const rounding = 1e-9 * total;
    CHECK(sketch.total(now) == doctest::Approx(total).epsilon(1e-9));
    for (auto const& [key, count] : exact) {
        auto const told = sketch.estimate(key, now);
        CHECK(told.count >= count - rounding);
        CHECK(told.count - told.error <= count + rounding);
        CHECK(told.error <= total / static_cast<double>(counters) + rounding);
    }
    std::vector<decayed_top_k<std::uint64_t>::item> top(counters + 1);
    auto const written = sketch.top(top, now);
    REQUIRE(written == sketch.size());
    for (std::size_t i = 1; i < written; ++i) CHECK(top[i - 1].count >= top[i].count);
    // Asked for fewer, it gives the first of them.
    std::vector<decayed_top_k<std::uint64_t>::item> few(std::min<std::size_t>(3, written));
    REQUIRE(sketch.top(few, now) == few.size());
    for (std::size_t i = 0; i < few.size(); ++i) CHECK(few[i] == top[i]);
}

/// Events at irregular times, some of them in one instant, some late.
std::vector<weighted_event> draw_events(std::uint64_t seed, int size, double exponent) {
    zipf_stream stream{200, exponent, seed};
    auto& random = stream.random();
    std::vector<weighted_event> events;
    std::chrono::nanoseconds now{static_cast<std::int64_t>(random() % 1'000'000'000'000)};
    for (int i = 0; i < size; ++i) {
        if (random() % 3 != 0) now += std::chrono::milliseconds{random() % 400};
        if (random() % 500 == 0) now += 20min; // over the span of one landmark now and then
        auto const late = random() % 5 == 0 ? std::chrono::milliseconds{random() % 20'000} : 0ms;
        events.push_back({now - late, stream.draw(), random() % 4 == 0 ? 2.5 : 1.0});
    }
    return events;
}

TEST_CASE("analytics/decayed_top_k: decayed counts keep their bounds at irregular and late times") {
    for (double const exponent : {0.5, 1.2}) {
        for (std::size_t const counters : {1u, 2u, 10u, 300u}) {
            for (std::uint64_t seed = 1; seed <= 10; ++seed) {
                CAPTURE(exponent);
                CAPTURE(counters);
                CAPTURE(seed);
                auto const events = draw_events(seed, 3000, exponent);
                decayed_top_k<std::uint64_t> sketch{{counters, half_life}};
                for (auto const& each : events) sketch.add(each.time, each.key, each.weight);
                auto const end = events.back().time;
                for (auto const now : {end, end + 1s, end + 5min, end - 10s})
                    check_bounds(sketch, events, counters, now);
                CHECK(sketch.left_out() == 0);
            }
        }
    }
}

TEST_CASE(
    "analytics/decayed_top_k: what is talked of now outweighs what was talked of more before") {
    decayed_top_k<std::string> sketch{{10, half_life}};
    for (int i = 0; i < 100; ++i) sketch.add(0s, "yesterday");
    for (int i = 0; i < 10; ++i) sketch.add(60s, "now");
    std::array<decayed_top_k<std::string>::item, 2> top;
    REQUIRE(sketch.top(top, 60s) == 2);
    CHECK(top[0].key == "now");
    CHECK(top[0].count == doctest::Approx(10));
    CHECK(top[1].count == doctest::Approx(100.0 / 64));
    REQUIRE(sketch.top(top, 60s + half_life) == 2);
    CHECK(top[0].count == doctest::Approx(5));
}

TEST_CASE("analytics/decayed_top_k: as a window's total it tells its keys as of the latest event") {
    tumbling_window<decayed_top_k<std::string>> window{
        60s, {}, decayed_top_k<std::string>{{5, 10s}}};
    for (auto const* each : {"a", "b", "a"}) CHECK_FALSE(window.add(10s, std::string_view{each}));
    CHECK_FALSE(window.add(20s, std::string_view{"b"}));
    auto const closed = window.add(61s, std::string_view{"c"});
    REQUIRE(closed);
    auto const keys = closed->value();
    REQUIRE(keys.size() == 2);
    CHECK(keys[0].key == "b");
    CHECK(keys[0].count == doctest::Approx(1.5));
    CHECK(keys[1].count == doctest::Approx(1));
}

TEST_CASE("analytics/decayed_top_k: merged sketches keep the bounds wherever their landmarks lie") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        constexpr std::size_t counters = 15;
        decayed_top_k<std::uint64_t> merged{{counters, half_life}};
        std::vector<weighted_event> all;
        for (std::uint64_t part = 0; part < 4; ++part) {
            auto events = draw_events(seed * 10 + part, std::array{500, 0, 10, 1500}[part], 1);
            // Long before, or long after, the others.
            if (seed % 3 == 1)
                for (auto& each : events) each.time += part % 2 == 0 ? 100min : 0min;
            decayed_top_k<std::uint64_t> sketch{{counters, half_life}};
            for (auto const& each : events) sketch.add(each.time, each.key, each.weight);
            all.insert(all.end(), events.begin(), events.end());
            merged.merge(sketch);
            auto now = std::chrono::nanoseconds::min();
            for (auto const& each : all) now = std::max(now, each.time);
            check_bounds(merged, all, counters, now);
        }
    }
}

TEST_CASE("analytics/decayed_top_k: bad weights and impossible times are left out and counted") {
    decayed_top_k<int> sketch{{4, half_life}};
    std::array<decayed_top_k<int>::item, 4> top;
    CHECK(sketch.top(top, 0s) == 0);
    CHECK(sketch.total(0s) == 0);
    CHECK(sketch.estimate(1, 0s).count == 0);
    constexpr double infinity = std::numeric_limits<double>::infinity();
    for (double const bad :
         {0.0, -1.0, infinity, -infinity, 1e300, 1e-300, std::numeric_limits<double>::quiet_NaN()})
        sketch.add(0s, 1, bad);
    CHECK(sketch.left_out() == 7);
    CHECK(sketch.size() == 0);

    // From one end of time to the other: nothing overflows, and what is too late is counted.
    sketch.add(std::chrono::nanoseconds::min(), 1);
    sketch.add(std::chrono::nanoseconds::max(), 2);
    REQUIRE(sketch.top(top, std::chrono::nanoseconds::max()) == 2);
    CHECK(top[0].key == 2);
    CHECK(top[0].count == doctest::Approx(1));
    CHECK(top[1].count == 0);
    sketch.add(0s, 3);
    CHECK(sketch.left_out() == 8);
    CHECK(std::isfinite(sketch.total(std::chrono::nanoseconds::min())));

    sketch.clear();
    CHECK(sketch.left_out() == 0);
    sketch.add(5s, 3, 2);
    CHECK(sketch.total(5s) == doctest::Approx(2));
    CHECK(sketch.estimate(3, 5s).error == 0);
}

} // namespace
