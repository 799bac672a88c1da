#include <livetape/channel/hub.hpp>
#include <livetape/channel/subscriber.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
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
    std::uint32_t count; ///< 0 if it precedes the subscription's range

    [[nodiscard]] std::string line() const {
        return std::to_string(offset) + ' ' + key + ' ' + payload + ' ' +
               std::to_string(std::max(count, 1u)) + '\n';
    }
};

/// What one subscriber is to be handed, in order.
struct model_queue {
    std::deque<pending_event> events;
    bool is_conflating = true;
    std::optional<std::set<std::string>> keys;
    std::uint64_t filtered = 0;

    [[nodiscard]] auto find(std::string_view key) {
        return std::find_if(events.begin(), events.end(),
                            [&](pending_event const& e) { return e.key == key; });
    }
    void publish(pending_event event) {
        if (keys && !keys->contains(event.key)) {
            filtered += event.count;
            return;
        }
        if (auto const old = find(event.key); is_conflating && old != events.end()) {
            event.count += old->count;
            events.erase(old);
        }
        events.push_back(std::move(event));
    }
    void put_back(pending_event const& event) {
        auto const newer = find(event.key);
        if (keys && !keys->contains(event.key)) filtered += event.count;
        else if (is_conflating && newer != events.end()) newer->count += event.count;
        else if (is_conflating)
            events.insert(std::find_if(events.begin(), events.end(),
                                       [&](auto const& e) { return e.offset > event.offset; }),
                          event);
        else events.push_front(event);
    }
    void conflate() {
        is_conflating = true;
        for (auto const& each : std::exchange(events, {})) publish(each);
    }
    void want(std::optional<std::set<std::string>> wanted) {
        keys = std::move(wanted);
        for (auto const& each : std::exchange(events, {})) publish(each);
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

std::uint64_t count_in(std::string_view line) {
    return std::stoull(std::string{line.substr(line.find_last_of(' ') + 1)});
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
    std::uint64_t accounted = 0; ///< sum of the counts of the events that were sent
    // A write in flight: what was popped for it, and how many of its bytes go out.
    std::unique_ptr<write_batch> batch;
    std::vector<pending_event> popped;
};

struct world {
    world(std::uint32_t seed, channel_options const& options)
        : random{seed}, all{options, {10, seed, [] { return time_point{}; }}}, source{all.try_open(
                                                                                   "model")} {}

    std::mt19937 random;
    hub all;
    std::shared_ptr<channel> source;
    dispatcher wakes{[](void*) noexcept {}, nullptr};
    std::vector<std::unique_ptr<reader>> readers;
    std::map<std::string, pending_event> newest;
    bool is_log_complete = true;
    bool is_always_writing = false; ///< who does not read has a write in flight, all the time

    std::uint32_t below(std::uint32_t limit) {
        return static_cast<std::uint32_t>(random() % limit);
    }

    void add_reader() {
        auto& added = *readers.emplace_back(std::make_unique<reader>(wakes));
        opened_cursor opened;
        added.of = &added.cursors.add(source, encoding_of<line_encoder>, {},
                                      {.mode = delivery_mode::latest}, opened);
        added.cursors.set_writing(is_always_writing);
    }

    void publish() {
        pending_event event{0, {}, std::string(below(30), 'x'), 1};
        if (below(8) != 0) event.key = "k" + std::to_string(below(20));
        event.offset = source->publish(event.payload, {event.key, payload_kind::text});
        newest[event.key] = event;
        for (auto const& each : readers) {
            each->expected.publish(event);
            ++each->published;
        }
        if (is_always_writing) wakes.run(100, {});
    }

    std::string any_key() { return below(21) == 20 ? "" : "k" + std::to_string(below(22)); }

    /// Changes what a reader chose. Keys of a reader of every event change only when it has read
    /// all, because they hold for what it has not read.
    void change(reader& by) {
        auto& expected = by.expected;
        auto chosen = by.of->delivery();
        bool const has_read_all = !by.batch && !by.of->is_behind();
        if (below(3) == 0) {
            if (expected.keys && !has_read_all) return;
            bool const to_every = chosen.mode == delivery_mode::latest;
            chosen.mode = to_every ? delivery_mode::every : delivery_mode::latest;
            by.cursors.change(*by.of, chosen);
            if (to_every) expected.is_conflating = false;
            else expected.conflate();
            return;
        }
        if (!expected.is_conflating && !has_read_all) return;
        if (!expected.keys || below(4) == 0) {
            std::optional<std::set<std::string>> wanted;
            chosen.keys.reset();
            if (!expected.keys) {
                wanted.emplace();
                for (int i = 0; i < 6; ++i) wanted->insert(any_key());
                chosen.keys.emplace(wanted->begin(), wanted->end());
            }
            by.cursors.change(*by.of, chosen);
            expected.want(wanted);
        } else if (below(2) == 0) {
            std::vector<std::string> const added{any_key(), any_key()};
            by.cursors.add_keys(*by.of, added);
            std::map<std::uint64_t, pending_event> shown;
            for (auto const& key : added)
                if (expected.keys->insert(key).second && newest.contains(key))
                    shown.emplace(newest[key].offset, newest[key]);
            for (auto& [offset, event] : shown) {
                event.count = 0;
                if (expected.is_conflating) expected.put_back(event);
                else expected.events.push_back(event);
            }
        } else {
            std::vector<std::string> const removed{any_key(), any_key()};
            by.cursors.remove_keys(*by.of, removed);
            auto wanted = *expected.keys;
            for (auto const& key : removed) wanted.erase(key);
            expected.want(wanted);
        }
    }

    void take(reader& by) {
        by.cursors.set_writing(false);
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
        by.cursors.set_writing(is_always_writing);
    }

    void settle(reader& by) {
        auto const lines = lines_of(bytes_of(*by.batch));
        auto const written = below(2) == 0
                                 ? by.batch->bytes()
                                 : below(static_cast<std::uint32_t>(by.batch->bytes()) + 1);
        auto end = by.batch->bytes();
        for (auto i = lines.size(); i > 0; --i) {
            end -= lines[i - 1].size();
            if (end >= written) by.expected.put_back(by.popped[i - 1]);
            else by.accounted += count_in(lines[i - 1]);
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
        CHECK(counters.skipped == 0);
        if (!is_log_complete) return;
        // Of a key set, what is not wanted is counted when it is passed.
        if (by.expected.keys) {
            CHECK(counters.sum() + pending <= by.published);
        } else {
            CHECK(counters.sum() + pending == by.published);
            CHECK(counters.filtered == by.expected.filtered);
        }
    }
};

enum class changing { no, yes };
enum class stalls { unseen, writing };

void run_model(std::uint32_t seed, channel_options const& options, changing changes,
               stalls slow = stalls::unseen) {
    INFO("seed ", seed);
    world w{seed, options};
    w.is_always_writing = slow == stalls::writing;
    w.is_log_complete = options.log_events_max > 1000 || w.is_always_writing;
    for (int i = 0; i < 5; ++i) w.add_reader();
    for (int step = 0; step < 3000; ++step) {
        CAPTURE(step);
        auto& by = *w.readers[w.below(5)];
        auto const what = w.below(10);
        if (what < 5) w.publish();
        else if (what == 5) w.wakes.run(100, {});
        else if (changes == changing::yes && w.below(4) == 0) w.change(by);
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
        if (changes == changing::no) CHECK(by->accounted == by->published);
        CHECK(by->of->reached().offset == w.source->last_offset());
        CHECK_FALSE(by->of->is_behind());
    }
}

} // namespace

TEST_CASE("channel/latest: random partial writes agree with a conflating queue") {
    for (std::uint32_t seed = 1; seed <= 40; ++seed) {
        run_model(seed, {}, changing::no);
        run_model(seed, {.log_bytes_max = 1024, .log_events_max = 20}, changing::no);
    }
}

TEST_CASE("channel/latest: each count is exact for those whose writes retention overtakes") {
    for (std::uint32_t seed = 1; seed <= 40; ++seed)
        run_model(seed, {.log_bytes_max = 1024, .log_events_max = 20}, changing::no,
                  stalls::writing);
}

TEST_CASE("channel/latest: nothing is lost and nothing comes twice when modes and keys change") {
    for (std::uint32_t seed = 1; seed <= 60; ++seed) run_model(seed, {}, changing::yes);
}

namespace {

/// Grows a payload by far more than it says.
struct underestimating_encoder {
    static void encode(event_view const& event, std::string& out) {
        out += std::to_string(event.offset) + std::string(500, '.') + '\n';
    }
    static std::size_t overhead(event_view const&) { return 0; }
};

/// What a subscriber gets of ten keys after a write of which nothing was sent.
std::string read_after_failed_write(delivery_options const& delivery) {
    hub all{{}, {10, 1, [] { return time_point{}; }}};
    auto const source = all.try_open("feed");
    dispatcher wakes{[](void*) noexcept {}, nullptr};
    subscriber cursors{wakes};
    opened_cursor opened;
    cursors.add(source, encoding_of<underestimating_encoder>, {}, delivery, opened);
    for (int i = 0; i < 10; ++i) source->publish("1", {.key = std::string(1, char('a' + i))});
    wakes.run(1, {});

    subscriber::missed_events missed;
    write_batch batch;
    while (cursors.take(batch, missed) == subscriber::taken::run && !batch.is_full()) {
    }
    batch.settle(0);
    std::string received;
    while (cursors.is_due()) {
        while (!batch.is_full() && cursors.take(batch, missed) == subscriber::taken::run) {
        }
        for (std::size_t i = 0; i < batch.count(); ++i) received += batch.piece(i);
        batch.settle(batch.bytes());
    }
    return received;
}

} // namespace

TEST_CASE("channel/latest: an encoding may add more bytes than it estimates") {
    std::string expected;
    std::vector<std::string> keys;
    for (int i = 0; i < 10; ++i) {
        expected += std::to_string(i + 1) + std::string(500, '.') + '\n';
        keys.push_back(std::string(1, char('a' + i)));
    }
    CHECK(read_after_failed_write({}) == expected);
    CHECK(read_after_failed_write({.mode = delivery_mode::latest}) == expected);
    CHECK(read_after_failed_write({.mode = delivery_mode::latest, .keys = keys}) == expected);
    CHECK(read_after_failed_write({.keys = keys}) == expected);
}

TEST_CASE("channel/latest: events that the log lets go of during a write are still counted") {
    world w{1, {.log_events_max = 100}};
    w.add_reader();
    auto& by = *w.readers.front();
    by.cursors.set_writing(true);
    for (int i = 0; i < 1000; ++i) {
        w.source->publish("x", {i % 3 == 0 ? "a" : "b"});
        if (i % 30 == 0) w.wakes.run(10, {});
    }
    by.cursors.set_writing(false);
    write_batch batch;
    subscriber::missed_events missed;
    REQUIRE(by.cursors.take(batch, missed) == subscriber::taken::run);
    CHECK(bytes_of(batch) == "999 b x 666\n1000 a x 334\n");
    batch.settle(0);
    CHECK(by.of->counters().sum() == 0);
    REQUIRE(by.cursors.take(batch, missed) == subscriber::taken::run);
    batch.settle(batch.bytes());
    CHECK(by.of->counters() == delivery_counters{2, 998, 0, 0});
}

TEST_CASE("channel/latest: a key that was evicted before it was read is a gap, and is counted") {
    world w{1, {.log_events_max = 4, .keys_max = 2}};
    w.add_reader();
    auto& by = *w.readers.front();
    for (auto const* const key : {"a", "b", "c", "d", "d", "d", "d", "d"})
        w.source->publish("x", {key});
    for (int i = 0; i < 100; ++i) w.source->publish(std::string(1000, 'x'), {"d"});
    w.wakes.run(10, {});
    write_batch batch;
    subscriber::missed_events missed;
    REQUIRE(by.cursors.take(batch, missed) == subscriber::taken::gap);
    CHECK(missed.range.first == 1);
    CHECK(missed.range.last == 2);
    CHECK(missed.range.reason == gap_reason::retention);
    REQUIRE(by.cursors.take(batch, missed) == subscriber::taken::run);
    auto const lines = lines_of(bytes_of(batch));
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].starts_with("3 c x "));
    CHECK(lines[1].starts_with("108 d "));
    batch.settle(batch.bytes());
    CHECK(by.of->counters().sum() == 108);
    CHECK(by.of->counters().skipped > 0);
}

TEST_CASE("channel/latest: without credit, events that the log lets go of are still counted") {
    world w{1, {.log_events_max = 100}};
    w.add_reader();
    auto& by = *w.readers.front();
    by.cursors.change(*by.of, {.mode = delivery_mode::latest, .credit = 0});
    for (int i = 0; i < 1000; ++i) {
        w.source->publish("x", {i % 3 == 0 ? "a" : "b"});
        if (i % 30 == 0) w.wakes.run(10, {});
    }
    by.cursors.give_credit(*by.of, 1);
    write_batch batch;
    subscriber::missed_events missed;
    REQUIRE(by.cursors.take(batch, missed) == subscriber::taken::run);
    CHECK(bytes_of(batch) == "999 b x 666\n1000 a x 334\n");
}

TEST_CASE(
    "channel/latest: a burst beyond the log, which nobody could count, is shared out by key") {
    world w{1, {.log_bytes_max = 1024, .log_events_max = 10}};
    w.add_reader();
    for (int i = 0; i < 999; ++i) w.source->publish("x", {i % 3 == 0 ? "a" : "b"});
    w.source->publish("x");
    w.wakes.run(10, {});
    auto const read = [&](reader& by) {
        write_batch batch;
        subscriber::missed_events missed;
        REQUIRE(by.cursors.take(batch, missed) == subscriber::taken::run);
        auto const text = bytes_of(batch);
        batch.settle(batch.bytes());
        return text;
    };
    INFO("all that the keys have had: exact");
    CHECK(read(*w.readers[0]) == "997 a x 333\n999 b x 666\n1000  x 1\n");
    INFO("what came later: an estimate by what the keys have had, exact in sum");
    for (int i = 0; i < 500; ++i) w.source->publish("x", {"b"});
    w.source->publish("x", {"a"});
    w.wakes.run(10, {});
    auto const lines = lines_of(read(*w.readers[0]));
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].starts_with("1500 b "));
    CHECK(count_in(lines[0]) + count_in(lines[1]) == 501);
    CHECK(w.readers[0]->of->counters() == delivery_counters{5, 1496, 0, 0});
}

namespace {

/// A reader of the latest to whom nothing of its batch could be sent: `keys` wait in its queue.
void let_wait(reader& by, dispatcher& wakes) {
    wakes.run(10, {});
    write_batch batch;
    subscriber::missed_events missed;
    REQUIRE(by.cursors.take(batch, missed) == subscriber::taken::run);
    batch.settle(0);
}

/// Publishes another key until the log has let go of what was published before.
void overtake(channel& source) {
    for (int i = 0; i < 100; ++i) source.publish(std::string(100, 'x'), {"z"});
}

/// All that there is, with each gap as `gap <first> <last>`.
std::string read_all(reader& by, dispatcher& wakes) {
    std::string lines;
    wakes.run(10, {});
    for (;;) {
        write_batch batch;
        subscriber::missed_events missed;
        switch (by.cursors.take(batch, missed)) {
        case subscriber::taken::nothing: return lines;
        case subscriber::taken::gap:
            lines += "gap " + std::to_string(missed.range.first) + ' ' +
                     std::to_string(missed.range.last) + '\n';
            break;
        case subscriber::taken::run:
            for (auto const& line : lines_of(bytes_of(batch)))
                lines += line.substr(0, line.find(' ', line.find(' ') + 1)) + '\n';
            batch.settle(batch.bytes());
        }
    }
}

} // namespace

TEST_CASE(
    "channel/latest: a key that is evicted while it waits is told also when the mode changes") {
    world w{1, {.log_events_max = 4, .keys_max = 3}};
    w.add_reader();
    auto& by = *w.readers.front();
    for (auto const* const key : {"a", "b", "c", "c"}) w.source->publish("x", {key});
    let_wait(by, w.wakes);
    INFO("a is evicted, b and c are not");
    overtake(*w.source);
    CHECK(by.of->is_behind());
    by.cursors.change(*by.of, {.mode = delivery_mode::every});
    CHECK(by.of->counters().skipped > 0);
    CHECK(by.of->reached().offset == 0);
    w.source->publish("x", {"z"});
    CHECK(read_all(by, w.wakes) == "gap 1 1\n2 b\n4 c\n104 z\n105 z\n");
    CHECK(by.of->counters().sum() == 105);
    CHECK_FALSE(by.of->is_behind());
}

TEST_CASE("channel/latest: a key that is evicted while it waits is told also when keys change") {
    world w{1, {.log_events_max = 4, .keys_max = 2}};
    w.add_reader();
    w.add_reader();
    auto& to_keys = *w.readers[0];
    auto& from_keys = *w.readers[1];
    std::vector<std::string> const keys{"a", "b"};
    from_keys.cursors.change(*from_keys.of, {.mode = delivery_mode::latest, .keys = keys});
    for (auto const* const key : {"a", "a", "b"}) w.source->publish("x", {key});
    INFO("a is evicted, b is not");
    overtake(*w.source);
    to_keys.cursors.change(*to_keys.of, {.mode = delivery_mode::latest, .keys = keys});
    from_keys.cursors.change(*from_keys.of, {.mode = delivery_mode::latest});
    CHECK(read_all(to_keys, w.wakes) == "gap 1 2\n3 b\n");
    CHECK(to_keys.of->counters().sum() == 103);
    CHECK(to_keys.of->counters().skipped >= 2);
    CHECK(read_all(from_keys, w.wakes) == "gap 2 2\n3 b\n");
    CHECK(from_keys.of->counters().delivered == 1);
    CHECK(from_keys.of->counters().skipped == 2);
    CHECK(from_keys.of->counters().filtered == 100);
}
