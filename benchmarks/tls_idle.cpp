// What an idle WebSocket connection costs the server in memory, plain and with TLS. The clients are
// a process of their own, so that only the server is measured. For instance:
//
//   openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj
//   /CN=localhost
//       -keyout key.pem -out cert.pem
//   tls_idle --connections 2000 --cert cert.pem --key key.pem

#include <livetape/livetape.hpp>
#include <livetape/net/tls.hpp>

#include "support/client_socket.hpp"

#include <CLI/CLI.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string_view>

#include <arpa/inet.h>
#include <csignal>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr std::string_view handshake =
    "GET /live/ws?channel=feed HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// The other process: opens connections to the ports that it is told, and keeps them.
[[noreturn]] void open_connections(int from_server, int to_server, int count) {
    SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
    std::uint16_t port = 0;
    for (bool has_tls = false; ::read(from_server, &port, sizeof port) == sizeof port;
         has_tls = true) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_port = htons(port);
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        for (int i = 0; i < count; ++i) {
            std::array<char, 2048> answer{};
            int const fd = ::socket(AF_INET, SOCK_STREAM, 0);
            if (::connect(fd, reinterpret_cast<sockaddr const*>(&at), sizeof at) != 0) _exit(1);
            auto const size = static_cast<int>(handshake.size());
            if (!has_tls) {
                if (::send(fd, handshake.data(), handshake.size(), 0) != size) _exit(1);
                if (::recv(fd, answer.data(), answer.size(), 0) <= 0) _exit(1);
                continue;
            }
            SSL* const ssl = SSL_new(context);
            SSL_set_fd(ssl, fd);
            if (SSL_connect(ssl) != 1 || SSL_write(ssl, handshake.data(), size) != size ||
                SSL_read(ssl, answer.data(), static_cast<int>(answer.size())) <= 0)
                _exit(1);
        }
        if (::write(to_server, "x", 1) != 1) _exit(1);
    }
    _exit(0);
}

std::size_t resident_bytes() {
    malloc_trim(0);
    std::ifstream in{"/proc/self/statm"};
    std::size_t total = 0;
    std::size_t resident = 0;
    in >> total >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

} // namespace

int main(int argc, char** argv) {
    CLI::App arguments{"Measures the memory of idle connections, plain and with TLS."};
    int count = 2000;
    livetape::tls_certificate certificate;
    arguments.add_option("--connections", count, "Connections of each kind")->capture_default_str();
    arguments.add_option("--cert", certificate.chain_file, "Certificate chain in PEM")->required();
    arguments.add_option("--key", certificate.key_file, "Its private key in PEM")->required();
    CLI11_PARSE(arguments, argc, argv);

    benchmarks::raise_file_limit();
    std::array<int, 2> to_clients{};
    std::array<int, 2> to_server{};
    if (::pipe(to_clients.data()) != 0 || ::pipe(to_server.data()) != 0) return 1;
    auto const clients = ::fork();
    if (clients == 0) {
        ::close(to_clients[1]);
        open_connections(to_clients[0], to_server[1], count);
    }
    ::fcntl(to_server[0], F_SETFL, O_NONBLOCK);

    asio::io_context io{1};
    livetape::hub hub;
    hub.open("feed");
    livetape::server server{io.get_executor(), hub};
    server.live("/live");
    asio::ip::tcp::endpoint const any{asio::ip::address_v4::loopback(), 0};
    auto const plain_port = server.listen(any).port();
    auto const tls_port =
        server.listen(any, livetape::tls_context{{.certificates = {certificate}}}).port();

    int status = 0;
    for (auto const port : {plain_port, tls_port}) {
        auto const before = resident_bytes();
        if (::write(to_clients[1], &port, sizeof port) != sizeof port) return 1;
        for (char done = 0; ::read(to_server[0], &done, 1) != 1;) {
            if (::waitpid(clients, &status, WNOHANG) == clients) {
                std::cerr << "tls_idle: the clients could not connect\n";
                return 1;
            }
            io.run_for(std::chrono::milliseconds{20});
        }
        io.run_for(std::chrono::milliseconds{200});
        auto const bytes = (resident_bytes() - before) / static_cast<std::size_t>(count);
        std::cout << (port == plain_port ? "plain" : "TLS  ") << "  " << bytes
                  << " bytes resident per idle WebSocket connection" << std::endl;
    }
    ::close(to_clients[1]);
    ::waitpid(clients, &status, 0);
}
