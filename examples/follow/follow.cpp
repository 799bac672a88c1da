// Prints the events of channels of any livetape server, over whatever gets through to it.
//
//   ten_lines &
//   follow http://127.0.0.1:8080/live clock

#include <livetape/client/subscription_client.hpp>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>

#include <csignal>
#include <iostream>
#include <system_error>
#include <variant>

namespace {

constexpr char const* names[] = {"WebSocket", "Server-Sent Events", "long-polling"};

struct printer {
    void operator()(livetape::feed_event const& event) const {
        std::cout << event.channel << ' ' << event.offset << ' '
                  << (event.is_binary ? "(binary)" : event.data) << std::endl;
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
    if (argc < 3) return std::cerr << "follow URL CHANNEL...\n", 1;
    asio::io_context io{1};
    livetape::subscription_client feed{io.get_executor(), argv[1]};
    for (int i = 2; i < argc; ++i) feed.subscribe(argv[i], {.has_snapshot = true});
    print_next(feed);
    asio::signal_set signals{io, SIGINT, SIGTERM};
    signals.async_wait([&](std::error_code, int) { feed.close(); });
    io.run();
}
