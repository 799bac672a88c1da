#include <livetape/analytics/alert_board.hpp>
#include <livetape/analytics/combine.hpp>
#include <livetape/analytics/count.hpp>
#include <livetape/analytics/covariance.hpp>
#include <livetape/analytics/mean.hpp>
#include <livetape/analytics/min_max.hpp>
#include <livetape/analytics/ohlc.hpp>
#include <livetape/analytics/pipeline.hpp>
#include <livetape/analytics/sum.hpp>
#include <livetape/analytics/value_text.hpp>
#include <livetape/channel/hub.hpp>

#include "support/random_stream.hpp"
#include "support/still_hub.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

using namespace livetape;
using namespace std::chrono_literals;

namespace {

std::string tick(double time, double price, double volume, std::string_view symbol) {
    std::string text = "{\"ts\":";
    append_value(text, time);
    text += ",\"price\":";
    append_value(text, price);
    text += ",\"volume\":";
    append_value(text, volume);
    text += ",\"symbol\":\"";
    text += symbol;
    text += "\"}";
    return text;
}

struct trade {
    event_time time;
    double price;
    int volume;
    char symbol[4];

    [[nodiscard]] std::string_view name() const { return symbol; }
};

/// Says what it was given, a digit for each.
struct four_digits {
    static double add(double a, double b, double c, double d) {
        return a + 10 * b + 100 * c + 1000 * d;
    }
};

template <class Value>
std::string text_of(Value const& value) {
    std::string text;
    append_value(text, value);
    return text;
}

} // namespace

TEST_CASE("analytics/value_text: numbers are the shortest that give them back, NaN is null") {
    CHECK(text_of(0.1) == "0.1");
    CHECK(text_of(1e300) == "1e+300");
    CHECK(text_of(std::numeric_limits<double>::quiet_NaN()) == "null");
    CHECK(text_of(-std::numeric_limits<double>::infinity()) == "null");
    CHECK(text_of(std::uint64_t{7}) == "7");
    CHECK(text_of(std::tuple{1.5, std::uint64_t{2}, ohlc_bar{1, 2, 0.5, 1.5, 4}}) ==
          R"([1.5,2,{"open":1,"high":2,"low":0.5,"close":1.5,"count":4}])");
    CHECK(text_of(fitted_line{2, -1}) == R"({"slope":2,"intercept":-1})");
    CHECK(text_of(std::vector<std::uint64_t>{1, 2, 3}) == "[1,2,3]");
    CHECK(text_of(quantile_summary{1, 2, 3, 4, std::numeric_limits<double>::quiet_NaN()}) ==
          R"({"min":1,"median":2,"p90":3,"p99":4,"max":null})");

    auto const time_text = [](event_time time) {
        std::string text;
        append_time(text, time);
        return text;
    };
    CHECK(time_text(1500ms) == "1500");
    CHECK(time_text(-1ns) == "-0.000001");
    CHECK(time_text(1'250us) == "1.25");
    CHECK(time_text(0ns) == "0");
}

TEST_CASE("analytics/pipeline: ticks become bars, keyed like the ticks") {
    still_hub hub;
    auto& ticks = hub.open("ticks");
    auto& bars = hub.open("bars");
    auto run = from(ticks)
                   .json()
                   .time("ts")
                   .number("price")
                   .number("volume")
                   .key("symbol")
                   .window(tumbling{1s})
                   .apply<ohlcv>()
                   .to(bars);
    ticks.publish(tick(1.25, 10, 1, "A"));
    ticks.publish(tick(1.5, 20, 3, "B"));
    ticks.publish(R"({"symbol":"A","volume":"3","price":"14","ts":"1.75","side":"b"})");
    CHECK(run.run() == 3);
    CHECK(bars.last_offset() == 0);
    // A tick of one symbol closes the windows of all.
    ticks.publish(tick(2.0, 30, 1, "B"));
    CHECK(run.run() == 1);
    CHECK(run.run() == 0);
    CHECK(lines_of(bars) ==
          std::vector<std::string>{
              R"(B: {"key":"B","begin":1000,"end":2000,"value":{"open":20,"high":20,"low":20,)"
              R"("close":20,"count":1,"volume":3,"vwap":20}})",
              R"(A: {"key":"A","begin":1000,"end":2000,"value":{"open":10,"high":14,"low":10,)"
              R"("close":14,"count":2,"volume":4,"vwap":13}})"});
}

TEST_CASE("analytics/pipeline: many operators read one parsed payload") {
    still_hub hub;
    auto& ticks = hub.open("ticks");
    auto& bars = hub.open("bars");
    auto& averages = hub.open("averages");
    auto& relations = hub.open("relations");
    auto run = from(ticks)
                   .json()
                   .time("ms", 1e-3)
                   .number("price")
                   .number("volume")
                   .window(tumbling{1s})
                   .apply<combine<livetape::max, count>>()
                   .to(bars)
                   .window(sliding{2s})
                   .apply<mean>()
                   .to(averages)
                   .window(sessions{5s})
                   .apply<covariance>()
                   .to(relations);
    for (int i = 0; i < 4; ++i)
        ticks.publish(R"({"ms":)" + std::to_string(i * 1000) + R"(,"price":)" + std::to_string(i) +
                      R"(,"volume":)" + std::to_string(2 * i) + "}");
    run.run();
    run.finish();
    CHECK(lines_of(bars).size() == 4);
    CHECK(lines_of(bars).back() == R"(: {"begin":3000,"end":4000,"value":[3,1]})");
    CHECK(lines_of(averages).back() == R"(: {"begin":1000,"end":3000,"value":2.5})");
    CHECK(lines_of(averages).size() == 4);
    REQUIRE(lines_of(relations).size() == 1);
    CHECK(lines_of(relations).back().starts_with(R"(: {"begin":0,"end":3000,"value":3.33333)"));
}

TEST_CASE("analytics/pipeline: a replayed day gives what living through it gave") {
    random_stream random{17};
    std::vector<std::string> day;
    double now = 1.7e9;
    for (int i = 0; i < 5000; ++i) {
        now += random.unit() * (random.below(100) == 0 ? 600 : 20);
        auto const symbol = std::string(1, static_cast<char>('A' + random.below(8)));
        // Some are late, some are broken.
        double const time = now - (random.below(10) == 0 ? random.between(0, 90) : 0);
        if (random.below(200) == 0) day.push_back("{broken");
        else day.push_back(tick(time, random.between(90, 110), 1, symbol));
    }
    window_options const options{.watermark_delay = 10s, .allowed_lateness = 1min};
    auto const describe = [&](channel& source, hub& into) {
        return from(source)
            .json()
            .time("ts")
            .number("price")
            .number("volume")
            .key("symbol", {.keys_max = 6})
            .window(tumbling{1min, options})
            .apply<ohlcv>()
            .to(into.open("bars"))
            .window(hopping{5min, 1min, options})
            .apply<mean>()
            .to(into.open("averages"))
            .window(sessions{30s, {.watermark_delay = 10s, .allowed_lateness = 1min}})
            .apply<count>()
            .to(into.open("visits"))
            .report(into.open("problems"));
    };

    still_hub lived;
    auto& live_ticks = lived.open("ticks");
    auto living = describe(live_ticks, lived);
    for (auto const& payload : day) {
        live_ticks.publish(payload);
        // The host comes by at odd moments, and reads little or much.
        if (random.below(3) == 0) living.run(1 + random.below(5));
        if (random.below(50) == 0) living.tick();
    }
    while (living.run(7) > 0) {
    }
    living.finish();

    still_hub replayed;
    auto& replayed_ticks = replayed.open("ticks");
    auto replay = describe(replayed_ticks, replayed);
    for (auto const& payload : day) replayed_ticks.publish(payload);
    replay.run(day.size());
    replay.finish();

    CHECK(lines_of(*lived.find("bars")).size() > 500);
    CHECK(lines_of(*lived.find("bars")) == lines_of(*replayed.find("bars")));
    CHECK(lines_of(*lived.find("averages")) == lines_of(*replayed.find("averages")));
    CHECK(lines_of(*lived.find("visits")) == lines_of(*replayed.find("visits")));
    for (auto const which : {problem::unparsable, problem::late, problem::key_evicted}) {
        CHECK(living.problems().count(which) > 0);
        CHECK(living.problems().count(which) == replay.problems().count(which));
    }
}

TEST_CASE("analytics/pipeline: open windows are published when asked for, marked as provisional") {
    still_hub hub;
    auto& ticks = hub.open("ticks");
    auto& updates = hub.open("updates");
    auto& timed = hub.open("timed");
    auto run = from(ticks)
                   .json()
                   .time("ts")
                   .number("price")
                   .key("symbol")
                   .window(tumbling{1s, {.allowed_lateness = 1s}})
                   .apply<mean>()
                   .to(updates, emission::on_update)
                   .window(tumbling{1s})
                   .apply<mean>()
                   .to(timed, emission::on_tick);
    ticks.publish(tick(0.25, 1, 0, "A"));
    ticks.publish(tick(0.5, 3, 0, "A"));
    run.run();
    CHECK(lines_of(timed).empty());
    run.tick();
    run.tick();
    CHECK(lines_of(timed) ==
          std::vector<std::string>{
              R"(A: {"key":"A","begin":0,"end":1000,"value":2,"provisional":true})"});
    ticks.publish(tick(1.5, 9, 0, "A"));
    ticks.publish(tick(0.75, 5, 0, "A"));
    run.run();
    CHECK(lines_of(updates) ==
          std::vector<std::string>{
              R"(A: {"key":"A","begin":0,"end":1000,"value":1,"provisional":true})",
              R"(A: {"key":"A","begin":0,"end":1000,"value":2,"provisional":true})",
              R"(A: {"key":"A","begin":0,"end":1000,"value":2})",
              R"(A: {"key":"A","begin":1000,"end":2000,"value":9,"provisional":true})",
              R"(A: {"key":"A","begin":0,"end":1000,"value":3,"late":1,"correction":true})",
              R"(A: {"key":"A","begin":1000,"end":2000,"value":9,"provisional":true})"});
    CHECK(run.problems().count(problem::late) == 1);
}

TEST_CASE("analytics/pipeline: windows close when the host says that time has passed") {
    still_hub hub;
    auto& bars = hub.open("bars");
    auto& visits = hub.open("visits");
    auto run = from(hub.open("ticks"))
                   .json()
                   .time("ts")
                   .number("price")
                   .key("symbol")
                   .window(tumbling{1s})
                   .apply<mean>()
                   .to(bars)
                   .window(sessions{2s})
                   .apply<count>()
                   .to(visits)
                   .window(sliding{1s})
                   .apply<mean>()
                   .to(hub.open("averages"));
    hub.publish("ticks", tick(0.5, 4, 0, "A"));
    run.run();
    run.advance(999ms);
    CHECK(lines_of(bars).empty());
    run.advance(1s);
    CHECK(lines_of(bars) ==
          std::vector<std::string>{R"(A: {"key":"A","begin":0,"end":1000,"value":4})"});
    run.advance(500ms); // time does not go back
    CHECK(lines_of(visits).empty());
    run.advance(4s);
    CHECK(lines_of(visits) ==
          std::vector<std::string>{R"(A: {"key":"A","begin":500,"end":500,"value":1})"});
    CHECK(bars.last_offset() == 1);

    hub.publish("ticks", tick(0.75, 8, 0, "A"));
    run.run();
    CHECK(run.problems().count(problem::late) == 2);
}

TEST_CASE("analytics/pipeline: late events correct the sessions of their key") {
    still_hub hub;
    auto& visits = hub.open("visits");
    auto run = from(hub.open("ticks"))
                   .json()
                   .time("ts")
                   .number("price")
                   .key("symbol")
                   .window(sessions{2s, {.allowed_lateness = 10s}})
                   .apply<sum>()
                   .to(visits);
    for (auto const& [time, key] : {std::pair{1, "A"},
                                    {2, "B"},
                                    {4, "A"},
                                    {8, "A"},
                                    {3, "A"},
                                    {5, "A"},
                                    {14, "B"},
                                    {1, "A"},
                                    {2, "A"}})
        hub.publish("ticks", tick(time, time, 0, key));
    run.run();
    run.finish();
    CHECK(lines_of(visits) ==
          std::vector<std::string>{
              R"(A: {"key":"A","begin":1000,"end":1000,"value":1})",
              R"(B: {"key":"B","begin":2000,"end":2000,"value":2})",
              R"(A: {"key":"A","begin":4000,"end":4000,"value":4})",
              // The events at 3 s and 5 s: within, and after, sessions that were published apart.
              R"(A: {"key":"A","begin":3000,"end":4000,"value":7,"late":1,"correction":true})",
              R"(A: {"key":"A","begin":3000,"end":5000,"value":12,"late":2,"correction":true})",
              R"(A: {"key":"A","begin":8000,"end":8000,"value":8})",
              // At 14 s the one at 1 s is late for good, and that at 2 s is not.
              R"(A: {"key":"A","begin":2000,"end":5000,"value":14,"late":3,"correction":true})",
              R"(B: {"key":"B","begin":14000,"end":14000,"value":14})"});
    CHECK(run.problems().count(problem::late) == 1);
}

TEST_CASE("analytics/pipeline: bad input is counted and reported with an example, never thrown") {
    still_hub hub;
    auto& ticks = hub.open("ticks");
    auto& problems = hub.open("problems");
    auto run = from(ticks)
                   .json()
                   .time("ts")
                   .number("price")
                   .key("symbol", {.keys_max = 2})
                   .window(tumbling{1s})
                   .apply<mean>()
                   .to(hub.open("means", {.payload_bytes_max = 60}))
                   .report(problems);
    for (auto const* bad : {"", "{", "[1,2]", "\xff\xfe", R"({"ts":1,"price":1,"symbol":"A")"})
        ticks.publish(bad);
    ticks.publish(R"({"ts":1,"symbol":"A"})");
    ticks.publish(R"({"price":1,"symbol":"A"})");
    ticks.publish(R"({"ts":1,"price":1})");
    ticks.publish(R"({"ts":1,"price":[1],"symbol":"A"})");
    ticks.publish(R"({"ts":1,"price":"1x","symbol":"A"})");
    ticks.publish(R"({"ts":1,"price":1,"symbol":{}})");
    ticks.publish(R"({"ts":1e30,"price":1,"symbol":"A"})");
    run.run();
    CHECK(run.problems().count(problem::unparsable) == 5);
    CHECK(run.problems().count(problem::missing_field) == 3);
    CHECK(run.problems().count(problem::wrong_type) == 3);
    CHECK(run.problems().count(problem::bad_time) == 1);
    CHECK(lines_of(problems) ==
          std::vector<std::string>{
              R"(unparsable: {"problem":"unparsable","count":5})",
              R"(missing_field: {"problem":"missing_field","count":3,"field":"price",)"
              R"("example":"{\"ts\":1,\"symbol\":\"A\"}"})",
              R"(wrong_type: {"problem":"wrong_type","count":3,"field":"price",)"
              R"("example":"{\"ts\":1,\"price\":[1],\"symbol\":\"A\"}"})",
              R"(bad_time: {"problem":"bad_time","count":1,"field":"ts",)"
              R"("example":"{\"ts\":1e30,\"price\":1,\"symbol\":\"A\"}"})"});

    // Nothing new, nothing said.
    run.run();
    CHECK(lines_of(problems).size() == 4);

    for (auto const* symbol : {"A", "B", "C"}) ticks.publish(tick(5, 1, 0, symbol));
    ticks.publish(tick(9, 1, 0, "C"));
    ticks.publish(tick(5, 1, 0, "C"));
    ticks.publish(tick(20, 1, 0, std::string(50, 'x')));
    ticks.publish(tick(30, 1, 0, "C"));
    ticks.publish("\xff not UTF-8");
    run.run();
    CHECK(run.problems().count(problem::key_evicted) >= 2);
    CHECK(run.problems().count(problem::late) == 1);
    CHECK(run.problems().count(problem::refused) == 1);
    auto const all = lines_of(problems);
    CHECK(all.size() == 8);
    for (auto const& line : all)
        for (char const c : line) CHECK(static_cast<unsigned char>(c) < 0x80);
    // The evicted key's open window came out before it was forgotten.
    CHECK(lines_of(*hub.find("means")).front() ==
          R"(A: {"key":"A","begin":5000,"end":6000,"value":1})");
}

TEST_CASE("analytics/pipeline: of fields with one name the first counts, whoever asks for it") {
    still_hub hub;
    auto& ticks = hub.open("ticks");
    std::vector<std::string> seen;
    // Names of all lengths that are compared in different ways, and one that two ask for.
    auto run = from(ticks)
                   .json()
                   .number("p")
                   .number("price of the last trade")
                   .number("p")
                   .number("lastpric")
                   .key("price of the last trade")
                   .detect(four_digits{})
                   .to([&](std::string_view key, auto const& result) {
                       seen.push_back(std::string{key} + ':' + text_of(result.said));
                   })
                   .report(hub.open("problems"));
    ticks.publish(R"({"q":9,"lastprice":9,"lastpric":4,"p":1,"price of the last trade":2,)"
                  R"("p":8,"lastpric":8,"price of the last trade":8,"price of the last tradE":9})");
    ticks.publish(R"({"price of the last trade":2,"Lastpric":4,"lastpriC":4,"p":1})");
    CHECK(run.run() == 2);
    CHECK(seen == std::vector<std::string>{"2:4121"});
    CHECK(run.problems().count(problem::missing_field) == 1);
    CHECK(lines_of(*hub.find("problems")).front().find(R"("field":"lastpric")") !=
          std::string::npos);
}

TEST_CASE("analytics/pipeline: what left the log before it was read is counted") {
    still_hub hub;
    auto& ticks = hub.open("ticks", {.log_events_max = 10});
    auto run =
        from(ticks).json().number("x").window(tumbling{1s}).apply<count>().to(hub.open("counts"));
    for (int i = 0; i < 5000; ++i) ticks.publish(R"({"x":1})");
    std::uint64_t read = 0;
    while (auto const some = run.run()) read += some;
    CHECK(read > 0);
    CHECK(run.problems().count(problem::missed) == 5000 - read);
}

TEST_CASE("analytics/pipeline: structs need no text, from the host or from a channel") {
    still_hub hub;
    auto const describe = [&](auto source, std::string_view output) {
        return std::move(source)
            .time(&trade::time)
            .number(&trade::price)
            .number([](trade const& each) { return each.volume; })
            .key(&trade::name)
            .window(tumbling{1s})
            .template apply<ohlcv>()
            .to(hub.open(output));
    };
    auto& source = hub.open("trades");
    auto from_host = describe(from<trade>(), "one");
    auto from_channel = describe(from(source).structs<trade>(), "other");
    for (int i = 0; i < 20; ++i) {
        trade const made{i * 300ms, 100.0 + i, i, {'X', static_cast<char>('A' + i % 2), 0, 0}};
        from_host.take(made);
        source.publish({reinterpret_cast<char const*>(&made), sizeof made},
                       {.kind = payload_kind::binary});
    }
    source.publish("short", {.kind = payload_kind::binary});
    from_channel.run();
    from_host.take({event_time::max(), 1, 1, "XA"});
    CHECK(from_host.problems().count(problem::bad_time) == 1);
    CHECK(from_channel.problems().count(problem::unparsable) == 1);
    CHECK(lines_of(*hub.find("one")).size() >= 8);
    CHECK(lines_of(*hub.find("one")) == lines_of(*hub.find("other")));
    CHECK(lines_of(*hub.find("one")).front().starts_with(R"(XA: {"key":"XA","begin":0)"));
}

TEST_CASE("analytics/alert_board: alerts fire, are acknowledged and resolve, each change once") {
    still_hub hub;
    auto& alerts = hub.open("alerts");
    alert_board board{alerts, 2};
    CHECK(board.raise("disk", severity::warning, "disk is \"full\"", 1s));
    CHECK(!board.raise("disk", severity::warning, "disk is \"full\"", 2s));
    CHECK(board.acknowledge("disk", "anna", 3s));
    CHECK(!board.acknowledge("disk", "bert", 3s));
    CHECK(!board.acknowledge("cpu", "anna", 3s));
    CHECK(board.raise("disk", severity::critical, "disk is \"full\"", 4s));
    CHECK(board.raise("cpu", severity::notice, "busy", 5s));
    CHECK(!board.raise("net", severity::notice, "slow", 5s));
    CHECK(board.refused() == 1);
    CHECK(board.resolve("disk", 6s));
    CHECK(!board.resolve("disk", 6s));
    CHECK(board.is_firing("cpu"));
    CHECK(board.firing_count() == 1);
    CHECK(board.raise("disk", severity::warning, "again", 7s));
    CHECK(lines_of(alerts) ==
          std::vector<std::string>{
              R"(disk: {"id":"disk","severity":"warning","state":"firing","since":1000,)"
              R"("time":1000,"text":"disk is \"full\""})",
              R"(disk: {"id":"disk","severity":"warning","state":"firing","since":1000,)"
              R"("time":3000,"text":"disk is \"full\"","acknowledged_by":"anna"})",
              R"(disk: {"id":"disk","severity":"critical","state":"firing","since":1000,)"
              R"("time":4000,"text":"disk is \"full\""})",
              R"(cpu: {"id":"cpu","severity":"notice","state":"firing","since":5000,)"
              R"("time":5000,"text":"busy"})",
              R"(disk: {"id":"disk","severity":"critical","state":"resolved","since":1000,)"
              R"("time":6000,"text":"disk is \"full\""})",
              R"(disk: {"id":"disk","severity":"warning","state":"firing","since":7000,)"
              R"("time":7000,"text":"again"})"});
}
