#include <livetape/channel/dispatcher.hpp>
#include <livetape/channel/hub.hpp>
#include <livetape/channel/subscriber.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace livetape;

/// `<offset><key>*<count> `
struct short_encoder {
    static void encode(event_view const& event, std::string& out) {
        out += std::to_string(event.offset) + std::string{event.key};
        if (event.count > 1) out += '*' + std::to_string(event.count);
        out += ' ';
    }
    static std::size_t overhead(event_view const&) { return 4; }
};

struct world {
    explicit world(channel_options const& options = {})
        : all{options, {100, 1, [] { return time_point{}; }}} {}

    hub all;
    std::shared_ptr<channel> source = all.try_open("feed");
    dispatcher wakes{[](void*) noexcept {}, nullptr};

    void publish(std::string_view keys) {
        for (auto const& key : keys) source->publish("1", {.key = std::string_view{&key, 1}});
    }
    void run() {
        while (wakes.run(100, time_point{})) {
        }
    }
};

/// A client with one key set that takes what is due whenever it is called.
struct watcher {
    watcher(world& in, delivery_mode mode, std::vector<std::string> keys,
            start_position const& start = {})
        : cursors{in.wakes} {
        cursors.on_ready([](void* self) noexcept { static_cast<watcher*>(self)->take(); }, this);
        delivery_options chosen;
        chosen.mode = mode;
        chosen.keys = std::move(keys);
        opened_cursor opened;
        of = &cursors.add(in.source, encoding_of<short_encoder>, start, chosen, opened);
        first = opened.next_offset;
    }

    void take() {
        ++calls;
        write_batch batch;
        subscriber::missed_events missed;
        for (;;) {
            auto const what = cursors.take(batch, missed);
            if (what == subscriber::taken::gap)
                received += "gap " + std::to_string(missed.range.first) + '-' +
                            std::to_string(missed.range.last) + ' ';
            if (what == subscriber::taken::nothing && batch.empty()) return;
            for (std::size_t i = 0; i < batch.count(); ++i) received += batch.piece(i);
            batch.settle(batch.bytes());
        }
    }

    subscriber cursors;
    subscription* of = nullptr;
    std::uint64_t first = 0;
    std::string received;
    int calls = 0;
};

constexpr delivery_mode both_modes[] = {delivery_mode::every, delivery_mode::latest};

} // namespace

TEST_CASE("channel/key_set: who watches other keys is not called, and has passed the event") {
    for (auto const mode : both_modes) {
        world w;
        watcher a{w, mode, {"a", "b"}};
        watcher c{w, mode, {"c"}};
        w.publish("a");
        w.run();
        CHECK(a.received == "1a ");
        CHECK(c.calls == 0);
        for (int burst = 0; burst < 5; ++burst) {
            w.publish("ab");
            w.run();
        }
        CHECK(a.received == "1a 2a 3b 4a 5b 6a 7b 8a 9b 10a 11b ");
        CHECK(a.of->counters() == delivery_counters{11, 0, 0, 0});
        CHECK(c.calls == 0);
        CHECK(c.of->counters() == delivery_counters{0, 0, 0, 11});
        CHECK(c.of->reached().offset == 11);
        CHECK_FALSE(c.of->is_behind());
        CHECK(w.wakes.slowest_offset(*w.source) == 11);
        CHECK(w.wakes.totals(*w.source) == delivery_counters{11, 0, 0, 11});

        w.publish("acb");
        w.run();
        CHECK(c.received == "13c ");
        CHECK(c.of->counters() == delivery_counters{1, 0, 0, 13});
        CHECK(c.of->reached().offset == 14);
    }
}

TEST_CASE("channel/key_set: who rests is called for a key that it adds, not for one it removed") {
    for (auto const mode : both_modes) {
        world w;
        watcher by{w, mode, {"a", "b"}};
        w.publish("xyx");
        w.run();
        CHECK(by.calls == 0);
        std::string const x = "x", a = "a", b = "b";
        by.cursors.add_keys(*by.of, {&x, 1});
        by.cursors.add_keys(*by.of, {&x, 1});
        w.run();
        CHECK(by.received == "3x ");
        by.cursors.remove_keys(*by.of, {&a, 1});
        w.publish("a");
        w.run();
        w.publish("x");
        w.run();
        CHECK(by.received == "3x 5x ");

        delivery_options other;
        other.mode = mode;
        other.keys = {{"y"}};
        by.cursors.change(*by.of, other);
        w.run();
        CHECK(by.received == "3x 5x 2y ");
        w.publish("xbay");
        w.run();
        CHECK(by.received == "3x 5x 2y 9y ");
        by.cursors.change(*by.of, {mode});
        w.publish("q");
        w.run();
        CHECK(by.received == "3x 5x 2y 9y 10q ");
        CHECK(by.of->counters() == delivery_counters{3, 0, 0, 7});
        by.cursors.remove(*by.of);
        w.publish("y");
        w.run();
        CHECK(by.received == "3x 5x 2y 9y 10q ");
    }
}

TEST_CASE("channel/key_set: a burst that retention has passed unseen is a gap for every, none for "
          "latest") {
    world w{{.log_bytes_max = 1024, .log_events_max = 4}};
    watcher every{w, delivery_mode::every, {"a"}};
    watcher latest{w, delivery_mode::latest, {"a"}};
    w.publish("x");
    w.run();
    for (int i = 0; i < 50; ++i) w.publish("axxx");
    w.run();
    CHECK(every.received == "gap 2-197 198a ");
    CHECK(every.of->counters() == delivery_counters{1, 0, 196, 4});
    CHECK(latest.received == "198a*50 ");
    CHECK(latest.of->counters() == delivery_counters{1, 49, 0, 151});
    CHECK(w.wakes.totals(*w.source) == delivery_counters{2, 49, 196, 155});
}

TEST_CASE("channel/key_set: many watchers get exactly their keys while they come, change and go") {
    constexpr unsigned seed = 3;
    INFO("seed ", seed);
    std::mt19937 random{seed};
    auto const some_keys = [&random] {
        std::vector<std::string> keys;
        for (auto i = random() % 4; i < 4; ++i)
            keys.emplace_back(1, static_cast<char>('a' + random() % 12));
        return keys;
    };
    for (auto const mode : both_modes) {
        world w;
        std::vector<std::unique_ptr<watcher>> watchers;
        for (int step = 0; step < 3000; ++step) {
            auto const which = random() % 40;
            if (which >= watchers.size()) {
                watchers.push_back(std::make_unique<watcher>(w, mode, some_keys()));
            } else if (random() % 8 == 0) {
                watchers.erase(watchers.begin() + static_cast<std::ptrdiff_t>(which));
            } else if (random() % 2 == 0) {
                watchers[which]->cursors.add_keys(*watchers[which]->of, some_keys());
            } else {
                watchers[which]->cursors.remove_keys(*watchers[which]->of, some_keys());
            }
            // Each sees what it wants of what is published until the keys change again.
            w.run();
            std::string published;
            auto const before = w.source->last_offset();
            for (auto i = random() % 6; i > 0; --i)
                published += static_cast<char>('a' + random() % 12);
            for (auto& each : watchers) each->received.clear();
            w.publish(published);
            w.run();
            for (auto const& each : watchers) {
                auto const chosen = *each->of->delivery().keys;
                std::string expected;
                for (std::size_t i = 0; i < published.size(); ++i) {
                    std::string const key(1, published[i]);
                    if (std::find(chosen.begin(), chosen.end(), key) == chosen.end()) continue;
                    auto const later = published.find(key, i + 1);
                    auto const events = std::count(published.begin(), published.end(), key[0]);
                    bool const conflates = mode == delivery_mode::latest;
                    if (conflates && later != std::string::npos) continue;
                    expected += std::to_string(before + i + 1) + key;
                    if (conflates && events > 1) expected += '*' + std::to_string(events);
                    expected += ' ';
                }
                REQUIRE(each->received == expected);
                REQUIRE(each->of->reached().offset == w.source->last_offset());
                REQUIRE(each->of->counters().sum() == w.source->last_offset() + 1 - each->first);
            }
        }
    }
}
