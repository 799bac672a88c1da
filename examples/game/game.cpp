// Players in a large world, thirty times a second, of which each sees only what is near: a keyed
// channel whose keys are the cells of a grid, binary payloads, and a set of keys that moves with
// the player. Start it, open the address that it prints, and steer with the arrow keys or the
// pointer:
//
//   game --port 8080 --bots 2000

#include "../support/name_in_query.hpp"
#include "../support/page_host.hpp"
#include "world.hpp"

#include <livetape/livetape.hpp>

#include <asio/steady_timer.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string_view>
#include <system_error>

namespace {

/// Moves the world thirty times a second and publishes the cells in which something moved.
///
/// Who comes and goes is published into the companion channel of `players`, and what they press
/// into `steering`; the hub calls the loop with both, on this thread.
class game_loop {
public:
    game_loop(asio::io_context& io, livetape::hub& hub, std::uint32_t bots)
        : timer_{io}, cells_{hub.open("world")}, players_{hub.open("players", {.presence = true})},
          world_{bots} {
        hub.open("steering");
        arrivals_ = hub.on_publish("@presence/players",
                                   [this](livetape::channel&, livetape::event_range const& events) {
                                       for (auto const& event : events) greet(event);
                                   });
        inputs_ = hub.on_publish("steering",
                                 [this](livetape::channel&, livetape::event_range const& events) {
                                     for (auto const& event : events)
                                         world_.steer(event.key, event.payload);
                                 });
    }
    game_loop(game_loop const&) = delete;
    game_loop& operator=(game_loop const&) = delete;
    ~game_loop() {
        arrivals_->stop();
        inputs_->stop();
    }

    void start() {
        timer_.expires_after(std::chrono::milliseconds{33});
        timer_.async_wait([this](std::error_code ec) {
            if (ec) return;
            tick();
            start();
        });
    }

private:
    void tick() {
        world_.move();
        for (auto const& cell : world_.changed_cells())
            cells_.publish(cell.players, {.key = cell.key, .kind = livetape::payload_kind::binary});
    }

    void greet(livetape::event_view const& event) {
        if (event.payload.starts_with(R"({"join")")) welcome(event.key);
        else world_.leave(event.key);
    }

    /// Tells a player, who watches the key of its name, which one it is and where.
    void welcome(std::string_view name) {
        auto const& who = world_.enter(name);
        std::array<char, 96> json{};
        auto const size = std::snprintf(json.data(), json.size(), R"({"id":%u,"x":%.0f,"y":%.0f})",
                                        static_cast<unsigned>(who.id), static_cast<double>(who.x),
                                        static_cast<double>(who.y));
        players_.publish({json.data(), static_cast<std::size_t>(size)}, {.key = name});
    }

    asio::steady_timer timer_;
    livetape::channel& cells_;
    livetape::channel& players_;
    game::world world_;
    std::shared_ptr<livetape::channel_watch> arrivals_;
    std::shared_ptr<livetape::channel_watch> inputs_;
};

} // namespace

int main(int argc, char** argv) {
    page_host host{"game", "Serves a world of moving players, of which each sees what is near."};
    std::uint32_t bots = 1000;
    host.arguments.add_option("--bots", bots, "Players that steer themselves")
        ->check(CLI::Range(0, 20000))
        ->capture_default_str();
    if (auto const status = host.parse(argc, argv)) return *status;

    livetape::hub hub;
    livetape::server server{host.io.get_executor(), hub};
    livetape::live_options options;
    options.hooks.connect = name_in_query;
    options.hooks.publish = [](std::string_view, std::string_view channel) {
        return channel == "steering";
    };
    server.live("/live", options);
    game_loop loop{host.io, hub, bots};
    loop.start();
    return host.run(server);
}
