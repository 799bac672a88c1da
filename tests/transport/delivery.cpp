#include "support/session_driver.hpp"

#include <livetape/transport/poll_session.hpp>
#include <livetape/transport/sse_session.hpp>
#include <livetape/transport/websocket_session.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

// One client, a publisher that never rests, and a network that cuts: the client changes its
// transport at random, always with the last cursor that it has in whole, and writes are cut, in
// flight and resumed at random. Whatever happens, it gets every event of every channel, in order,
// and with one channel (or not over SSE) each exactly once.

namespace {

using namespace livetape;
using namespace livetape::test;

struct channel_log {
    std::string name;
    std::vector<std::uint64_t> got;
};

class roaming_client {
public:
    roaming_client(std::uint32_t seed, std::size_t channel_count, channel_options const& options)
        : random_{seed}, world_{{.poll_events_max = 7}, options} {
        for (std::size_t i = 0; i < channel_count; ++i) {
            logs_.push_back({"c" + std::to_string(i), {}});
            auto& opened = world_.source.open(logs_.back().name);
            epochs_[logs_.back().name] = opened.epoch();
            positions_[logs_.back().name] = 0;
        }
    }

    void run(int connections) {
        for (int i = 0; i < connections; ++i) {
            switch (below(4)) {
            case 0: over_websocket(); break;
            case 1: over_sse(); break;
            case 2: over_poll(25); break;
            default: over_poll(0); break;
            }
        }
        for (int i = 0; i < 3000 && !has_all(); ++i) over_poll(0);
        for (auto const& log : logs_) {
            CAPTURE(log.name);
            CHECK(log.got == range(1, world_.source.open(log.name).last_offset()));
        }
    }

    std::size_t repeated = 0; ///< events that came again

private:
    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

    [[nodiscard]] bool has_all() {
        for (auto const& log : logs_)
            if (positions_[log.name] != world_.source.open(log.name).last_offset()) return false;
        return true;
    }

    void publish_some() {
        for (auto count = below(6); count > 0; --count) {
            auto const& to = logs_[below(logs_.size())];
            std::string const payload(below(300) == 0 ? below(70'000) : below(50), 'p');
            world_.source.publish(to.name, payload,
                                  {{}, below(3) == 0 ? payload_kind::binary : payload_kind::text});
            if (below(3) != 0) world_.run();
        }
    }

    [[nodiscard]] std::string target(std::string_view path) {
        std::string query = std::string{path} + "?channel=";
        for (auto const& log : logs_) query += (&log == &logs_.front() ? "" : ",") + log.name;
        return query + "&cursor=" + cursor();
    }

    [[nodiscard]] std::string cursor() {
        std::string text;
        for (auto const& log : logs_) {
            if (logs_.size() == 1) append_position(text, {epochs_[log.name], positions_[log.name]});
            else append_named_position(text, log.name, {epochs_[log.name], positions_[log.name]});
        }
        return text;
    }

    void take(std::string_view event) {
        auto const name = member(event, "channel");
        auto const offset = std::stoull(member(event, "offset"));
        auto const log =
            std::find_if(logs_.begin(), logs_.end(), [&](auto const& l) { return l.name == name; });
        REQUIRE(log != logs_.end());
        if (offset <= log->got.size()) {
            ++repeated;
            return;
        }
        REQUIRE(offset == log->got.size() + 1);
        log->got.push_back(offset);
    }

    /// Lets the network do what it likes with a connection for a while.
    template <class Driver>
    void rough_ride(Driver& driver) {
        for (auto steps = below(30); steps > 0 && !driver.is_over; --steps) {
            driver.piece_bytes = below(3) == 0 ? 1 + below(1000) : unlimited;
            if (below(3) == 0 && driver.window == unlimited) {
                auto const planned = driver.begin_write();
                publish_some();
                if (planned > 0) driver.end_write(below(planned + 1));
                driver.pump();
            } else if (below(3) == 0) {
                driver.window = below(3000);
            } else {
                driver.open_window();
            }
            publish_some();
        }
        // It dies with what has arrived; the rest of a write is lost.
    }

    void over_websocket() {
        auto const ws = connect<websocket_session>(world_, handshake(target("/ws")));
        rough_ride(*ws);
        auto const inbox = read_websocket(ws->received);
        for (auto const& message : inbox.messages) {
            REQUIRE_FALSE(message.starts_with(R"({"gap")"));
            if (message.starts_with(R"({"channel")")) take(message);
        }
        for (auto const& log : logs_) positions_[log.name] = log.got.size();
    }

    void over_sse() {
        // Half of the time as a browser comes back by itself: the cursor of its first connection in
        // the address, the last event ID beside it.
        auto const head =
            below(2) == 0 ? request("GET", target("/sse"))
                          : request("GET", target("/sse") + "&x", {{"Last-Event-ID", cursor()}});
        auto const stream = connect<sse_session>(world_, head);
        rough_ride(*stream);
        if (stream->received.find("\r\n\r\n") == std::string::npos) return;
        auto const inbox = read_sse(stream->received);
        for (auto const& message : inbox.messages) take(message.data);
        if (inbox.last_event_id.empty()) return;
        auto const at = livetape::cursor::parse(inbox.last_event_id);
        REQUIRE(at);
        for (auto const& log : logs_) {
            auto const reached = at->find(log.name)->offset;
            if (logs_.size() == 1) REQUIRE(reached == log.got.size());
            // Never ahead of what the client has, or the next connection would lose events.
            REQUIRE(reached <= log.got.size());
            positions_[log.name] = reached;
        }
    }

    void over_poll(int wait) {
        auto const poll = connect<poll_session>(
            world_, request("GET", target("/poll") + "&wait=" + std::to_string(wait)));
        poll->piece_bytes = 1 + below(500);
        for (int i = 0; i < 50 && !poll->is_over; ++i) {
            publish_some();
            world_.run();
        }
        if (!poll->is_over) poll->advance(std::chrono::seconds{25});
        auto const answer = only_response(poll->received);
        REQUIRE(answer.status == 200);
        REQUIRE(answer.body.find("gaps") == std::string::npos);
        std::string_view rest = answer.body;
        for (auto at = rest.find(R"({"channel")"); at != std::string_view::npos;
             at = rest.find(R"({"channel")", 1)) {
            rest.remove_prefix(at);
            take(rest);
        }
        auto const text = member(answer.body, "cursor");
        auto const kept = livetape::cursor::parse(text);
        REQUIRE(kept);
        for (auto const& log : logs_) {
            auto const reached = kept->find(log.name)->offset;
            if (logs_.size() == 1) CHECK(reached == log.got.size());
            CHECK(reached <= log.got.size());
            positions_[log.name] = reached;
        }
    }

    std::mt19937 random_;
    test::world world_;
    std::vector<channel_log> logs_;
    std::map<std::string, std::uint64_t> epochs_, positions_;
};

} // namespace

TEST_CASE(
    "transport/delivery: a client that changes transports loses nothing and gets nothing twice") {
    for (std::uint32_t seed = 1; seed <= 25; ++seed) {
        INFO("seed ", seed);
        roaming_client client{seed, 1, {.log_bytes_max = 64u << 20}};
        client.run(40);
        CHECK(client.repeated == 0);
    }
}

TEST_CASE("transport/delivery: the same with several channels, which SSE may repeat but not lose") {
    for (std::uint32_t seed = 1001; seed <= 1025; ++seed) {
        INFO("seed ", seed);
        roaming_client client{seed, 2 + seed % 20, {.log_bytes_max = 16u << 20}};
        client.run(40);
    }
}
