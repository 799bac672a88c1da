#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <system_error>
#include <utility>

/// Calls a function every so long on the thread of the io_context, as long as this object lives.
/// Calls that come too late are not made up for.
class repeat {
public:
    repeat(asio::io_context& io, std::chrono::milliseconds interval, std::function<void()> work)
        : timer_{io}, interval_{interval}, work_{std::move(work)} {
        wait();
    }
    repeat(repeat const&) = delete;
    repeat& operator=(repeat const&) = delete;

private:
    void wait() {
        timer_.expires_after(interval_);
        timer_.async_wait([this](std::error_code ec) {
            if (ec) return;
            work_();
            wait();
        });
    }

    asio::steady_timer timer_;
    std::chrono::milliseconds interval_;
    std::function<void()> work_;
};
