// The load client: WebSocket subscribers that check every event, messages that an echoing server
// sends back, handshakes, or idle connections. Prints a line and writes a report;
// with --pid also what the server used. For instance:
//
//   feed_server --port 8080 --batch 16 &
//   load --port 8080 --pid $! --connections 1000 --seconds 5
//   load --port 8080 --pid $! --handshakes 20000
//   load --port 8080 --pid $! --idle 10000
//   load --port 8080 --pid $! --path /echo --echo 16 --connections 100

#include "load/echo.hpp"
#include "load/handshakes.hpp"
#include "load/idle.hpp"
#include "load/subscribers.hpp"
#include "support/report.hpp"

#include <CLI/CLI.hpp>

#include <exception>
#include <iostream>
#include <string>

int main(int argc, char** argv) try {
    CLI::App arguments{
        "Subscribes to a feed over many WebSocket connections and checks every event."};
    benchmarks::load_options options;
    std::size_t handshakes = 0;
    std::size_t idle = 0;
    std::size_t echo = 0;
    std::size_t size = 64;
    std::string json = "build/benchmarks/load.json";
    arguments.add_option("--host", options.server.host, "The server's IPv4 address")
        ->capture_default_str();
    arguments.add_option("--port", options.server.port, "The server's port")->required();
    arguments.add_option("--path", options.path, "What to connect to")->capture_default_str();
    arguments.add_flag("--deflate", options.offers_deflate,
                       "Offer permessage-deflate; of compressed events only the number is checked");
    arguments.add_option("--pid", options.server_process,
                         "The server's process, to read what it used");
    arguments
        .add_option("--connections", options.connections,
                    "Subscribers, or connections of a round of handshakes")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    arguments.add_option("--warm-up", options.warm_up_seconds, "Seconds before measuring")
        ->capture_default_str();
    arguments.add_option("--seconds", options.seconds, "Seconds of measuring")
        ->capture_default_str();
    auto* const of_handshakes = arguments.add_option(
        "--handshakes", handshakes,
        "Open so many connections, --connections at a time, and close them instead");
    arguments.add_option("--idle", idle, "Open so many connections and measure memory instead")
        ->excludes(of_handshakes);
    arguments.add_option("--echo", echo,
                         "Keep so many messages under way on each connection, which "
                         "the server sends back, instead");
    arguments.add_option("--size", size, "With --echo: bytes of a message")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    arguments.add_option("--json", json, "Where the report goes")->capture_default_str();
    CLI11_PARSE(arguments, argc, argv);

    benchmarks::raise_file_limit();
    benchmarks::json_object report;
    bool is_right = true;
    if (handshakes > 0) report = benchmarks::measure_handshakes(options, handshakes);
    else if (echo > 0) report = benchmarks::measure_echo(options, echo, size);
    else if (idle > 0) report = benchmarks::measure_idle(options, idle);
    else is_right = benchmarks::measure_subscribers(options, report);
    report.add("environment", benchmarks::environment());
    if (!benchmarks::write_json(json, report)) {
        std::cerr << "load: cannot write " << json << '\n';
        return 1;
    }
    return is_right ? 0 : 1;
} catch (std::exception const& e) {
    std::cerr << "load: " << e.what() << '\n';
    return 1;
}
