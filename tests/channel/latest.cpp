#include <livetape/channel/hub.hpp>
#include <livetape/channel/subscriber.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

// The specification of `latest` is a conflating queue for each subscriber. Here it is written down
// plainly, and random operations run against it and against the cursors.

namespace {

using namespace livetape;
using namespace std::chrono_literals;

/// `<offset> <key> <payload> <count>`
struct line_encoder {
    static void encode(event_view const& event, std::string& out) {
        out += std::to_string(event.offset) + ' ' + std::string{event.key} + ' ' +
               std::string{event.payload} + ' ' + std::to_string(event.count) + '\n';
    }
    static std::size_t overhead(event_view const&) { return 12; }
};

struct pending_event {
    std::uint64_t offset;
    std::string key;
    std::string payload;
    std::uint32_t count;

    [[nodiscard]] std::string line() const {
        return std::to_string(offset) + ' ' + key + ' ' + payload + ' ' + std::to_string(count) +
               '\n';
    }
};

struct model_queue {
    std::deque<pending_event> events;

    [[nodiscard]] auto find(std::string_view key) {
        return std::find_if(events.begin(), events.end(),
                            [&](pending_event const& e) { return e.key == key; });
    }
    void publish(pending_event event) {
        if (auto const old = find(event.key); old != events.end()) {
            event.count += old->count;
            events.erase(old);
        }
        events.push_back(std::move(event));
    }
    void put_back(pending_event const& event) {
        if (auto const newer = find(event.key); newer != events.end()) newer->count += event.count;
        else events.push_front(event);
    }
};

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
        auto const end = text.find('\n') + 1;
        lines.emplace_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return lines;
}

std::string bytes_of(write_batch const& batch) {
    std::string bytes;
    for (std::size_t i = 0; i < batch.count(); ++i) bytes += batch.piece(i);
    return bytes;
}

struct reader {
    explicit reader(dispatcher& wakes) : cursors{wakes} {}

    subscriber cursors;
    subscription* of = nullptr;
    model_queue expected;
    std::uint64_t published = 0;
    // A write in flight: what was popped for it, and how many of its bytes go out.
    std::unique_ptr<write_batch> batch;
    std::vector<pending_event> popped;
};

struct world {
    world(std::uint32_t seed, channel_options const& options)
        : random{seed}, all{options, {10, seed, [] { return time_point{}; }}},
          source{all.try_open("model")} {}

    std::mt19937 random;
    hub all;
    std::shared_ptr<channel> source;
    dispatcher wakes{[](void*) noexcept {}, nullptr};
    std::vector<std::unique_ptr<reader>> readers;
    bool is_log_complete = true;

    std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random() % limit); }

    void add_reader() {
        auto& added = *readers.emplace_back(std::make_unique<reader>(wakes));
        opened_cursor opened;
        added.of = &added.cursors.add(source, encoding_of<line_encoder>, {},
                                      {.mode = delivery_mode::latest}, opened);
    }

    void publish() {
        pending_event event{0, {}, std::string(below(30), 'x'), 1};
        if (below(8) != 0) event.key = "k" + std::to_string(below(20));
        event.offset = source->publish(event.payload, {event.key, payload_kind::text});
        for (auto const& each : readers) {
            each->expected.publish(event);
            ++each->published;
        }
    }

    void take(reader& by) {
        by.batch = std::make_unique<write_batch>();
        subscriber::missed_events missed;
        auto const at_most = 1 + below(6);
        for (auto runs = 1 + below(3); runs > 0; --runs) {
            auto const taken = by.cursors.take(*by.batch, missed, at_most);
            REQUIRE(taken != subscriber::taken::gap);
            if (taken == subscriber::taken::nothing) break;
        }
        for (auto const& line : lines_of(bytes_of(*by.batch))) {
            REQUIRE_FALSE(by.expected.events.empty());
            auto const& first = by.expected.events.front();
            if (is_log_complete) REQUIRE(line == first.line());
            else REQUIRE(line.starts_with(std::to_string(first.offset) + ' '));
            by.popped.push_back(first);
            by.expected.events.pop_front();
        }
    }

    void settle(reader& by) {
        auto const lines = lines_of(bytes_of(*by.batch));
        auto const written = below(2) == 0 ? by.batch->bytes()
                                           : below(static_cast<std::uint32_t>(by.batch->bytes()) + 1);
        auto end = by.batch->bytes();
        for (auto i = lines.size(); i > 0; --i) {
            end -= lines[i - 1].size();
            if (end >= written) by.expected.put_back(by.popped[i - 1]);
        }
        by.batch->settle(written);
        by.batch.reset();
        by.popped.clear();
        check_counters(by);
    }

    void check_counters(reader const& by) {
        std::uint64_t pending = 0;
        for (auto const& each : by.expected.events) pending += each.count;
        auto const counters = by.of->counters();
        // Events that were not looked at yet are pending and in no counter; those that were looked
        // at and wait are in none either, but for those that retention passed.
        if (is_log_complete) CHECK(counters.sum() + pending == by.published);
        CHECK(counters.skipped == 0);
        CHECK(counters.filtered == 0);
    }
};

void run_model(std::uint32_t seed, channel_options const& options, bool is_log_complete) {
    INFO("seed ", seed);
    world w{seed, options};
    w.is_log_complete = is_log_complete;
    for (int i = 0; i < 5; ++i) w.add_reader();
    for (int step = 0; step < 3000; ++step) {
        CAPTURE(step);
        auto& by = *w.readers[w.below(5)];
        auto const what = w.below(10);
        if (what < 5) w.publish();
        else if (what == 5) w.wakes.run(100, {});
        else if (by.batch) w.settle(by);
        else {
            w.wakes.run(100, {});
            w.take(by);
        }
    }
    for (auto const& by : w.readers) {
        if (by->batch) w.settle(*by);
        w.wakes.run(100, {});
        while (by->cursors.is_due()) {
            w.take(*by);
            w.settle(*by);
        }
        CHECK(by->expected.events.empty());
        CHECK(by->of->counters().sum() == by->published);
        CHECK(by->of->reached().offset == w.source->last_offset());
        CHECK_FALSE(by->of->is_behind());
    }
}

} // namespace

TEST_CASE("channel/latest: random partial writes agree with a conflating queue") {
    for (std::uint32_t seed = 1; seed <= 40; ++seed) {
        run_model(seed, {}, true);
        run_model(seed, {.log_bytes_max = 1024, .log_events_max = 20}, false);
    }
}
