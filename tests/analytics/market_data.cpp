#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/group_by.hpp>
#include <livetape/analytics/hopping_window.hpp>
#include <livetape/analytics/latest_join.hpp>
#include <livetape/analytics/ohlc.hpp>
#include <livetape/analytics/sliding_window.hpp>
#include <livetape/analytics/tumbling_window.hpp>
#include <livetape/analytics/variance.hpp>

#include "support/random_stream.hpp"

#include <simdjson.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

using namespace livetape;
using namespace std::chrono_literals;

namespace {

struct trade {
    event_time time;
    double price;
    double volume;
};

struct quote {
    event_time time;
    double bid;
    double ask;
};

/// The data lie beside the checkout; where they do not, the test says so and checks nothing.
std::string data_file(std::string_view name) {
    std::string const path = std::string{CHECKOUT} + "/../shared/data/" + std::string{name};
    std::ifstream in{path, std::ios::binary};
    std::string text{std::istreambuf_iterator<char>{in}, {}};
    if (text.empty()) MESSAGE("SKIPPED: there is no ", path);
    return text;
}

std::vector<trade> read_trades() {
    std::vector<trade> trades;
    auto const text = data_file("xbtusdt_trades.json");
    if (text.empty()) return trades;
    simdjson::dom::parser parser;
    for (auto const each : parser.parse(text)["result"]["XBTUSDT"].get_array()) {
        auto const price = std::string{std::string_view{each.at(0)}};
        auto const volume = std::string{std::string_view{each.at(1)}};
        auto const time = seconds_to_event_time(double{each.at(2)});
        REQUIRE(time.has_value());
        trades.push_back({*time, std::stod(price), std::stod(volume)});
    }
    return trades;
}

/// Lines `YYYYMMDD HHMMSSmmm,bid,ask,volume`.
std::vector<quote> read_quotes() {
    std::vector<quote> quotes;
    std::ifstream in{std::string{CHECKOUT} + "/../shared/data/eurusd_quotes.csv"};
    if (!in) MESSAGE("SKIPPED: there is no shared/data/eurusd_quotes.csv beside the checkout");
    for (std::string line; std::getline(in, line);) {
        auto const number = [&](std::size_t at, std::size_t digits) {
            return std::stol(line.substr(at, digits));
        };
        auto const day =
            std::chrono::sys_days{std::chrono::year{static_cast<int>(number(0, 4))} /
                                  static_cast<int>(number(4, 2)) / static_cast<int>(number(6, 2))};
        auto const time = day.time_since_epoch() + std::chrono::hours{number(9, 2)} +
                          std::chrono::minutes{number(11, 2)} +
                          std::chrono::seconds{number(13, 2)} +
                          std::chrono::milliseconds{number(15, 3)};
        auto const comma = line.find(',', 19);
        quotes.push_back({time, std::stod(line.substr(19)), std::stod(line.substr(comma + 1))});
    }
    return quotes;
}

/// Bars computed the other way round: the trades are sorted into a map of vectors first.
struct plain_bar {
    std::vector<trade> trades;

    [[nodiscard]] double open() const { return trades.front().price; }
    [[nodiscard]] double close() const { return trades.back().price; }
    [[nodiscard]] double high() const {
        return std::max_element(trades.begin(), trades.end(), by_price)->price;
    }
    [[nodiscard]] double low() const {
        return std::min_element(trades.begin(), trades.end(), by_price)->price;
    }
    [[nodiscard]] double volume() const {
        long double all = 0;
        for (auto const& each : trades) all += static_cast<long double>(each.volume);
        return static_cast<double>(all);
    }
    [[nodiscard]] double vwap() const {
        long double traded = 0;
        long double all = 0;
        for (auto const& each : trades) {
            traded += static_cast<long double>(each.price) * static_cast<long double>(each.volume);
            all += static_cast<long double>(each.volume);
        }
        return static_cast<double>(traded / all);
    }

private:
    static bool by_price(trade const& a, trade const& b) { return a.price < b.price; }
};

template <class Result>
void check_bar(Result const& result, plain_bar const& plain) {
    auto const bar = result.value();
    CHECK(bar.open == plain.open());
    CHECK(bar.high == plain.high());
    CHECK(bar.low == plain.low());
    CHECK(bar.close == plain.close());
    CHECK(bar.count == plain.trades.size());
    CHECK(is_near(bar.volume, plain.volume(), 1e-15));
    CHECK(is_near(bar.vwap, plain.vwap(), 1e-15));
}

} // namespace

TEST_CASE("analytics/market data: bars of real trades are those of a computation by sorting") {
    auto const trades = read_trades();
    if (trades.empty()) return;
    CHECK(trades.size() == 1000);
    for (auto const length : {event_time{1min}, event_time{5min}, event_time{1h}}) {
        CAPTURE(length.count());
        std::map<std::int64_t, plain_bar> expected;
        for (auto const& each : trades)
            expected[each.time.count() / length.count()].trades.push_back(each);

        tumbling_window<ohlcv> bars{length};
        auto next = expected.begin();
        auto const check = [&](auto closed) {
            for (; closed; closed = bars.next(), ++next) {
                REQUIRE(next != expected.end());
                CHECK(closed->begin == event_time{next->first * length.count()});
                check_bar(*closed, next->second);
            }
        };
        for (auto const& each : trades) check(bars.add(each.time, each.price, each.volume));
        check(bars.finish());
        CHECK(next == expected.end());
        CHECK(bars.counters().late == 0);
    }
}

TEST_CASE("analytics/market data: bars of minutes merge to the bars of the hour") {
    auto const trades = read_trades();
    if (trades.empty()) return;
    tumbling_window<ohlcv> minutes{1min};
    tumbling_window<ohlcv> hours{1h};
    std::map<event_time, ohlcv> merged;
    auto const take = [&](auto closed) {
        for (; closed; closed = minutes.next())
            merged[closed->begin - closed->begin % 1h].merge(closed->total);
    };
    for (auto const& each : trades) take(minutes.add(each.time, each.price, each.volume));
    take(minutes.finish());
    auto const check = [&](auto closed) {
        for (; closed; closed = hours.next()) {
            auto const bar = merged.at(closed->begin).value();
            CHECK(bar.open == closed->value().open);
            CHECK(bar.close == closed->value().close);
            CHECK(bar.high == closed->value().high);
            CHECK(bar.count == closed->value().count);
            CHECK(is_near(bar.vwap, closed->value().vwap, 1e-15));
        }
    };
    for (auto const& each : trades) check(hours.add(each.time, each.price, each.volume));
    check(hours.finish());
}

TEST_CASE("analytics/market data: hopping and sliding averages of real trades hold what they say") {
    auto const trades = read_trades();
    if (trades.empty()) return;
    hopping_window<vwap> hopping{10min, 1min};
    sliding_window<vwap> sliding{10min};
    auto const within = [&](event_time after, event_time before) {
        plain_bar inside;
        for (auto const& each : trades)
            if (each.time >= after && each.time < before) inside.trades.push_back(each);
        return inside;
    };
    auto const check = [&](auto closed) {
        for (; closed; closed = hopping.next())
            CHECK(is_near(closed->value(), within(closed->begin, closed->end).vwap(), 1e-14));
    };
    for (auto const& each : trades) {
        check(hopping.add(each.time, each.price, each.volume));
        sliding.add(each.time, each.price, each.volume);
    }
    check(hopping.finish());
    auto const last = trades.back().time;
    CHECK(is_near(sliding.value(), within(last - 10min + 1ns, last + 1ns).vwap(), 1e-14));
}

TEST_CASE("analytics/market data: the spread of real quotes, joined by what came last") {
    auto const quotes = read_quotes();
    if (quotes.empty()) return;
    CHECK(quotes.size() == 9500);
    latest_join<difference> spread;
    variance spreads;
    tumbling_window<ohlc> bars{1min};
    std::size_t closed_bars = 0;
    std::map<std::int64_t, std::vector<double>> expected_bars;
    long double expected = 0;
    for (auto const& each : quotes) {
        spread.add_left(each.time, each.ask);
        if (auto const value = spread.add_right(each.time, each.bid)) spreads.add(*value);
        double const middle = (each.bid + each.ask) / 2;
        expected += static_cast<long double>(each.ask) - static_cast<long double>(each.bid);
        expected_bars[each.time / 1min].push_back(middle);
        for (auto closed = bars.add(each.time, middle); closed; closed = bars.next()) {
            auto const& plain = expected_bars.at(closed->begin / 1min);
            CHECK(closed->value().open == plain.front());
            CHECK(closed->value().close == plain.back());
            CHECK(closed->value().high == *std::max_element(plain.begin(), plain.end()));
            CHECK(closed->value().low == *std::min_element(plain.begin(), plain.end()));
            CHECK(closed->value().count == plain.size());
            ++closed_bars;
        }
    }
    CHECK(closed_bars + 1 == expected_bars.size());
    CHECK(spreads.count() == quotes.size());
    CHECK(is_near(spreads.mean(),
                  static_cast<double>(expected / static_cast<long double>(quotes.size())), 1e-12));
    CHECK(spreads.mean() > 0);
}
