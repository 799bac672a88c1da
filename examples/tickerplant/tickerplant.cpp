// Many producers, each with a channel of its own, and screens that follow all of them by a pattern,
// at the pace that a screen can show. Start it, open the address that it prints, switch between the
// two ways to publish, and become a producer yourself, on the page or by typing:
//
//   tickerplant --port 8080 --producers 4
//   curl 'http://127.0.0.1:8080/live/publish?channel=ticks.ACME'
//        -H 'Content-Type: application/json' -d '{"price":101.5}'
//
//   ticks.<symbol>   what producers publish, on every update or collected by a timer
//   screen.<symbol>  a copy of it, five times a second at most
//   wall.<symbol>    a copy of the copy, once a second
//   plant.interval   where to publish the timer's milliseconds: 0 is every update

#include "../support/page_host.hpp"
#include "../support/repeat.hpp"
#include "plant.hpp"
#include "simulated_exchange.hpp"

#include <livetape/livetape.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

int main(int argc, char** argv) {
    using tickerplant::plant;
    page_host host{"tickerplant", "Collects the ticks of many producers and copies them slowly."};
    std::size_t producers = 4;
    std::uint64_t seed = 1;
    host.arguments.add_option("--producers", producers, "Producers within the program")
        ->check(CLI::Range(std::size_t{0}, tickerplant::simulated_exchange::symbols.size()))
        ->capture_default_str();
    host.arguments.add_option("--seed", seed, "What their prices are drawn from")
        ->capture_default_str();
    if (auto const status = host.parse(argc, argv)) return *status;

    // A producer makes its channel by publishing; nobody makes others, or more than a screen shows.
    livetape::hub hub{{}, {.channels_max = 1000}};
    livetape::server server{host.io.get_executor(), hub};
    livetape::live_options options;
    options.clients_may_create_channels = true;
    options.hooks.publish = [](std::string_view, std::string_view channel) {
        return livetape::matches_channel_pattern(plant::producers, channel) ||
               channel == plant::control;
    };
    options.hooks.subscribe = [&](std::string_view, std::string_view channel) {
        return hub.find(channel) != nullptr;
    };
    server.live("/live", options);

    plant works{hub};
    tickerplant::simulated_exchange exchange{hub, producers, seed};
    repeat const looking{host.io, std::chrono::milliseconds{20}, [&] { works.look(); }};
    repeat const ticking{host.io, std::chrono::milliseconds{25}, [&] { exchange.tick(); }};
    return host.run(server);
}
