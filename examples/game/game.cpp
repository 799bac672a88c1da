// Players in a large world, thirty times a second, of which each sees only what is near: a keyed
// channel whose keys are the cells of a grid, binary payloads, and a set of keys that moves with
// the player. Start it, open the address that it prints, and steer with the arrow keys or the
// mouse:
//
//   game --port 8080 --bots 2000

#include "../support/page_host.hpp"
#include "world.hpp"

#include <livetape/livetape.hpp>

#include <asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace {

/// Moves the world thirty times a second and publishes the cells in which something moved.
class game_loop {
public:
    game_loop(asio::io_context& io, livetape::hub& hub, std::uint32_t bots)
        : timer_{io}, cells_{hub.open("world")}, inputs_{hub.open("steering")}, world_{bots} {}

    void start() {
        timer_.expires_after(std::chrono::milliseconds{33});
        timer_.async_wait([this](std::error_code ec) {
            if (ec) return;
            tick();
            start();
        });
    }

    /// The id of a player who has steered; nothing of one who has not yet.
    [[nodiscard]] std::optional<std::uint32_t> id_of(std::string_view name) const {
        return world_.id_of(name);
    }

private:
    void tick() {
        // What players did since the last tick: the loop is a reader like any other.
        for (auto const& event : inputs_.read(read_to_)) {
            world_.steer(event.key, event.payload);
            read_to_ = event.offset;
        }
        world_.move();
        for (auto const& cell : world_.changed_cells())
            cells_.publish(cell.players, {.key = cell.key, .kind = livetape::payload_kind::binary});
    }

    asio::steady_timer timer_;
    livetape::channel& cells_;
    livetape::channel& inputs_;
    std::uint64_t read_to_ = 0;
    game::world world_;
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
    options.hooks.publish = [](std::string_view, std::string_view channel) {
        return channel == "steering";
    };
    server.live("/live", options);
    game_loop loop{host.io, hub, bots};
    loop.start();
    server.get("/player", [&](livetape::http::request_head const& head) {
        auto const query = livetape::http::query::parse(head.query());
        auto const id = loop.id_of(query ? query->get("name").value_or("") : "");
        if (!id) return livetape::http_reply{.status = 404, .body = "no such player yet\n"};
        return livetape::http_reply{.content_type = "application/json",
                                    .body = "{\"id\":" + std::to_string(*id) + "}"};
    });
    return host.run(server);
}
