// The branches of a pipeline that are no windows per key: detectors and their alerts, joins, the
// whole stream; and functions as outputs.

#include <livetape/analytics/change_point.hpp>
#include <livetape/analytics/covariance.hpp>
#include <livetape/analytics/detector_ensemble.hpp>
#include <livetape/analytics/half_space_trees.hpp>
#include <livetape/analytics/key_ranking.hpp>
#include <livetape/analytics/logistic_regression.hpp>
#include <livetape/analytics/mean.hpp>
#include <livetape/analytics/min_max.hpp>
#include <livetape/analytics/pipeline.hpp>
#include <livetape/analytics/reservoir_sample.hpp>
#include <livetape/analytics/robust_z_score.hpp>
#include <livetape/analytics/seasonal_baseline.hpp>
#include <livetape/analytics/sum.hpp>

#include "support/random_stream.hpp"
#include "support/still_hub.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <map>
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
    double value;
    std::string_view sensor = "A";
};

/// Readings that the test hands over.
auto readings() {
    return from<reading>().time(&reading::time).number(&reading::value).key(&reading::sensor);
}

std::string json(double time, std::string_view key, std::string_view field, double value) {
    return std::string{
        json_object{}.number("t", time).text("key", key).number(field, value).finish()};
}

auto feed_of(channel& source, std::string_view field) {
    return from(source).json().time("t").number(field).key("key");
}

/// Of the lines of a channel, the payloads alone.
lines payloads_of(channel const& from) {
    auto all = lines_of(from);
    for (auto& each : all) each.erase(0, each.find(": ") + 2);
    return all;
}

} // namespace

TEST_CASE("analytics/pipeline: a threshold per key says when it is crossed, with hysteresis") {
    still_hub hub;
    auto& changes = hub.open("changes");
    auto run = readings().detect(threshold_alarm{{.fire_at = 10, .resolve_at = 5}}).to(changes);
    for (auto const& each : {reading{1s, 4}, {2s, 10}, {2s, 12, "B"}, {3s, 7}, {4s, 5}, {5s, 9}})
        run.take(each);
    CHECK(lines_of(changes) == lines{R"(A: {"key":"A","time":2000,"value":10,"state":"firing"})",
                                     R"(B: {"key":"B","time":2000,"value":12,"state":"firing"})",
                                     R"(A: {"key":"A","time":4000,"value":5,"state":"resolved"})"});
}

TEST_CASE("analytics/pipeline: each detector says what it says alone") {
    random_stream random{3};
    std::vector<reading> stream;
    for (int i = 0; i < 3000; ++i)
        stream.push_back(
            {i * 1min, random.between(0, 10) + (i > 2000 ? 30 : 0) + (i == 1500 ? 500 : 0)});

    std::vector<double> z_scores;
    std::vector<double> residuals;
    std::vector<double> isolations;
    std::vector<anomaly_score> scores;
    std::vector<std::pair<event_time, change_direction>> moves;
    auto const keep = [](auto& into) {
        return [&into](std::string_view key, auto const& found) {
            CHECK(key == "A");
            into.push_back(found.said);
        };
    };
    auto run = readings()
                   .detect(robust_z_score{})
                   .to(keep(z_scores))
                   .detect(seasonal_baseline{})
                   .to(keep(residuals))
                   .detect(half_space_trees{{.dimensions = 1}})
                   .to(keep(isolations))
                   .detect(anomaly_detector{})
                   .to(keep(scores))
                   .detect(page_hinkley{{.delta = 2, .lambda = 100}})
                   .to([&](detection<change_direction> const& found) {
                       moves.emplace_back(found.time, found.said);
                   });
    robust_z_score z_score;
    seasonal_baseline baseline;
    half_space_trees trees{{.dimensions = 1}};
    anomaly_detector detector;
    page_hinkley test{{.delta = 2, .lambda = 100}};
    std::vector<std::pair<event_time, change_direction>> expected_moves;
    for (auto const& each : stream) {
        run.take(each);
        CHECK(z_scores.back() == z_score.add(each.value));
        CHECK(residuals.back() == baseline.add(each.time, each.value));
        CHECK(isolations.back() == trees.add(std::array{each.value}));
        auto const expected = detector.add(each.time, each.value);
        CHECK(scores.back().score == expected.score);
        CHECK(scores.back().onset == expected.onset);
        if (auto const moved = test.add(each.value); moved != change_direction::none)
            expected_moves.emplace_back(each.time, moved);
    }
    CHECK(scores[1500].score > 0.99);
    CHECK(expected_moves.size() >= 1);
    CHECK(moves == expected_moves);
}

TEST_CASE("analytics/detector_ensemble: detectors of any scale have one score from 0 to 1") {
    robust_z_score z_score;
    seasonal_baseline baseline;
    page_hinkley test{{.delta = 2, .lambda = 100}};
    anomaly_ensemble joint{3};
    std::vector<double> scores;
    auto run = readings()
                   .detect(detector_ensemble{robust_z_score{}, seasonal_baseline{},
                                             page_hinkley{{.delta = 2, .lambda = 100}}})
                   .to([&](detection<double> const& found) { scores.push_back(found.said); });
    random_stream random{9};
    int above = 0;
    for (int i = 0; i < 5000; ++i) {
        double const value = random.between(0, 10) + (i == 4000 ? 300 : 0);
        run.take({i * 1min, value});
        double const z = std::fabs(z_score.add(value));
        double const residual = std::fabs(baseline.add(i * 1min, value));
        double const moved = test.add(value) != change_direction::none ? 1 : 0;
        std::array const magnitudes{z, residual, std::fmax(moved, test.value())};
        CHECK(scores.back() == anomaly_ensemble::score(joint.add(magnitudes)));
        CHECK(scores.back() >= 0);
        CHECK(scores.back() <= 1);
        above += scores.back() >= 0.99;
    }
    CHECK(scores[4000] > 0.999);
    CHECK(above < 5000 / 100 * 3); // one in a hundred, and not more than e ln 3 times as many
    run.take({5000min, std::nan("")});
    CHECK(scores.back() <= 1);
}

TEST_CASE("analytics/pipeline: scores are published with each event, or at a tick the latest") {
    still_hub hub;
    auto& each = hub.open("each");
    auto& timed = hub.open("timed");
    auto const distance = [](double& last, auto const& event) {
        return std::exchange(last, event.numbers[0]) / 100;
    };
    auto run = readings()
                   .detect(anomaly_detector{})
                   .to(each)
                   .detect(0.0, distance)
                   .to(timed, emission::on_tick);
    run.take({1s, 20});
    run.take({2s, 40});
    run.take({2s, 50, "B"});
    CHECK(lines_of(timed).empty());
    run.tick();
    run.tick();
    CHECK(lines_of(timed) == lines{R"(A: {"key":"A","time":2000,"value":40,"score":0.2})",
                                   R"(B: {"key":"B","time":2000,"value":50,"score":0})"});
    run.take({3s, 60, "B"});
    run.finish();
    CHECK(lines_of(timed).back() == R"(B: {"key":"B","time":3000,"value":60,"score":0.5})");
    CHECK(lines_of(each).front() == R"(A: {"key":"A","time":1000,"value":20,"score":0,"onset":0})");
    CHECK(lines_of(each).size() == 4);
}

TEST_CASE("analytics/pipeline: a model of the host learns online, each key for itself") {
    // Whether the second number is above the first is to be learnt from past events.
    struct pair {
        event_time time;
        double x;
        bool label;
        std::string_view key;
    };
    std::map<std::string, double, std::less<>> wrong;
    auto run = from<pair>()
                   .time(&pair::time)
                   .number(&pair::x)
                   .number(&pair::label)
                   .key(&pair::key)
                   .detect(logistic_regression{1},
                           [](logistic_regression& learnt, auto const& event) {
                               auto const [x, label] = event.numbers;
                               return learnt.learn(std::array{x}, label > 0.5);
                           })
                   .to([&](std::string_view key, detection<double> const& guess) {
                       bool const is_right =
                           (guess.said > 0.5) == ((guess.value > 0) == (key == "up"));
                       if (guess.time > 500s && !is_right) ++wrong[std::string{key}];
                   });
    random_stream random{5};
    for (int i = 0; i < 1000; ++i) {
        double const x = random.between(-1, 1);
        run.take({i * 1s, x, x > 0, "up"});
        run.take({i * 1s, x, x < 0, "down"});
    }
    // Had both learnt from the same, half of the guesses would be wrong.
    CHECK(wrong["up"] < 25);
    CHECK(wrong["down"] < 25);
}

TEST_CASE("analytics/pipeline: what a model cannot judge is counted") {
    still_hub hub;
    auto run = readings()
                   .detect(0, [](int&, auto const& event) { return std::sqrt(event.numbers[0]); })
                   .to(hub.open("scores"))
                   .report(hub.open("problems"));
    run.take({1s, 0.25});
    run.take({2s, -4});
    run.take({3s, std::nan("")});
    run.tick();
    CHECK(run.problems().count(problem::not_finite) == 2);
    CHECK(lines_of(*hub.find("scores")) ==
          lines{R"(A: {"key":"A","time":1000,"value":0.25,"score":0.5})",
                R"(A: {"key":"A","time":2000,"value":-4,"score":0})",
                R"(A: {"key":"A","time":3000,"value":null,"score":0})"});
    CHECK(lines_of(*hub.find("problems")) ==
          lines{R"(not_finite: {"problem":"not_finite","count":2,)"
                R"("example":"{\"key\":\"A\",\"time\":2000}"})"});
}

TEST_CASE("analytics/pipeline: what a detector says keeps alerts on a board") {
    still_hub hub;
    auto& alerts = hub.open("alerts");
    alert_board board{alerts};
    auto& scores = hub.open("scores");
    auto const value = [](int&, auto const& event) { return event.numbers[0]; };
    auto run = readings()
                   .detect(0, value)
                   .alert(board,
                          {.name = "odd",
                           .how = severity::notice,
                           .fire_at = 0.9,
                           .resolve_at = 0.5,
                           .calm_events = 2,
                           .critical_at = 0.99},
                          [](std::string_view key, auto const& found) {
                              return std::string{key} + " scores " + std::to_string(found.said);
                          })
                   .to(scores)
                   .detect(threshold_alarm{{.fire_at = 1, .resolve_at = 0.2}})
                   .to(board, {.name = "high", .how = severity::critical})
                   .report(hub.open("problems"));
    double time = 0;
    for (double const each : {0.1, 0.95, 0.4, 0.6, 0.995, 0.3, 0.2, 0.1})
        run.take({event_time{static_cast<std::int64_t>(++time * 1e9)}, each});
    CHECK(lines_of(scores).size() == 8);
    CHECK(payloads_of(alerts) ==
          lines{R"({"id":"odd.A","severity":"notice","state":"firing","since":2000,"time":2000,)"
                R"("text":"A scores 0.950000"})",
                R"({"id":"odd.A","severity":"critical","state":"firing","since":2000,"time":5000,)"
                R"("text":"A scores 0.995000"})",
                R"({"id":"odd.A","severity":"critical","state":"resolved","since":2000,)"
                R"("time":7000,"text":"A scores 0.995000"})"});
    run.take({9s, 7, "B"});
    CHECK(payloads_of(alerts).back() ==
          R"({"id":"high.B","severity":"critical","state":"firing","since":9000,"time":9000,)"
          R"("text":"high of B: 7"})");
    CHECK(board.is_firing("odd.B"));
}

TEST_CASE(
    "analytics/pipeline: the alert of a key that is evicted resolves, one too many is a problem") {
    still_hub hub;
    alert_board board{hub.open("alerts"), 1};
    auto run = from<reading>()
                   .time(&reading::time)
                   .number(&reading::value)
                   .key(&reading::sensor, {.keys_max = 2})
                   .detect(threshold_alarm{{.fire_at = 1, .resolve_at = 0}})
                   .to(board, {.name = "high"})
                   .report(hub.open("problems"));
    run.take({1s, 1, "A"});
    run.take({2s, 1, "B"});
    CHECK(board.is_firing("high.A"));
    CHECK(!board.is_firing("high.B"));
    CHECK(run.problems().count(problem::refused) == 1);
    run.take({3s, 0, "C"});
    CHECK(board.firing_count() == 0);
    CHECK(run.problems().count(problem::key_evicted) == 1);
    run.tick();
    CHECK(lines_of(*hub.find("problems")) ==
          lines{R"(key_evicted: {"problem":"key_evicted","count":1,)"
                R"("example":"{\"key\":\"A\",\"time\":3000}"})",
                R"(refused: {"problem":"refused","count":1,)"
                R"("example":"{\"key\":\"high.B\",\"time\":2000}"})"});
}

TEST_CASE("analytics/pipeline: a change of level alerts and calms down") {
    still_hub hub;
    alert_board board{hub.open("alerts")};
    auto run = readings()
                   .detect(cusum{{.mean = 0, .deviation = 1}})
                   .to(board, {.name = "level", .calm_events = 3});
    for (int i = 0; i < 12; ++i) run.take({i * 1s, i < 4 ? 0.0 : i < 6 ? 4.0 : 0.0});
    auto const said = payloads_of(*hub.find("alerts"));
    REQUIRE(said.size() == 2);
    CHECK(said[0] == R"({"id":"level.A","severity":"warning","state":"firing","since":5000,)"
                     R"("time":5000,"text":"level of A: 4"})");
    CHECK(said[1].find(R"("state":"resolved","since":5000,"time":8000)") != std::string::npos);
}

TEST_CASE("analytics/pipeline: two keys of a stream are joined, and what follows sees the pair") {
    still_hub hub;
    auto& spread = hub.open("spread");
    auto& means = hub.open("means");
    auto& changes = hub.open("changes");
    double last_correlation = 0;
    auto run = readings()
                   .join<difference>("bid", "ask")
                   .to(spread)
                   .join<ratio>("ask", "bid", {.name = "markup"})
                   .window(tumbling{10s})
                   .apply<mean>()
                   .to(means)
                   .join<difference>("ask", "bid")
                   .detect(threshold_alarm{{.fire_at = 5, .resolve_at = 1}})
                   .to(changes)
                   .join<paired>("bid", "ask")
                   .window(sliding{1min})
                   .apply<correlation>()
                   .to([&](window_result<correlation> const& result) {
                       last_correlation = result.value();
                   })
                   .report(hub.open("problems"));
    run.take({1s, 100, "bid"});
    run.take({2s, 104, "ask"});
    run.take({2s, 7, "other"});
    run.take({3s, 98, "bid"});
    run.take({1s, 50, "bid"}); // late: it changes nothing
    run.take({4s, 99, "ask"});
    run.take({11s, 1, "other"}); // moves time on
    CHECK(lines_of(spread) == lines{R"(bid:ask: {"key":"bid:ask","time":2000,"value":-4})",
                                    R"(bid:ask: {"key":"bid:ask","time":3000,"value":-6})",
                                    R"(bid:ask: {"key":"bid:ask","time":4000,"value":-1})"});
    mean markup;
    for (double const each : {104.0 / 100, 104.0 / 98, 99.0 / 98}) markup.add(each);
    CHECK(lines_of(means) ==
          lines{R"(markup: {"key":"markup","begin":0,"end":10000,"value":)" + [&] {
              std::string text;
              append_value(text, markup.value());
              return text;
          }() + "}"});
    CHECK(lines_of(changes).size() == 2);
    covariance expected;
    expected.add(100, 104);
    expected.add(98, 104);
    expected.add(98, 99);
    CHECK(last_correlation == doctest::Approx(expected.correlation()));
    CHECK(run.problems().count(problem::late) == 4);
}

TEST_CASE("analytics/pipeline: two channels are joined per key, whatever is read when") {
    // Positions change seldom and prices often; the reference joins all events sorted by time.
    struct change {
        double time;
        bool is_position;
        std::string key;
        double value;
    };
    random_stream random{11};
    std::vector<change> all;
    for (int i = 0; i < 3000; ++i)
        all.push_back({i * 0.5, random.below(20) == 0,
                       std::string(1, static_cast<char>('A' + random.below(4))),
                       std::floor(random.between(-50, 50))});
    lines expected;
    std::map<std::string, latest_join<product>> joins;
    for (auto const& each : all) {
        auto const time = seconds_to_event_time(each.time).value();
        auto& own = joins[each.key];
        auto const joined =
            each.is_position ? own.add_left(time, each.value) : own.add_right(time, each.value);
        if (joined)
            expected.push_back(std::string{json_object{}
                                               .text("key", each.key)
                                               .time("time", time)
                                               .number("value", *joined)
                                               .finish()});
    }
    REQUIRE(expected.size() > 2000);

    for (int round = 0; round < 5; ++round) {
        still_hub hub;
        auto& positions = hub.open("positions");
        auto& prices = hub.open("prices");
        auto& worth = hub.open("worth");
        auto run = join<product>(feed_of(positions, "amount"), feed_of(prices, "price")).to(worth);
        auto const publish = [&](change const& each) {
            (each.is_position ? positions : prices)
                .publish(
                    json(each.time, each.key, each.is_position ? "amount" : "price", each.value));
        };
        if (round == 0) { // replayed: each channel whole
            for (auto const& each : all) publish(each);
            while (run.run(7) > 0) {
            }
        } else { // lived: as it comes, the host looking when it likes and telling the time or not
            for (auto const& each : all) {
                publish(each);
                if (random.below(3) == 0) run.run(1 + random.below(20));
                if (random.below(10) == 0) run.advance(seconds_to_event_time(each.time).value());
            }
            while (run.run() > 0) {
            }
        }
        run.finish();
        CHECK(payloads_of(worth) == expected);
    }
}

TEST_CASE("analytics/pipeline: a quiet channel holds up the other one until the time is told") {
    still_hub hub;
    auto& positions = hub.open("positions");
    auto& prices = hub.open("prices", {.log_events_max = 4});
    auto& worth = hub.open("worth");
    auto run = join<product>(feed_of(positions, "amount"), feed_of(prices, "price"))
                   .window(tumbling{10s})
                   .apply<livetape::max>()
                   .to(worth, emission::on_update)
                   .report(hub.open("problems"));
    positions.publish(json(0, "A", "amount", 2));
    prices.publish(json(1, "A", "price", 10));
    CHECK(run.run() == 1);
    CHECK(lines_of(worth).empty());
    run.advance(1s);
    CHECK(payloads_of(worth) ==
          lines{R"({"key":"A","begin":0,"end":10000,"value":20,"provisional":true})"});
    // What cannot be read is counted on either side.
    positions.publish("{");
    prices.publish(R"({"t":2,"key":"A"})");
    prices.publish(json(1e30, "A", "price", 1));
    prices.publish(json(12, "A", "price", 11));
    run.finish();
    CHECK(payloads_of(worth).back() == R"({"key":"A","begin":10000,"end":20000,"value":22})");
    CHECK(run.problems().count(problem::unparsable) == 1);
    CHECK(run.problems().count(problem::missing_field) == 1);
    CHECK(run.problems().count(problem::bad_time) == 1);
    CHECK(lines_of(*hub.find("problems")).size() == 3);
}

TEST_CASE("analytics/pipeline: one operator sees the whole stream and the keys in it") {
    still_hub hub;
    auto& busiest = hub.open("busiest");
    auto& heaviest = hub.open("heaviest");
    auto& distinct = hub.open("distinct");
    auto& means = hub.open("means");
    std::vector<double> sampled;
    auto run = readings()
                   .whole()
                   .window(tumbling{10s})
                   .apply(top_keys{{.count = 2}})
                   .to(busiest)
                   .whole()
                   .window(running{5s})
                   .apply(trending_keys{{.count = 1, .sketch = {.half_life = 1s}}})
                   .to(heaviest)
                   .whole()
                   .window(running{})
                   .apply<distinct_keys>()
                   .to(distinct, emission::on_tick)
                   .whole()
                   .window(tumbling{10s})
                   .apply<mean>()
                   .to(means)
                   .whole()
                   .window(running{})
                   .apply(reservoir_sample<double>{3, 1})
                   .to([&](auto const& result) {
                       auto const values = result.value();
                       sampled.assign(values.begin(), values.end());
                   })
                   .report(hub.open("problems"));
    run.take({1s, 5, "A"});
    run.take({2s, 2, "B"});
    run.take({3s, 2, "B"});
    run.take({4s, 8, "C"});
    run.tick();
    run.take({12s, 1, "B"});
    CHECK(lines_of(busiest) == lines{R"(: {"begin":0,"end":10000,"value":[)"
                                     R"({"key":"C","count":8,"error":0},)"
                                     R"({"key":"A","count":5,"error":0}]})"});
    CHECK(lines_of(heaviest) == lines{R"(: {"begin":1000,"end":5000,"value":[)"
                                      R"({"key":"C","count":8,"error":0}]})"});
    CHECK(lines_of(means) == lines{R"(: {"begin":0,"end":10000,"value":4.25})"});
    REQUIRE(lines_of(distinct).size() == 1);
    CHECK(lines_of(distinct)[0].starts_with(R"(: {"begin":1000,"end":4000,"value":3.0)"));
    CHECK(lines_of(distinct)[0].ends_with(R"(,"provisional":true})"));
    run.finish();
    CHECK(sampled.size() == 3);
}

TEST_CASE("analytics/pipeline: a detector of the whole stream sees all keys as one") {
    still_hub hub;
    auto& scores = hub.open("scores");
    auto run = readings()
                   .whole()
                   .detect(std::string{},
                           [](std::string& last, auto const& event) {
                               return std::exchange(last, event.key) == event.key ? 1.0 : 0.5;
                           })
                   .to(scores);
    for (auto const* key : {"A", "A", "B"}) run.take({1s, 1, key});
    CHECK(lines_of(scores) == lines{R"(: {"time":1000,"value":1,"score":0.5})",
                                    R"(: {"time":1000,"value":1,"score":1})",
                                    R"(: {"time":1000,"value":1,"score":0.5})"});
}

TEST_CASE("analytics/running_window: what there is is said at each boundary that saw events") {
    running_window<sum> total{10s};
    CHECK(!total.provisional());
    CHECK(!total.finish());
    CHECK(!total.add(3s, 1.0));
    CHECK(!total.add(-1s, 1.0)); // earlier than all before, and not too late
    auto const first = total.add(45s, 5.0);
    REQUIRE(first);
    CHECK(first->begin == -1s);
    CHECK(first->end == 10s);
    CHECK(first->value() == 2);
    CHECK(!total.add(8s, 10.0)); // late: that boundary has been said
    CHECK(total.counters().late == 1);
    CHECK(total.provisional()->value() == 17);
    CHECK(total.provisional()->is_provisional);
    CHECK(!total.add(event_time::max(), 1.0));
    CHECK(total.counters().left_out == 1);
    CHECK(!total.advance(49s));
    auto const second = total.advance(50s);
    REQUIRE(second);
    CHECK(second->end == 50s);
    CHECK(second->value() == 17);
    CHECK(!total.advance(500s));
    CHECK(!total.add(49s, 1.0));
    CHECK(total.finish()->value() == 18);

    running_window<sum> asked{0s};
    CHECK(!asked.add(1s, 1.0));
    CHECK(!asked.add(1000s, 1.0));
    CHECK(asked.finish()->end == 1000s);
}

TEST_CASE(
    "analytics/key_ranking: merged rankings are those of both streams, bad weights are counted") {
    top_keys first{{.count = 3}};
    top_keys second{{.count = 3}};
    for (int i = 0; i < 5; ++i) first.add("a");
    first.add("b", 2.4);
    second.add("b", 9);
    for (double const bad : {-1.0, 1e300, std::nan(""), 0.2}) second.add("c", bad);
    second.add("d", 0);
    first.merge(second);
    CHECK(first.value() == std::vector<ranked_key>{{"b", 11, 0}, {"a", 5, 0}});
    CHECK(first.left_out() == 4);

    trending_keys old{{.count = 2, .sketch = {.half_life = 1s}}};
    trending_keys recent{{.count = 2, .sketch = {.half_life = 1s}}};
    old.add(0s, "a", 8);
    recent.add(2s, "b", 3);
    recent.add(2s, "b", std::nan(""));
    old.merge(recent);
    CHECK(old.value() == std::vector<ranked_key>{{"b", 3, 0}, {"a", 2, 0}});
    CHECK(old.left_out() == 1);
}

TEST_CASE(
    "analytics/pipeline: functions get the results that a channel gets, provisional ones too") {
    still_hub hub;
    auto& channel = hub.open("means");
    lines called;
    auto const describe = [&](auto&& output, emission when) {
        return readings()
            .window(tumbling{1s, {.allowed_lateness = 5s}})
            .apply<mean>()
            .to(output, when);
    };
    auto const write = [&](std::string_view key, window_result<mean> const& result) {
        json_object text;
        text.text("key", key);
        append_result(text, result);
        called.emplace_back(text.finish());
    };
    for (auto const when : {emission::at_close, emission::on_update, emission::on_tick}) {
        called.clear();
        auto const before = payloads_of(channel).size();
        auto published = describe(channel, when);
        auto handed = describe(write, when);
        for (auto const& each : {reading{100ms, 1}, {600ms, 3}, {1500ms, 7}, {700ms, 5}, {3s, 2}}) {
            published.take(each);
            handed.take(each);
            published.tick();
            handed.tick();
        }
        published.finish();
        handed.finish();
        auto all = payloads_of(channel);
        all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(before));
        CHECK(called == all);
        // Each says whether its window was open, and nothing is said twice as if it were final.
        auto const finals = std::count_if(all.begin(), all.end(), [](std::string const& each) {
            return each.find("provisional") == std::string::npos &&
                   each.find("correction") == std::string::npos;
        });
        CHECK(finals == 3);
        auto const provisional = std::count_if(all.begin(), all.end(), [](std::string const& each) {
            return each.ends_with(R"("provisional":true})");
        });
        CHECK((provisional > 0) == (when != emission::at_close));
        CHECK(std::count_if(all.begin(), all.end(), [](std::string const& each) {
                  return each.ends_with(R"("late":1,"correction":true})");
              }) == 1);
    }
}
