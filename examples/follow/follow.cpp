// Prints the events of channels of any livetape server, over whatever gets through to it.
//
//   ten_lines &
//   follow http://127.0.0.1:8080/live clock
//   follow http://127.0.0.1:8080/live quotes --mode latest --rate 2 --keys EURUSD,USDJPY

#include <livetape/client/subscription_client.hpp>

#include <CLI/CLI.hpp>
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>

#include <chrono>
#include <csignal>
#include <iostream>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

namespace {

constexpr char const* names[] = {"WebSocket", "Server-Sent Events", "long-polling"};

struct printer {
    void operator()(livetape::feed_event const& event) const {
        std::cout << event.channel << ' ' << event.offset << ' ';
        if (event.count > 1) std::cout << "(of " << event.count << ") ";
        std::cout << (event.is_binary ? "(binary)" : event.data) << std::endl;
    }
    void operator()(livetape::feed_gap const& gap) const {
        std::cerr << gap.channel << ": " << gap.from << " to " << gap.to << " are lost\n";
    }
    void operator()(livetape::feed_refusal const& refusal) const {
        std::cerr << refusal.channel << ": " << refusal.message << '\n';
    }
    void operator()(livetape::feed_connecting) const {}
    void operator()(livetape::feed_live live) const {
        std::cerr << "live over " << names[static_cast<int>(live.transport)] << '\n';
    }
    void operator()(livetape::feed_waiting const& waiting) const {
        std::cerr << waiting.why.ec.message() << "; again in " << waiting.delay.count() << " ms\n";
    }
};

void print_next(livetape::subscription_client& feed) {
    feed.next([&feed](std::error_code ec, livetape::feed_item const& item) {
        if (ec) return void(std::cerr << "follow: " << ec.message() << '\n');
        std::visit(printer{}, item);
        print_next(feed);
    });
}

} // namespace

int main(int argc, char** argv) {
    CLI::App arguments{"Prints the events of channels of a livetape server."};
    std::string url;
    std::string mode = "every";
    double rate = 0;
    std::vector<std::string> channels;
    std::vector<std::string> keys;
    arguments.add_option("url", url, "Where the live paths are, such as http://host/live")
        ->required();
    arguments.add_option("channels", channels, "What to follow")->required();
    arguments.add_option("--mode", mode, "every, or latest for the newest of each key")
        ->check(CLI::IsMember({"every", "latest"}))
        ->capture_default_str();
    arguments.add_option("--rate", rate, "Flushes a second at most; 0 for at once")
        ->check(CLI::Range(0.0, 1000.0));
    arguments.add_option("--keys", keys, "Only these keys")->delimiter(',');
    CLI11_PARSE(arguments, argc, argv);

    livetape::subscription_options options;
    if (mode == "latest") options.delivery.mode = livetape::feed_mode::latest;
    if (rate > 0)
        options.delivery.interval =
            std::chrono::round<std::chrono::milliseconds>(std::chrono::duration<double>{1 / rate});
    if (!keys.empty()) options.delivery.keys = std::move(keys);

    asio::io_context io{1};
    livetape::subscription_client feed{io.get_executor(), url, options};
    for (auto const& each : channels) feed.subscribe(each, {.has_snapshot = true});
    print_next(feed);
    asio::signal_set signals{io, SIGINT, SIGTERM};
    signals.async_wait([&](std::error_code, int) { feed.close(); });
    io.run();
}
