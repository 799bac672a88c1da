// What a host does with pipelines: whom it believes the time, how it runs many, and how its clients
// acknowledge alerts.

#include <livetape/analytics/acknowledgements.hpp>
#include <livetape/analytics/any_pipeline.hpp>
#include <livetape/analytics/combine.hpp>
#include <livetape/analytics/count.hpp>
#include <livetape/analytics/json_object.hpp>
#include <livetape/analytics/mean.hpp>
#include <livetape/analytics/ohlc.hpp>
#include <livetape/analytics/pipeline.hpp>
#include <livetape/analytics/sum.hpp>

#include "support/random_stream.hpp"
#include "support/still_hub.hpp"

#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace livetape;
using namespace std::chrono_literals;

namespace {

using lines = std::vector<std::string>;

struct reading {
    event_time time;
    double value = 1;
    std::string_view sensor = "A";
};

/// The times that get through, in seconds.
auto times_into(std::vector<std::int64_t>& into, time_guard_options const& guard = {}) {
    return from<reading>()
        .time(&reading::time, guard)
        .number(&reading::value)
        .key(&reading::sensor)
        .to([&into](std::string_view, detection<nothing_said> const& seen) {
            into.push_back(seen.time / 1s);
        });
}

std::string tick(double time, double value) {
    return std::string{json_object{}.number("t", time).number("x", value).finish()};
}

/// `live_hooks` as far as it matters here.
struct hooks_like {
    std::function<bool(std::string_view, std::string_view)> publish;
};

/// The digits of a decimal that matter: of "0.0120" and "1.2e-2", "12".
std::string digits_of(std::string_view decimal) {
    std::string digits;
    for (char const c : decimal.substr(0, decimal.find('e')))
        if (c >= '0' && c <= '9' && (c != '0' || !digits.empty())) digits += c;
    digits.erase(digits.find_last_not_of('0') + 1);
    return digits;
}

/// Whether a number is written such that it is read back, in digits that are as few as can be.
bool is_written_well(double value) {
    std::string written;
    append_value(written, value);
    std::array<char, 32> shortest;
    auto const end = std::to_chars(shortest.data(), shortest.data() + shortest.size(), value).ptr;
    return std::bit_cast<std::uint64_t>(std::strtod(written.c_str(), nullptr)) ==
               std::bit_cast<std::uint64_t>(value) &&
           digits_of(written) == digits_of({shortest.data(), end});
}

} // namespace

TEST_CASE(
    "analytics/time_guard: one event far ahead is dropped and reported, the next are in time") {
    still_hub hub;
    auto& ticks = hub.open("ticks");
    auto& sums = hub.open("sums");
    auto& problems = hub.open("problems");
    auto run = from(ticks)
                   .json()
                   .time("t")
                   .number("x")
                   .window(tumbling{10s})
                   .apply<sum>()
                   .to(sums)
                   .report(problems);
    ticks.publish(tick(1, 1));
    ticks.publish(tick(1e6, 100)); // eleven days on
    ticks.publish(tick(2, 2));
    ticks.publish(tick(9, 4));
    ticks.publish(tick(10, 8));
    run.run();
    CHECK(lines_of(sums) == lines{R"(: {"begin":0,"end":10000,"value":7})"});
    CHECK(run.problems().count(problem::late) == 0);
    CHECK(run.problems().count(problem::far_ahead) == 1);
    CHECK(lines_of(problems) == lines{R"(far_ahead: {"problem":"far_ahead","count":1,)"
                                      R"("example":"{\"t\":1000000,\"x\":100}"})"});
}

TEST_CASE("analytics/time_guard: a stream that has really jumped loses nothing") {
    std::vector<std::int64_t> seen;
    auto run = times_into(seen);
    run.take({0s});
    for (int i = 0; i < 4; ++i) run.take({100'000s + i * 1s});
    CHECK(seen == std::vector<std::int64_t>{0});
    run.take({100'004s});
    run.take({100'005s});
    CHECK(seen ==
          std::vector<std::int64_t>{0, 100'000, 100'001, 100'002, 100'003, 100'004, 100'005});
    CHECK(run.problems().count(problem::far_ahead) == 0);

    // Fewer than five at the end of the stream are believed, too.
    run.take({300'000s});
    run.take({300'001s});
    run.finish();
    CHECK(seen.back() == 300'001);
}

TEST_CASE(
    "analytics/time_guard: the host's time makes what waits believable, and no more than that") {
    std::vector<std::int64_t> seen;
    auto run = times_into(seen);
    run.take({0s});
    run.take({10'000s});
    run.take({900'000s});
    run.advance(9'000s); // the first of them is less than an hour ahead of that
    CHECK(seen == std::vector<std::int64_t>{0, 10'000});
    run.take({10'001s});
    CHECK(seen.back() == 10'001);
    CHECK(run.problems().count(problem::far_ahead) == 1);
    run.advance(event_time::max());
    run.take({10'002s});
    CHECK(seen.back() == 10'002);
}

TEST_CASE(
    "analytics/time_guard: those that wait must agree, and one wrong clock of many does not win") {
    std::vector<std::int64_t> seen;
    auto run = times_into(seen, {.jump_max = 1h, .believed_after = 3});
    run.take({0s});
    // Each is far before those that wait: one of them is wrong.
    run.take({900'000s});
    run.take({800'000s});
    run.take({700'000s});
    CHECK(run.problems().count(problem::far_ahead) == 2);
    run.take({1s});
    CHECK(run.problems().count(problem::far_ahead) == 3);
    for (int i = 2; i < 100; ++i) {
        run.take({i * 1s});
        run.take({500'000s + i * 1s, 1, "wrong"});
        run.take({500'000s + i * 1s, 1, "wrong"});
    }
    CHECK(seen.size() == 100);
    CHECK(seen.back() == 99);
    run.take({100s});
    CHECK(run.problems().count(problem::far_ahead) == 3 + 2 * 98);
    CHECK(run.problems().count(problem::late) == 0);
}

TEST_CASE("analytics/time_guard: a jump is measured by the stream's own pace") {
    // Daily values are learnt to be such; a year is still far ahead of them.
    std::vector<std::int64_t> seen;
    auto run = times_into(seen);
    for (int day = 0; day < 30; ++day) run.take({day * 24h});
    CHECK(seen.size() == 30);
    run.take({8'760h});
    run.take({30 * 24h});
    CHECK(seen.size() == 31);
    CHECK(run.problems().count(problem::far_ahead) == 1);

    // A weekend among seconds is forgotten again.
    std::vector<std::int64_t> quick;
    auto seconds = times_into(quick);
    event_time now{0};
    for (int i = 0; i < 2000; ++i) {
        now += i == 1000 ? 48h : 1s;
        seconds.take({now});
    }
    CHECK(quick.size() == 2000);
    seconds.take({now + 2h});
    seconds.take({now + 1s});
    CHECK(quick.size() == 2001);
}

TEST_CASE("analytics/time_guard: limits at, below and above, and none at all") {
    for (auto const jump : {3'600s, 3'601s}) {
        std::vector<std::int64_t> seen;
        auto run = times_into(seen);
        run.take({0s});
        run.take({jump});
        CHECK(seen.size() == (jump == 3'600s ? 2 : 1));
    }
    std::vector<std::int64_t> seen;
    auto all = times_into(seen, {.jump_max = 0s});
    for (auto const time : {0s, 900'000s, 1s, -900'000s}) all.take({time});
    CHECK(seen == std::vector<std::int64_t>{0, 900'000, 1, -900'000});
    CHECK(all.problems().count(problem::far_behind) == 0);
    // The widest steps that there can be.
    std::vector<std::int64_t> extremes;
    auto run = times_into(extremes, {.jump_max = event_time_limit / 4, .believed_after = 1});
    for (auto const time : {-event_time_limit, event_time_limit, 0ns, event_time_limit})
        run.take({time});
    CHECK(extremes.size() == 4);
}

TEST_CASE("analytics/time_guard: jumps back are reported, and operators decide what is too late") {
    still_hub hub;
    std::vector<std::int64_t> seen;
    auto run = from<reading>()
                   .time(&reading::time)
                   .number(&reading::value)
                   .key(&reading::sensor)
                   .window(tumbling{1s})
                   .apply<count>()
                   .to([](auto const&) {})
                   .to([&](detection<nothing_said> const& each) { seen.push_back(each.time / 1s); })
                   .report(hub.open("problems"));
    run.take({1'000'000s});
    run.take({3s}); // the first one was wrong, but who knows
    run.take({4s});
    CHECK(seen.size() == 3);
    CHECK(run.problems().count(problem::far_behind) == 2);
    CHECK(run.problems().count(problem::late) == 2);
    run.tick();
    CHECK(lines_of(*hub.find("problems")) ==
          lines{R"(far_behind: {"problem":"far_behind","count":2,)"
                R"("example":"{\"key\":\"A\",\"time\":3000}"})",
                R"(late: {"problem":"late","count":2,)"
                R"("example":"{\"key\":\"A\",\"time\":3000}"})"});
}

TEST_CASE("analytics/time_guard: times that nobody named are believed") {
    std::vector<std::int64_t> seen;
    auto run = from<reading>().number(&reading::value).to([&](detection<nothing_said> const& each) {
        seen.push_back(each.time / 1s);
    });
    for (auto const time : {0s, 900'000s, 1s}) run.take({{}, 1}, time);
    CHECK(seen == std::vector<std::int64_t>{0, 900'000, 1});
}

TEST_CASE("analytics/pipeline: nothing that is left out is left out in silence") {
    still_hub hub;
    auto& ticks = hub.open("ticks");
    auto run = from(ticks)
                   .json()
                   .time("t")
                   .number("x")
                   .key("key", {.key_bytes_max = 4})
                   .window(tumbling{1s, {.watermark_delay = 1h, .panes_max = 2}})
                   .apply<mean>()
                   .to(hub.open("means"))
                   .window(sliding{1h, {.entries_max = 2}})
                   .apply<mean>()
                   .to(hub.open("averages"))
                   .report(hub.open("problems", {.payload_bytes_max = 60}));
    ticks.publish(R"({"t":1,"x":"nan","key":"A"})");
    ticks.publish(R"({"t":2,"x":"-inf","key":"A"})");
    ticks.publish(R"({"t":3,"x":1,"key":"ABCDE"})");
    for (int i = 4; i < 8; ++i)
        ticks.publish(R"({"t":)" + std::to_string(i) + R"(,"x":1,"key":"ABCDF"})");
    run.run();
    run.finish();
    CHECK(run.problems().count(problem::not_finite) == 2);
    CHECK(run.problems().count(problem::key_too_long) == 5);
    CHECK(run.problems().count(problem::crowded) == 3 + 3);
    // What is published has the key that it was counted under.
    for (auto const* name : {"means", "averages"})
        for (auto const& each : lines_of(*hub.find(name)))
            CHECK((each.starts_with(R"(A: {"key":"A")") ||
                   each.starts_with(R"(ABCD: {"key":"ABCD")")));
    // A channel that takes no more than a count gets the count.
    CHECK(lines_of(*hub.find("problems")) ==
          lines{R"(not_finite: {"problem":"not_finite","count":2})",
                R"(key_too_long: {"problem":"key_too_long","count":5})",
                R"(crowded: {"problem":"crowded","count":6})"});
}

TEST_CASE("analytics/pipeline: finite numbers that an operator cannot take are reported too") {
    still_hub hub;
    auto& ticks = hub.open("ticks");
    auto const ignore = [](auto const&) {};
    auto run = from(ticks)
                   .json()
                   .time("t")
                   .number("price")
                   .number("volume")
                   .window(tumbling{1s})
                   .apply<vwap>()
                   .to(ignore)
                   .window(sessions{1s})
                   .apply<combine<mean, ohlcv>>()
                   .to(ignore)
                   .window(sliding{1s})
                   .apply<vwap>()
                   .to(ignore)
                   .window(running{})
                   .apply<vwap>()
                   .to(ignore)
                   .window(tumbling{1s})
                   .apply<mean>()
                   .to(ignore)
                   .report(hub.open("problems"));
    ticks.publish(R"({"t":1,"price":10,"volume":1})");
    ticks.publish(R"({"t":1,"price":10,"volume":-1})");
    run.run();
    // Once for each operator that takes volumes.
    CHECK(run.problems().count(problem::not_finite) == 4);
    CHECK(lines_of(*hub.find("problems")) ==
          lines{R"(not_finite: {"problem":"not_finite","count":4,)"
                R"("example":"{\"key\":\"\",\"time\":1000}"})"});
    // What the stream has reported already is not reported by each of them.
    ticks.publish(R"({"t":1,"price":10,"volume":"nan"})");
    run.run();
    CHECK(run.problems().count(problem::not_finite) == 5);
}

TEST_CASE("analytics/pipelines: pipelines of different types run, feed each other and stop") {
    still_hub hub;
    auto& ticks = hub.open("ticks");
    auto& sums = hub.open("sums");
    auto& counts = hub.open("counts");
    pipelines all;
    auto const summing = all.add(
        from(ticks).json().time("t").number("x").window(tumbling{10s}).apply<sum>().to(sums));
    auto const counting = all.add(from(sums)
                                      .json()
                                      .time("end", 1e-3)
                                      .number("value")
                                      .window(running{})
                                      .apply<count>()
                                      .to(counts, emission::on_tick));
    CHECK(all.size() == 2);
    ticks.publish(tick(1, 4));
    ticks.publish("?");
    CHECK(all.run_at(9s) == 2);
    CHECK(all.count(problem::unparsable) == 1);
    CHECK(all.find(summing)->problems().count(problem::unparsable) == 1);
    CHECK(lines_of(sums).empty());
    all.run_at(10s);
    CHECK(lines_of(sums).size() == 1);
    all.run_at(11s); // the second reads what the first has published
    CHECK(lines_of(counts).size() == 1);

    ticks.publish(tick(12, 5));
    all.run(1);
    CHECK(all.stop(summing));
    CHECK(!all.stop(summing));
    CHECK(all.find(summing) == nullptr);
    CHECK(lines_of(sums).size() == 2);
    all.stop();
    CHECK(all.size() == 0);
    CHECK(!all.stop(counting));
    CHECK(lines_of(counts).back() == R"(: {"begin":10000,"end":20000,"value":2})");
    CHECK(all.run() == 0);
}

TEST_CASE("analytics/pipelines: none starves the others, and a turn has an end") {
    still_hub hub;
    auto& busy = hub.open("busy");
    auto& calm = hub.open("calm");
    std::uint64_t busy_seen = 0;
    std::uint64_t calm_seen = 0;
    pipelines all;
    all.add(from(busy).json().number("x").to([&](auto const&) { ++busy_seen; }));
    all.add(from(calm).json().number("x").to([&](auto const&) { ++calm_seen; }));
    for (int i = 0; i < 5000; ++i) busy.publish(R"({"x":1})");
    calm.publish(R"({"x":1})");
    CHECK(all.run(1500) == 1500);
    CHECK(calm_seen == 1);
    CHECK(all.run() == 3501);
    CHECK(busy_seen == 5000);

    std::vector<any_pipeline> several;
    several.emplace_back(from(calm).json().number("x").to(hub.open("copy")));
    several.emplace_back(
        from(busy).json().number("x").window(tumbling{1s}).apply<mean>().to(hub.open("means")));
    for (auto& each : several) {
        while (each.run() > 0) {
        }
        each.finish();
    }
    CHECK(lines_of(*hub.find("copy")).size() == 1);
    CHECK(lines_of(*hub.find("means")).size() == 1);
}

TEST_CASE("analytics/acknowledgements: clients acknowledge alerts, and nothing else") {
    still_hub hub;
    alert_board board{hub.open("alerts")};
    hooks_like hooks{[](std::string_view identity, std::string_view channel) {
        return identity == "host" && channel == "ticks";
    }};
    acknowledgements acknowledged{board, hub.open("acknowledgements"), hooks};
    acknowledged.report(hub.open("problems"));
    CHECK(hooks.publish("anybody", "acknowledgements"));
    CHECK(hooks.publish("host", "ticks"));
    CHECK(!hooks.publish("anybody", "ticks"));
    CHECK(!hooks.publish("host", "alerts"));
    hooks_like closed;
    acknowledgements others{board, hub.open("others"), closed};
    CHECK(closed.publish("", "others"));
    CHECK(!closed.publish("", "acknowledgements"));

    board.raise("disk", severity::critical, "full", 1s);
    auto& said = hub.open("acknowledgements");
    said.publish(R"({"id":"disk","who":"anna"})");
    CHECK(acknowledged.run() == 1);
    CHECK(lines_of(*hub.find("alerts")).back() ==
          R"(disk: {"id":"disk","severity":"critical","state":"firing","since":1000,"time":1000,)"
          R"("text":"full","acknowledged_by":"anna"})");
    said.publish(R"({"id":"disk","who":"bert"})");
    said.publish(R"({"id":"cpu","who":"bert"})");
    for (auto const* bad : {"", "?", R"({"id":"disk"})", R"({"id":1,"who":"x"})", "[]"})
        said.publish(bad);
    acknowledged.run();
    CHECK(lines_of(*hub.find("alerts")).size() == 2);
    CHECK(acknowledged.problems().count(problem::unparsable) == 3);
    CHECK(acknowledged.problems().count(problem::missing_field) == 1);
    CHECK(acknowledged.problems().count(problem::wrong_type) == 1);
    CHECK(lines_of(*hub.find("problems")).size() == 3);

    // As one of the pipelines of a host it gets the time by that.
    board.raise("cpu", severity::notice, "busy", 2s);
    said.publish(R"({"id":"cpu","who":"bert"})");
    pipelines all;
    acknowledged.advance(5s);
    all.add(std::move(acknowledged));
    all.run();
    CHECK(lines_of(*hub.find("alerts"))
              .back()
              .ends_with(R"("time":5000,"text":"busy","acknowledged_by":"bert"})"));
}

TEST_CASE("analytics/alert_board: an alert that its channel does not take is counted") {
    still_hub hub;
    alert_board board{hub.open("alerts", {.payload_bytes_max = 120})};
    board.raise("disk", severity::critical, std::string(200, 'x'), 1s);
    CHECK(board.refused() == 1);
    CHECK(hub.find("alerts")->last_offset() == 0);
}

TEST_CASE("analytics/json_object: members in order, escaped, and null for what JSON cannot say") {
    json_object object;
    CHECK(json_object{}.finish() == "{}");
    object.text("a \"name\"", "a\n\"text\"").number("n", 0.1).rounded("r", 2.345, 1);
    object.significant("s", 1234.56789, 6).time("t", 1500us).boolean("b", false);
    object.value("v", std::vector<double>{1, 2.5}).value("c", std::uint64_t{7});
    CHECK(object.copy() ==
          R"({"a \"name\"":"a\n\"text\"","n":0.1,"r":2.3,"s":1234.57,"t":1.5,"b":false,)"
          R"("v":[1,2.5],"c":7})");
    CHECK(object.clear().text("x", "y").finish() == R"({"x":"y"})");
    double const nan = std::nan("");
    double const infinity = std::numeric_limits<double>::infinity();
    CHECK(json_object{}
              .number("a", nan)
              .rounded("b", nan, 2)
              .significant("c", -infinity, 9)
              .finish() == R"({"a":null,"b":null,"c":null})");
    // The longest that there are.
    auto const longest =
        std::string{json_object{}.rounded("x", -std::numeric_limits<double>::max(), 20).finish()};
    CHECK(longest.size() == std::string{R"({"x":-.})"}.size() + 309 + 20);
}

TEST_CASE("analytics/json_object: is the same whatever is long and whatever is short in it") {
    // Around the sizes at which pieces are gathered, escaped or not, and lists between them.
    std::string expected = "{";
    json_object object;
    for (std::size_t size = 0; size < 200; ++size) {
        auto const name = std::string(size % 40, 'n') + std::to_string(size);
        auto const text = std::string(size, 't');
        bool const is_escaped = size % 7 == 3;
        if (size > 0) expected += ',';
        expected += '"' + name + "\":\"" + text + (is_escaped ? "\\n\"" : "\"");
        object.text(name, is_escaped ? text + "\n" : text);
        if (size % 5 == 0) {
            object.number("d", 0.5).value("v", std::vector<double>{1, 2}).time("t", 1ms);
            object.boolean("b", true).value("x", 1.25);
            expected += R"(,"d":0.5,"v":[1,2],"t":1,"b":true,"x":1.25)";
        }
        REQUIRE(object.copy() == expected + '}');
    }
    auto const copied = object;
    CHECK(object.finish() == expected + '}');
    CHECK(object.clear().finish() == "{}");
    CHECK(copied.copy() == expected + '}');
}

TEST_CASE("analytics/value_text: numbers are read back exactly, in the fewest digits") {
    auto const text_of = [](double value) {
        std::string text;
        append_value(text, value);
        return text;
    };
    CHECK(text_of(0) == "0");
    CHECK(text_of(-0.0) == "-0");
    CHECK(text_of(100'000) == "100000");
    CHECK(text_of(-123456789012.5) == "-123456789012.5");
    CHECK(text_of(999'999'999'999'999) == "999999999999999");
    CHECK(text_of(1e15) == "1e+15");
    CHECK(text_of(99'999'999'999.9999) == "99999999999.9999");
    CHECK(text_of(0.0001) == "0.0001");
    CHECK(text_of(0.30) == "0.3");
    CHECK(text_of(0.1 + 0.2) == "0.30000000000000004");
    using limits = std::numeric_limits<double>;
    CHECK(text_of(limits::quiet_NaN()) == "null");
    CHECK(text_of(-limits::infinity()) == "null");
    for (double const value :
         {limits::max(), -limits::max(), limits::min(), limits::denorm_min(), -limits::denorm_min(),
          limits::epsilon(), 1e15, 1e11, 0.00005, 0.0001})
        for (double const near : {value, std::nextafter(value, 0.0), std::nextafter(value, 1e300)})
            CHECK_MESSAGE(is_written_well(near), near);

    constexpr std::uint64_t seed = 20;
    CAPTURE(seed);
    random_stream random{seed};
    for (int i = 0; i < 100'000; ++i) {
        double const sign = random.below(2) == 0 ? 1 : -1;
        auto const whole = static_cast<double>(random.below(std::uint64_t{1} << (1 + i % 52)));
        auto const scale = std::pow(10.0, static_cast<double>(random.below(7)));
        double const any = std::bit_cast<double>(random.bits());
        CHECK_MESSAGE(is_written_well(sign * whole), whole);
        double const decimal = sign * whole / scale;
        CHECK_MESSAGE(is_written_well(decimal), decimal);
        if (std::isfinite(any)) CHECK_MESSAGE(is_written_well(any), any);
    }
}
