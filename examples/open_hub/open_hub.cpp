// A hub with nothing closed, for trying things out: any channel is created on first use, and
// anybody may subscribe and publish. Start it, then type, in two terminals:
//
//   curl -N 'http://127.0.0.1:8080/live/sse?channel=chat'
//   curl 'http://127.0.0.1:8080/live/publish?channel=chat' -H 'Content-Type: text/plain' -d hello
//
// Who names itself with `&name=ann` is seen at http://127.0.0.1:8080/live/presence?channel=chat.

#include "../support/name_in_query.hpp"
#include "../support/tls_arguments.hpp"

#include <livetape/livetape.hpp>

#include <CLI/CLI.hpp>
#include <asio/signal_set.hpp>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <string_view>
#include <system_error>

int main(int argc, char** argv) {
    CLI::App arguments{
        "A hub in which anybody may create, publish into and subscribe to any channel."};
    std::uint16_t port = 8080;
    livetape::channel_options retention;
    std::int64_t seconds = 0;
    std::int64_t publish_interval = 0;
    std::int64_t idle_seconds = 3600;
    bool is_closing = false;
    arguments.add_option("--port", port, "Port to listen on; 0 lets the system choose")
        ->capture_default_str();
    arguments
        .add_option("--retain-events", retention.log_events_max, "Events that a channel keeps")
        ->capture_default_str();
    arguments.add_option("--retain-bytes", retention.log_bytes_max, "Bytes that a channel keeps")
        ->capture_default_str();
    arguments.add_option("--retain-seconds", seconds, "Age of the oldest event kept; 0 for any");
    arguments
        .add_option("--publish-interval", publish_interval,
                    "Milliseconds for which a channel collects events; 0 passes each on at once")
        ->check(CLI::NonNegativeNumber);
    arguments
        .add_option("--idle-seconds", idle_seconds,
                    "Seconds after which a channel that nobody uses is dropped; 0 for never")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    arguments.add_flag("--close-on-overrun", is_closing,
                       "Ends a connection that is too slow for what is kept, instead of a gap");
    tls_arguments const tls{arguments};
    CLI11_PARSE(arguments, argc, argv);
    retention.log_age_max = std::chrono::seconds{seconds};
    retention.publish_interval = std::chrono::milliseconds{publish_interval};
    retention.idle_time_max = std::chrono::seconds{idle_seconds};
    retention.presence = true;
    if (is_closing) retention.on_overrun = livetape::overrun_policy::close;

    asio::io_context io{1};
    livetape::hub hub{retention};
    livetape::server server{io.get_executor(), hub};

    livetape::live_options open;
    open.clients_may_create_channels = true;
    open.origins = livetape::http::origin_policy{{"*"}};
    open.hooks.connect = [](livetape::http::request_head const& head) {
        return name_in_query(head).value_or(livetape::client_identity{});
    };
    open.hooks.publish = [](std::string_view, std::string_view) { return true; };
    server.live("/live", open);

    try {
        auto const at = tls.listen(server, port);
        auto const* const scheme = tls.are_given() ? "https" : "http";
        std::cout << "open_hub: " << scheme << "://127.0.0.1:" << at.port() << "/live" << std::endl;
    } catch (std::system_error const& failure) {
        std::cerr << "open_hub: " << failure.what() << '\n';
        return 1;
    }

    asio::signal_set signals{io, SIGINT, SIGTERM};
    signals.async_wait([&](std::error_code, int) { server.stop(); });
    io.run();
}
