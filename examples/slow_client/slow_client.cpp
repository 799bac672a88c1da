// A page that draws slower than the feed changes, twice: with every event, which piles up in the
// page, and with the newest per key on the page's own credit, which does not. Start it, open the
// address that it prints, and move the slider:
//
//   slow_client --port 8080 --rate 2000

#include "../support/page_host.hpp"

#include <livetape/livetape.hpp>

#include <asio/steady_timer.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <string_view>

namespace {

/// Twelve prices that walk at random, each published when it moves.
class walking_prices {
public:
    walking_prices(asio::io_context& io, livetape::channel& to, double rate)
        : timer_{io}, to_{to}, rate_{rate} {
        prices_.fill(100);
    }

    void start() {
        began_ = std::chrono::steady_clock::now();
        tick();
    }

private:
    void tick() {
        std::chrono::duration<double> const elapsed = std::chrono::steady_clock::now() - began_;
        for (; static_cast<double>(published_) < elapsed.count() * rate_; ++published_) move_one();
        timer_.expires_after(std::chrono::milliseconds{5});
        timer_.async_wait([this](std::error_code ec) {
            if (!ec) tick();
        });
    }

    void move_one() {
        random_ = random_ * 6364136223846793005u + 1442695040888963407u;
        auto const which = (random_ >> 33) % prices_.size();
        prices_[which] += static_cast<double>(random_ >> 40 & 0xFF) / 127.5 - 1;
        auto const now = std::chrono::system_clock::now().time_since_epoch();
        std::array<char, 96> json{};
        auto const size =
            std::snprintf(json.data(), json.size(), R"({"price":%.2f,"at":%lld})", prices_[which],
                          static_cast<long long>(
                              std::chrono::duration_cast<std::chrono::milliseconds>(now).count()));
        to_.publish({json.data(), static_cast<std::size_t>(size)}, {.key = symbols[which]});
    }

    static constexpr std::array<std::string_view, 12> symbols{"AAPL", "AMZN", "GOOG", "IBM",
                                                              "INTC", "META", "MSFT", "NFLX",
                                                              "NVDA", "ORCL", "SAP",  "TSLA"};

    asio::steady_timer timer_;
    livetape::channel& to_;
    double rate_;
    std::array<double, symbols.size()> prices_{};
    std::chrono::steady_clock::time_point began_;
    std::uint64_t published_ = 0;
    std::uint64_t random_ = 1;
};

} // namespace

int main(int argc, char** argv) {
    page_host host{"slow_client", "Serves a page that is slower than its feed."};
    double rate = 2000;
    host.arguments.add_option("--rate", rate, "Events per second")
        ->check(CLI::Range(1.0, 1e5))
        ->capture_default_str();
    if (auto const status = host.parse(argc, argv)) return *status;

    livetape::hub hub;
    livetape::server server{host.io.get_executor(), hub};
    server.live("/live");
    walking_prices prices{host.io, hub.open("prices"), rate};
    prices.start();
    return host.run(server);
}
