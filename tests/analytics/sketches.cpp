#include <livetape/analytics/accumulator.hpp>
#include <livetape/analytics/ddsketch.hpp>
#include <livetape/analytics/hash.hpp>
#include <livetape/analytics/hyperloglog.hpp>
#include <livetape/analytics/kll_sketch.hpp>
#include <livetape/analytics/reservoir_sample.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

// Each sketch against the exact answer over many seeds. The bounds checked are those that the doc
// comments state; where a bound holds with a probability, so is the share of the seeds that keep
// it.

namespace {

using namespace livetape;

static_assert(accumulates<ddsketch, double>);
static_assert(accumulates<kll_sketch, double>);
static_assert(accumulates<hyperloglog, std::string_view>);
static_assert(accumulates<reservoir_sample<double>, double>);

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// Streams of different shapes, by name.
struct stream_shape {
    char const* name;
    std::function<double(std::mt19937_64&)> draw;
};

std::vector<stream_shape> shapes() {
    return {
        {"uniform",
         [](auto& r) {
             return std::uniform_real_distribution<double>{-1, 1}(r);
         }},
        {"normal",
         [](auto& r) {
             return std::normal_distribution<double>{100, 15}(r);
         }},
        {"log-normal",
         [](auto& r) {
             return std::lognormal_distribution<double>{0, 2}(r);
         }},
        {"heavy tail",
         [](auto& r) {
             return std::cauchy_distribution<double>{0, 1}(r);
         }},
        {"few values", [](auto& r) { return static_cast<double>(r() % 5) - 2; }},
        {"huge and tiny",
         [](auto& r) {
             return std::ldexp(1 + static_cast<double>(r() % 1000) / 1000,
                               static_cast<int>(r() % 2045) - 1022) *
                    (r() % 2 == 0 ? 1 : -1);
         }},
    };
}

std::vector<double> draw_stream(stream_shape const& shape, std::uint64_t seed, std::size_t size) {
    std::mt19937_64 random{seed};
    std::vector<double> values(size);
    for (auto& each : values) each = shape.draw(random);
    return values;
}

constexpr std::array quantiles{0.0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0};

/// The value of rank floor(q (n - 1)), which is how the sketches define a quantile.
double exact_quantile(std::vector<double> const& sorted, double q) {
    return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1))];
}

TEST_CASE("analytics/hash: every bit of the input changes every bit of the hash half of the time") {
    std::mt19937_64 random{7};
    constexpr int trials = 20'000;
    auto const check = [&](std::vector<int> const& flips) {
        for (auto const each : flips) {
            double const share = static_cast<double>(each) / trials;
            // 0.02 is 5.7 standard deviations.
            CHECK(share > 0.48);
            CHECK(share < 0.52);
        }
    };
    auto const count_flips = [](std::uint64_t changed, std::vector<int>& flips) {
        for (std::size_t bit = 0; bit < 64; ++bit) flips[bit] += changed >> bit & 1;
    };
    for (unsigned bit = 0; bit < 64; bit += 7) {
        CAPTURE(bit);
        std::vector<int> flips(64);
        for (int i = 0; i < trials; ++i) {
            auto const number = random();
            count_flips(hash_of(number) ^ hash_of(number ^ std::uint64_t{1} << bit), flips);
        }
        check(flips);
    }
    for (std::size_t const size : {1u, 2u, 3u, 4u, 7u, 8u, 11u, 16u, 17u, 32u, 33u, 65u}) {
        for (std::size_t const bit : {std::size_t{0}, size * 4 + 1, size * 8 - 1}) {
            CAPTURE(size);
            CAPTURE(bit);
            std::vector<int> flips(64);
            for (int i = 0; i < trials; ++i) {
                std::string text(size, '\0');
                for (auto& each : text) each = static_cast<char>(random());
                // Short strings are few: seeds make trials of them.
                auto const seed = random();
                auto const before = hash_of(text, seed);
                text[bit / 8] = static_cast<char>(text[bit / 8] ^ 1 << bit % 8);
                count_flips(before ^ hash_of(text, seed), flips);
            }
            check(flips);
        }
    }
}

TEST_CASE("analytics/hash: strings that look alike do not collide") {
    std::set<std::uint64_t> seen;
    std::size_t hashed = 0;
    auto const add = [&](std::string const& text) {
        seen.insert(hash_of(text));
        ++hashed;
    };
    for (std::size_t size = 0; size < 100; ++size) add(std::string(size, '\0'));
    for (std::size_t size = 1; size < 100; ++size) add(std::string(size, 'a'));
    for (int i = 0; i < 100'000; ++i) add("key-" + std::to_string(i));
    for (int i = 0; i < 100'000; ++i) add(std::to_string(i) + "/a/longer/path/in/common");
    CHECK(seen.size() == hashed);
    CHECK(hash_of("a", 1) != hash_of("a", 2));
    CHECK(hash_of(std::uint64_t{1}, 1) != hash_of(std::uint64_t{1}, 2));
}

TEST_CASE("analytics/hash: gives the same on every machine, so that their sketches merge") {
    CHECK(hash_of("") == 0x4c3c82888dba4b77u);
    CHECK(hash_of("abc") == 0x45e8153668323d77u);
    CHECK(hash_of("livetape") == 0x763003f22294ccc2u);
    CHECK(hash_of("a text of more than thirty-two bytes") == 0x39d93a952261163bu);
    CHECK(hash_of(std::uint64_t{0}) == 0xe220a8397b1dcdafu);
}

TEST_CASE("analytics/ddsketch: quantiles keep the relative error on streams of every shape") {
    for (double const error : {0.0001, 0.01, 0.1, 0.5}) {
        for (auto const& shape : shapes()) {
            for (std::uint64_t seed = 1; seed <= 10; ++seed) {
                CAPTURE(shape.name);
                CAPTURE(error);
                CAPTURE(seed);
                auto values = draw_stream(shape, seed, 5000);
                ddsketch sketch{{.relative_error = error, .buckets_max = 20'000}};
                for (auto const each : values) sketch.add(each);
                std::sort(values.begin(), values.end());
                CHECK(sketch.count() == values.size());
                CHECK(sketch.min() == values.front());
                CHECK(sketch.max() == values.back());
                for (auto const q : quantiles) {
                    CAPTURE(q);
                    double const exact = exact_quantile(values, q);
                    if (std::abs(exact) < sketch.magnitude_min()) {
                        CHECK(std::abs(sketch.quantile(q)) <= sketch.magnitude_min() * (1 + error));
                        continue;
                    }
                    CHECK(std::abs(sketch.quantile(q) - exact) <= error * std::abs(exact));
                }
            }
        }
    }
}

TEST_CASE(
    "analytics/ddsketch: one value at any place of the double range is told within the error") {
    // Around every power of two and at the edges of buckets, where rounding would show.
    std::mt19937_64 random{3};
    for (double const error : {0.0001, 0.003, 0.01, 0.2}) {
        detail::log_buckets const buckets{error};
        for (int i = 0; i < 20'000; ++i) {
            auto const exponent = static_cast<int>(random() % 2046) - 1022;
            double value = std::ldexp(1.0, exponent);
            if (i % 3 == 1) value *= 1 + static_cast<double>(random() >> 12) * 0x1p-52;
            if (i % 3 == 2) {
                // The widest buckets are those above 1 and around 5/3 times a power of two.
                value *= i % 2 == 0 ? 1 : 5.0 / 3;
                auto const bucket = buckets.bucket_of(std::bit_cast<std::uint64_t>(value));
                value = buckets.lower_edge_of(bucket + i / 6 % 2);
                if (!std::isnormal(value)) continue;
            }
            for (double const each : {value, std::nextafter(value, infinity)}) {
                auto const bits = std::bit_cast<std::uint64_t>(each);
                if (!std::isnormal(each)) continue;
                // The number may be just beyond the doubles; the sketch then gives its largest
                // value.
                double const told = std::min(buckets.value_of(buckets.bucket_of(bits)),
                                             std::numeric_limits<double>::max());
                REQUIRE(std::abs(told - each) <= error * each);
            }
        }
    }
}

TEST_CASE("analytics/ddsketch: the default spans 17 decades in under 16 KiB") {
    ddsketch sketch;
    CHECK(sizeof sketch + 8 * sketch.options().buckets_max < 16 * 1024);
    sketch.add(1e-9);
    sketch.add(0.99e8);
    CHECK(sketch.magnitude_min() == 0.0);
    CHECK(sketch.quantile(0.4) == doctest::Approx(1e-9).epsilon(0.01));
    sketch.add(1e12);
    CHECK(sketch.magnitude_min() > 1e-9);
    CHECK(sketch.magnitude_min() < 1e-5);
}

TEST_CASE(
    "analytics/ddsketch: collapses the smallest magnitudes and says from where on it is good") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        auto values = draw_stream({"",
                                   [](auto& r) {
                                       auto const e = static_cast<int>(r() % 200) - 100;
                                       return std::ldexp(r() % 3 == 0 ? -1.0 : 1.0, e);
                                   }},
                                  seed, 3000);
        ddsketch sketch{{.relative_error = 0.01, .buckets_max = 2000}};
        for (auto const each : values) sketch.add(each);
        std::sort(values.begin(), values.end());
        CHECK(sketch.magnitude_min() > std::ldexp(1.0, -100));
        std::size_t good = 0;
        for (double q = 0; q <= 1; q += 0.001) {
            double const exact = exact_quantile(values, q);
            if (std::abs(exact) < sketch.magnitude_min()) continue;
            ++good;
            CHECK(std::abs(sketch.quantile(q) - exact) <= 0.01 * std::abs(exact));
        }
        CHECK(good > 100);
    }
}

TEST_CASE(
    "analytics/ddsketch: sketches of parts, merged in any order, answer as one sketch of all") {
    for (auto const& shape : shapes()) {
        for (std::uint64_t seed = 1; seed <= 10; ++seed) {
            CAPTURE(shape.name);
            CAPTURE(seed);
            auto values = draw_stream(shape, seed, 3000);
            for (std::size_t i = 0; i < values.size(); i += 100) values[i] = 0;
            ddsketch whole;
            std::vector<ddsketch> parts(5);
            for (std::size_t i = 0; i < values.size(); ++i) {
                whole.add(values[i]);
                parts[i % 7 % 5].add(values[i]);
            }
            std::shuffle(parts.begin(), parts.end(), std::mt19937{static_cast<unsigned>(seed)});
            ddsketch merged;
            for (auto const& each : parts) merged.merge(each);
            CHECK(merged.count() == whole.count());
            CHECK(merged.magnitude_min() == whole.magnitude_min());
            for (double q = 0; q <= 1; q += 0.01) CHECK(merged.quantile(q) == whole.quantile(q));
        }
    }
}

TEST_CASE("analytics/ddsketch: empty, zeros, repeated values, NaN and infinities") {
    ddsketch sketch;
    CHECK(std::isnan(sketch.quantile(0.5)));
    CHECK(std::isnan(sketch.min()));
    CHECK(std::isnan(sketch.value().p99));

    for (double const bad : {not_a_number, infinity, -infinity}) sketch.add(bad);
    CHECK(sketch.left_out() == 3);
    CHECK(sketch.count() == 0);
    CHECK(std::isnan(sketch.quantile(0.5)));

    sketch.add(-0.0);
    sketch.add(std::numeric_limits<double>::denorm_min());
    CHECK(sketch.count() == 2);
    CHECK(sketch.quantile(0.5) == 0.0);
    CHECK(sketch.max() == 0.0);

    sketch.clear();
    CHECK(sketch.count() == 0);
    CHECK(sketch.left_out() == 0);
    sketch.add(-7.5, 1'000'000'000'000);
    sketch.add(3, 0);
    CHECK(sketch.count() == 1'000'000'000'000);
    for (auto const q : quantiles) CHECK(sketch.quantile(q) == -7.5); // all equal: exact

    sketch.clear();
    sketch.add(std::numeric_limits<double>::max());
    sketch.add(std::numeric_limits<double>::lowest());
    CHECK(sketch.quantile(0) == std::numeric_limits<double>::lowest());
    CHECK(sketch.quantile(1) == std::numeric_limits<double>::max());
    CHECK(std::isfinite(sketch.quantile(0.5)));

    ddsketch smallest{{.relative_error = 0.5, .buckets_max = 2}};
    for (double const each : {1.0, -1.0, 1e300, -1e-300, 1e-300}) smallest.add(each);
    CHECK(smallest.count() == 5);
    CHECK(smallest.quantile(0.75) >= 0.0);
}

TEST_CASE("analytics/kll_sketch: ranks err within the bound that the sketch states for itself") {
    constexpr double failure = 0.01;
    std::size_t asked = 0;
    std::size_t beyond = 0;
    for (auto const& shape : shapes()) {
        for (std::uint64_t seed = 1; seed <= 30; ++seed) {
            auto values = draw_stream(shape, seed, 20'000);
            kll_sketch sketch{{.size = 200, .seed = seed}};
            for (auto const each : values) sketch.add(each);
            std::sort(values.begin(), values.end());
            auto const n = static_cast<double>(values.size());
            double const bound = sketch.rank_error(failure);
            CHECK(bound > 0);
            CHECK(bound < 0.025); // what k = 200 is for
            CHECK(sketch.count() == values.size());
            CHECK(sketch.rank(values.back()) == values.size());
            for (auto const q : quantiles) {
                double const exact = exact_quantile(values, q);
                auto const rank = std::upper_bound(values.begin(), values.end(), exact);
                double const error = std::abs(static_cast<double>(sketch.rank(exact)) -
                                              static_cast<double>(rank - values.begin())) /
                                     n;
                ++asked;
                beyond += error > bound;
                // The quantile's own range of ranks has to come as near as that to q.
                double const told = sketch.quantile(q);
                auto const [low, high] = std::equal_range(values.begin(), values.end(), told);
                CHECK(low != high); // a value of the stream
                auto const wanted = q * (n - 1);
                double const off =
                    std::max({0.0, static_cast<double>(low - values.begin()) - wanted,
                              wanted - static_cast<double>(high - values.begin())}) /
                    n;
                ++asked;
                beyond += off > bound;
            }
        }
    }
    CAPTURE(beyond);
    CHECK(static_cast<double>(beyond) <= failure * static_cast<double>(asked));
}

TEST_CASE("analytics/kll_sketch: keeps every value while there is room, and is exact") {
    kll_sketch sketch;
    std::vector<double> values;
    for (int i = 0; i < 500; ++i) values.push_back((i * 7919) % 500 - 250);
    for (auto const each : values) sketch.add(each);
    std::sort(values.begin(), values.end());
    CHECK(sketch.rank_error() == 0);
    for (double q = 0; q <= 1; q += 0.01) CHECK(sketch.quantile(q) == exact_quantile(values, q));
    for (int i = -251; i <= 251; ++i)
        CHECK(sketch.rank(i) ==
              static_cast<std::uint64_t>(std::upper_bound(values.begin(), values.end(), i) -
                                         values.begin()));
}

TEST_CASE("analytics/kll_sketch: merged sketches keep the bound and every value's weight") {
    std::size_t asked = 0;
    std::size_t beyond = 0;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        // Parts of very different sizes: also empty ones and such as are still exact.
        std::vector<double> values;
        kll_sketch merged{{.size = 100, .seed = seed}};
        std::mt19937_64 random{seed};
        for (std::size_t const size : {0u, 3u, 20'000u, 400u, 5'000u, 1u}) {
            kll_sketch part{{.size = 100, .seed = seed * 1000 + size}};
            for (std::size_t i = 0; i < size; ++i) {
                values.push_back(std::normal_distribution<double>{}(random));
                part.add(values.back());
            }
            merged.merge(part);
        }
        std::sort(values.begin(), values.end());
        CHECK(merged.count() == values.size());
        CHECK(merged.rank(infinity) == values.size());
        CHECK(merged.min() == values.front());
        CHECK(merged.max() == values.back());
        for (auto const q : quantiles) {
            double const exact = exact_quantile(values, q);
            auto const rank = std::upper_bound(values.begin(), values.end(), exact);
            double const error = std::abs(static_cast<double>(merged.rank(exact)) -
                                          static_cast<double>(rank - values.begin()));
            ++asked;
            beyond += error > merged.rank_error(0.01) * static_cast<double>(values.size());
        }
    }
    CHECK(static_cast<double>(beyond) <= 0.01 * static_cast<double>(asked));
}

TEST_CASE("analytics/kll_sketch: the worst case of its own bound stays below the stated one") {
    for (std::size_t const size : {8u, 50u, 200u, 1000u}) {
        kll_sketch sketch{{.size = size, .seed = 1}};
        for (int n = 1; n <= 1 << 20; ++n) {
            sketch.add(n);
            if ((n & (n - 1)) != 0) continue;
            CAPTURE(size);
            CAPTURE(n);
            CHECK(sketch.rank_error(0.01) <=
                  3.5 * std::sqrt(std::log(2 / 0.01)) / static_cast<double>(size));
            if (size == 200 && n == 1 << 20) CHECK(sketch.rank_error(0.01) < 0.008);
        }
    }
}

TEST_CASE("analytics/kll_sketch: empty, equal values, NaN and infinities, same seed same sketch") {
    kll_sketch sketch;
    CHECK(std::isnan(sketch.quantile(0.5)));
    CHECK(sketch.rank(0) == 0);
    CHECK(sketch.rank_error() == 0);
    for (double const bad : {not_a_number, infinity, -infinity}) sketch.add(bad);
    CHECK(sketch.left_out() == 3);
    CHECK(sketch.count() == 0);
    for (int i = 0; i < 100'000; ++i) sketch.add(-4);
    for (auto const q : quantiles) CHECK(sketch.quantile(q) == -4);
    CHECK(sketch.rank(-4) == 100'000);
    CHECK(sketch.rank(std::nextafter(-4, -5)) == 0);
    sketch.clear();
    CHECK(std::isnan(sketch.quantile(0.5)));

    auto const values = draw_stream(shapes()[1], 5, 50'000);
    kll_sketch first{{.size = 100, .seed = 9}};
    kll_sketch second{{.size = 100, .seed = 9}};
    for (auto const each : values) {
        first.add(each);
        second.add(each);
    }
    for (double q = 0; q <= 1; q += 0.01) CHECK(first.quantile(q) == second.quantile(q));
}

TEST_CASE("analytics/kll_sketch: windows of copies of one sketch toss coins of their own") {
    // Panes of like values: if their coins were the same, their errors would add up instead of
    // cancelling, and merged sketches would leave the bound.
    std::size_t beyond = 0;
    std::size_t asked = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        kll_sketch const empty{{.size = 8, .seed = seed}};
        auto merged = empty;
        for (int pane = 0; pane < 100; ++pane) {
            auto part = empty;
            for (int i = 0; i < 2000; ++i) part.add(i * 1009 % 2000 * 100 + pane);
            merged.merge(part);
        }
        for (int i = 0; i < 200'000; i += 10'000) {
            auto const error = std::abs(static_cast<double>(merged.rank(i)) - i - 1);
            ++asked;
            beyond += error > merged.rank_error(0.01) * 200'000;
        }
    }
    CHECK(static_cast<double>(beyond) <= 0.01 * static_cast<double>(asked));
}

TEST_CASE("analytics/hyperloglog: the standard error is 1.6 % at every size of the set") {
    CHECK(sizeof(hyperloglog) == 4096);
    constexpr int seeds = 200;
    double const promised = 1.04 / std::sqrt(4096.0);
    for (std::uint64_t const keys :
         {10u, 100u, 1000u, 4096u, 10'000u, 12'000u, 30'000u, 100'000u}) {
        double squares = 0;
        double sum = 0;
        for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
            hyperloglog sketch;
            for (std::uint64_t i = 0; i < keys; ++i) {
                sketch.add_hash(hash_of(i, seed * 0x9e3779b97f4a7c15u));
                if (i % 3 == 0) sketch.add_hash(hash_of(i, seed * 0x9e3779b97f4a7c15u));
            }
            double const error = sketch.value() / static_cast<double>(keys) - 1;
            squares += error * error;
            sum += error;
            // Among few keys a single collision is a step of more than the deviation.
            CHECK(std::abs(error) < 5 * promised + 1.01 / static_cast<double>(keys));
        }
        CAPTURE(keys);
        double const deviation = std::sqrt(squares / seeds);
        CAPTURE(sum / seeds);
        // The deviation of 200 draws itself deviates by 5 %: three times that are allowed.
        CHECK(deviation < promised * 1.15);
        CHECK(std::abs(sum / seeds) < 4 * promised / std::sqrt(1.0 * seeds));
    }
}

TEST_CASE("analytics/hyperloglog: counts strings that look alike") {
    hyperloglog sketch;
    for (int i = 0; i < 200'000; ++i) sketch.add("user-" + std::to_string(i));
    CHECK(sketch.value() > 200'000 * 0.95);
    CHECK(sketch.value() < 200'000 * 1.05);
}

TEST_CASE("analytics/hyperloglog: merged sketches are bit for bit the sketch of all") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        hyperloglog whole;
        std::array<hyperloglog, 3> parts;
        std::mt19937_64 random{seed};
        for (int i = 0; i < 10'000; ++i) {
            auto const hash = hash_of(random() % 6000);
            whole.add_hash(hash);
            parts[random() % 3].add_hash(hash);
        }
        parts[0].merge(parts[1]);
        parts[0].merge(parts[2]);
        CHECK(parts[0] == whole);
        parts[0].merge(whole);
        CHECK(parts[0] == whole);
    }
}

TEST_CASE("analytics/hyperloglog: empty, one key, and hashes at the ends of the range") {
    hyperloglog sketch;
    CHECK(sketch.value() == 0);
    sketch.add("only");
    sketch.add("only");
    CHECK(sketch.value() == doctest::Approx(1).epsilon(0.001));
    sketch.add_hash(0);
    sketch.add_hash(~std::uint64_t{0});
    CHECK(sketch.value() == doctest::Approx(3).epsilon(0.001));
    sketch.clear();
    CHECK(sketch.value() == 0);

    // Every register at its highest value: more keys than there are hashes, and still a number.
    basic_hyperloglog<4> full;
    for (std::uint64_t i = 0; i < full.register_count; ++i) full.add_hash(i << 60);
    CHECK(full.value() > 0x1p60);

    // The registers that n keys leave when half of them are beyond the highest value: ln 2 2^64.
    basic_hyperloglog<4> half_full;
    constexpr std::array<std::uint64_t, 8> rests{1, 1, 1, 1, 2, 2, 2, 4};
    for (std::uint64_t i = 0; i < half_full.register_count; ++i)
        half_full.add_hash(i << 60 | (i < 8 ? 0 : rests[i - 8]));
    CHECK(half_full.value() == doctest::Approx(std::log(2) * 0x1p64).epsilon(0.05));
}

TEST_CASE("analytics/reservoir_sample: every value is in the sample equally often") {
    constexpr std::size_t size = 10;
    constexpr int stream = 100;
    constexpr int seeds = 20'000;
    std::array<int, stream> chosen{};
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        reservoir_sample<int> sample{size, seed};
        for (int i = 0; i < stream; ++i) sample.add(i);
        REQUIRE(sample.value().size() == size);
        for (auto const each : sample.value()) ++chosen[static_cast<std::size_t>(each)];
    }
    double const expected = seeds * size / static_cast<double>(stream);
    double chi_square = 0;
    for (auto const each : chosen) chi_square += (each - expected) * (each - expected) / expected;
    // 99 degrees of freedom (less, as each sample's places depend on each other): 99.99 % lie below
    // 161.
    CHECK(chi_square < 161);
}

TEST_CASE("analytics/reservoir_sample: merged samples weigh their streams by their lengths") {
    constexpr std::size_t size = 8;
    constexpr int seeds = 20'000;
    constexpr int stream = 90;
    std::array<int, stream> chosen{};
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        reservoir_sample<int> merged{size, 3 * seed};
        reservoir_sample<int> longer{size, 3 * seed + 1};
        reservoir_sample<int> shorter{size, 3 * seed + 2};
        for (int i = 0; i < 20; ++i) merged.add(i);
        for (int i = 20; i < 65; ++i) longer.add(i);
        for (int i = 65; i < 70; ++i) shorter.add(i); // not full
        merged.merge(longer);
        merged.merge(shorter);
        for (int i = 70; i < stream; ++i) merged.add(i); // and goes on
        REQUIRE(merged.count() == stream);
        REQUIRE(merged.value().size() == size);
        for (auto const each : merged.value()) ++chosen[static_cast<std::size_t>(each)];
    }
    double const expected = seeds * size / static_cast<double>(stream);
    double chi_square = 0;
    for (auto const each : chosen) chi_square += (each - expected) * (each - expected) / expected;
    CHECK(chi_square < 150); // 89 degrees of freedom: 99.99 % lie below 149
}

TEST_CASE("analytics/reservoir_sample: keeps all of a short stream, without doubling any value") {
    reservoir_sample<std::string> sample{5, 1};
    CHECK(sample.value().empty());
    for (auto const* each : {"a", "b", "c"}) sample.add(each);
    CHECK(sample.value().size() == 3);
    for (int i = 0; i < 10'000; ++i) sample.add(std::to_string(i));
    std::set<std::string> const different(sample.value().begin(), sample.value().end());
    CHECK(different.size() == 5);

    auto copy = sample;
    for (int i = 10'000; i < 1'000'000; ++i) {
        sample.add(std::to_string(i));
        copy.add(std::to_string(i));
    }
    CHECK(std::equal(copy.value().begin(), copy.value().end(), sample.value().begin()));

    reservoir_sample<int> one{1, 2};
    for (int i = 0; i < 100; ++i) one.add(i);
    CHECK(one.value().size() == 1);
    one.clear();
    CHECK(one.count() == 0);
    one.add(7);
    CHECK(one.value().front() == 7);
}

} // namespace
