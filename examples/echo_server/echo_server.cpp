// Sends every WebSocket message back as it came, text as text and binary as binary, on every path:
// the server that conformance suites such as Autobahn want to talk to.
//
//   echo_server --port 9001 --deflate
//   echo_server --port 9001 --cert chain.pem --key key.pem

#include "../support/tls_arguments.hpp"

#include <livetape/livetape.hpp>
#include <livetape/wire/deflate.hpp>

#include <CLI/CLI.hpp>
#include <asio/signal_set.hpp>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

namespace {

/// Nothing here is worth keeping from anybody, and the suites send messages of 16 MiB.
livetape::live_options open_to_all(std::size_t message_bytes_max) {
    livetape::live_options open;
    open.origins = livetape::http::origin_policy{{"*"}};
    open.handler_message_bytes_max = message_bytes_max;
    open.reply_bytes_max = message_bytes_max;
    return open;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App arguments{"Sends every WebSocket message back, on every path."};
    std::uint16_t port = 9001;
    std::size_t message_bytes_max = std::size_t{64} << 20;
    arguments.add_option("--port", port, "Port to listen on; 0 lets the system choose")
        ->capture_default_str();
    arguments
        .add_option("--message-bytes-max", message_bytes_max,
                    "Larger messages are closed with 1009")
        ->capture_default_str();
    tls_arguments const tls{arguments};
    bool has_deflate = false;
    bool takes_context_over = false;
    arguments.add_flag("--deflate", has_deflate, "Agree on permessage-deflate");
    arguments.add_flag("--context-takeover", takes_context_over,
                       "With --deflate: compress each message with those before it");
    CLI11_PARSE(arguments, argc, argv);

    auto options = open_to_all(message_bytes_max);
    if (has_deflate)
        options.compression = std::make_shared<livetape::websocket::permessage_deflate>(
            livetape::websocket::deflate_options{.server_no_context_takeover = !takes_context_over,
                                                 .client_no_context_takeover =
                                                     !takes_context_over});

    asio::io_context io{1};
    livetape::hub hub;
    livetape::server server{io.get_executor(), hub};
    server.websocket(
        "/*",
        [](livetape::websocket_link& link, livetape::websocket::opcode code,
           std::string_view payload) { link.send(code, payload); },
        std::move(options));

    try {
        auto const at = tls.listen(server, port);
        auto const* const scheme = tls.are_given() ? "wss" : "ws";
        std::cout << "echo_server: " << scheme << "://127.0.0.1:" << at.port() << "/" << std::endl;
    } catch (std::system_error const& failure) {
        std::cerr << "echo_server: " << failure.what() << '\n';
        return 1;
    }

    asio::signal_set signals{io, SIGINT, SIGTERM};
    signals.async_wait([&](std::error_code, int) { server.stop(); });
    io.run();
}
