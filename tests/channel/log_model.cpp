#include <livetape/channel/hub.hpp>
#include <livetape/channel/subscriber.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

// The model: a channel is a std::vector of all events ever published. Random operations run against
// the real channel, hub and subscribers and against the vector; whatever a subscriber is handed
// must be what the vector says, with gaps exactly where retention cut.

namespace {

using namespace livetape;

struct line_encoder {
    static void encode(event_view const& event, std::string& out) {
        out += std::to_string(event.offset);
        out += ' ';
        out += event.key;
        out += ' ';
        out += event.payload;
        out += '\n';
    }
    static std::size_t overhead(event_view const&) { return 8; }
};

struct model_event {
    std::string key;
    std::string payload;
    [[nodiscard]] std::string line(std::uint64_t offset) const {
        return std::to_string(offset) + ' ' + key + ' ' + payload + '\n';
    }
};

time_point virtual_now{};
time_point read_virtual_now() { return virtual_now; }

/// One client: takes what is due, "sends" a random part of each batch and checks every byte.
struct model_reader {
    explicit model_reader(dispatcher& d) : cursors{d} {}

    subscriber cursors;
    std::string received;
    std::string cut_rest;
    std::uint64_t next_expected = 0; ///< 0: not subscribed
    std::deque<std::string> snapshot_lines;
};

struct model_world {
    explicit model_world(std::uint32_t seed, channel_options const& options)
        : random{seed}, all{options, {10, seed, read_virtual_now}}, source{all.try_open("model")} {}

    std::mt19937 random;
    hub all;
    std::shared_ptr<channel> source;
    dispatcher wakes{[](void*) noexcept {}, nullptr};
    std::vector<model_event> events;

    std::uint64_t below(std::uint64_t limit) { return random() % limit; }

    void publish() {
        model_event event;
        if (below(2) == 0) event.key = "k" + std::to_string(below(12));
        event.payload.assign(below(10) == 0 ? below(3000) : below(40),
                             static_cast<char>('a' + below(26)));
        events.push_back(event);
        REQUIRE(source->publish(event.payload, {event.key, payload_kind::text}) == events.size());
    }

    [[nodiscard]] std::map<std::uint64_t, std::string> newest_per_key() const {
        std::map<std::string, std::uint64_t> offsets;
        for (std::uint64_t offset = 1; offset <= events.size(); ++offset)
            if (!events[offset - 1].key.empty()) offsets[events[offset - 1].key] = offset;
        std::map<std::uint64_t, std::string> lines;
        for (auto const& [key, offset] : offsets) lines[offset] = events[offset - 1].line(offset);
        return lines;
    }

    void subscribe(model_reader& reader) {
        if (auto* const old = reader.cursors.find("model")) reader.cursors.remove(*old);
        reader.received.clear();
        reader.snapshot_lines.clear();
        start_position start;
        auto const choice = below(5);
        if (choice == 0) start.from = start_position::kind::oldest;
        if (choice == 1) start.has_snapshot = true;
        if (choice >= 2)
            start = {
                start_position::kind::after, {source->epoch(), below(events.size() + 1)}, false};
        if (choice == 4 && below(4) == 0) start.after.epoch ^= 1;

        auto const first_kept = source->first_offset();
        opened_cursor opened;
        reader.cursors.add(source, encoding_of<line_encoder>, start, opened);
        auto const is_same_epoch = start.after.epoch == source->epoch();
        auto after = start.after.offset;
        if (start.from == start_position::kind::oldest) {
            reader.next_expected = first_kept;
        } else if (choice >= 2 && is_same_epoch && after + 1 >= first_kept) {
            CHECK(opened.is_recovered);
            CHECK(!opened.missed);
            reader.next_expected = after + 1;
        } else {
            reader.next_expected = events.size() + 1;
            if (choice == 0) return;
            if (choice >= 2 && !is_same_epoch) after = 0;
            if (choice == 1) after = 0;
            expect_snapshot(reader, after, first_kept, opened, choice, is_same_epoch);
        }
    }

    void expect_snapshot(model_reader& reader, std::uint64_t after, std::uint64_t first_kept,
                         opened_cursor const& opened, std::uint64_t choice, bool is_same_epoch) {
        auto lines = newest_per_key();
        if (lines.empty() && first_kept <= events.size())
            lines[events.size()] = events.back().line(events.size());
        std::uint64_t last_missed = events.size();
        while (lines.contains(last_missed)) --last_missed;
        for (auto const& [offset, line] : lines)
            if (offset > after) reader.snapshot_lines.push_back(line);
        if (choice == 1) {
            CHECK(!opened.missed);
        } else if (!is_same_epoch) {
            REQUIRE(opened.missed);
            CHECK(opened.missed->first == 1);
            CHECK(opened.missed->last == last_missed);
            CHECK(opened.missed->reason == gap_reason::epoch);
        } else if (last_missed > after) {
            REQUIRE(opened.missed);
            CHECK(opened.missed->first == after + 1);
            CHECK(opened.missed->last == last_missed);
            CHECK(opened.missed->reason == gap_reason::retention);
            CHECK(!opened.is_recovered);
        }
    }

    void deliver(model_reader& reader) {
        write_batch batch;
        subscriber::missed_events missed;
        std::string planned = reader.cut_rest;
        auto const limit = static_cast<std::uint32_t>(1 + below(50));
        while (!batch.is_full()) {
            auto const taken = reader.cursors.take(batch, missed, limit);
            if (taken == subscriber::taken::nothing) break;
            if (taken == subscriber::taken::run) continue;
            REQUIRE(batch.empty());
            pending_gap(reader, missed.range);
        }
        std::size_t const rest = reader.cut_rest.size();
        for (std::size_t i = 0; i < batch.count(); ++i) planned += batch.piece(i);
        auto const sent = below(3) == 0 ? below(planned.size() + 1) : planned.size();
        reader.received.append(planned, 0, sent);
        if (sent < rest) {
            reader.cut_rest.erase(0, sent);
            batch.settle(0);
        } else {
            auto const cut = batch.settle(sent - rest);
            reader.cut_rest = std::string{cut.rest};
        }
        check_received(reader);
    }

    // The model applies a gap at once if everything before it has been received.
    void pending_gap(model_reader& reader, gap const& range) { gaps.push_back({&reader, range}); }

    void check_received(model_reader& reader) {
        std::size_t begin = 0;
        for (auto end = reader.received.find('\n'); end != std::string::npos;
             begin = end + 1, end = reader.received.find('\n', begin)) {
            auto const line = reader.received.substr(begin, end + 1 - begin);
            if (!reader.snapshot_lines.empty()) {
                REQUIRE(line == reader.snapshot_lines.front());
                reader.snapshot_lines.pop_front();
                continue;
            }
            while (!line.starts_with(std::to_string(reader.next_expected) + ' ')) apply_gap(reader);
            REQUIRE(reader.next_expected >= 1);
            REQUIRE(reader.next_expected <= events.size());
            REQUIRE(line == events[reader.next_expected - 1].line(reader.next_expected));
            ++reader.next_expected;
        }
        reader.received.erase(0, begin);
    }

    void apply_gap(model_reader& reader) {
        auto const found = std::find_if(gaps.begin(), gaps.end(),
                                        [&](auto const& g) { return g.first == &reader; });
        REQUIRE(found != gaps.end());
        REQUIRE(found->second.first == reader.next_expected);
        REQUIRE(found->second.last >= found->second.first);
        reader.next_expected = found->second.last + 1;
        gaps.erase(found);
    }

    std::deque<std::pair<model_reader*, gap>> gaps;
};

void run_model(std::uint32_t seed, channel_options const& options, int steps) {
    INFO("seed ", seed);
    model_world world{seed, options};
    std::vector<std::unique_ptr<model_reader>> readers;
    for (int i = 0; i < 6; ++i) readers.push_back(std::make_unique<model_reader>(world.wakes));

    for (int step = 0; step < steps; ++step) {
        CAPTURE(step);
        virtual_now += std::chrono::milliseconds{world.below(20)};
        auto& reader = *readers[world.below(readers.size())];
        switch (world.below(8)) {
        case 0:
        case 1:
        case 2:
        case 3: world.publish(); break;
        case 4:
            if (world.below(10) == 0 && reader.cut_rest.empty()) {
                std::erase_if(world.gaps, [&](auto const& g) { return g.first == &reader; });
                world.subscribe(reader);
            }
            break;
        case 5: world.source->expire(virtual_now); break;
        default: world.wakes.run(100, {}); world.deliver(reader);
        }
    }
    for (auto const& reader : readers) {
        while (reader->cursors.is_due() || !reader->cut_rest.empty()) {
            world.wakes.run(100, {});
            world.deliver(*reader);
        }
        world.wakes.run(100, {});
        world.deliver(*reader);
        world.deliver(*reader);
        if (reader->next_expected == 0) continue;
        while (reader->cursors.is_due() || !reader->cut_rest.empty()) world.deliver(*reader);
        while (reader->next_expected <= world.events.size()) world.apply_gap(*reader);
        CHECK(reader->snapshot_lines.empty());
        CHECK(reader->next_expected == world.events.size() + 1);
    }
    auto const kept = world.source->read(0, {1u << 20});
    auto offset = world.source->first_offset();
    for (auto const event : kept) {
        REQUIRE(event.offset == offset);
        CHECK(event.payload == world.events[offset - 1].payload);
        CHECK(event.key == world.events[offset - 1].key);
        ++offset;
    }
    CHECK(offset == world.events.size() + 1);
}

} // namespace

TEST_CASE("channel/log: random operations agree with a vector of events") {
    channel_options const by_count{1u << 20, 100};
    channel_options const by_bytes{64u << 10, 1'000'000};
    channel_options const by_age{1u << 20, 1'000'000, std::chrono::seconds{2}};
    channel_options const generous{64u << 20, 1'000'000};
    channel_options const one_event{64u << 10, 1};
    for (std::uint32_t seed = 1; seed <= 20; ++seed) {
        run_model(seed, by_count, 3000);
        run_model(seed, by_bytes, 3000);
        run_model(seed, by_age, 3000);
        run_model(seed, generous, 3000);
        run_model(seed, one_event, 1000);
    }
}
