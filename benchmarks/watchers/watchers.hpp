#pragma once

#include "load/message_stream.hpp"
#include "support/client_socket.hpp"
#include "support/poller.hpp"
#include "watchers/envelope.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace benchmarks {

/// How the watchers subscribe.
struct watch_options {
    server_address server{};
    std::size_t connections = 1000;
    std::size_t stalled = 0;       ///< of the connections: these do not read until told to
    std::size_t stalled_every = 0; ///< of the stalled: these are in mode `every`
    std::string mode = "latest";
    double rate = 10;     ///< flushes per second; 0: as they come
    std::size_t keys = 0; ///< keys of the channel of which each watches some; 0: all
    std::size_t keys_each = 20;
    std::size_t channels_each = 0; ///< of `feed.N`, each connection its own; 0: the one `feed`
};

/// What the watchers have received, and whether it adds up.
struct watch_counts {
    std::uint64_t events = 0;
    std::uint64_t stands_for = 0; ///< published events, with those that were conflated
    std::uint64_t skipped = 0;    ///< told by gap notices
    std::uint64_t bytes = 0;
    std::uint64_t disordered = 0; ///< offsets that did not rise
    std::vector<std::int64_t> staleness_ns;

    static constexpr std::uint64_t sample_every = 97;
};

/// One connection's share. With one channel its offsets must rise, and the events that it got, the
/// ones that those stand for and the gaps must be all that was published since it subscribed.
class watcher {
public:
    descriptor socket;
    message_stream stream;

    void take(std::string_view message, watch_counts& all, bool has_one_channel) {
        auto const read = read_envelope(message);
        if (read.what == envelope::kind::subscribed) {
            if (subscribed_++ == 0) first_ = last_ = read.offset;
        } else if (read.what == envelope::kind::gap) {
            all.skipped += read.missed;
            accounted_ += read.missed;
        } else if (read.what == envelope::kind::event) {
            if (has_one_channel && read.offset <= last_) ++all.disordered;
            last_ = read.offset;
            accounted_ += read.count;
            all.stands_for += read.count;
            if (++all.events % watch_counts::sample_every == 0 && read.published_ns != 0)
                all.staleness_ns.push_back(monotonic_ns() - read.published_ns);
        }
    }

    [[nodiscard]] std::size_t subscribed() const noexcept { return subscribed_; }

    /// Events published since it subscribed that it was told nothing of; only for all keys of one
    /// channel, once everything is delivered.
    [[nodiscard]] std::int64_t unaccounted() const noexcept {
        return static_cast<std::int64_t>(last_ - first_) - static_cast<std::int64_t>(accounted_);
    }
    [[nodiscard]] std::uint64_t last_offset() const noexcept { return last_; }

private:
    std::size_t subscribed_ = 0;
    std::uint64_t first_ = 0; // offsets before the first event that is due, and of the last one had
    std::uint64_t last_ = 0;
    std::uint64_t accounted_ = 0;
};

/// Many watchers on one thread.
class watcher_load {
public:
    explicit watcher_load(watch_options const& options)
        : options_{options}, buffer_(buffer_bytes) {}

    /// Connects all and returns when each has its subscriptions.
    void connect_all() {
        auto const give_up = monotonic_ns() + connect_seconds_max * 1'000'000'000;
        auto const expected = options_.channels_each > 0 ? options_.channels_each : 1;
        std::size_t ready = 0;
        while (ready < options_.connections) {
            while (watchers_.size() < options_.connections &&
                   watchers_.size() - ready < connects_at_once)
                connect_one();
            receive(10);
            while (ready < watchers_.size() && watchers_[ready]->subscribed() >= expected) ++ready;
            if (closed_ > 0) throw std::runtime_error{"the server refused or closed a connection"};
            if (monotonic_ns() > give_up)
                throw std::runtime_error{"the server does not answer in time"};
        }
    }

    /// From now on the stalled ones read nothing.
    void stall() {
        for (std::size_t i = 0; i < options_.stalled; ++i)
            poller_.remove(watchers_[i]->socket.get());
    }

    void read_again() {
        for (std::size_t i = 0; i < options_.stalled; ++i)
            poller_.add(watchers_[i]->socket.get(), i);
    }

    void run_for(double seconds) {
        auto const end = monotonic_ns() + static_cast<std::int64_t>(seconds * 1e9);
        while (monotonic_ns() < end) receive(10);
    }

    /// Reads until nothing has come for a while.
    void run_until_quiet(double quiet_seconds, double seconds_max) {
        auto const end = monotonic_ns() + static_cast<std::int64_t>(seconds_max * 1e9);
        auto const quiet_ns = static_cast<std::int64_t>(quiet_seconds * 1e9);
        for (auto last = monotonic_ns();
             monotonic_ns() - last < quiet_ns && monotonic_ns() < end;) {
            auto const before = counts_.bytes;
            receive(10);
            if (counts_.bytes != before) last = monotonic_ns();
        }
    }

    [[nodiscard]] watch_counts& counts() noexcept { return counts_; }
    [[nodiscard]] std::size_t closed() const noexcept { return closed_; }
    [[nodiscard]] watcher const& at(std::size_t index) const noexcept { return *watchers_[index]; }

private:
    static constexpr std::size_t buffer_bytes = std::size_t{4} << 20;
    static constexpr std::size_t connects_at_once = 64;
    static constexpr std::int64_t connect_seconds_max = 60;

    [[nodiscard]] std::string path_of(std::size_t index) const {
        std::string path = "/live/ws?channel=";
        for (std::size_t i = 0; i < options_.channels_each; ++i)
            path.append(i > 0 ? "," : "")
                .append("feed.")
                .append(std::to_string(index * options_.channels_each + i));
        if (options_.channels_each == 0) path += "feed";
        bool const is_every = index < options_.stalled_every || options_.mode == "every";
        path += is_every ? "&mode=every" : "&mode=" + options_.mode;
        if (options_.rate > 0) path += "&rate=" + std::to_string(options_.rate);
        for (std::size_t i = 0; options_.keys > 0 && i < options_.keys_each; ++i)
            path.append(i > 0 ? "," : "&keys=")
                .append("k")
                .append(std::to_string((index * 7 + i * 13) % options_.keys));
        return path;
    }

    void connect_one() {
        auto const index = watchers_.size();
        auto& made = *watchers_.emplace_back(std::make_unique<watcher>());
        made.socket = connect_to(options_.server, index + 1);
        send_all(made.socket.get(), upgrade_request(path_of(index)));
        poller_.add(made.socket.get(), index);
    }

    void receive(int milliseconds_max) {
        poller_.wait(milliseconds_max,
                     [this](std::size_t index) { receive_from(*watchers_[index]); });
    }

    void receive_from(watcher& from) {
        auto& rest = from.stream.rest();
        std::memcpy(buffer_.data(), rest.data(), rest.size());
        auto const received = ::recv(from.socket.get(), buffer_.data() + rest.size(),
                                     buffer_.size() - rest.size(), 0);
        if (received <= 0) {
            if (received == 0 || errno != EAGAIN) close(from);
            return;
        }
        auto const size = static_cast<std::size_t>(received);
        counts_.bytes += size;
        from.stream.take({buffer_.data(), rest.size() + size}, [&](std::string_view message, bool) {
            from.take(message, counts_, options_.channels_each == 0);
        });
        if (from.stream.has_ping()) {
            send_pong(from.socket.get());
            from.stream.forget_ping();
        }
        if (from.stream.is() == message_stream::state::closed) close(from);
    }

    void close(watcher& which) {
        which.socket.reset();
        ++closed_;
    }

    watch_options options_;
    poller poller_;
    std::vector<std::unique_ptr<watcher>> watchers_;
    std::vector<char> buffer_;
    watch_counts counts_;
    std::size_t closed_ = 0;
};

} // namespace benchmarks
