#include <livetape/channel/hub.hpp>
#include <livetape/channel/segment.hpp>
#include <livetape/channel/signal.hpp>
#include <livetape/channel/subscriber.hpp>
#include <livetape/channel/write_batch.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace livetape;
using taken = subscriber::taken;

/// `<offset>:<payload>;`
struct plain_encoder {
    static void encode(event_view const& event, std::string& out) {
        out += std::to_string(event.offset);
        out += ':';
        out += event.payload;
        out += ';';
    }
    static std::size_t overhead(event_view const&) { return 4; }
};

/// Says that it adds nothing, and adds a lot.
struct swelling_encoder {
    static void encode(event_view const& event, std::string& out) {
        out += std::to_string(event.offset);
        out.append(50, '.');
    }
    static std::size_t overhead(event_view const&) { return 0; }
};

segment_ref make_segment(std::uint64_t first_offset, std::uint32_t events_max,
                         std::size_t bytes_max) {
    return segment::make(log_identity::make("test", 7), first_offset, events_max, bytes_max);
}

void append(segment& to, std::uint64_t offset, std::string_view payload) {
    to.append({{}, 0, offset, {}, payload, payload_kind::text, {}});
}

std::string bytes_of(write_batch const& batch) {
    std::string bytes;
    for (std::size_t i = 0; i < batch.count(); ++i) bytes += batch.piece(i);
    return bytes;
}

struct world {
    explicit world(channel_options const& options = {})
        : all{options, {100, 1, [] { return time_point{}; }}} {}
    hub all;
    int wake_count = 0;
    dispatcher wakes{[](void* self) noexcept { ++static_cast<world*>(self)->wake_count; }, this};

    std::shared_ptr<channel> open(std::string_view name) { return all.try_open(name); }
};

opened_cursor subscribe(subscriber& cursors, std::shared_ptr<channel> const& source,
                        start_position const& start = {}) {
    opened_cursor opened;
    cursors.add(source, encoding_of<plain_encoder>, start, opened);
    return opened;
}

/// Takes all that is due and says how many batches it took.
std::string take_all(subscriber& cursors) {
    std::string received;
    subscriber::missed_events missed;
    write_batch batch;
    for (;;) {
        auto const what = cursors.take(batch, missed);
        if (what == taken::gap)
            received += "gap " + std::to_string(missed.range.first) + '-' +
                        std::to_string(missed.range.last) + ';';
        if (what == taken::nothing && batch.empty()) return received;
        received += bytes_of(batch);
        batch.settle(batch.bytes());
    }
}

constexpr start_position oldest{start_position::kind::oldest, {}, false};
constexpr start_position now_with_snapshot{start_position::kind::now, {}, true};

} // namespace

TEST_CASE("channel/segment: holds events as they were appended, up to its room") {
    auto const s = make_segment(10, 3, 10);
    CHECK(s->has_room(10));
    CHECK_FALSE(s->has_room(11));
    s->append({{}, 0, 10, "key", "abc", payload_kind::binary, time_point{std::chrono::seconds{5}}});
    append(*s, 11, "");
    CHECK(s->has_room(4));
    CHECK_FALSE(s->has_room(5));
    append(*s, 12, "wxyz");
    CHECK_FALSE(s->has_room(0));

    auto const event = s->at(0);
    CHECK(event.channel == "test");
    CHECK(event.epoch == 7);
    CHECK(event.offset == 10);
    CHECK(event.key == "key");
    CHECK(event.payload == "abc");
    CHECK(event.kind == payload_kind::binary);
    CHECK(event.time == time_point{std::chrono::seconds{5}});
    CHECK(s->at(1).payload.empty());
    CHECK(s->at(2).payload == "wxyz");
    CHECK(s->first_offset() == 10);
    CHECK(s->end_offset() == 13);
}

TEST_CASE(
    "channel/segment: encodes each event once per encoding, also when the estimate was wrong") {
    auto const s = make_segment(1, 100, 100);
    for (std::uint64_t offset = 1; offset <= 10; ++offset) append(*s, offset, "x");
    auto const check_all = [&](encoding const& format, std::uint32_t count) {
        for (std::uint32_t index = 0; index < count; ++index) {
            auto const& area = s->encoded(format, index);
            REQUIRE(area.first_index() <= index);
            REQUIRE(index < area.end_index());
            std::string expected;
            format.encode(s->at(index), expected);
            CHECK(area.bytes(area.begin_of(index), area.begin_of(index + 1)) == expected);
        }
    };
    check_all(encoding_of<plain_encoder>, 10);
    auto const* const first = s->encoded(encoding_of<plain_encoder>, 0).bytes(0, 4).data();
    check_all(encoding_of<swelling_encoder>, 10);
    for (std::uint64_t offset = 11; offset <= 100; ++offset) append(*s, offset, "y");
    check_all(encoding_of<plain_encoder>, 100);
    check_all(encoding_of<swelling_encoder>, 100);
    CHECK(s->encoded(encoding_of<plain_encoder>, 0).bytes(0, 4).data() == first);
}

TEST_CASE("channel/segment: fits whole events into a number of bytes, at least one") {
    std::unique_ptr<encoded_area, void (*)(encoded_area*) noexcept> const made{
        encoded_area::make(encoding_of<plain_encoder>, 5, 4, 100, nullptr), encoded_area::destroy};
    auto& area = *made;
    for (auto const text : {"aaa", "bb", "", "cccc"}) REQUIRE(area.append(text));
    CHECK_FALSE(area.append("d"));
    CHECK(area.end_index() == 9);
    CHECK(area.fit(5, 9, 100) == 9);
    CHECK(area.fit(5, 9, 9) == 9);
    CHECK(area.fit(5, 9, 8) == 8);
    CHECK(area.fit(5, 9, 5) == 8);
    CHECK(area.fit(5, 9, 4) == 6);
    CHECK(area.fit(5, 9, 0) == 6);
    CHECK(area.fit(8, 9, 1) == 9);
    CHECK(area.index_at(0, 9) == 5);
    CHECK(area.index_at(2, 9) == 5);
    CHECK(area.index_at(3, 9) == 6);
    CHECK(area.index_at(5, 9) == 8);
}

TEST_CASE("channel/write_batch: gives back what was not written, at every byte") {
    // Two channels, one of them with two runs in the batch, and the session's own bytes before and
    // after.
    for (std::size_t cut_at = 0;; ++cut_at) {
        CAPTURE(cut_at);
        world w;
        auto const a = w.open("a");
        auto const b = w.open("b");
        subscriber cursors{w.wakes};
        subscribe(cursors, a);
        subscribe(cursors, b);
        for (auto const payload : {"one", "two", "three"}) a->publish(payload);
        w.wakes.run(10, {});
        b->publish("bee");
        w.wakes.run(10, {});

        write_batch batch;
        subscriber::missed_events missed;
        batch.add("<head>");
        REQUIRE(cursors.take(batch, missed, 2) == taken::run);
        REQUIRE(cursors.take(batch, missed, 2) == taken::run);
        REQUIRE(cursors.take(batch, missed, 2) == taken::run);
        CHECK(cursors.take(batch, missed) == taken::nothing);
        batch.add("<tail>");
        auto const all = bytes_of(batch);
        REQUIRE(all == "<head>1:one;1:bee;2:two;3:three;<tail>");
        CHECK(batch.event_count() == 4);
        if (cut_at > all.size()) break;

        auto const cut = batch.settle(cut_at);
        CHECK(batch.empty());
        CHECK(batch.bytes() == 0);
        auto const written = all.substr(0, cut_at) + std::string{cut.rest};
        // An event is never repeated and never lost: what was written, its cut rest and what is
        // taken next hold each exactly once, in order per channel.
        auto const next = take_all(cursors);
        auto received = written + next;
        for (auto const text : {"1:one;", "2:two;", "3:three;", "1:bee;"}) {
            CAPTURE(text);
            auto const at = received.find(text);
            REQUIRE(at != std::string::npos);
            CHECK(received.find(text, at + 1) == std::string::npos);
        }
        CHECK(received.find("1:one;") < received.find("2:two;"));
        CHECK(received.find("2:two;") < received.find("3:three;"));
        bool const is_between = cut_at <= 6 || cut_at >= 32 || all[cut_at - 1] == ';';
        CHECK(bool{cut.pin} != is_between);
    }
}

TEST_CASE("channel/write_batch: gives back a snapshot at every byte") {
    for (std::size_t cut_at = 0; cut_at <= 15; ++cut_at) {
        CAPTURE(cut_at);
        world w;
        auto const a = w.open("a");
        a->publish("x", {"k1"});
        a->publish("y", {"k2"});
        a->publish("z", {"k1"});
        a->publish("-", {"k3"});
        subscriber cursors{w.wakes};
        subscribe(cursors, a, now_with_snapshot);
        a->publish("live", {"k1"});

        write_batch batch;
        subscriber::missed_events missed;
        REQUIRE(cursors.take(batch, missed) == taken::run);
        auto const all = bytes_of(batch);
        REQUIRE(all == "2:y;3:z;4:-;");
        auto const sent = std::min(cut_at, all.size());
        auto const cut = batch.settle(sent);
        CHECK(all.substr(0, sent) + std::string{cut.rest} + take_all(cursors) ==
              "2:y;3:z;4:-;5:live;");
    }
}

TEST_CASE("channel/write_batch: keeps its bytes when the log has dropped them") {
    channel_options small;
    small.log_bytes_max = 4096;
    world w{small};
    auto const a = w.open("a");
    subscriber cursors{w.wakes};
    subscribe(cursors, a);
    a->publish("first");
    w.wakes.run(10, {});
    write_batch batch;
    subscriber::missed_events missed;
    REQUIRE(cursors.take(batch, missed) == taken::run);
    for (int i = 0; i < 100; ++i) a->publish(std::string(100, 'x'));
    CHECK(a->first_offset() > 1);
    CHECK(bytes_of(batch) == "1:first;");
    cursors.clear();
    auto const cut = batch.settle(3);
    CHECK(cut.rest == "irst;");
}

TEST_CASE("channel/subscriber: reports a gap only into an empty batch") {
    channel_options few;
    few.log_events_max = 2;
    world w{few};
    auto const a = w.open("a");
    auto const b = w.open("b");
    subscriber cursors{w.wakes};
    subscribe(cursors, b);
    subscribe(cursors, a);
    b->publish("b");
    w.wakes.run(10, {});
    // Segments hold more than retention lets cursors have, so it takes a few to pass one.
    for (int i = 0; i < 200; ++i) a->publish("a");
    w.wakes.run(10, {});

    write_batch batch;
    subscriber::missed_events missed;
    REQUIRE(cursors.take(batch, missed) == taken::run);
    CHECK(bytes_of(batch) == "1:b;");
    CHECK(cursors.take(batch, missed) == taken::nothing);
    CHECK(cursors.is_due());
    CHECK_FALSE(batch.settle(0).pin);

    std::string received = take_all(cursors);
    CHECK(received == "gap 1-198;1:b;199:a;200:a;");
    CHECK_FALSE(cursors.is_due());
}

TEST_CASE("channel/subscriber: takes channels in turn, and each bounded") {
    world w;
    auto const a = w.open("a");
    auto const b = w.open("b");
    subscriber cursors{w.wakes};
    subscribe(cursors, a);
    subscribe(cursors, b);
    for (int i = 0; i < 3; ++i) {
        a->publish("a");
        b->publish("b");
    }
    w.wakes.run(10, {});
    write_batch batch;
    subscriber::missed_events missed;
    while (cursors.take(batch, missed, 1) == taken::run) {
    }
    auto const received = bytes_of(batch);
    auto const is_a_first = received.starts_with("1:a");
    CHECK(received == (is_a_first ? "1:a;1:b;2:a;2:b;3:a;3:b;" : "1:b;1:a;2:b;2:a;3:b;3:a;"));
}

TEST_CASE("channel/subscriber: ends a subscription while it is due or in flight") {
    world w;
    auto const a = w.open("a");
    auto const b = w.open("b");
    auto const c = w.open("c");
    subscriber cursors{w.wakes};
    for (auto const& each : {a, b, c}) subscribe(cursors, each);
    for (auto const& each : {a, b, c}) each->publish(std::string{each->name()});
    w.wakes.run(10, {});
    cursors.remove(*cursors.find("b"));
    CHECK(cursors.count() == 2);
    CHECK(cursors.find("b") == nullptr);

    write_batch batch;
    subscriber::missed_events missed;
    while (cursors.take(batch, missed) == taken::run) {
    }
    CHECK(batch.count() == 2);
    cursors.remove(*cursors.find("a"));
    batch.settle(0);
    CHECK(take_all(cursors) == "1:c;");
    a->publish("again");
    b->publish("again");
    w.wakes.run(10, {});
    CHECK_FALSE(cursors.is_due());
}

TEST_CASE("channel/dispatcher: is woken once per burst and calls each subscriber once") {
    struct client {
        explicit client(dispatcher& wakes) : cursors{wakes} {
            cursors.on_ready(
                [](void* self) noexcept {
                    auto& me = *static_cast<client*>(self);
                    ++me.call_count;
                    me.received += take_all(me.cursors);
                },
                this);
        }
        subscriber cursors;
        int call_count = 0;
        std::string received;
    };
    world w;
    auto const a = w.open("a");
    client first{w.wakes};
    client second{w.wakes};
    subscribe(first.cursors, a);
    subscribe(second.cursors, a);
    for (int i = 0; i < 5; ++i) a->publish("x");
    CHECK(w.wake_count == 1);
    CHECK_FALSE(w.wakes.run(10, {}));
    CHECK(first.call_count == 1);
    CHECK(first.received == "1:x;2:x;3:x;4:x;5:x;");
    CHECK(second.received == first.received);
    a->publish("y");
    CHECK(w.wake_count == 2);
    w.wakes.run(10, {});
    CHECK(second.received.ends_with("6:y;"));
}

TEST_CASE("channel/dispatcher: does not call a subscriber that has everything already") {
    world w;
    auto const a = w.open("a");
    subscriber first{w.wakes};
    subscribe(first, a);
    a->publish("1");
    subscriber late{w.wakes};
    int call_count = 0;
    late.on_ready([](void* count) noexcept { ++*static_cast<int*>(count); }, &call_count);
    subscribe(late, a);
    w.wakes.run(10, {});
    CHECK(call_count == 0);
    CHECK_FALSE(late.is_due());
    CHECK(first.is_due());
}

TEST_CASE("channel/dispatcher: lets go of a channel whose signal is still raised") {
    world w;
    auto const a = w.open("a");
    for (int round = 0; round < 3; ++round) {
        subscriber cursors{w.wakes};
        subscribe(cursors, a);
        a->publish("x");
    }
    w.wakes.run(10, {});
    a->publish("x");
    CHECK_FALSE(w.wakes.run(10, {}));
    subscriber cursors{w.wakes};
    subscribe(cursors, a, oldest);
    CHECK(take_all(cursors) == "1:x;2:x;3:x;4:x;");
}

TEST_CASE("channel/signal: wakes the owner for the first signal alone, and again after lowering") {
    int wake_count = 0;
    signal_queue queue{[](void* count) noexcept { ++*static_cast<int*>(count); }, &wake_count};
    signal a{queue};
    signal b{queue};
    CHECK(queue.is_empty());
    a.raise();
    a.raise();
    b.raise();
    CHECK(wake_count == 1);
    CHECK(a.is_raised());
    auto* const taken_b = queue.take_all();
    REQUIRE(taken_b == &b);
    REQUIRE(taken_b->next() == &a);
    CHECK(a.next() == nullptr);
    CHECK(queue.take_all() == nullptr);
    a.raise();
    CHECK(queue.is_empty());
    a.lower();
    CHECK_FALSE(a.is_raised());
    a.raise();
    CHECK(wake_count == 2);
    CHECK(queue.take_all() == &a);
}

namespace {

/// A shard without sockets: a thread with a dispatcher, whose subscribers come and go.
class reader_thread {
public:
    reader_thread(hub& all, std::vector<std::string> const& names, std::uint32_t seed,
                  std::uint64_t last)
        : all_{all}, names_{names}, random_{seed}, last_{last}, thread_{[this] { run(); }} {}

    void join() { thread_.join(); }

    int error_count = 0;
    std::uint64_t event_count = 0;

private:
    struct client {
        explicit client(reader_thread& of) : owner{of}, cursors{of.wakes_} {
            cursors.on_ready([](void* self) noexcept { static_cast<client*>(self)->read(); }, this);
        }

        void read() {
            write_batch batch;
            subscriber::missed_events missed;
            while (!batch.is_full() && cursors.take(batch, missed) == taken::run) {
            }
            for (std::size_t i = 0; i < batch.count(); ++i) check(batch.piece(i));
            batch.settle(batch.bytes());
            if (cursors.is_due()) cursors.make_ready();
        }

        // Each event is `<offset>:<channel>;`, and must be the one after the last of its channel.
        void check(std::string_view bytes) {
            while (!bytes.empty()) {
                auto const end = bytes.find(';');
                auto const colon = bytes.find(':');
                auto const offset = std::stoull(std::string{bytes.substr(0, colon)});
                auto& next = next_offsets[std::string{bytes.substr(colon + 1, end - colon - 1)}];
                if (offset != next) ++owner.error_count;
                next = offset + 1;
                ++owner.event_count;
                bytes.remove_prefix(end + 1);
            }
        }

        reader_thread& owner;
        subscriber cursors;
        std::map<std::string, std::uint64_t> next_offsets;
    };

    void run() {
        for (int i = 0; i < 8; ++i) clients_.push_back(std::make_unique<client>(*this));
        for (int round = 0; !is_complete(); ++round) {
            auto& one = clients_[random_() % clients_.size()];
            if (round < 3000) change(one);
            // Before it waits: when all has been published by then, nothing else wakes it.
            if (round == 3000)
                for (auto& each : clients_)
                    for (auto const& name : names_) subscribe_to(*each, name);
            if (!wakes_.run(3, {}) && round >= 3000) wait();
        }
        clients_.clear();
    }

    void change(std::unique_ptr<client>& one) {
        auto const& name = names_[random_() % names_.size()];
        if (random_() % 16 == 0) one = std::make_unique<client>(*this);
        else if (auto* const found = one->cursors.find(name)) one->cursors.remove(*found);
        else subscribe_to(*one, name);
    }

    void subscribe_to(client& one, std::string const& name) {
        if (one.cursors.find(name) != nullptr) return;
        auto const source = all_.find(name);
        auto& next = one.next_offsets[name];
        // From the oldest, so that there is something to read however late this thread is.
        start_position start{start_position::kind::oldest, {}, false};
        if (next > 0) start = {start_position::kind::after, {source->epoch(), next - 1}, false};
        auto const opened = subscribe(one.cursors, source, start);
        if (next > 0 && (!opened.is_recovered || opened.next_offset != next)) ++error_count;
        next = opened.next_offset;
    }

    [[nodiscard]] bool is_complete() const {
        for (auto const& each : clients_)
            for (auto const& name : names_) {
                auto const found = each->next_offsets.find(name);
                if (found == each->next_offsets.end() || found->second != last_ + 1) return false;
                if (each->cursors.find(name) == nullptr) return false;
            }
        return true;
    }

    void wait() {
        std::unique_lock lock{mutex_};
        if (!is_complete()) woken_.wait(lock, [this] { return is_woken_; });
        is_woken_ = false;
    }

    static void wake(void* self) noexcept {
        auto& me = *static_cast<reader_thread*>(self);
        std::lock_guard const lock{me.mutex_};
        me.is_woken_ = true;
        me.woken_.notify_one();
    }

    hub& all_;
    std::vector<std::string> const& names_;
    std::mt19937 random_;
    std::uint64_t last_;
    std::mutex mutex_;
    std::condition_variable woken_;
    bool is_woken_ = false;
    dispatcher wakes_{&reader_thread::wake, this};
    std::vector<std::unique_ptr<client>> clients_;
    std::thread thread_;
};

} // namespace

TEST_CASE("channel/dispatcher: readers on two threads get what eight others publish, in order") {
    constexpr std::uint64_t events_per_publisher = 500;
    constexpr std::size_t publisher_count = 8;
    std::vector<std::string> const names{"one", "two", "three"};
    hub all;
    for (auto const& name : names) all.open(name);

    reader_thread first{all, names, 1, events_per_publisher * publisher_count};
    reader_thread second{all, names, 2, events_per_publisher * publisher_count};
    std::vector<std::thread> publishers;
    for (std::size_t i = 0; i < publisher_count; ++i)
        publishers.emplace_back([&] {
            for (std::uint64_t n = 0; n < events_per_publisher; ++n)
                for (auto const& name : names) all.publish(name, name);
        });
    for (auto& each : publishers) each.join();
    first.join();
    second.join();
    CHECK(first.error_count == 0);
    CHECK(second.error_count == 0);
    CHECK(first.event_count > 0);
}

TEST_CASE("channel/write_batch: the rest of a cut event holds no segment of the log") {
    channel_options options{1024, 10};
    options.payload_bytes_max = 200'000;
    world w{options};
    auto const source = w.open("feed");
    for (std::size_t const payload_bytes : {100u, 100'000u}) {
        subscriber cursors{w.wakes};
        subscribe(cursors, source);
        std::string const payload(payload_bytes, 'x');
        auto const offset = source->publish(payload);
        w.wakes.run(10, {});
        subscriber::missed_events missed;
        write_batch batch;
        REQUIRE(cursors.take(batch, missed) == taken::run);
        auto const all = bytes_of(batch);
        CHECK(all == std::to_string(offset) + ':' + payload + ';');
        auto cut = batch.settle(10);
        CHECK(cut.rest == std::string_view{all}.substr(10));
        cursors.clear();
        for (int i = 0; i < 100; ++i) source->publish(std::string(100, 'y'));
        bool const is_copied = payload_bytes < cut_event::copied_bytes_max;
        CHECK((source->pinned_bytes() < 1024) == is_copied);
        CHECK(source->pinned_bytes() > 0);
        CHECK(cut.rest == std::string_view{all}.substr(10));
        cut = {};
        CHECK(source->pinned_bytes() == 0);
    }
}

TEST_CASE("channel/dispatcher: cuts those whose writes hold too much that has left the log") {
    channel_options options{1024, 1000};
    options.pinned_bytes_max = 500;
    world w{options};
    auto const source = w.open("feed");
    struct client {
        subscriber cursors;
        int calls = 0;
        explicit client(dispatcher& wakes) : cursors{wakes} {
            cursors.on_ready([](void* self) noexcept { ++static_cast<client*>(self)->calls; },
                             this);
        }
    };
    client stalled{w.wakes};
    client lagging{w.wakes};
    subscribe(stalled.cursors, source);
    subscribe(lagging.cursors, source);
    subscriber::missed_events missed;
    write_batch in_flight;
    auto const publish_some = [&] {
        for (int i = 0; i < 10; ++i) source->publish(std::string(100, 'x'));
        w.wakes.run(10, {});
    };
    publish_some();
    while (stalled.cursors.take(in_flight, missed) != taken::nothing) {
    }
    stalled.cursors.set_writing(true);
    lagging.cursors.set_writing(true);
    auto const calls = stalled.calls;
    publish_some();
    REQUIRE(source->is_overdrawn());
    CHECK(source->pinned_bytes() > 500);
    CHECK(stalled.cursors.is_overdrawn());
    CHECK_FALSE(lagging.cursors.is_overdrawn());
    CHECK(stalled.calls == calls + 1);
    in_flight.settle(0);
    CHECK(source->pinned_bytes() == 0);
}
