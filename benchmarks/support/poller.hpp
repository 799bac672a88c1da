#pragma once

#include "support/client_socket.hpp"

#include <fcntl.h>
#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace benchmarks {

/// epoll for sockets that are read when they have something.
class poller {
public:
    poller() : epoll_{::epoll_create1(EPOLL_CLOEXEC)} {
        if (!epoll_) fail("epoll_create1");
    }

    /// Makes a socket non-blocking and tells of its input under `index`.
    void add(int socket, std::size_t index) {
        fcntl(socket, F_SETFL, O_NONBLOCK);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = index;
        if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket, &event) != 0) fail("epoll_ctl");
    }

    /// No longer tells of a socket, which may be added again.
    void remove(int socket) noexcept { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket, nullptr); }

    /// Calls `f(index)` for each socket with input; waits at most so long for the first.
    template <class F>
    void wait(int milliseconds_max, F&& f) {
        auto const count = ::epoll_wait(epoll_.get(), events_.data(),
                                        static_cast<int>(events_.size()), milliseconds_max);
        for (int i = 0; i < count; ++i)
            f(static_cast<std::size_t>(events_[static_cast<std::size_t>(i)].data.u64));
    }

private:
    descriptor epoll_;
    std::array<epoll_event, 1024> events_;
};

} // namespace benchmarks
