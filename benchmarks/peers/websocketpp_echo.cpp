// The peer from websocketpp that `load --echo` compares feed_server's /echo with: one thread, no
// logs, each message sent back as the object that it came in.

#include <CLI/CLI.hpp>
#include <websocketpp/config/asio_no_tls.hpp>
#include <websocketpp/server.hpp>

#include <csignal>
#include <cstdint>
#include <iostream>

namespace {

using server = websocketpp::server<websocketpp::config::asio>;

} // namespace

int main(int argc, char** argv) {
    CLI::App arguments{"Echoes WebSocket messages with websocketpp."};
    std::uint16_t port = 8080;
    arguments.add_option("--port", port, "Port to listen on")->capture_default_str();
    CLI11_PARSE(arguments, argc, argv);

    server echo;
    echo.clear_access_channels(websocketpp::log::alevel::all);
    echo.clear_error_channels(websocketpp::log::elevel::all);
    echo.init_asio();
    echo.set_reuse_addr(true);
    echo.set_listen_backlog(1024);
    echo.set_tcp_post_init_handler([&echo](websocketpp::connection_hdl at) {
        echo.get_con_from_hdl(at)->get_raw_socket().set_option(
            boost::asio::ip::tcp::no_delay{true});
    });
    echo.set_message_handler(
        [&echo](websocketpp::connection_hdl from, server::message_ptr message) {
            websocketpp::lib::error_code ec;
            echo.send(from, message, ec);
        });
    echo.listen(boost::asio::ip::tcp::v4(), port);
    echo.start_accept();
    boost::asio::signal_set signals{echo.get_io_service(), SIGINT, SIGTERM};
    signals.async_wait([&echo](boost::system::error_code, int) { echo.stop(); });
    std::cout << "websocketpp_echo: port " << port << std::endl;
    echo.run();
}
