// Runs the cases of an Autobahn fuzzing server (tests/autobahn) against livetape's client:
//   autobahn_client --url ws://127.0.0.1:9001
// It asks how many cases there are, echoes every message of each, and asks for the reports.

#include <charconv>
#include <cstdio>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include <CLI/CLI.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <livetape/client/tls.hpp>
#include <livetape/client/websocket_client.hpp>
#include <livetape/wire/deflate.hpp>

namespace {

class autobahn_client {
public:
    using client_type = livetape::basic_websocket_client<livetape::tls_dialer>;

    autobahn_client(client_type client, std::string url, std::string agent)
        : client_{std::move(client)}, url_{std::move(url)}, agent_{std::move(agent)} {}

    void start() {
        client_.connect(url_ + "/getCaseCount", [this](std::error_code ec) {
            if (ec) return fail(ec);
            client_.read([this](std::error_code failure, livetape::websocket_message message) {
                if (failure) return fail(failure);
                auto const* const end = message.payload.data() + message.payload.size();
                std::from_chars(message.payload.data(), end, case_count_);
                client_.close(livetape::websocket::close_code::normal_closure,
                              [this](std::error_code) { run_next(); });
            });
        });
    }

    [[nodiscard]] bool has_failed() const noexcept { return has_failed_; }

private:
    void run_next() {
        auto const query = "agent=" + agent_;
        bool const is_over = ++case_ > case_count_;
        auto const path = is_over ? "/updateReports?" + query
                                  : "/runCase?case=" + std::to_string(case_) + "&" + query;
        client_.connect(url_ + path, [this, is_over](std::error_code ec) {
            if (!ec) echo(is_over);
            else if (is_over) fail(ec);
            else end_case(ec);
        });
    }

    // Until the connection ends, for whatever reason: breaking rules is what the server is for.
    void echo(bool is_over) {
        client_.read([this, is_over](std::error_code ec, livetape::websocket_message message) {
            if (!ec) {
                client_.write(message.opcode, message.payload, asio::detached);
                echo(is_over);
            } else if (!is_over) {
                end_case(ec);
            }
        });
    }

    void end_case(std::error_code ec) {
        std::printf("case %d of %d: %s\n", case_, case_count_, ec.message().c_str());
        run_next();
    }

    void fail(std::error_code ec) {
        std::fprintf(stderr, "%s\n", ec.message().c_str());
        has_failed_ = true;
    }

    client_type client_;
    std::string url_;
    std::string agent_;
    int case_ = 0;
    int case_count_ = 0;
    bool has_failed_ = false;
};

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

    asio::io_context io;
    livetape::websocket_client_options options;
    options.messages.message_bytes_max = 64 << 20; // case group 9 sends 16 MiB
    options.queue_bytes_max = 64 << 20;
    if (!is_plain)
        options.compression = std::make_shared<livetape::websocket::permessage_deflate>(
            livetape::websocket::deflate_options{.server_no_context_takeover = false,
                                                 .client_no_context_takeover = false,
                                                 .threshold_bytes = 1});
    try {
        livetape::tls_dialer const dialer{tls};
        autobahn_client runner{{io.get_executor(), options, dialer}, url, agent};
        runner.start();
        io.run();
        return runner.has_failed() ? 1 : 0;
    } catch (std::system_error const& why) { // a file of the command line
        std::fprintf(stderr, "%s\n", why.what());
        return 1;
    }
}
