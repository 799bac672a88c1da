// What whoever may publish can do to a pipeline: each event is in a result or in a count of
// problems, and no state grows with what is sent.

#include <livetape/analytics/count.hpp>
#include <livetape/analytics/pipeline.hpp>

#include "support/random_stream.hpp"
#include "support/still_hub.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

using namespace livetape;
using namespace std::chrono_literals;

namespace {

/// A value as nobody should send it, now and then as everybody does.
std::string any_value(random_stream& random) {
    constexpr std::string_view odd[] = {"null",
                                        "true",
                                        "[]",
                                        "{}",
                                        "\"\"",
                                        "\"12.5\"",
                                        "\"1x\"",
                                        "-0",
                                        "1e999",
                                        "-1e999",
                                        "5e-324",
                                        "1.7976931348623157e308",
                                        "9223372036854775808",
                                        "123456789012345678901234567890",
                                        "[[[[1]]]]",
                                        R"({"x":1})",
                                        R"("\u0000")",
                                        R"("\ud800")",
                                        "NaN",
                                        "01",
                                        "1."};
    if (random.below(3) == 0) return std::string{odd[random.below(std::size(odd))]};
    return std::to_string(random.between(-10, 10));
}

/// A time near `now`; one in ten is anywhere within 300 years, or beyond what can be told.
std::string any_time(random_stream& random, double& now) {
    if (random.below(10) != 0) return std::to_string(now += random.between(-1, 2));
    if (random.below(4) == 0) return any_value(random);
    return std::to_string(random.between(-1e10, 1e10));
}

std::string any_key(random_stream& random) {
    if (random.below(8) == 0) return any_value(random);
    if (random.below(50) == 0) return '"' + std::string(random.below(5000), 'k') + '"';
    auto const keys = random.below(4) == 0 ? 1'000'000u : 4u;
    return '"' + std::to_string(random.below(keys)) + '"';
}

std::string any_payload(random_stream& random, double& now) {
    std::string text = "{\"t\":" + any_time(random, now) + ",\"x\":" + any_value(random) +
                       ",\"k\":" + any_key(random) + '}';
    if (random.below(6) == 0) text.resize(random.below(text.size()));
    for (auto flips = random.below(8) == 0 ? random.below(5) : 0; flips > 0 && !text.empty();
         --flips)
        text[random.below(text.size())] = static_cast<char>(random.below(256));
    return text;
}

} // namespace

TEST_CASE("analytics/pipeline: each hostile event is in a result or among the problems") {
    std::array<std::uint64_t, problem_count> seen{};
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        INFO("seed ", seed);
        random_stream random{seed};
        still_hub hub;
        auto& source = hub.open("source", {.log_events_max = 500});
        constexpr std::size_t keys_max = 8;
        std::uint64_t counted = 0;
        auto run = from(source)
                       .json()
                       .time("t")
                       .number("x")
                       .key("k", {.keys_max = keys_max})
                       .window(tumbling{10s})
                       .apply<livetape::count>()
                       .to([&counted](std::string_view, auto const& result) {
                           if (!result.is_correction) counted += result.value();
                       })
                       .report(hub.open("problems"));
        double now = 1e9;
        std::uint64_t published = 0;
        std::uint64_t read = 0;
        for (int burst = 0; burst < 40; ++burst) {
            // Some bursts are longer than the log.
            for (auto events = random.below(burst % 8 == 7 ? 1200 : 100); events > 0; --events)
                published += source.publish(any_payload(random, now)) != 0 ? 1 : 0;
            while (auto const some = run.run()) read += some;
        }
        run.finish();
        auto const& found = run.problems();
        CHECK(read + found.count(problem::missed) == published);
        CHECK(counted + found.count(problem::unparsable) + found.count(problem::missing_field) +
                  found.count(problem::wrong_type) + found.count(problem::not_finite) +
                  found.count(problem::bad_time) + found.count(problem::far_ahead) +
                  found.count(problem::late) ==
              read);
        CHECK(counted > 0);
        for (std::size_t i = 0; i < problem_count; ++i)
            seen[i] += found.count(static_cast<problem>(i));
        CHECK(hub.find("problems")->last_offset() > 0);
    }
    // It was hostile in every way that a payload can be.
    for (auto const which :
         {problem::unparsable, problem::missing_field, problem::wrong_type, problem::bad_time,
          problem::far_ahead, problem::far_behind, problem::late, problem::key_too_long,
          problem::key_evicted, problem::missed}) {
        CAPTURE(name_of(which));
        CHECK(seen[static_cast<std::size_t>(which)] > 0);
    }
}
