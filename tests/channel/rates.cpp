#include <livetape/channel/hub.hpp>
#include <livetape/channel/subscriber.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace livetape;
using namespace std::chrono_literals;

/// `<offset><key>` and, if it stands for several, `*<count>`
struct short_encoder {
    static void encode(event_view const& event, std::string& out) {
        out += std::to_string(event.offset);
        out += event.key;
        if (event.count > 1) out += '*' + std::to_string(event.count);
        out += ' ';
    }
    static std::size_t overhead(event_view const&) { return 8; }
};

struct payload_encoder {
    static void encode(event_view const& event, std::string& out) {
        out += event.payload;
        out += ' ';
    }
    static std::size_t overhead(event_view const&) { return 1; }
};

/// Adds more than it says, so that a segment needs several areas.
struct understating_encoder {
    static void encode(event_view const& event, std::string& out) {
        short_encoder::encode(event, out.append("a long envelope "));
    }
    static std::size_t overhead(event_view const&) { return 0; }
};

struct world {
    hub all{{}, {100, 1, [] { return time_point{}; }}};
    std::shared_ptr<channel> source = all.try_open("feed");
    int wake_count = 0;
    dispatcher wakes{[](void* self) noexcept { ++static_cast<world*>(self)->wake_count; }, this};
    time_point now{1h};

    void publish(std::string_view keys) {
        for (auto const key : keys) source->publish("1", {std::string_view{&key, 1}});
    }
    void run() {
        while (wakes.run(100, now)) {
        }
    }
    /// Lets the time pass up to `until`, as a driver does.
    void pass(time_point until) {
        run();
        while (wakes.next_tick() <= until) {
            now = wakes.next_tick();
            wakes.tick(now);
            run();
        }
        now = until;
    }
};

/// Takes all that is due when it is called, and remembers it; or, while it is blocked, nothing.
struct reader {
    explicit reader(world& w) : cursors{w.wakes} {
        cursors.on_ready([](void* self) noexcept { static_cast<reader*>(self)->read(); }, this);
    }
    reader(world& w, delivery_options const& delivery, start_position const& start = {},
           encoding const& format = encoding_of<short_encoder>)
        : reader{w} {
        opened_cursor opened;
        of = &cursors.add(w.source, format, start, delivery, opened);
    }

    void read() {
        ++turns;
        write_batch batch;
        subscriber::missed_events missed;
        while (!batch.is_full() && cursors.take(batch, missed) == subscriber::taken::run) {
        }
        for (std::size_t i = 0; i < batch.count(); ++i) {
            received += batch.piece(i);
            last_piece = batch.piece(i).data();
        }
        batch.settle(batch.bytes());
    }

    std::string take_received() { return std::exchange(received, {}); }

    subscriber cursors;
    subscription* of = nullptr;
    std::string received;
    char const* last_piece = nullptr;
    int turns = 0;
};

constexpr delivery_options latest{delivery_mode::latest};
delivery_options at(delivery_mode mode, std::chrono::milliseconds interval) {
    return {mode, interval, {}, {}};
}

} // namespace

TEST_CASE("channel/rates: every is batched, and latest is conflated, up to the aligned tick") {
    world w;
    reader batches{w, at(delivery_mode::every, 100ms)};
    reader conflates{w, at(delivery_mode::latest, 100ms)};
    reader slow{w, at(delivery_mode::latest, 250ms)};
    CHECK(w.wakes.next_tick() == time_point::max());

    w.now = time_point{1h + 30ms};
    w.publish("aba");
    w.run();
    CHECK(w.wakes.next_tick() == time_point{1h + 100ms});
    w.wakes.tick(time_point{1h + 99ms});
    w.run();
    CHECK(batches.turns == 0);
    w.pass(time_point{1h + 100ms});
    CHECK(batches.take_received() == "1a 2b 3a ");
    CHECK(conflates.take_received() == "2b 3a*2 ");
    CHECK(slow.turns == 0);
    w.publish("a");
    w.pass(time_point{1h + 199ms});
    CHECK(conflates.turns == 1);
    w.pass(time_point{1h + 299ms});
    CHECK(conflates.take_received() == "4a ");
    CHECK(slow.take_received() == "2b 4a*3 ");
}

TEST_CASE("channel/rates: every reader gets events whole whose encoder said too little of them") {
    for (auto const mode : {delivery_mode::every, delivery_mode::latest})
        for (bool const has_keys : {false, true}) {
            CAPTURE(mode);
            CAPTURE(has_keys);
            world w;
            delivery_options wanted{mode};
            wanted.interval = 100ms;
            if (has_keys) wanted.keys = std::vector<std::string>{"a", "b", "c", "d", "e"};
            reader by{w, wanted, {}, encoding_of<understating_encoder>};
            w.publish("abcd");
            w.pass(time_point{1h + 100ms});
            w.publish("de");
            w.pass(time_point{1h + 200ms});
            std::string expected;
            for (auto const* const event : {"1a ", "2b ", "3c ", "4d ", "5d ", "6e "})
                expected.append("a long envelope ").append(event);
            CHECK(by.received == expected);
        }
}

TEST_CASE("channel/rates: what is there when a subscription begins is due at once") {
    world w;
    w.publish("ab");
    reader by{w, at(delivery_mode::every, 100ms), {start_position::kind::oldest, {}, false}};
    reader shown{w, at(delivery_mode::latest, 100ms), {start_position::kind::now, {}, true}};
    w.run();
    CHECK(by.take_received() == "1a 2b ");
    CHECK(shown.take_received() == "1a 2b ");
    w.publish("c");
    w.run();
    CHECK(by.received.empty());
    CHECK(shown.received.empty());
}

TEST_CASE("channel/rates: publishing wakes nobody between ticks, and a quiet class has no tick") {
    world w;
    reader by{w, at(delivery_mode::latest, 100ms)};
    w.publish("a");
    w.run();
    auto const wakes = w.wake_count;
    w.publish("bcd");
    CHECK(w.wake_count == wakes);
    w.pass(time_point{1h + 100ms});
    CHECK(by.take_received() == "1a 2b 3c 4d ");

    w.pass(time_point{1h + 1s});
    CHECK(w.wakes.next_tick() == time_point::max());
    CHECK(by.turns == 1);
    w.publish("e");
    CHECK(w.wake_count > wakes);
    w.pass(time_point{1h + 2s});
    CHECK(by.take_received() == "5e ");
}

TEST_CASE("channel/rates: one who wants events at once gets them beside those who wait") {
    world w;
    reader waits{w, at(delivery_mode::latest, 100ms)};
    w.publish("a");
    w.run();
    // The signal is kept raised for the tick by now.
    reader at_once{w, latest};
    w.publish("b");
    w.run();
    CHECK(at_once.take_received() == "2b ");
    reader slower{w, at(delivery_mode::latest, 250ms)};
    w.publish("c");
    w.pass(time_point{1h + 100ms});
    CHECK(waits.take_received() == "1a 2b 3c ");
    w.pass(time_point{1h + 300ms});
    CHECK(slower.take_received() == "3c ");
}

TEST_CASE("channel/rates: a class that joins between ticks has one of its own") {
    world w;
    reader first{w, at(delivery_mode::latest, 1000ms)};
    w.publish("a");
    w.run();
    reader second{w, at(delivery_mode::latest, 100ms)};
    w.publish("b");
    w.pass(time_point{1h + 100ms});
    CHECK(second.take_received() == "2b ");
    CHECK(first.received.empty());
}

TEST_CASE("channel/rates: subscribers of a class share one run, whenever they began") {
    world w;
    reader first{w, at(delivery_mode::latest, 100ms)};
    w.publish("a");
    reader second{w, at(delivery_mode::latest, 100ms)};
    w.publish("b");
    w.pass(time_point{1h + 100ms});
    CHECK(first.take_received() == "1a 2b ");
    CHECK(second.take_received() == "2b ");
    w.publish("ab");
    w.pass(time_point{1h + 200ms});
    CHECK(first.take_received() == "3a 4b ");
    CHECK(first.last_piece == second.last_piece);
}

TEST_CASE("channel/rates: one whose write lasted over a tick takes up to that tick, not further") {
    world w;
    reader by{w, at(delivery_mode::latest, 100ms)};
    by.cursors.set_writing(true);
    w.publish("ab");
    w.pass(time_point{1h + 100ms});
    w.publish("a");
    w.run();
    by.cursors.set_writing(false);
    by.read();
    CHECK(by.take_received() == "1a 2b ");
    w.pass(time_point{1h + 200ms});
    CHECK(by.take_received() == "3a ");
}

TEST_CASE("channel/rates: what a partial write left goes out before the next tick") {
    world w;
    reader by{w};
    opened_cursor opened;
    by.of = &by.cursors.add(w.source, encoding_of<short_encoder>, {},
                            at(delivery_mode::latest, 100ms), opened);
    by.cursors.set_writing(true);
    w.publish("abc");
    w.pass(time_point{1h + 100ms});
    w.publish("b");
    write_batch batch;
    subscriber::missed_events missed;
    REQUIRE(by.cursors.take(batch, missed) == subscriber::taken::run);
    batch.settle(3);
    by.cursors.set_writing(false);
    by.read();
    CHECK(by.take_received() == "2b 3c ");
    w.pass(time_point{1h + 200ms});
    CHECK(by.take_received() == "4b ");
    CHECK(by.of->counters() == delivery_counters{4, 0, 0, 0});
}

TEST_CASE("channel/rates: the driver is told when nobody waits for a tick any more") {
    world w;
    auto by = std::make_unique<reader>(w, at(delivery_mode::latest, 1h));
    w.publish("a");
    w.run();
    CHECK(w.wakes.next_tick() == time_point{2h});
    auto const wakes = w.wake_count;
    by.reset();
    CHECK(w.wake_count > wakes);
    CHECK(w.wakes.next_tick() == time_point::max());
    w.publish("b");
    w.run();
}

TEST_CASE("channel/rates: a live change of the rate loses nothing") {
    world w;
    reader by{w, at(delivery_mode::every, 1000ms)};
    w.publish("ab");
    w.run();
    by.cursors.change(*by.of, at(delivery_mode::every, 100ms));
    CHECK(by.of->delivery().interval == 100ms);
    w.publish("c");
    w.pass(time_point{1h + 100ms});
    CHECK(by.take_received() == "1a 2b 3c ");
    w.publish("d");
    w.run();
    by.cursors.change(*by.of, {});
    w.run();
    CHECK(by.take_received() == "4d ");
    w.publish("e");
    w.run();
    CHECK(by.take_received() == "5e ");
    by.cursors.change(*by.of, at(delivery_mode::latest, 100ms));
    w.publish("ff");
    w.run();
    CHECK(by.received.empty());
    w.pass(time_point{1h + 200ms});
    CHECK(by.take_received() == "7f*2 ");
}

TEST_CASE("channel/credit: each flush costs one, and none is due without credit") {
    world w;
    reader by{w, {delivery_mode::latest, 0ms, 2, {}}};
    w.publish("a");
    w.run();
    w.publish("b");
    w.run();
    CHECK(by.take_received() == "1a 2b ");
    CHECK(by.of->delivery().credit == 0u);
    auto const turns = by.turns;
    w.publish("aba");
    w.run();
    CHECK(by.turns == turns);
    CHECK(by.of->is_behind());

    by.cursors.give_credit(*by.of, 1);
    w.run();
    CHECK(by.take_received() == "4b 5a*2 ");
    w.publish("c");
    w.run();
    CHECK(by.received.empty());
    by.cursors.give_credit(*by.of, 0);
    w.run();
    CHECK(by.received.empty());
    by.cursors.give_credit(*by.of, 0xffff'ffffu);
    by.cursors.give_credit(*by.of, 0xffff'ffffu);
    w.run();
    CHECK(by.take_received() == "6c ");
    CHECK(by.of->delivery().credit == 0xffff'fffeu);
}

TEST_CASE("channel/credit: with a rate, a flush that had no credit waits for no second tick") {
    world w;
    reader by{w, {delivery_mode::every, 100ms, 0, {}}};
    w.publish("a");
    w.pass(time_point{1h + 100ms});
    w.publish("b");
    w.run();
    CHECK(by.received.empty());
    by.cursors.give_credit(*by.of, 1);
    w.run();
    CHECK(by.take_received() == "1a ");
    by.cursors.give_credit(*by.of, 1);
    w.pass(time_point{1h + 200ms});
    CHECK(by.take_received() == "2b ");
}

TEST_CASE("channel/credit: a flush of which nothing was sent costs nothing") {
    world w;
    reader by{w};
    opened_cursor opened;
    by.of = &by.cursors.add(w.source, encoding_of<short_encoder>, {},
                            {delivery_mode::every, 0ms, 1, {}}, opened);
    by.cursors.set_writing(true);
    w.publish("ab");
    w.run();
    write_batch batch;
    subscriber::missed_events missed;
    REQUIRE(by.cursors.take(batch, missed) == subscriber::taken::run);
    CHECK(by.of->delivery().credit == 0u);
    batch.settle(0);
    CHECK(by.of->delivery().credit == 1u);
    REQUIRE(by.cursors.take(batch, missed) == subscriber::taken::run);
    batch.settle(1);
    CHECK(by.of->delivery().credit == 0u);
    CHECK(by.cursors.take(batch, missed) == subscriber::taken::nothing);
}

TEST_CASE("channel/key_set: watchers of other keys are not called, and each sees its own") {
    world w;
    reader by{w, {delivery_mode::latest, 0ms, {}, std::vector<std::string>{"a", "z"}}};
    reader every{w, {delivery_mode::every, 0ms, {}, std::vector<std::string>{"a", "z"}}};
    w.publish("bbc");
    w.run();
    CHECK(by.turns == 0);
    CHECK(every.turns == 0);
    CHECK(by.of->counters() == delivery_counters{0, 0, 0, 3});
    CHECK(every.of->counters() == delivery_counters{0, 0, 0, 3});
    w.publish("abaz");
    w.run();
    CHECK(by.take_received() == "6a*2 7z ");
    CHECK(every.take_received() == "4a 6a 7z ");
    CHECK(by.of->counters() == delivery_counters{2, 1, 0, 4});
    CHECK(every.of->counters() == delivery_counters{3, 0, 0, 4});
    CHECK(w.wakes.totals(*w.source) == delivery_counters{5, 1, 0, 8});
    CHECK(*by.of->delivery().keys == std::vector<std::string>{"a", "z"});
}

TEST_CASE("channel/key_set: an added key shows its newest event at once, a removed one nothing") {
    for (auto const mode : {delivery_mode::latest, delivery_mode::every}) {
        CAPTURE(static_cast<int>(mode));
        world w;
        reader by{w, {mode, 0ms, {}, std::vector<std::string>{"a"}}};
        w.publish("abb");
        w.run();
        CHECK(by.take_received() == "1a ");
        std::vector<std::string> const added{"a", "b", "none yet"};
        by.cursors.add_keys(*by.of, added);
        w.run();
        CHECK(by.take_received() == "3b ");
        w.publish("b");
        w.run();
        CHECK(by.take_received() == "4b ");
        by.cursors.remove_keys(*by.of, std::vector<std::string>{"b", "unknown"});
        w.publish("ba");
        w.run();
        CHECK(by.take_received() == "6a ");
        CHECK(by.of->counters() == delivery_counters{3, 0, 0, 3});
    }
}

TEST_CASE("channel/key_set: begins with the newest events of its keys, or where a cursor was") {
    world w;
    w.publish("abcab");
    std::vector<std::string> const keys{"a", "c"};
    reader shown{w, {delivery_mode::latest, 0ms, {}, keys}, {start_position::kind::now, {}, true}};
    reader resumed{w,
                   {delivery_mode::latest, 0ms, {}, keys},
                   {start_position::kind::after, {w.source->epoch(), 1}, false}};
    reader filtered{w,
                    {delivery_mode::every, 0ms, {}, keys},
                    {start_position::kind::after, {w.source->epoch(), 1}, false}};
    reader shown_every{
        w, {delivery_mode::every, 0ms, {}, keys}, {start_position::kind::now, {}, true}};
    w.publish("a");
    w.run();
    CHECK(shown.take_received() == "3c 6a ");
    CHECK(resumed.take_received() == "3c 6a*2 ");
    CHECK(filtered.take_received() == "3c 4a 6a ");
    CHECK(shown_every.take_received() == "3c 4a 6a ");
    CHECK(shown.of->counters() == delivery_counters{1, 0, 0, 0});
    CHECK(resumed.of->counters() == delivery_counters{2, 1, 0, 2});
    CHECK(filtered.of->counters() == delivery_counters{3, 0, 0, 2});
}

TEST_CASE("channel/key_set: shows the newest events of new keys when the mode changes with them") {
    for (auto const from : {delivery_mode::every, delivery_mode::latest}) {
        auto const to = from == delivery_mode::every ? delivery_mode::latest : delivery_mode::every;
        CAPTURE(from);
        world w;
        reader by{w, {from, 0ms, {}, std::vector<std::string>{"a", "b"}}};
        w.publish("abc");
        w.run();
        CHECK(by.take_received() == "1a 2b ");
        by.cursors.change(*by.of, {to, 0ms, {}, std::vector<std::string>{"b", "c"}});
        w.publish("ab");
        w.run();
        CHECK(by.take_received() == "3c 5b ");
        CHECK(by.of->counters() == delivery_counters{3, 0, 0, 2});
    }
}

TEST_CASE("channel/merge: a conflated event carries what its key's events came to, in order") {
    channel_options options;
    options.merge = [](std::string& into, std::string_view newer) { into += newer; };
    options.log_events_max = 4;
    options.log_bytes_max = 1024;
    hub all{options, {10, 1, [] { return time_point{}; }}};
    auto const source = all.try_open("merging");
    dispatcher wakes{[](void*) noexcept {}, nullptr};
    subscriber cursors{wakes};
    auto const begin = [&](start_position const& start, delivery_options const& delivery) {
        opened_cursor opened;
        cursors.add(source, encoding_of<payload_encoder>, start, delivery, opened);
    };
    auto const read = [&](std::size_t written) {
        write_batch batch;
        subscriber::missed_events missed;
        std::string received;
        while (cursors.take(batch, missed) == subscriber::taken::run) {
        }
        for (std::size_t i = 0; i < batch.count(); ++i) received += batch.piece(i);
        batch.settle(std::min(written, batch.bytes()));
        return received;
    };
    constexpr std::size_t all_of_it = 1u << 20;
    source->publish("0", {"a"});
    SUBCASE("what is pending") {
        begin({}, latest);
        source->publish("1", {"a"});
        source->publish("2", {"b"});
        source->publish("3", {"a"});
        wakes.run(10, {});
        CHECK(read(0) == "2 13 ");
        // All that the keys came to stands for what was given back.
        CHECK(read(all_of_it) == "2 013 ");
    }
    SUBCASE("a snapshot") {
        source->publish("1", {"a"});
        begin({start_position::kind::now, {}, true}, latest);
        CHECK(read(all_of_it) == "01 ");
        source->publish("2", {"a"});
        wakes.run(10, {});
        CHECK(read(all_of_it) == "2 ");
    }
    SUBCASE("more than the log has") {
        begin({}, latest);
        for (int i = 0; i < 200; ++i) source->publish("x", {i % 50 == 0 ? "b" : "c"});
        source->publish("1", {"a"});
        wakes.run(10, {});
        CHECK(read(all_of_it) == "xxxx " + std::string(196, 'x') + " 01 ");
    }
    SUBCASE("a key set") {
        begin({}, {delivery_mode::latest, 0ms, {}, std::vector<std::string>{"a"}});
        source->publish("1", {"a"});
        wakes.run(10, {});
        CHECK(read(all_of_it) == "01 ");
    }
}
