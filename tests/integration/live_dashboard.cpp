// What the dashboard, the market and the sensors read: without a clock, a socket or a real /proc.

#include <doctest/doctest.h>

#include "../../examples/support/market_simulator.hpp"
#include "../../examples/support/proc_telemetry.hpp"
#include "../../examples/support/quote_replay.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

using namespace std::chrono_literals;

namespace {

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

TEST_CASE("examples/market_simulator: a seed gives the same sound quotes every time") {
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

TEST_CASE("examples/quote_replay: keeps the distances in time, also in the next round") {
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

TEST_CASE("examples/proc_telemetry: rates are over what passed, levels as they stand") {
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

TEST_CASE("examples/proc_telemetry: says so where there is no /proc") {
    examples::proc_telemetry telemetry{"/nonexistent", "/nonexistent"};
    CHECK_FALSE(telemetry.read(0).has_value());
}
