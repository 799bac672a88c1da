#include <livetape/channel/hub.hpp>
#include <livetape/net/shard.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <memory>

#include <asio/io_context.hpp>

namespace {

using namespace livetape;
using namespace std::chrono_literals;

} // namespace

TEST_CASE("net/hub_clock: flushes a timed channel on any of its loops, and lets them end") {
    hub all{{.publish_interval = 2ms}};
    auto& feed = all.open("feed");
    asio::io_context first;
    asio::io_context second;
    shard::of(first).drive(all.due());
    shard::of(first).drive(all.due());
    shard::of(second).drive(all.due());
    CHECK(first.run() == 0);
    first.restart();
    second.restart();

    for (std::uint64_t round = 1; round <= 3; ++round) {
        CAPTURE(round);
        feed.publish("1");
        CHECK(feed.last_offset() == round - 1);
        // `run` returns once nothing is pending, although the second loop has not run yet.
        auto& loop = round == 2 ? second : first;
        loop.run();
        loop.restart();
        CHECK(feed.last_offset() == round);
        CHECK(all.next_advance() == never);
    }
    second.run();
    CHECK(feed.last_offset() == 3);
}

TEST_CASE("net/hub_clock: outlives the hub and is outlived by it") {
    auto all = std::make_unique<hub>(channel_options{.publish_interval = 1h});
    auto loop = std::make_unique<asio::io_context>();
    shard::of(*loop).drive(all->due());
    auto const feed = all->try_open("feed");
    feed->publish("1");
    loop->poll();
    SUBCASE("the loop goes first") {
        loop.reset();
        feed->publish("2");
        CHECK(all->advance(clock::now() + 2h) == never);
        CHECK(feed->last_offset() == 2);
    }
    SUBCASE("the hub goes first") {
        all.reset();
        loop->restart();
        feed->publish("2");
        loop->poll();
        CHECK(feed->last_offset() == 0);
    }
}

TEST_CASE("net/hub_clock: ends with the last one who lets it drive, whatever is pending") {
    hub all{{.publish_interval = 1h}};
    asio::io_context loop;
    auto& own = shard::of(loop);
    own.drive(all.due());
    own.drive(all.due());
    auto& feed = all.open("feed");
    feed.publish("1");
    loop.poll();
    own.release(*all.due());
    loop.poll();
    CHECK_FALSE(loop.stopped());
    own.release(*all.due());
    loop.run();
    CHECK(loop.stopped());
    CHECK(feed.last_offset() == 0);
    CHECK(all.next_advance() != never);
}
