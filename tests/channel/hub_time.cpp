#include <livetape/channel/dispatcher.hpp>
#include <livetape/channel/hub.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace livetape;
using namespace std::chrono_literals;

time_point virtual_now{};

struct world {
    explicit world(channel_options const& options = {})
        : all{options, {1000, 1, [] { return virtual_now; }}} {
        virtual_now = time_point{} + 1000s;
    }

    time_point pass(clock::duration time) { return all.advance(virtual_now += time); }

    hub all;
};

std::vector<std::string> payloads(channel const& of) {
    std::vector<std::string> all;
    for (auto const& each : of.read(0)) all.emplace_back(each.payload);
    return all;
}

using texts = std::vector<std::string>;

} // namespace

TEST_CASE("channel/channel: collects on a timer and shows nothing before the flush") {
    world w{{.publish_interval = 100ms}};
    auto& feed = w.all.open("feed");
    CHECK(w.all.next_advance() == never);
    virtual_now += 30ms;
    CHECK(feed.publish("1", {"a"}) == 1);
    CHECK(w.all.next_advance() == virtual_now + 70ms);
    virtual_now += 20ms;
    CHECK(feed.publish("2", {"a"}) == 2);
    CHECK(feed.last_offset() == 0);
    CHECK(feed.read(0).empty());
    CHECK_FALSE(feed.open_cursor({start_position::kind::now, {}, true}).snapshot);
    w.pass(49ms);
    CHECK(feed.last_offset() == 0);

    CHECK(w.pass(1ms) == never);
    CHECK(payloads(feed) == texts{"1", "2"});
    CHECK((*feed.read(1).begin()).time == virtual_now - 50ms);
    CHECK(feed.publish("3") == 3);
    CHECK(feed.last_offset() == 2);
}

TEST_CASE("channel/channel: changes between the two ways to publish while running") {
    world w;
    auto& feed = w.all.open("feed");
    feed.publish("1");
    feed.set_publish_interval(1s);
    CHECK(feed.publish_interval() == 1s);
    feed.publish("2");
    CHECK(feed.last_offset() == 1);
    feed.set_publish_interval(10ms);
    CHECK(w.all.next_advance() == virtual_now + 10ms);
    w.pass(10ms);
    CHECK(feed.last_offset() == 2);
    feed.publish("3");
    feed.set_publish_interval(0ms);
    CHECK(payloads(feed) == texts{"1", "2", "3"});
    CHECK(feed.publish("4") == 4);
    CHECK(feed.last_offset() == 4);

    // What the agenda still holds of the long interval flushes nothing early.
    feed.set_publish_interval(10s);
    w.pass(990ms);
    feed.publish("5");
    w.pass(1s);
    CHECK(feed.last_offset() == 4);
    w.pass(10s);
    CHECK(feed.last_offset() == 5);
}

TEST_CASE("channel/channel: flushes early what reaches the bound of collected bytes") {
    world w{{.publish_interval = 1s, .collected_bytes_max = 1000}};
    auto& feed = w.all.open("feed");
    std::string const payload(400, 'x');
    feed.publish(payload);
    feed.publish(payload);
    CHECK(feed.last_offset() == 0);
    feed.publish(payload);
    CHECK(feed.last_offset() == 3);
    feed.publish(payload);
    feed.flush_collected();
    CHECK(feed.last_offset() == 4);
}

TEST_CASE("channel/channel: goes on after a collected event, but not after what nobody published") {
    world w{{.publish_interval = 1s}};
    auto& feed = w.all.open("feed");
    feed.publish("1");
    auto const offset = feed.publish("2");
    auto const open_after = [&](std::uint64_t seen) {
        return feed.open_cursor({start_position::kind::after, {feed.epoch(), seen}, false});
    };
    CHECK(open_after(offset + 1).is_ahead);
    CHECK(feed.last_offset() == 0);
    auto const opened = open_after(offset);
    CHECK_FALSE(opened.is_ahead);
    CHECK(opened.is_recovered);
    CHECK(opened.next_offset == offset + 1);
    CHECK(feed.last_offset() == offset);
    CHECK(open_after(offset + 1).is_ahead);
}

TEST_CASE("channel/publish_window: answers a retry with the first offset, within its bounds") {
    for (auto const interval : {0ms, 10ms}) {
        CAPTURE(interval.count());
        world w{{.publish_interval = interval, .publish_window_events = 2}};
        auto& feed = w.all.open("feed");
        auto const publish = [&](std::string_view id) {
            return feed.try_publish("1", {{}, payload_kind::json, id});
        };
        CHECK(publish("a").offset == 1);
        CHECK(publish("a").offset == 1);
        CHECK(publish("a").is_duplicate);
        CHECK(publish("b").offset == 2);
        CHECK_FALSE(publish({}).is_duplicate);
        CHECK(publish({}).offset == 4);
        CHECK(publish("c").offset == 5); // forgets a
        CHECK(publish("b").is_duplicate);
        CHECK(publish("a").offset == 6);

        virtual_now += 2min - 1ns;
        CHECK(publish("a").is_duplicate);
        virtual_now += 1ns;
        CHECK_FALSE(publish("a").is_duplicate);
        w.pass(3min);
        CHECK(w.pass(3min) == never);
    }
}

TEST_CASE("channel/channel: says which limit a refused publish is over") {
    world w{{.payload_bytes_max = 2, .key_bytes_max = 2, .publish_id_bytes_max = 2}};
    auto& feed = w.all.open("feed");
    CHECK(feed.try_publish("12", {"ab", payload_kind::json, "ab"}).refusal ==
          publish_refusal::none);
    CHECK(feed.try_publish("123").refusal == publish_refusal::payload_too_large);
    CHECK(feed.try_publish("1", {"abc"}).refusal == publish_refusal::key_too_long);
    CHECK(feed.try_publish("1", {{}, payload_kind::json, "abc"}).refusal ==
          publish_refusal::id_too_long);
    CHECK(w.all.try_publish("a..b", "1").refusal == publish_refusal::no_channel);
    CHECK(feed.last_offset() == 1);
}

TEST_CASE("channel/hub: drops aged events when it is advanced") {
    world w{{.log_age_max = 5s}};
    auto& feed = w.all.open("feed");
    feed.publish("1");
    w.pass(3s);
    feed.publish("2");
    w.pass(2s);
    CHECK(feed.first_offset() == 1);
    w.pass(1s);
    CHECK(feed.first_offset() == 2);
    w.pass(4s);
    CHECK(feed.first_offset() == 3);
    CHECK(w.all.next_advance() == never);
}

TEST_CASE("channel/slow_copy: publishes the newest of each key in the order of last update") {
    world w;
    auto& fast = w.all.open("fast");
    auto& slow = w.all.open("slow");
    fast.publish("old", {"a"});
    auto const copy = w.all.copy(fast, slow, {1s});
    CHECK(w.all.next_advance() == never);
    fast.publish("1", {"a"});
    fast.publish("2", {"b"});
    fast.publish("3", {"a"});
    auto const next = w.pass(999ms);
    CHECK(next == virtual_now + 1ms);
    CHECK(slow.last_offset() == 0);
    CHECK(w.pass(1ms) == never);
    CHECK(payloads(slow) == texts{"2", "3"});
    CHECK((*slow.read(1).begin()).key == "a");

    fast.publish("4", {"b"});
    w.pass(1s);
    CHECK(payloads(slow) == texts{"2", "3", "4"});
    CHECK(copy->missed_events() == 0);
    copy->stop();
    fast.publish("5", {"b"});
    CHECK(w.all.next_advance() == never);
}

TEST_CASE("channel/slow_copy: begins with what the source has if it is told to") {
    for (auto const mode : {delivery_mode::latest, delivery_mode::every}) {
        CAPTURE(static_cast<int>(mode));
        world w;
        auto& fast = w.all.open("fast");
        auto& slow = w.all.open("slow");
        fast.publish("1", {"a"});
        fast.publish("2", {"a"});
        auto const copy =
            w.all.copy(fast, slow, {.interval = 1s, .mode = mode, .from_oldest = true});
        CHECK(slow.last_offset() == 0);
        CHECK(w.pass(1s) == never);
        auto const there = mode == delivery_mode::latest ? texts{"2"} : texts{"1", "2"};
        CHECK(payloads(slow) == there);
        CHECK(copy->missed_events() == 0);
        fast.publish("3", {"a"});
        w.pass(1s);
        CHECK(payloads(slow).size() == there.size() + 1);
    }
    // Of an empty source there is nothing to copy, and no time for it.
    world w;
    static_cast<void>(w.all.copy(w.all.open("fast"), w.all.open("slow"), {.from_oldest = true}));
    CHECK(w.all.next_advance() == never);
}

TEST_CASE("channel/slow_copy: copes with retention that has passed it") {
    for (auto const mode : {delivery_mode::latest, delivery_mode::every}) {
        world w;
        auto& fast = w.all.open("fast", {.log_bytes_max = 8192, .log_events_max = 3});
        auto& slow = w.all.open("slow");
        auto const copy = w.all.copy(fast, slow, {1s, mode});
        fast.publish("a", {"a"});
        for (int i = 0; i < 999; ++i) fast.publish(std::to_string(i), {"b"});
        w.pass(1s);
        if (mode == delivery_mode::latest) {
            CHECK(payloads(slow) == texts{"a", "998"});
        } else {
            CHECK(payloads(slow) == texts{"996", "997", "998"});
            CHECK(copy->missed_events() == 997);
        }
    }
}

TEST_CASE(
    "channel/presence: publishes who joins with the first connection and leaves with the last") {
    world w{{.presence = true}};
    auto& room = w.all.open("room");
    auto const companion = w.all.find("@presence/room");
    REQUIRE(companion != nullptr);
    REQUIRE(room.members() != nullptr);
    auto& there = *room.members();
    CHECK(companion->members() == nullptr);

    auto first = there.join("alice", R"({"age":7})");
    auto second = there.join("alice", R"({"age":7})");
    auto bob = there.join("b\"ob");
    auto nobody = there.join({});
    CHECK(first.is_member());
    CHECK_FALSE(nobody.is_member());
    CHECK(there.counts().members == 2);
    CHECK(there.counts().connections == 4);
    CHECK(there.counts().anonymous == 1);
    first.release();
    second = {};
    auto changed = there.join("b\"ob", "1");
    CHECK(payloads(*companion) == texts{R"({"join":"alice","info":{"age":7}})",
                                        R"({"join":"b\"ob"})", R"({"leave":"alice"})",
                                        R"({"join":"b\"ob","info":1})"});
    CHECK((*companion->read(0).begin()).key == "alice");
    auto const listed = there.members(10);
    REQUIRE(listed.size() == 1);
    CHECK(listed[0].id == "b\"ob");
    CHECK(listed[0].info == "1");
    CHECK(listed[0].connections == 2);
    CHECK(there.members(0).empty());
}

TEST_CASE("channel/presence: keeps one who polls until its window has passed without a poll") {
    world w{{.presence = true}};
    auto& there = *w.all.open("room").members();
    auto const& companion = *there.companion();
    for (int poll = 0; poll < 5; ++poll) {
        there.join("alice").release(virtual_now + 10s);
        CHECK(there.counts().connections == 0);
        w.pass(6s);
        CHECK(there.counts().members == 1);
    }
    CHECK(payloads(companion) == texts{R"({"join":"alice"})"});
    w.pass(5s);
    CHECK(payloads(companion) == texts{R"({"join":"alice"})", R"({"leave":"alice"})"});
    CHECK(there.counts().members == 0);
    CHECK(w.pass(10s) == never);
}

TEST_CASE("channel/presence: counts as anonymous whoever is over a limit") {
    world w{{.key_bytes_max = 5,
             .presence = true,
             .presence_members_max = 2,
             .presence_info_bytes_max = 3}};
    auto& there = *w.all.open("room").members();
    std::vector<presence_handle> handles;
    handles.push_back(there.join("alice", "123"));
    handles.push_back(there.join("alice2"));
    handles.push_back(there.join("bob", "1234"));
    handles.push_back(there.join("bob"));
    handles.push_back(there.join("carol"));
    CHECK(there.counts().members == 2);
    CHECK(there.counts().anonymous == 3);
    handles.clear();
    CHECK(there.counts().members == 0);
    CHECK(there.counts().connections == 0);
    CHECK(there.counts().anonymous == 0);
}

TEST_CASE("channel/presence: needs a name that leaves room for the companion's, and two places") {
    world w{{.presence = true}};
    CHECK(w.all.try_open(std::string(245, 'a')) != nullptr);
    CHECK(w.all.try_open(std::string(246, 'a')) == nullptr);
    hub small{{.presence = true}, {1}};
    CHECK(small.try_open("room") == nullptr);
}

TEST_CASE("channel/agenda: tells each driver once when something becomes due earlier") {
    struct listener {
        std::vector<time_point> told;
        agenda_driver driver{[](void* self, time_point due) noexcept {
                                 static_cast<listener*>(self)->told.push_back(due);
                             },
                             this};
    };
    agenda tasks;
    auto const runs = std::make_shared<int>(0);
    auto const add = [&](int at) {
        tasks.add(time_point{} + std::chrono::seconds{at}, runs,
                  [](void* subject, time_point) { ++*static_cast<int*>(subject); });
    };
    add(5);
    listener one;
    listener two;
    tasks.add_driver(one.driver);
    tasks.add_driver(two.driver);
    add(7);
    add(3);
    add(4);
    std::vector<time_point> const expected{time_point{} + 5s, time_point{} + 3s};
    CHECK(one.told == expected);
    CHECK(two.told == expected);

    CHECK(tasks.advance(time_point{} + 5s, &one.driver) == time_point{} + 7s);
    CHECK(*runs == 3);
    CHECK(tasks.advance(time_point{} + 5s, &two.driver) == time_point{} + 7s);
    CHECK(*runs == 3);
    tasks.remove_driver(two.driver);
    add(6);
    CHECK(one.told.size() == 3);
    CHECK(two.told.size() == 2);
    tasks.remove_driver(one.driver);

    std::weak_ptr<int> const gone = std::make_shared<int>(0);
    tasks.add({}, gone, [](void*, time_point) { FAIL("its subject is gone"); });
    CHECK(tasks.advance(time_point{} + 10s) == never);
    CHECK(*runs == 5);
}
