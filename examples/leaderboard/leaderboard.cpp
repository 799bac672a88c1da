// Game events become sessions per player, a channel for each player, and a board of the ten best.
// Start it, open the address that it prints, choose whom to follow, and play, on the page or by
// typing:
//
//   leaderboard --port 8080 --bots 12 --gap 3
//   curl 'http://127.0.0.1:8080/live/publish?channel=plays'
//        -H 'Content-Type: application/json' -d '{"player":"me","points":500}'
//   curl -N 'http://127.0.0.1:8080/live/sse?channel=board&mode=latest&rate=2&snapshot=1'

#include "../support/page_host.hpp"
#include "../support/repeat.hpp"
#include "bots.hpp"
#include "league.hpp"

#include <livetape/livetape.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

int main(int argc, char** argv) {
    page_host host{"leaderboard", "Ranks players by the events of their games."};
    std::size_t bots = 12;
    double gap = 3;
    std::uint64_t seed = 1;
    host.arguments.add_option("--bots", bots, "Players of the program's own")
        ->check(CLI::Range(0, 500))
        ->capture_default_str();
    host.arguments.add_option("--gap", gap, "Seconds without a play after which a session is over")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
    host.arguments.add_option("--seed", seed, "What the bots do is drawn from it")
        ->capture_default_str();
    if (auto const status = host.parse(argc, argv)) return *status;

    livetape::hub hub{{}, {.channels_max = 2 * leaderboard::players_max}};
    leaderboard::league league{hub, std::chrono::milliseconds{static_cast<long>(gap * 1000)}};
    livetape::server server{host.io.get_executor(), hub};
    livetape::live_options options;
    options.hooks.publish = [](std::string_view, std::string_view channel) {
        return channel == "plays";
    };
    server.live("/live", options);

    leaderboard::bots players{hub, bots, seed};
    repeat const playing{host.io, std::chrono::milliseconds{100}, [&] { players.play(); }};
    repeat const looking{host.io, std::chrono::milliseconds{50},
                         [&] { league.look(livetape::to_event_time(livetape::clock::now())); }};
    return host.run(server);
}
