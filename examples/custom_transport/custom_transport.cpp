// A server with one transport more than the library has. Start it, then type:
//
//   curl -N 'http://127.0.0.1:8080/live/ndjson?channel=clock'

#include "ndjson_transport.hpp"

#include <asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <system_error>

int main() {
    using namespace livetape;
    asio::io_context io{1};
    hub hub;
    basic_server<transports<ndjson_transport, websocket_transport, sse_transport, poll_transport,
                            publish_transport>>
        server{io.get_executor(), hub};
    server.live("/live");
    server.listen({asio::ip::tcp::v4(), 8080});

    auto& clock = hub.open("clock");
    asio::steady_timer timer{io};
    std::function<void(std::error_code)> const tick = [&](std::error_code) {
        clock.publish(std::to_string(std::chrono::system_clock::now().time_since_epoch().count()));
        timer.expires_after(std::chrono::seconds{1});
        timer.async_wait(tick);
    };
    tick({});
    io.run();
}
