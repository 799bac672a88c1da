#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <system_error>
#include <utility>

namespace examples {

/// Calls a function again and again as long as the object lives and the io_context runs. Ticks that
/// were missed are not made up for.
class every {
public:
    every(asio::io_context& io, std::chrono::milliseconds interval, std::function<void()> function)
        : interval_{interval}, function_{std::move(function)}, timer_{io, interval} {
        wait();
    }

private:
    void wait() {
        timer_.async_wait([this](std::error_code ec) {
            if (ec) return;
            function_();
            timer_.expires_at(
                std::max(timer_.expiry() + interval_, std::chrono::steady_clock::now()));
            wait();
        });
    }

    std::chrono::milliseconds interval_;
    std::function<void()> function_;
    asio::steady_timer timer_;
};

} // namespace examples
