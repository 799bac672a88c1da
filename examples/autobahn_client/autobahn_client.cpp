// Runs the cases of an Autobahn fuzzing server (tests/autobahn) against livetape's client:
//   autobahn_client --url ws://127.0.0.1:9001
// It asks how many cases there are, echoes every message of each, and asks for the reports.

#include <charconv>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <system_error>

#include <CLI/CLI.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <livetape/client/tls.hpp>
#include <livetape/client/websocket_client.hpp>
#include <livetape/wire/deflate.hpp>

namespace {

using client = livetape::basic_websocket_client<livetape::tls_dialer>;

asio::awaitable<int> count_cases(client& peer, std::string const& url) {
    co_await peer.connect(url + "/getCaseCount", asio::use_awaitable);
    auto const message = co_await peer.read(asio::use_awaitable);
    int count = 0;
    std::from_chars(message.payload.data(), message.payload.data() + message.payload.size(), count);
    co_await peer.close(livetape::websocket::close_code::normal_closure, asio::use_awaitable);
    co_return count;
}

// Echoes until the connection ends, for whatever reason: breaking rules is what the server is for.
asio::awaitable<std::error_code> echo(client& peer, std::string const& url) {
    std::error_code ec;
    co_await peer.connect(url, asio::redirect_error(asio::use_awaitable, ec));
    while (!ec) {
        auto const message = co_await peer.read(asio::redirect_error(asio::use_awaitable, ec));
        if (!ec)
            co_await peer.write(message.opcode, message.payload,
                                asio::redirect_error(asio::use_awaitable, ec));
    }
    co_return ec;
}

asio::awaitable<void> run(client& peer, std::string url, std::string agent) {
    int const count = co_await count_cases(peer, url);
    std::string const query = "agent=" + agent;
    for (int i = 1; i <= count; ++i) {
        std::string const path = "/runCase?case=" + std::to_string(i) + "&" + query;
        auto const ec = co_await echo(peer, url + path);
        std::printf("case %d of %d: %s\n", i, count, ec.message().c_str());
    }
    co_await echo(peer, url + "/updateReports?" + query);
}

} // namespace

int main(int argc, char** argv) {
    CLI::App command_line{"Runs an Autobahn fuzzing server's cases against livetape's client"};
    std::string url = "ws://127.0.0.1:9001";
    std::string agent = "livetape";
    livetape::tls_client_options tls;
    command_line.add_option("--url", url, "the fuzzing server");
    command_line.add_option("--agent", agent, "the name in the reports");
    bool is_plain = false;
    command_line.add_flag("--no-deflate", is_plain, "do not offer compression");
    command_line.add_option("--ca", tls.ca_file, "the authority to trust, for wss");
    command_line.add_option("--cert", tls.certificate_file, "a certificate to show, for wss");
    command_line.add_option("--key", tls.private_key_file, "its key");
    CLI11_PARSE(command_line, argc, argv);

    int status = 1;
    asio::io_context io;
    livetape::websocket_client_options options;
    options.messages.message_bytes_max = 64 << 20; // case group 9 sends 16 MiB
    options.queue_bytes_max = 64 << 20;
    if (!is_plain)
        options.compression = std::make_shared<livetape::websocket::permessage_deflate>(
            livetape::websocket::deflate_options{.server_no_context_takeover = false,
                                                 .client_no_context_takeover = false,
                                                 .threshold_bytes = 1});
    client peer{io.get_executor(), options, livetape::tls_dialer{tls}};
    asio::co_spawn(io, run(peer, url, agent), [&status](std::exception_ptr failure) {
        try {
            if (failure) std::rethrow_exception(failure);
            status = 0;
        } catch (std::exception const& why) {
            std::fprintf(stderr, "%s\n", why.what());
        }
    });
    io.run();
    return status;
}
