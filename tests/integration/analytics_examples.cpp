// What examples/market and examples/sensors read and decide, without a clock or a socket.

#include "../../examples/market/market_watch.hpp"
#include "../../examples/market/portfolio.hpp"
#include "../../examples/market/price_move.hpp"
#include "../../examples/market/tick_source.hpp"
#include "../../examples/sensors/csv_replay.hpp"
#include "../../examples/sensors/sensor_watch.hpp"

#include <livetape/analytics/alert_board.hpp>
#include <livetape/analytics/any_pipeline.hpp>
#include <livetape/analytics/pipeline.hpp>
#include <livetape/channel/hub.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace livetape;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> payloads_of(channel const& from) {
    std::vector<std::string> payloads;
    for (auto const& event : from.read(0, {.events_max = 100'000}))
        payloads.emplace_back(event.payload);
    return payloads;
}

bool holds(std::vector<std::string> const& payloads, std::string_view text) {
    return std::any_of(payloads.begin(), payloads.end(), [&](std::string const& each) {
        return each.find(text) != std::string::npos;
    });
}

market::trade_replay trades(std::string const& text) {
    return market::trade_replay::read(simdjson::padded_string{text}, "x.json");
}

sensors::csv_replay readings(std::string const& text) {
    std::istringstream in{text};
    return sensors::csv_replay::read(in, "x.csv", "x");
}

} // namespace

TEST_CASE("examples/trade_replay: reads trades of both sides, in the order of time") {
    auto replay = trades(R"({"error":[],"result":{"XBTUSDT":[
        ["10.5","2",1762795434.25,"s","m","",2],
        ["10.0","1",1762795433.5,"b","l","",1]],"last":"9"}})");
    CHECK(replay.size() == 2);
    auto const first = replay();
    auto const second = replay();
    REQUIRE(first.has_value());
    REQUIRE(second.has_value());
    CHECK(first->symbol == "XBTUSDT");
    CHECK(first->time == 1'762'795'433'500ms);
    CHECK(first->price == 10);
    CHECK(first->ask == 10);
    CHECK(std::isnan(first->bid));
    CHECK(second->bid == 10.5);
    CHECK(second->volume == 2);
    CHECK_FALSE(replay().has_value());
}

TEST_CASE("examples/trade_replay: says in which line there is something else") {
    std::string const good = R"(["10","1",1,"b"])";
    for (std::string const bad :
         {R"(["10","1",1])", R"(["10",1,1,"b"])", R"(["-1","1",1,"b"])", R"(["10","-1",1,"b"])",
          R"(["inf","1",1,"b"])", R"(["10x","1",1,"b"])", R"(["10","1",1e30,"b"])",
          R"(["10","1",1,"c"])", "7", "["}) {
        CAPTURE(bad);
        auto const text = "{\"result\":{\"X\":[\n" + good + ",\n" + bad + ",\n" + good + "]}}";
        CHECK_THROWS_WITH_AS(trades(text), doctest::Contains("x.json, line 3: expected trades"),
                             std::runtime_error);
    }
    for (auto const* none : {"", "{}", "[]", R"({"result":{"X":{}}})"}) {
        CAPTURE(none);
        CHECK_THROWS_WITH_AS(trades(none), doctest::Contains("x.json, line 1:"),
                             std::runtime_error);
    }
    CHECK_THROWS_WITH_AS(trades(R"({"result":{"last":"1"}})"), "x.json holds no trades",
                         std::runtime_error);
}

TEST_CASE("examples/tick_source: quotes without a volume weigh the same, at their own time") {
    examples::timed_quote const quoted{2s, {"A", 1, 3, 0}};
    auto source = market::from_quotes([&] { return std::optional{quoted}; }, 10s);
    auto const made = source();
    REQUIRE(made.has_value());
    CHECK(made->time == 12s);
    CHECK(made->price == 2);
    CHECK(made->volume == 1);
    CHECK(made->bid == 1);
    CHECK(made->ask == 3);
}

namespace {

/// A portfolio and the pipelines around it, as examples/market has them.
struct invested {
    explicit invested(livetape::hub& hub)
        : ticks{hub.open("ticks")}, problems{hub.open("problems")}, held{hub.open("positions")} {
        all.add(market::worth_of_positions(hub.open("positions"), ticks, problems,
                                           [this](std::string_view symbol, auto const& worth) {
                                               held.value(symbol, worth.value);
                                           }));
    }

    void see(market::tick const& made) {
        held.see(made);
        ticks.publish(market::to_json(made));
        all.run();
        all.advance(made.time);
    }

    channel& ticks;
    channel& problems;
    market::portfolio held;
    pipelines all;
};

} // namespace

TEST_CASE("examples/portfolio: gains what positions gain, long and short") {
    hub hub;
    invested with{hub};
    with.see({"A", 1s, 100, 1});
    with.see({"B", 1s, 50, 1});
    CHECK(with.held.gained() == doctest::Approx(0));
    CHECK(with.held.invested() == 200'000);
    with.see({"A", 2s, 101, 1}); // 1000 of them
    CHECK(with.held.gained() == doctest::Approx(1000));
    with.see({"B", 2s, 51, 1}); // 2000 sold short
    CHECK(with.held.gained() == doctest::Approx(-1000));
    with.see({"A", 1500ms, 1, 1}); // late: changes nothing, and is heard of
    CHECK(with.held.gained() == doctest::Approx(-1000));
    CHECK(holds(payloads_of(with.problems), R"({"problem":"late","count":1)"));

    with.held.publish(hub.open("portfolio"), 2s);
    auto const said = payloads_of(*hub.find("portfolio"));
    REQUIRE(said.size() == 3);
    CHECK(said[1] == R"({"t":2000,"symbol":"B","amount":-2000,"price":51,"gained":-2000})");
    CHECK(said[2] == R"({"t":2000,"gained":-1000,"invested":200000})");
}

TEST_CASE("examples/market_watch: alerts to a wide spread and a drawdown") {
    hub hub;
    alert_board alerts{hub.open("alerts")};
    market::market_watch watch{alerts, hub.open("spreads"), 60s, 0.001};
    invested with{hub};
    event_time now{0};
    auto const quote = [&](double price, double spread) {
        now += 1s;
        market::tick const made{"A", now, price, 1, price - spread / 2, price + spread / 2};
        with.see(made);
        watch.see(made);
        watch.see(with.held, now);
    };
    for (int i = 0; i < 60; ++i) quote(100 + 0.01 * (i % 2), 0.02);
    CHECK(alerts.firing_count() == 0);
    watch.publish(now);
    CHECK(holds(payloads_of(*hub.find("spreads")), R"("symbol":"A","spread":0.0)"));

    quote(100, 0.08);
    CHECK(alerts.is_firing("spread.A"));
    quote(100, 0.02);
    CHECK_FALSE(alerts.is_firing("spread.A"));

    quote(99.8, 0.02); // the portfolio holds A: 20 basis points lost
    CHECK(alerts.is_firing("drawdown"));
    for (int i = 0; i < 60; ++i) quote(99.95 + 0.01 * (i % 2), 0.02);
    CHECK(alerts.firing_count() == 0);
    auto const said = payloads_of(*hub.find("alerts"));
    CHECK(holds(said, R"("text":"The spread of A is 4.0 times the usual one")"));
    CHECK(holds(said, R"("id":"drawdown","severity":"critical","state":"resolved")"));
}

TEST_CASE("examples/price_move: a sudden move alerts once what is usual is known") {
    hub hub;
    alert_board alerts{hub.open("alerts")};
    auto run = from<market::tick>()
                   .time(&market::tick::time)
                   .number(&market::tick::price)
                   .key(&market::tick::symbol)
                   .detect(market::price_move{60s})
                   .to(alerts, market::price_move::rule(), market::price_move::text);
    for (int i = 0; i < 60; ++i) run.take({"A", i * 1s, 100 + 0.01 * (i % 2)});
    CHECK(alerts.firing_count() == 0);
    run.take({"A", 61s, 99.8});
    CHECK(alerts.is_firing("move.A"));
    CHECK(holds(payloads_of(*hub.find("alerts")), R"("text":"A is -)"));
    for (int i = 62; i < 90; ++i) run.take({"A", i * 1s, 100});
    CHECK_FALSE(alerts.is_firing("move.A"));
}

TEST_CASE("examples/csv_replay: reads a recorded sensor, also with fractions and other line ends") {
    auto replay = readings("timestamp,value\r\n2014-05-14 01:14:00,85.5\r\n\n"
                           "2014-05-14 01:14:00.250,-1e3");
    CHECK(replay.size() == 2);
    auto const first = replay();
    REQUIRE(first.has_value());
    CHECK(first->time == 1'400'030'040s);
    CHECK(first->value == 85.5);
    auto const second = replay();
    REQUIRE(second.has_value());
    CHECK(second->time == 1'400'030'040'250ms);
    CHECK(second->value == -1000);
    CHECK_FALSE(replay().has_value());
}

TEST_CASE("examples/csv_replay: says which line it cannot read") {
    for (std::string const bad :
         {"2014-05-14 01:14:00", "2014-05-14 01:14:00,", "2014-05-14 01:14:00,x",
          "2014-05-14 01:14:00,nan", "2014-05-14 01:14:00,1,2", "2014-02-30 01:14:00,1",
          "2014-05-14 24:14:00,1", "2014-05-14T01:14:00,1", "2014-05-14 01:14:00.x,1",
          "2014-05-14 01:14:00.5e1,1", "timestamp,value"}) {
        CAPTURE(bad);
        CHECK_THROWS_WITH_AS(readings("timestamp,value\n\n" + bad + "\n2014-05-14 01:14:00,1"),
                             doctest::Contains("x.csv, line 3: expected"), std::runtime_error);
    }
    CHECK_THROWS_WITH_AS(readings("timestamp,value\n"), "x.csv holds no readings",
                         std::runtime_error);
}

TEST_CASE("examples/sensor_watch: an odd reading asks for maintenance until all is calm again") {
    hub hub{{.log_events_max = 10'000}};
    alert_board alerts{hub.open("alerts")};
    auto watch = sensors::watch_sensors(alerts, hub.open("readings"), hub.open("problems"), 0.999);
    event_time now{0};
    auto const see = [&](double value) {
        now += 5min;
        watch.take({"pump", now, value});
    };
    for (int i = 0; i < 3000; ++i) see(50 + std::sin(i * 0.7) + std::sin(i * 1.3));
    auto const before = payloads_of(*hub.find("alerts")).size();
    see(500);
    CHECK(alerts.is_firing("pump"));
    CHECK(holds(payloads_of(*hub.find("alerts")), R"("id":"pump","severity":"critical")"));
    for (int i = 0; i < 400; ++i) see(50 + std::sin(i * 0.7) + std::sin(i * 1.3));
    CHECK_FALSE(alerts.is_firing("pump"));
    CHECK(payloads_of(*hub.find("alerts")).size() >= before + 2);
    auto const scored = payloads_of(*hub.find("readings"));
    CHECK(scored.size() == 3401);
    CHECK(holds(scored, R"({"key":"pump","time":900300000,"value":500,"expected":)"));
}
