// Rooms, who is in them, what was said, and saying something: channels, presence, history and
// publishing from clients. Start it, then open the address that it prints in two windows:
//
//   chat --port 8080
//   curl 'http://127.0.0.1:8080/live/publish?channel=chat.lobby&name=curl'
//        -H 'Content-Type: application/json' -d '{"from":"curl","text":"hello"}'
//
// An operator throws somebody out:
//
//   curl 'http://127.0.0.1:8080/live/publish?channel=kick&name=operator'
//        -H 'Content-Type: text/plain' -d curl

#include "../support/name_in_query.hpp"
#include "../support/page_host.hpp"

#include <livetape/livetape.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace {

bool is_room(std::string_view channel) { return channel.starts_with("chat."); }

} // namespace

int main(int argc, char** argv) {
    page_host host{"chat", "Serves chat rooms: who enters a room first makes it."};
    if (auto const status = host.parse(argc, argv)) return *status;

    // A room is a channel; its log is its history, its companion channel says who comes and goes.
    // One that everybody has left is forgotten after a day.
    livetape::hub hub{
        {.log_events_max = 1000, .presence = true, .idle_time_max = std::chrono::hours{24}}};
    livetape::server server{host.io.get_executor(), hub};
    livetape::live_options rooms;
    rooms.clients_may_create_channels = true;
    std::set<std::string, std::less<>> thrown_out; // of the server's thread, as hooks and callbacks
    rooms.hooks.connect = [&](livetape::http::request_head const& head) {
        auto who = name_in_query(head);
        return who && thrown_out.contains(who->id) ? std::nullopt : who;
    };
    rooms.hooks.subscribe = [](std::string_view, std::string_view channel) {
        return is_room(channel) || channel.starts_with("@presence/chat.");
    };
    rooms.hooks.publish = [](std::string_view who, std::string_view channel) {
        return is_room(channel) || (channel == "kick" && who == "operator");
    };
    server.live("/live", rooms);
    hub.open("kick");
    auto const kicks = hub.on_publish("kick", [&](livetape::channel&, auto const& events) {
        for (auto const& event : events) {
            thrown_out.emplace(event.payload);
            server.dismiss(std::string{event.payload}, {.reason = "thrown out by the operator"});
        }
    });
    return host.run(server);
}
