// The parts of examples/live_dashboard that compute, without a clock, a socket or a real /proc.

#include <doctest/doctest.h>

#include "../../examples/live_dashboard/ewma_rate.hpp"
#include "../../examples/support/market_simulator.hpp"
#include "../../examples/live_dashboard/ohlc_bars.hpp"
#include "../../examples/support/proc_telemetry.hpp"
#include "../../examples/support/quote_replay.hpp"
#include "../../examples/live_dashboard/threshold_alert.hpp"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

using namespace std::chrono_literals;

namespace {

/// The bars that are over, by symbol.
std::map<std::string, dashboard::ohlc_bar, std::less<>> closed(dashboard::ohlc_bars& bars,
                                                               std::chrono::milliseconds now) {
    std::map<std::string, dashboard::ohlc_bar, std::less<>> taken;
    bars.close_before(
        now, [&](std::string_view symbol, auto const& bar) { taken.emplace(symbol, bar); });
    return taken;
}

/// A folder like /proc and one like /sys, gone with the object.
class made_up_machine {
public:
    made_up_machine() {
        std::filesystem::create_directories(root / "proc/net");
        std::filesystem::create_directories(root / "sys/block/vda");
    }
    made_up_machine(made_up_machine const&) = delete;
    made_up_machine& operator=(made_up_machine const&) = delete;
    ~made_up_machine() { std::filesystem::remove_all(root); }

    void write(std::string const& name, std::string_view text) const {
        std::ofstream{root / name} << text;
    }

    std::filesystem::path const root =
        std::filesystem::temp_directory_path() / ("livetape-proc-" + std::to_string(::getpid()));
};

} // namespace

TEST_CASE("live_dashboard/ohlc_bars: a second becomes a bar when it is over") {
    dashboard::ohlc_bars bars;
    bars.add("A", 5'000ms, 10, 1);
    bars.add("A", 5'400ms, 13, 3);
    bars.add("B", 5'500ms, 7, 0);
    bars.add("B", 5'600ms, 8, 0);
    bars.add("A", 5'999ms, 9, 0);
    CHECK(closed(bars, 5'999ms).empty());

    auto const taken = closed(bars, 6'000ms);
    REQUIRE(taken.size() == 2);
    auto const& a = taken.at("A");
    CHECK(a.begin == 5s);
    CHECK(a.open == 10);
    CHECK(a.high == 13);
    CHECK(a.low == 9);
    CHECK(a.close == 9);
    CHECK(a.volume == 4);
    CHECK(a.count == 3);
    CHECK(a.average == doctest::Approx((10.0 * 1 + 13.0 * 3) / 4)); // volume-weighted
    CHECK(taken.at("B").average == 7.5);                            // no volume: the mean
    CHECK(closed(bars, 60'000ms).empty());
}

TEST_CASE("live_dashboard/ewma_rate: finds the rate of a steady stream, from its start") {
    dashboard::ewma_rate rate{5s};
    CHECK(rate.at(0s) == 0);
    for (int i = 1; i <= 20; ++i) rate.add(i * 100ms);
    CHECK(rate.at(2s) == doctest::Approx(10).epsilon(0.05));
    for (int i = 21; i <= 600; ++i) rate.add(i * 100ms);
    CHECK(rate.at(60s) == doctest::Approx(10).epsilon(0.02));
    CHECK(rate.at(65s) ==
          doctest::Approx(10 * std::exp(-1)).epsilon(0.02)); // silence of one window
}

TEST_CASE("live_dashboard/threshold_alert: changes at its limits and not between them") {
    dashboard::threshold_alert alert{{80, 60}};
    using change = dashboard::alert_change;
    std::vector<std::pair<double, std::optional<change>>> const steps{{79.9, {}},
                                                                      {60, {}},
                                                                      {80, change::raised},
                                                                      {95, {}},
                                                                      {79, {}},
                                                                      {60.1, {}},
                                                                      {80, {}},
                                                                      {60, change::cleared},
                                                                      {60, {}},
                                                                      {79.9, {}},
                                                                      {0, {}},
                                                                      {81, change::raised}};
    for (auto const& step : steps) {
        CAPTURE(step.first);
        CHECK(alert.update(step.first) == step.second);
    }
}

TEST_CASE("live_dashboard/market_simulator: a seed gives the same sound quotes every time") {
    examples::market_simulator first{42}, again{42}, other{43};
    std::set<std::string> symbols;
    std::chrono::microseconds last{};
    bool differs = false;
    for (int i = 0; i < 20'000; ++i) {
        auto const quote = first();
        auto const same = again();
        auto const third = other();
        REQUIRE(quote.has_value());
        REQUIRE(same->due == quote->due);
        REQUIRE(same->what.bid == quote->what.bid);
        REQUIRE(quote->due >= last);
        REQUIRE(quote->what.bid > 0);
        REQUIRE(quote->what.ask > quote->what.bid);
        REQUIRE(quote->what.spread_basis_points() < 15);
        differs = differs || third->what.bid != quote->what.bid;
        last = quote->due;
        symbols.insert(quote->what.symbol);
    }
    CHECK(differs);
    CHECK(symbols.size() == first.symbol_count());
    CHECK(20'000 / std::chrono::duration<double>{last}.count() ==
          doctest::Approx(62).epsilon(0.05));
}

TEST_CASE("live_dashboard/quote_replay: keeps the distances in time, also in the next round") {
    std::istringstream in{"20200131 235959500,1.5,1.6,2\r\n20200201 000000000,1.7,1.8,0\n\n"
                          "20200131 235959000,1.9,2.0,0\n20200201 000001500,2.1,2.2,0"};
    auto replay = examples::quote_replay::read(in, "x.csv", "X", true);
    CHECK(replay.size() == 4);
    std::vector<std::chrono::microseconds> due;
    for (int i = 0; i < 6; ++i) due.push_back(replay()->due);
    // The third line's clock was set back: it does not wait.
    CHECK(due == std::vector<std::chrono::microseconds>{0ms, 500ms, 500ms, 2s, 3s, 3500ms});

    std::istringstream once{"20200131 235959500,1.5,1.6,2"};
    auto short_replay = examples::quote_replay::read(once, "x.csv", "X", false);
    auto const only = short_replay();
    REQUIRE(only.has_value());
    CHECK(only->what.mid() == doctest::Approx(1.55));
    CHECK(only->what.volume == 2);
    CHECK_FALSE(short_replay().has_value());
}

TEST_CASE("live_dashboard/proc_telemetry: rates are over what passed, levels as they stand") {
    made_up_machine const machine;
    machine.write("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 750 kB\n");
    machine.write("proc/loadavg", "1.25 0.5 0.4 1/100 4242\n");
    machine.write("proc/stat",
                  "cpu  100 0 0 100 0 0 0 0 50 0\ncpu0 100 0 0 100 0 0 0 0 50 0\nctxt 1000\n");
    machine.write("proc/net/dev", "head\nhead\n  lo: 500 1 0 0 0 0 0 0 500 1 0 0 0 0 0 0\n"
                                  "eth0:1000 1 0 0 0 0 0 0 2000 1 0 0 0 0 0 0\n");
    machine.write("proc/diskstats",
                  "7 0 loop0 1 0 90 0 1 0 90 0 0 0 0\n254 0 vda 1 0 10 0 1 0 20 0 0 0 0\n"
                  "254 1 vda1 1 0 10 0 1 0 20 0 0 0 0\n");
    examples::proc_telemetry telemetry{machine.root / "proc", machine.root / "sys"};
    REQUIRE(telemetry.read(100).has_value());

    machine.write("proc/stat",
                  "cpu  130 0 0 110 0 0 0 0 70 0\ncpu0 130 0 0 110 0 0 0 0 70 0\nctxt 1300\n");
    machine.write("proc/net/dev", "head\nhead\n  lo: 900 1 0 0 0 0 0 0 900 1 0 0 0 0 0 0\n"
                                  "eth0:1100 1 0 0 0 0 0 0 1900 1 0 0 0 0 0 0\n");
    machine.write("proc/diskstats",
                  "7 0 loop0 1 0 99 0 1 0 99 0 0 0 0\n254 0 vda 1 0 11 0 1 0 24 0 0 0 0\n"
                  "254 1 vda1 1 0 11 0 1 0 24 0 0 0 0\n");
    auto const read = telemetry.read(102);
    REQUIRE(read.has_value());
    std::map<std::string, double> values;
    for (auto const& [name, value] : *read) values[name] = value;
    std::map<std::string, double> const expected{{"cpu", 75},
                                                 {"cpu.0", 75},
                                                 {"context_switches", 150},
                                                 {"network.received", 50},
                                                 {"network.sent", 0},
                                                 {"disk.read", 256},
                                                 {"disk.written", 1024},
                                                 {"network.loopback", 200},
                                                 {"memory", 25},
                                                 {"load", 1.25}};
    CHECK(values == expected);
}

TEST_CASE("live_dashboard/proc_telemetry: says so where there is no /proc") {
    examples::proc_telemetry telemetry{"/nonexistent", "/nonexistent"};
    CHECK_FALSE(telemetry.read(0).has_value());
}
