#include <livetape/channel/dispatcher.hpp>
#include <livetape/channel/hub.hpp>
#include <livetape/channel/subscriber.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace livetape;
using namespace std::chrono_literals;

struct payload_encoder {
    static void encode(event_view const& event, std::string& out) { out += event.payload; }
    static std::size_t overhead(event_view const&) { return 0; }
};

time_point idle_now{};

hub_options timed(std::size_t channels_max = 1000) {
    return {channels_max, 1, [] { return idle_now; }};
}

/// Lets time pass as a driver would, in steps, so that everything due in between is done.
void pass(hub& all, clock::duration time) {
    auto const end = idle_now + time;
    while (all.next_advance() <= end) {
        idle_now = std::max(idle_now, all.next_advance());
        all.advance(idle_now);
    }
    idle_now = end;
}

} // namespace

TEST_CASE("channel/channel_registry: drops a channel that nobody used for its time, and no other") {
    idle_now = time_point{} + 1000s;
    hub all{{.idle_time_max = 60s}, timed()};
    auto const epoch = all.try_open("idle")->epoch();
    all.publish("published", "1");
    all.open("kept");
    auto const held = all.try_open("held");
    static_cast<void>(all.try_open("asked"));
    static_cast<void>(all.try_open("watched"));
    static_cast<void>(all.try_open("forever", {.idle_time_max = 0s}));
    dispatcher wakes{[](void*) noexcept {}, nullptr};
    auto watching = std::make_unique<subscriber>(wakes);
    opened_cursor opened;
    watching->add(all.find("watched"), encoding_of<payload_encoder>, {}, opened);
    for (int i = 0; i < 5; ++i) {
        pass(all, 25s);
        all.publish("published", "1");
        CHECK(all.find("asked") != nullptr);
    }
    CHECK(all.find("idle") == nullptr);
    for (auto const* name : {"published", "kept", "held", "asked", "watched", "forever"})
        CHECK(all.find(name) != nullptr);
    CHECK(all.channel_count() == 6);

    // A new life, of which a cursor of the old one says that something is lost.
    auto const again = all.try_open("idle");
    CHECK(again->epoch() != epoch);
    auto const resumed = again->open_cursor({start_position::kind::after, {epoch, 5}, false});
    REQUIRE(resumed.missed);
    CHECK(resumed.missed->reason == gap_reason::epoch);

    watching.reset();
    pass(all, 200s);
    CHECK(all.find("watched") == nullptr);
    CHECK(all.find("idle") == again);
    CHECK(all.channel_count() == 4);
}

TEST_CASE("channel/channel_registry: a channel may be idle for its time, and for a quarter more") {
    idle_now = time_point{} + 1000s;
    hub all{{}, timed()};
    static_cast<void>(all.try_open("a", {.idle_time_max = 40s}));
    pass(all, 39s);
    CHECK(all.channel_count() == 1);
    pass(all, 11s);
    CHECK(all.channel_count() == 0);
    CHECK(all.next_advance() == never);

    // One with a shorter time is not looked at too late because another has a longer one.
    static_cast<void>(all.try_open("a", {.idle_time_max = 4000s}));
    static_cast<void>(all.try_open("b", {.idle_time_max = 4s}));
    pass(all, 5s);
    CHECK(all.channel_count() == 1);
    CHECK(all.next_advance() > idle_now + 100s);
    pass(all, 5000s);
    CHECK(all.channel_count() == 0);
}

TEST_CASE("channel/channel_registry: a channel is idle from when its holder lets go, and not from "
          "the last look before") {
    idle_now = time_point{} + 1000s;
    hub all{{}, timed()};
    auto held = all.try_open("a", {.idle_time_max = 40s});
    pass(all, 109s);
    held.reset();
    pass(all, 39s);
    CHECK(all.channel_count() == 1);
    pass(all, 12s);
    CHECK(all.channel_count() == 0);
}

TEST_CASE("channel/channel_registry: the limit of channels locks nobody out for good") {
    idle_now = time_point{} + 1000s;
    hub all{{.idle_time_max = 60s}, timed(5000)};
    for (int i = 0; i < 5000; ++i) CHECK(all.publish("flood." + std::to_string(i), "1") == 1);
    CHECK(all.try_open("newcomer") == nullptr);
    pass(all, 75s);
    CHECK(all.channel_count() == 0);
    CHECK(all.try_open("newcomer") != nullptr);
}

TEST_CASE(
    "channel/channel_registry: who is on a channel keeps it, and its companion goes with it") {
    idle_now = time_point{} + 1000s;
    hub all{{.presence = true, .idle_time_max = 60s}, timed()};
    auto place = all.try_open("room")->members()->join("ann");
    pass(all, 200s);
    CHECK(all.find("room") != nullptr);
    place.release(idle_now + 100s);
    pass(all, 90s);
    CHECK(all.channel_count() == 2);
    pass(all, 200s);
    CHECK(all.channel_count() == 0);
}

TEST_CASE(
    "channel/channel_list: a place is never given again, and those of the dropped are freed") {
    hub all;
    channel_list list;
    std::vector<std::shared_ptr<channel>> made;
    for (int i = 0; i < 10; ++i) {
        made.push_back(all.try_open("c" + std::to_string(i)));
        list.add(made.back());
    }
    auto const yes = [] { return true; };
    for (std::size_t i : {0u, 2u, 3u, 4u, 5u, 7u, 8u}) CHECK(list.drop_if(*made[i], yes));
    CHECK_FALSE(list.drop_if(*made[3], yes));
    CHECK_FALSE(list.drop_if(*made[9], [] { return false; }));
    CHECK(list.count() == 3);
    CHECK(list.find("c3") == nullptr);
    for (std::size_t i : {1u, 6u, 9u}) CHECK(list.find("c" + std::to_string(i)) == made[i]);
    list.add(made[0]);
    CHECK(list.end() == 11);

    auto const read = [&](std::size_t begin, std::size_t end, std::size_t count) {
        std::vector<listed_channel> out;
        auto const next = list.read(begin, end, count, out);
        std::string text;
        for (auto const& each : out)
            text += std::to_string(each.place) + ':' + std::string{each.source->name()} + ' ';
        return text + std::to_string(next);
    };
    CHECK(read(0, 100, 100) == "1:c1 6:c6 9:c9 10:c0 11");
    CHECK(read(0, 100, 2) == "1:c1 6:c6 9");
    CHECK(read(2, 9, 100) == "6:c6 9");
    CHECK(read(7, 8, 100) == "8");
    CHECK(read(11, 100, 100) == "11");
    CHECK(read(20, 100, 100) == "20");
}
