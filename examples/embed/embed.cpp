// A service with its own accept loop and its own HTTP, which lets livetape serve the live paths.
// Start it, then type, in two terminals:
//
//   curl -N 'http://127.0.0.1:8080/live/sse?channel=beeps'
//   curl 'http://127.0.0.1:8080/beep'

#include "visitor.hpp"

#include <asio/io_context.hpp>

#include <functional>
#include <memory>
#include <system_error>
#include <utility>

int main() {
    asio::io_context io{1};
    livetape::hub hub;
    hub.open("beeps");
    livetape::live_endpoint live{hub};

    asio::ip::tcp::acceptor acceptor{io, {asio::ip::tcp::v4(), 8080}};
    std::function<void()> const accept = [&] {
        acceptor.async_accept([&](std::error_code ec, asio::ip::tcp::socket socket) {
            if (!ec)
                std::make_shared<visitor>(std::move(socket), std::string{}, live)->next_request();
            accept();
        });
    };
    accept();
    io.run();
}
