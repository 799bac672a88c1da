// A market as it should be watched: ticks become bars, averages, spreads, profit and loss, and
// alerts that a trader acknowledges. Start it, then open the address that it prints:
//
//   market                                                               a made-up market
//   market --replay xbtusdt_trades.json --bar 300 --speed 600            recorded trades
//   market --replay eurusd_quotes.csv --bar 60 --speed 120               recorded quotes

#include "../support/every.hpp"
#include "../support/page_host.hpp"
#include "../support/replay_clock.hpp"
#include "../support/uplot.hpp"
#include "choices.hpp"
#include "market_watch.hpp"
#include "portfolio.hpp"
#include "price_move.hpp"
#include "tick_source.hpp"

#include <livetape/analytics/acknowledgements.hpp>
#include <livetape/analytics/alert_board.hpp>
#include <livetape/analytics/any_pipeline.hpp>
#include <livetape/analytics/ohlc.hpp>
#include <livetape/analytics/pipeline.hpp>
#include <livetape/livetape.hpp>

#include <chrono>
#include <exception>
#include <iostream>
#include <string_view>
#include <utility>

using namespace livetape;

namespace {

constexpr int ticks_per_turn_max = 5'000; // then others have their turn

int run(page_host& host, market::choices const& chosen) {
    auto source =
        chosen.replay.empty() ? market::simulate(chosen.seed) : market::open_replay(chosen.replay);
    auto const bar = seconds_to_event_time(chosen.bar_seconds).value();

    hub hub{{.log_bytes_max = 16u << 20, .log_events_max = 50'000}};
    auto& problems = hub.open("problems");
    alert_board alerts{hub.open("alerts")};
    live_options options;
    acknowledgements acknowledged{alerts, hub.open("acknowledgements"), options.hooks};
    acknowledged.report(problems);
    server server{host.io.get_executor(), hub};
    server.live("/live", options);
    server.files("/vendor/", examples::find_uplot(host.examples()));

    auto& ticks = hub.open("ticks");
    market::portfolio held{hub.open("positions")};
    market::market_watch watch{alerts, hub.open("spreads"), 60 * bar,
                               chosen.drawdown_basis_points * 1e-4};
    pipelines all;
    all.add(from(ticks)
                .json()
                .time("t", 1e-3)
                .number("price")
                .number("volume")
                .key("symbol")
                .window(tumbling{bar})
                .apply<ohlcv>()
                .to(hub.open("bars"), emission::on_tick)
                .window(sliding{20 * bar})
                .apply<vwap>()
                .to(hub.open("averages"), emission::on_tick)
                .detect(market::price_move{60 * bar})
                .to(alerts, market::price_move::rule(), market::price_move::text)
                .report(problems));
    all.add(market::worth_of_positions(hub.open("positions"), ticks, problems,
                                       [&](std::string_view symbol, auto const& worth) {
                                           held.value(symbol, worth.value);
                                           watch.see(held, worth.time);
                                       }));
    all.add(std::move(acknowledged));

    examples::replay_clock clock{chosen.speed};
    event_time now{0};
    auto next = source();
    examples::every const turn{
        host.io, std::chrono::milliseconds{20}, [&] {
            for (int i = 0; i < ticks_per_turn_max && next && clock.has_come(next->time); ++i) {
                now = next->time;
                held.see(*next);
                ticks.publish(market::to_json(*next), {.key = next->symbol});
                watch.see(*next);
                if (!(next = source())) all.finish();
            }
            all.run();
            all.advance(now);
        }};
    // People read no faster than this; what is open meanwhile is published as provisional.
    event_time shown{0};
    examples::every const show{host.io, std::chrono::milliseconds{200}, [&] {
                                   if (std::exchange(shown, now) == now) return;
                                   all.tick();
                                   held.publish(hub.open("portfolio"), now);
                                   watch.publish(now);
                               }};
    return host.run(server);
}

} // namespace

int main(int argc, char** argv) {
    page_host host{"market", "Serves bars, averages, spreads, profits and alerts of a market."};
    market::choices chosen{host.arguments};
    if (auto const status = host.parse(argc, argv)) return *status;
    try {
        return run(host, chosen);
    } catch (std::exception const& error) {
        std::cerr << "market: " << error.what() << '\n';
        return 1;
    }
}
