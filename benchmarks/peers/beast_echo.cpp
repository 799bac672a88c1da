// The peer from Boost.Beast that `load --echo` compares feed_server's /echo with: one thread, one
// buffer per connection that is kept, no timeouts, messages written as one frame.

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>

#include <cstddef>
#include <cstdint>
#include <iostream>
#include <memory>
#include <utility>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using tcp = asio::ip::tcp;
using beast::error_code;

class echo_connection : public std::enable_shared_from_this<echo_connection> {
public:
    explicit echo_connection(tcp::socket socket) : stream_{std::move(socket)} {}

    void start() {
        stream_.auto_fragment(false);
        stream_.async_accept([self = shared_from_this()](error_code ec) {
            if (!ec) self->read();
        });
    }

private:
    void read() {
        stream_.async_read(buffer_, [self = shared_from_this()](error_code ec, std::size_t) {
            if (!ec) self->write();
        });
    }

    void write() {
        stream_.text(stream_.got_text());
        stream_.async_write(buffer_.data(),
                            [self = shared_from_this()](error_code ec, std::size_t size) {
                                self->buffer_.consume(size);
                                if (!ec) self->read();
                            });
    }

    beast::websocket::stream<tcp::socket> stream_;
    beast::flat_buffer buffer_;
};

void accept_next(tcp::acceptor& acceptor) {
    acceptor.async_accept([&acceptor](error_code ec, tcp::socket socket) {
        if (ec) return;
        socket.set_option(tcp::no_delay{true});
        std::make_shared<echo_connection>(std::move(socket))->start();
        accept_next(acceptor);
    });
}

} // namespace

int main(int argc, char** argv) {
    CLI::App arguments{"Echoes WebSocket messages with Boost.Beast."};
    std::uint16_t port = 8080;
    arguments.add_option("--port", port, "Port to listen on")->capture_default_str();
    CLI11_PARSE(arguments, argc, argv);

    asio::io_context io{1};
    tcp::acceptor acceptor{io, {tcp::v4(), port}};
    accept_next(acceptor);
    asio::signal_set signals{io, SIGINT, SIGTERM};
    signals.async_wait([&io](error_code, int) { io.stop(); });
    std::cout << "beast_echo: port " << port << std::endl;
    io.run();
}
