#include <livetape/channel/hub.hpp>
#include <livetape/channel/subscriber.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace livetape;

struct payload_encoder {
    static void encode(event_view const& event, std::string& out) { out += event.payload; }
    static std::size_t overhead(event_view const&) { return 0; }
};

/// Takes all that is due as soon as it is called.
struct eager_reader {
    explicit eager_reader(dispatcher& wakes) : cursors{wakes} {
        cursors.on_ready([](void* self) noexcept { static_cast<eager_reader*>(self)->read(); },
                         this);
    }

    void subscribe(std::shared_ptr<channel> const& source) {
        opened_cursor opened;
        cursors.add(source, encoding_of<payload_encoder>, {}, opened);
    }

    void read() {
        write_batch batch;
        subscriber::missed_events missed;
        while (!batch.is_full() && cursors.take(batch, missed) == subscriber::taken::run) {
        }
        batch.settle(batch.bytes());
    }

    subscriber cursors;
};

struct world {
    hub all{{}, {100, 1, [] { return time_point{}; }}};
    std::shared_ptr<channel> source = all.try_open("feed");
    dispatcher wakes{[](void*) noexcept {}, nullptr};
};

} // namespace

TEST_CASE("channel/dispatcher: is idle once everybody has been handed what there is") {
    world w;
    eager_reader first{w.wakes};
    eager_reader second{w.wakes};
    first.subscribe(w.source);
    second.subscribe(w.source);
    CHECK(w.wakes.is_idle());

    w.source->publish("1");
    CHECK_FALSE(w.wakes.is_idle());
    CHECK(w.wakes.run(1, {}));
    CHECK_FALSE(w.wakes.is_idle());
    CHECK_FALSE(w.wakes.run(1, {}));
    CHECK(w.wakes.is_idle());
}

TEST_CASE("channel/dispatcher: does not wait for a subscriber whose write is in flight") {
    world w;
    eager_reader blocked{w.wakes};
    blocked.subscribe(w.source);
    blocked.cursors.set_writing(true);
    w.source->publish("1");
    CHECK_FALSE(w.wakes.run(10, {}));
    CHECK(w.wakes.is_idle());
    CHECK(w.wakes.slowest_offset(*w.source) == 0u);
}

TEST_CASE("channel/dispatcher: knows how far the slowest subscriber of a channel is") {
    world w;
    auto const other = w.all.try_open("other");
    CHECK(w.wakes.slowest_offset(*w.source) == std::nullopt);

    eager_reader slow{w.wakes};
    slow.subscribe(w.source);
    slow.cursors.set_writing(true);
    w.source->publish("1");
    w.source->publish("2");
    {
        eager_reader fast{w.wakes};
        fast.subscribe(w.source);
        w.source->publish("3");
        w.wakes.run(10, {});
        CHECK(w.wakes.slowest_offset(*w.source) == 0u);
        CHECK(w.wakes.slowest_offset(*other) == std::nullopt);

        slow.cursors.set_writing(false);
        slow.read();
        w.source->publish("4");
        CHECK(w.wakes.slowest_offset(*w.source) == 3u);
        w.wakes.run(10, {});
        CHECK(w.wakes.slowest_offset(*w.source) == 4u);
    }
    slow.cursors.clear();
    CHECK(w.wakes.slowest_offset(*w.source) == std::nullopt);
}

TEST_CASE("channel/dispatcher: calls whoever takes a part of what is due until all is taken") {
    world w;
    constexpr std::uint64_t channel_count = write_batch::pieces_max * 2 + 1;
    eager_reader reader{w.wakes};
    for (std::uint64_t i = 0; i < channel_count; ++i) {
        auto const source = w.all.try_open("feed." + std::to_string(i));
        source->publish("1");
        opened_cursor opened;
        reader.cursors.add(source, encoding_of<payload_encoder>,
                           {.from = start_position::kind::oldest}, opened);
    }

    reader.read();
    CHECK(reader.cursors.is_due());
    CHECK_FALSE(w.wakes.is_idle());
    CHECK(w.wakes.run(1, {}));
    CHECK_FALSE(w.wakes.run(1, {}));
    CHECK_FALSE(reader.cursors.is_due());
    CHECK(w.wakes.is_idle());

    for (std::uint64_t i = 0; i < channel_count; ++i)
        w.all.find("feed." + std::to_string(i))->publish("2");
    CHECK_FALSE(w.wakes.run(3, {}));
    CHECK_FALSE(reader.cursors.is_due());
}

TEST_CASE(
    "channel/subscriber: finds and ends few and many subscriptions, also two to one channel") {
    constexpr std::uint32_t seed = 7;
    INFO("seed ", seed);
    std::mt19937 random{seed};
    hub all{{}, {200, 1, [] { return time_point{}; }}};
    dispatcher wakes{[](void*) noexcept {}, nullptr};
    subscriber cursors{wakes};
    std::vector<std::shared_ptr<channel>> sources;
    for (int i = 0; i < 100; ++i) sources.push_back(all.try_open("c" + std::to_string(i)));
    std::map<std::string, std::size_t> expected;
    std::size_t most = 0;
    for (int step = 0; step < 5000; ++step) {
        CAPTURE(step);
        auto const& source = sources[random() % sources.size()];
        bool const grows = step / 1000 % 2 == 0;
        if (grows || random() % 4 == 0) {
            opened_cursor opened;
            auto const& added = cursors.add(source, encoding_of<payload_encoder>, {}, opened);
            CHECK(added.source().name() == source->name());
            ++expected[std::string{source->name()}];
        }
        if (cursors.count() > 150 || (!grows && cursors.count() > 0)) {
            auto& ended = cursors.at(random() % cursors.count());
            auto const name = std::string{ended.source().name()};
            if (random() % 2 == 0) source->publish("1");
            wakes.run(10, {});
            cursors.remove(ended);
            if (--expected[name] == 0) expected.erase(name);
        }
        most = std::max(most, cursors.count());
        auto const* const found = cursors.find(source->name());
        CHECK((found != nullptr) == expected.contains(std::string{source->name()}));
        if (found != nullptr) CHECK(found->source().name() == source->name());
    }
    CHECK(most > 100);
    cursors.clear();
    CHECK(cursors.find("c1") == nullptr);
    CHECK_FALSE(cursors.is_due());
}

TEST_CASE("channel/channel: knows how many subscribe to it, on all threads") {
    world w;
    CHECK(w.source->subscriber_count() == 0);
    eager_reader first{w.wakes};
    first.subscribe(w.source);
    dispatcher elsewhere{[](void*) noexcept {}, nullptr};
    {
        eager_reader second{elsewhere};
        second.subscribe(w.source);
        CHECK(w.source->subscriber_count() == 2);
        second.cursors.remove(*second.cursors.find("feed"));
        CHECK(w.source->subscriber_count() == 1);
        second.subscribe(w.source);
        CHECK(w.source->subscriber_count() == 2);
    }
    CHECK(w.source->subscriber_count() == 1);
}
