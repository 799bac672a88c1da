#include <livetape/channel/hub.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace livetape;
using namespace std::chrono_literals;

time_point watch_now{};

struct world {
    explicit world(channel_options const& options = {})
        : all{options, {1000, 1, [] { return watch_now; }}} {
        watch_now = time_point{} + 1000s;
    }

    /// Does what is due now, as a driver would; answers in how many turns.
    int run() {
        int turns = 0;
        for (; all.next_advance() <= watch_now; ++turns) all.advance(watch_now);
        return turns;
    }

    hub all;
};

/// What a host was called with.
struct heard {
    void operator()(channel& of, event_range const& events) {
        auto call = std::string{of.name()};
        for (auto const& each : events) {
            call += ' ';
            call += each.payload;
        }
        calls->push_back(call);
    }
    void operator()(std::shared_ptr<channel> const& of) { calls->emplace_back(of->name()); }

    std::shared_ptr<std::vector<std::string>> calls = std::make_shared<std::vector<std::string>>();
};

using texts = std::vector<std::string>;

} // namespace

TEST_CASE("channel/channel_watch: hears of each matching channel once, of those to come too") {
    world w;
    for (auto const* name : {"room.a", "hall", "room.b"}) w.all.open(name);
    w.all.open("watched", {.presence = true});
    heard rooms;
    heard everything;
    heard hall;
    auto const of_rooms = w.all.on_channel("room.*", rooms);
    w.all.on_channel(">", everything);
    w.all.on_channel("hall", hall);
    CHECK(rooms.calls->empty());
    w.run();
    CHECK(*rooms.calls == texts{"room.a", "room.b"});
    w.all.open("room.c");
    w.all.open("room.c.d");
    w.all.open("room.a");
    CHECK(rooms.calls->size() == 2);
    w.run();
    CHECK(*rooms.calls == texts{"room.a", "room.b", "room.c"});
    CHECK(*everything.calls == texts{"room.a", "hall", "room.b", "watched", "room.c", "room.c.d"});
    CHECK(*hall.calls == texts{"hall"});

    of_rooms->stop();
    CHECK(of_rooms->is_stopped());
    w.all.open("room.e");
    w.run();
    CHECK(rooms.calls->size() == 3);
    CHECK(w.all.next_advance() == never);
}

TEST_CASE("channel/channel_watch: gets what is published, a burst in one call, from now on") {
    world w;
    auto& a = w.all.open("s.a");
    a.publish("0");
    heard from_now;
    heard from_oldest;
    w.all.on_publish("s.*", from_now);
    w.all.on_publish("s.>", from_oldest, {.from_oldest = true});
    a.publish("1");
    a.publish("2");
    w.all.publish("s.b", "3"); // a new channel begins with its first event
    w.all.publish("t.a", "4");
    w.run();
    CHECK(*from_now.calls == texts{"s.a 1 2", "s.b 3"});
    CHECK(*from_oldest.calls == texts{"s.a 0 1 2", "s.b 3"});
    CHECK(w.run() == 0);
    w.all.publish("s.b", "5");
    w.run();
    CHECK(from_now.calls->back() == "s.b 5");
    CHECK(from_now.calls->size() == 3);
}

TEST_CASE("channel/channel_watch: takes its turns, and offsets jump over what retention took") {
    world w{{.log_events_max = 6}};
    heard slow;
    std::vector<std::uint64_t> offsets;
    w.all.on_publish("s.*",
                     [&](channel&, event_range const& events) {
                         CHECK(events.size() <= 4);
                         for (auto const& each : events) offsets.push_back(each.offset);
                     },
                     {.events_max = 4});
    auto& a = w.all.open("s.a");
    w.run();
    for (int i = 1; i <= 9; ++i) a.publish("1");
    // Between its turns others have theirs.
    CHECK(w.run() == 2);
    CHECK(offsets == std::vector<std::uint64_t>{4, 5, 6, 7, 8, 9});

    // One channel that has much to say does not keep another one waiting for its end.
    heard both;
    auto& b = w.all.open("s.b");
    w.all.on_publish("s.*", both, {.events_max = 2});
    for (int i = 1; i <= 5; ++i) a.publish("a" + std::to_string(i));
    b.publish("b");
    w.run();
    CHECK(*both.calls == texts{"s.a a1 a2", "s.b b", "s.a a3", "s.a a4 a5"});
}

TEST_CASE("channel/channel_watch: the callback may publish, open channels and stop its watch") {
    world w;
    std::shared_ptr<channel_watch> watch;
    texts calls;
    watch = w.all.on_publish("ping.*", [&](channel& of, event_range const& events) {
        calls.emplace_back(of.name());
        auto const last = (*events.begin()).offset + events.size() - 1;
        of.publish("again");
        w.all.publish("ping." + std::to_string(last), "1");
        if (calls.size() == 3) {
            watch->stop();
            CHECK(watch->is_stopped());
        }
    });
    w.all.publish("ping.a", "1");
    w.run();
    CHECK(calls == texts{"ping.a", "ping.a", "ping.1"});

    int seen = 0;
    std::shared_ptr<channel_watch> of_channels;
    of_channels = w.all.on_channel("x.*", [&](std::shared_ptr<channel> const& which) {
        if (++seen < 5) w.all.open("x." + std::to_string(seen));
        else std::exchange(of_channels, nullptr)->stop();
        CHECK(which->name().starts_with("x."));
    });
    w.all.open("x.0");
    w.all.open("x.y");
    w.run();
    CHECK(seen == 5);
}

TEST_CASE("channel/channel_watch: a flood of channels is taken in several turns, none twice") {
    world w;
    std::map<std::string, int> times;
    w.all.on_channel(
        "f.*", [&](std::shared_ptr<channel> const& which) { ++times[std::string{which->name()}]; });
    hub big{{}, {10'000, 1, [] { return watch_now; }}};
    std::size_t heard_of = 0;
    big.on_channel("f.*", [&](std::shared_ptr<channel> const&) { ++heard_of; });
    for (int i = 0; i < 2500; ++i) big.open("f." + std::to_string(i));
    int turns = 0;
    for (; big.next_advance() <= watch_now; ++turns) big.advance(watch_now);
    CHECK(turns == 3);
    CHECK(heard_of == 2500);
    CHECK(times.empty());
}

TEST_CASE(
    "channel/channel_watch: keeps no channel from being dropped, and hears of its next life") {
    world w{{.idle_time_max = 60s}};
    heard all;
    w.all.on_publish(">", all);
    for (int i = 0; i < 300; ++i) {
        w.all.publish("a", std::to_string(i));
        w.run();
        for (int step = 0; step < 8; ++step) {
            watch_now += 15s;
            w.run();
        }
        CHECK(w.all.channel_count() == 0);
    }
    REQUIRE(all.calls->size() == 300);
    CHECK(all.calls->back() == "a 299");
}

TEST_CASE("channel/channel_watch: publishers and drivers of several threads make one call at a "
          "time, with every event once") {
    constexpr int publishers = 4;
    constexpr int events_each = 3000;
    hub all;
    std::atomic<int> inside{0};
    std::atomic<bool> has_overlapped{false};
    std::map<std::string, std::uint64_t> next; // unguarded on purpose
    std::uint64_t missing = 0;
    std::atomic<std::uint64_t> total{0};
    auto const watch = all.on_publish("t.*", [&](channel& of, event_range const& events) {
        if (inside.fetch_add(1) != 0) has_overlapped = true;
        auto& expected = next[std::string{of.name()}];
        for (auto const& each : events) missing += each.offset - ++expected;
        total += events.size();
        inside.fetch_sub(1);
    });
    std::vector<std::thread> threads;
    for (int i = 0; i < publishers; ++i)
        threads.emplace_back([&all, i] {
            for (int n = 0; n < events_each; ++n)
                all.publish("t." + std::to_string((i + n) % 3), "1");
        });
    for (int i = 0; i < 2; ++i)
        threads.emplace_back([&] {
            while (total < publishers * events_each) all.advance(clock::now());
        });
    for (auto& each : threads) each.join();
    watch->stop();
    all.publish("t.0", "1");
    all.advance(clock::now());
    CHECK(total == publishers * events_each);
    CHECK(missing == 0);
    CHECK_FALSE(has_overlapped);
    CHECK(next.size() == 3);
}
