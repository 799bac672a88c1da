#include <livetape/channel/dispatcher.hpp>
#include <livetape/channel/hub.hpp>
#include <livetape/channel/subscriber.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace livetape;

constexpr int publisher_count = 8;
constexpr int steps = 2000;
constexpr int channel_count = 200;

std::string name_of(unsigned number) {
    return (number % 2 == 0 ? "even." : "odd.") + std::to_string(number);
}

/// Creates channels, publishes, changes the timer and joins at random.
void publish_at_random(hub& all, unsigned seed, std::atomic<std::uint64_t>& published) {
    std::mt19937 engine{seed};
    auto const random = [&engine] { return static_cast<unsigned>(engine()); };
    std::vector<presence_handle> handles(5);
    for (int step = 0; step < steps; ++step) {
        auto const to = all.try_open(name_of(random() % channel_count));
        switch (random() % 8) {
        case 0: to->set_publish_interval(std::chrono::microseconds{random() % 3 * 100}); break;
        case 1:
            handles[random() % 5] = to->members()->join("m" + std::to_string(random() % 9));
            break;
        case 2: handles[random() % 5].release(clock::now()); break;
        case 3: all.advance(clock::now()); break;
        default: {
            auto const id = std::to_string(seed) + '-' + std::to_string(step);
            auto const first = to->try_publish("1", {"k", payload_kind::json, id});
            auto const retry = to->try_publish("1", {"k", payload_kind::json, id});
            if (retry.offset == first.offset && retry.is_duplicate) ++published;
        }
        }
    }
}

struct key_encoder {
    static void encode(event_view const& event, std::string& out) { out += event.key; }
    static std::size_t overhead(event_view const&) { return 0; }
};

struct seen_channels {
    std::map<std::string, int, std::less<>> times;

    static void note(void* self, std::shared_ptr<channel> const& matching) {
        ++static_cast<seen_channels*>(self)->times[std::string{matching->name()}];
    }
};

} // namespace

TEST_CASE(
    "channel/key_set: a reader that begins to watch keys while retention passes it counts each "
    "event once") {
    constexpr int rounds = 1000;
    hub all{{.log_bytes_max = 1024, .log_events_max = 2}};
    auto const feed = all.try_open("feed");
    // The publisher publishes while its round is odd, and says when it has stopped.
    std::atomic<int> wanted{0};
    std::atomic<int> reached{0};
    std::thread publisher{[&] {
        for (int seen = 0; (seen = wanted) != 2 * rounds;) {
            if (seen % 2 == 1) feed->publish("1", {.key = "a"});
            else std::this_thread::yield();
            reached = seen;
        }
    }};

    dispatcher wakes{[](void*) noexcept {}, nullptr};
    delivery_options chosen;
    chosen.mode = delivery_mode::latest;
    chosen.keys = {{"a"}};
    for (int round = 0; round < rounds; ++round) {
        start_position const start{
            start_position::kind::after, {feed->epoch(), feed->last_offset()}, false};
        ++wanted;
        while (feed->last_offset() < start.after.offset + 20) std::this_thread::yield();
        subscriber cursors{wakes};
        opened_cursor opened;
        auto& which = cursors.add(feed, encoding_of<key_encoder>, start, chosen, opened);
        auto const stopped = ++wanted;
        while (stopped != 2 * rounds && reached != stopped) std::this_thread::yield();
        if (stopped == 2 * rounds) publisher.join();
        wakes.run(1, clock::now());
        write_batch batch;
        subscriber::missed_events missed;
        while (cursors.take(batch, missed) != subscriber::taken::nothing)
            batch.settle(batch.bytes());
        auto const counters = which.counters();
        CHECK(counters.delivered + counters.conflated == feed->last_offset() - start.after.offset);
        CHECK(counters.filtered == 0);
    }
}

TEST_CASE("channel/hub: threads publish, create, change timers and join while patterns watch") {
    constexpr unsigned seed = 7;
    INFO("seed ", seed);
    hub all{{.presence = true}};
    all.open(name_of(0));
    auto const copy =
        all.copy(all.open("even.source"), all.open("odd.copy"), {std::chrono::milliseconds{1}});
    std::atomic<std::uint64_t> published{0};
    std::atomic<int> running{publisher_count};
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < publisher_count; ++i)
        threads.emplace_back([&, i] {
            publish_at_random(all, seed + i, published);
            --running;
        });

    dispatcher wakes{[](void*) noexcept {}, nullptr};
    seen_channels even;
    seen_channels companions;
    seen_channels brief;
    pattern_subscription of_even{wakes.patterns(all.channels()), "even.*", &seen_channels::note,
                                 &even};
    of_even.report_existing();
    pattern_subscription of_companions{wakes.patterns(all.channels()), "@presence/odd.*",
                                       &seen_channels::note, &companions};
    of_companions.report_existing();
    while (running > 0) {
        wakes.run(100, clock::now());
        all.open("even.source").publish("1");
        pattern_subscription comes_and_goes{wakes.patterns(all.channels()), "*.1",
                                            &seen_channels::note, &brief};
        comes_and_goes.report_existing();
    }
    for (auto& each : threads) each.join();
    wakes.run(100, clock::now());

    std::uint64_t offsets = 0;
    for (unsigned i = 0; i < channel_count; ++i) {
        auto const each = all.find(name_of(i));
        if (!each) continue;
        each->set_publish_interval({});
        offsets += each->last_offset();
        auto const& seen = i % 2 == 0 ? even : companions;
        auto const found = seen.times.find(i % 2 == 0 ? name_of(i) : "@presence/" + name_of(i));
        REQUIRE(found != seen.times.end());
        CHECK(found->second == 1);
        all.advance(clock::now() + std::chrono::seconds{10});
        CHECK(each->members()->counts().connections == 0);
        CHECK(each->members()->counts().members == 0);
    }
    CHECK(offsets == published);
    copy->stop();
}
