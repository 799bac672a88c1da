// The server of the README. Start it, then type:
//
//   curl -N 'http://127.0.0.1:8080/live/sse?channel=clock'

#include <ctime>
#include <livetape/livetape.hpp>

int main() {
    asio::io_context io;
    livetape::hub hub;
    livetape::channel& clock = hub.open("clock");
    livetape::server server{io.get_executor(), hub};
    server.live("/live");
    server.listen({asio::ip::tcp::v4(), 8080});
    for (;; io.run_for(std::chrono::seconds{1})) clock.publish(std::to_string(std::time(nullptr)));
}
