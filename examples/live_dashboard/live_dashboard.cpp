// A live dashboard: this machine's telemetry and a market, published once and read by a page over
// WebSocket, SSE, long-polling and short-polling side by side. Start it, then open the address that
// it prints:
//
//   live_dashboard                                            a simulated market
//   live_dashboard --replay quotes.csv --speed 10 --loop      a recorded one
//   live_dashboard --seconds 60                               ends by itself after a minute

#include "../support/market_simulator.hpp"
#include "../support/quote_replay.hpp"
#include "alert_feed.hpp"
#include "arguments.hpp"
#include "market_feed.hpp"
#include "payload.hpp"
#include "rate_feed.hpp"
#include "telemetry_feed.hpp"

#include <livetape/livetape.hpp>

#include <asio/io_context.hpp>
#include <asio/ip/address.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
#include <csignal>
#include <exception>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>
#include <system_error>

namespace {

using dashboard::arguments;

/// Where quotes come from, and a sentence for the page that says so.
struct market {
    examples::quote_source source;
    std::string description;
};

market open_market(arguments const& from) {
    if (from.replay.empty()) {
        examples::market_simulator simulator{from.seed};
        auto text = "simulated, " + std::to_string(simulator.symbol_count()) + " symbols, seed " +
                    std::to_string(from.seed);
        return {std::move(simulator), std::move(text)};
    }
    auto replay = examples::quote_replay::open(from.replay, from.is_endless);
    auto text = std::to_string(replay.size()) + " recorded quotes of " + replay.symbol();
    return {std::move(replay), std::move(text)};
}

void require_file(std::filesystem::path const& folder, std::string const& name,
                  std::string const& advice) {
    if (std::filesystem::is_regular_file(folder / name)) return;
    throw std::runtime_error{"there is no " + name + " in " + folder.string() + "; " + advice};
}

/// Bytes of a request's head as it arrived, from a client that writes `Name: value`.
std::size_t head_bytes(livetape::http::request_head const& head) {
    std::size_t bytes =
        head.method().size() + head.target().size() + std::string{"  HTTP/1.1\r\n\r\n"}.size();
    for (std::size_t i = 0; i < head.field_count(); ++i)
        bytes += head.field_at(i).name.size() + head.field_at(i).value.size() +
                 std::string{": \r\n"}.size();
    return bytes;
}

int run(arguments const& from) {
    auto const advice_page = "name the folder of the page with --assets";
    auto const advice_uplot =
        "run scripts/install_dependencies node, or name uPlot's dist folder with --vendor";
    require_file(from.assets, "index.html", advice_page);
    require_file(from.vendor, "uPlot.esm.js", advice_uplot);
    auto [source, description] = open_market(from);

    // One thread runs everything: the feeds publish between two turns of the server.
    asio::io_context io{1};
    livetape::hub hub;
    livetape::server server{io.get_executor(), hub};
    server.live("/live");
    server.files("/", from.assets);
    server.files("/vendor/", from.vendor);

    // By this the page sets its clock by the server's, and learns what a request of it weighs.
    server.get("/about", [&, text = description](livetape::http::request_head const& head) {
        auto about = dashboard::payload();
        about.text("market", text)
            .rounded("request_bytes", static_cast<double>(head_bytes(head)), 0);
        return livetape::http_reply{.content_type = "application/json",
                                    .body = std::string{about.finish()},
                                    .fields = "Cache-Control: no-store\r\n"};
    });

    std::error_code ec;
    auto const address = asio::ip::make_address(from.address, ec);
    if (ec) throw std::runtime_error{from.address + " is not an IP address"};
    auto const at = server.listen({address, from.port}, {}, ec);
    if (ec)
        throw std::runtime_error{"cannot listen on port " + std::to_string(from.port) + ": " +
                                 ec.message()};

    dashboard::alert_feed alerts{hub};
    dashboard::rate_feed rates{hub};
    dashboard::telemetry_feed telemetry{io, hub, alerts, rates};
    dashboard::market_feed quotes{io, hub, alerts, rates, std::move(source), from.speed};
    if (!telemetry.start())
        std::cerr << "live_dashboard: there is no /proc/stat here, so no telemetry\n";
    quotes.start();

    asio::signal_set signals{io, SIGINT, SIGTERM};
    asio::steady_timer end{io};
    auto const stop = [&](std::error_code ended, int = 0) {
        if (ended) return;
        telemetry.stop();
        quotes.stop();
        server.stop();
        signals.cancel();
        end.cancel();
    };
    signals.async_wait(stop);
    if (from.seconds > 0) {
        end.expires_after(std::chrono::milliseconds{static_cast<long>(from.seconds * 1000)});
        end.async_wait(stop);
    }
    auto const host = address.is_unspecified() ? std::string{"127.0.0.1"} : address.to_string();
    std::cout << "live_dashboard: http://" << host << ':' << at.port()
              << "/ (market: " << description << ")" << std::endl;
    io.run();
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    int status = 0;
    auto const from = arguments::parse(argc, argv, status);
    if (!from) return status;
    try {
        return run(*from);
    } catch (std::exception const& error) {
        std::cerr << "live_dashboard: " << error.what() << '\n';
        return 1;
    }
}
