#include <livetape/analytics/combine.hpp>
#include <livetape/analytics/count.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/first_last.hpp>
#include <livetape/analytics/histogram.hpp>
#include <livetape/analytics/hopping_window.hpp>
#include <livetape/analytics/mean.hpp>
#include <livetape/analytics/min_max.hpp>
#include <livetape/analytics/rate.hpp>
#include <livetape/analytics/session_window.hpp>
#include <livetape/analytics/sliding_window.hpp>
#include <livetape/analytics/sum.hpp>
#include <livetape/analytics/tumbling_window.hpp>

#include "support/random_stream.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

using namespace livetape;
using namespace std::chrono_literals;

namespace {

struct sample {
    event_time time;
    double value;
};

/// A result as a line, to compare and to read.
template <class Result>
std::string line_of(Result const& result) {
    std::string line =
        std::to_string(result.begin.count()) + ".." + std::to_string(result.end.count()) +
        " n=" + std::to_string(result.total.template get<count>().value()) +
        " sum=" + std::to_string(static_cast<long>(result.total.template get<sum>().value()));
    if (result.late > 0) line += " late=" + std::to_string(result.late);
    if (result.is_correction) line += " corrected";
    if (result.is_provisional) line += " provisional";
    return line;
}

using totals = combine<count, sum>;

template <class Window>
std::vector<std::string> run(Window& window, std::vector<sample> const& samples) {
    std::vector<std::string> lines;
    for (auto const& each : samples)
        for (auto closed = window.add(each.time, each.value); closed; closed = window.next())
            lines.push_back(line_of(*closed));
    for (auto closed = window.finish(); closed; closed = window.next())
        lines.push_back(line_of(*closed));
    return lines;
}

/// The specification of windows over event time, in the slowest and plainest way: each window
/// keeps its own totals.
class window_model {
public:
    window_model(std::int64_t length, std::int64_t hop, window_options const& options)
        : length_{length}, hop_{hop}, delay_{options.watermark_delay.count()},
          lateness_{options.allowed_lateness.count()} {}

    std::vector<std::string> run(std::vector<sample> const& samples) {
        for (auto const& each : samples) add(each.time.count(), each.value);
        close(std::numeric_limits<std::int64_t>::max());
        return lines_;
    }

    std::uint64_t late = 0;
    std::uint64_t dropped = 0;

private:
    struct window {
        std::uint64_t count = 0;
        double sum = 0;
        std::uint64_t late = 0;
        bool is_out = false;
    };

    void add(std::int64_t time, double value) {
        auto const before = watermark_;
        bool is_taken = false;
        std::vector<std::int64_t> corrected;
        auto const newest = detail::floor_divide(time, hop_) * hop_;
        bool const is_late = newest + hop_ <= before; // for the first of its windows
        for (auto begin = newest - length_ + hop_; begin <= newest; begin += hop_) {
            bool const is_closed = begin + length_ <= before;
            if (is_closed && begin + length_ + lateness_ <= before) continue;
            is_taken = true;
            auto& into = windows_[begin];
            ++into.count;
            into.sum += value;
            if (is_closed) corrected.push_back(begin);
            into.late += is_late;
        }
        late += is_late;
        dropped += !is_taken;
        for (auto const begin : corrected) say(begin, true);
        watermark_ = std::max(watermark_, time - delay_);
        close(watermark_);
    }

    void close(std::int64_t watermark) {
        for (auto const& [begin, each] : windows_)
            if (!each.is_out && begin + length_ <= watermark) say(begin, false);
    }

    void say(std::int64_t begin, bool is_correction) {
        auto& each = windows_[begin];
        each.is_out = true;
        std::string line = std::to_string(begin) + ".." + std::to_string(begin + length_) +
                           " n=" + std::to_string(each.count) +
                           " sum=" + std::to_string(static_cast<long>(each.sum));
        if (each.late > 0) line += " late=" + std::to_string(each.late);
        if (is_correction) line += " corrected";
        lines_.push_back(line);
    }

    std::int64_t length_;
    std::int64_t hop_;
    std::int64_t delay_;
    std::int64_t lateness_;
    std::int64_t watermark_ = std::numeric_limits<std::int64_t>::min();
    std::map<std::int64_t, window> windows_;
    std::vector<std::string> lines_;
};

/// Times that go forward on the whole, jump now and then, and are out of order by up to `disorder`.
std::vector<sample> wandering(random_stream& random, std::size_t count, std::uint64_t disorder) {
    std::vector<sample> samples;
    std::int64_t now = -5000; // before the epoch, too
    for (std::size_t i = 0; i < count; ++i) {
        now += static_cast<std::int64_t>(random.below(random.below(20) == 0 ? 300 : 8));
        auto const back = static_cast<std::int64_t>(random.below(disorder + 1));
        samples.push_back({event_time{now - back}, static_cast<double>(random.below(100))});
    }
    return samples;
}

} // namespace

TEST_CASE("analytics/event_time: converts clocks and seconds, and refuses what is no time") {
    CHECK(to_event_time(time_point{5ms}) == 5ms);
    CHECK(seconds_to_event_time(1.5) == event_time{1500ms});
    CHECK(seconds_to_event_time(-0.25) == event_time{-250ms});
    auto const trade = seconds_to_event_time(1762795433.9717445);
    REQUIRE(trade.has_value());
    CHECK(std::abs((*trade - event_time{1762795433971744500}).count()) <= 256);
    CHECK(!seconds_to_event_time(std::numeric_limits<double>::quiet_NaN()));
    CHECK(!seconds_to_event_time(std::numeric_limits<double>::infinity()));
    CHECK(!seconds_to_event_time(1e10));
    CHECK(to_seconds(1500ms) == 1.5);
    CHECK(is_event_time(-event_time_limit));
    CHECK(!is_event_time(event_time::min()));
}

TEST_CASE("analytics/tumbling_window: a window closes when a later sample arrives") {
    tumbling_window<mean> load{1s};
    CHECK(!load.add(200ms, 1.0));
    CHECK(!load.add(900ms, 3.0));
    auto const provisional = load.provisional();
    REQUIRE(provisional.has_value());
    CHECK(provisional->is_provisional);
    CHECK(provisional->value() == 2);
    auto const closed = load.add(1s, 10.0);
    REQUIRE(closed.has_value());
    CHECK(closed->begin == 0s);
    CHECK(closed->end == 1s);
    CHECK(closed->value() == 2);
    CHECK(!closed->is_provisional);
    CHECK(load.provisional()->value() == 10);
    CHECK(!load.next());
    auto const rest = load.finish();
    REQUIRE(rest.has_value());
    CHECK(rest->value() == 10);
    CHECK(!load.provisional());
    CHECK(!load.finish());
}

TEST_CASE("analytics/windows: what comes out is what the plain model says, for any disorder") {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        CAPTURE(seed);
        random_stream random{seed};
        auto const hop = static_cast<std::int64_t>(1 + random.below(20));
        auto const length = hop * static_cast<std::int64_t>(1 + random.below(4));
        window_options options;
        options.watermark_delay = event_time{static_cast<std::int64_t>(random.below(3) * 15)};
        options.allowed_lateness = event_time{static_cast<std::int64_t>(random.below(3) * 25)};
        auto const samples = wandering(random, 200, random.below(4) * 20);
        CAPTURE(hop);
        CAPTURE(length);
        window_model model{length, hop, options};
        auto const expected = model.run(samples);
        hopping_window<totals> hopping{event_time{length}, event_time{hop}, options};
        CHECK(run(hopping, samples) == expected);
        CHECK(hopping.counters().late == model.late);
        CHECK(hopping.counters().dropped == model.dropped);
        CHECK(hopping.counters().forced == 0);
        if (length != hop) continue;
        tumbling_window<totals> tumbling{event_time{length}, options};
        CHECK(run(tumbling, samples) == expected);
    }
}

TEST_CASE("analytics/windows: a copy goes on by itself") {
    random_stream random{5};
    auto const samples = wandering(random, 100, 0);
    tumbling_window<totals> one{event_time{10}};
    for (std::size_t i = 0; i < 50; ++i)
        for (auto closed = one.add(samples[i].time, samples[i].value); closed;
             closed = one.next()) {
        }
    auto other = one;
    std::vector<sample> const rest(samples.begin() + 50, samples.end());
    auto const expected = run(one, rest);
    CHECK(run(other, rest) == expected);
}

TEST_CASE("analytics/windows: when time passes outside changes nothing of what comes out") {
    // Living through a stream: the caller looks at provisional values and asks for results at odd
    // moments. Replaying it: one loop.
    random_stream random{11};
    auto const samples = wandering(random, 500, 30);
    window_options const options{.watermark_delay = event_time{20},
                                 .allowed_lateness = event_time{30}};
    hopping_window<totals> replayed{event_time{40}, event_time{10}, options};
    hopping_window<totals> lived{event_time{40}, event_time{10}, options};
    std::vector<std::string> lines;
    for (auto const& each : samples) {
        for (auto closed = lived.add(each.time, each.value); closed; closed = lived.next())
            lines.push_back(line_of(*closed));
        for (auto i = random.below(3); i > 0; --i) {
            CHECK((!lived.provisional() || lived.provisional()->is_provisional));
            CHECK(!lived.next());
        }
    }
    for (auto closed = lived.finish(); closed; closed = lived.next())
        lines.push_back(line_of(*closed));
    CHECK(lines == run(replayed, samples));
}

TEST_CASE("analytics/windows: late events are dropped and counted, or come out as corrections") {
    tumbling_window<totals> strict{10ns};
    CHECK(run(strict, {{5ns, 1}, {15ns, 2}, {7ns, 4}, {25ns, 8}}) ==
          std::vector<std::string>{"0..10 n=1 sum=1", "10..20 n=1 sum=2", "20..30 n=1 sum=8"});
    CHECK(strict.counters().late == 1);
    CHECK(strict.counters().dropped == 1);

    tumbling_window<totals> lenient{10ns, {.allowed_lateness = 10ns}};
    CHECK(run(lenient, {{5ns, 1}, {15ns, 2}, {7ns, 4}, {6ns, 8}, {20ns, 0}, {7ns, 16}}) ==
          std::vector<std::string>{"0..10 n=1 sum=1", "0..10 n=2 sum=5 late=1 corrected",
                                   "0..10 n=3 sum=13 late=2 corrected", "10..20 n=1 sum=2",
                                   "20..30 n=1 sum=0"});
    CHECK(lenient.counters().late == 3);
    CHECK(lenient.counters().dropped == 1);
}

TEST_CASE("analytics/windows: the watermark delay waits for what is out of order") {
    tumbling_window<totals> patient{10ns, {.watermark_delay = 5ns}};
    CHECK(run(patient, {{5ns, 1}, {14ns, 2}, {7ns, 4}, {15ns, 8}, {9ns, 16}}) ==
          std::vector<std::string>{"0..10 n=2 sum=5", "10..20 n=2 sum=10"});
    CHECK(patient.counters().late == 1);
}

TEST_CASE("analytics/windows: empty windows are reported by choice, and a long run in part") {
    tumbling_window<totals> full{10ns, {.has_empty = true, .empty_run_max = 3}};
    CHECK(run(full, {{5ns, 1}, {25ns, 2}, {95ns, 4}}) ==
          std::vector<std::string>{"0..10 n=1 sum=1", "10..20 n=0 sum=0", "20..30 n=1 sum=2",
                                   "60..70 n=0 sum=0", "70..80 n=0 sum=0", "80..90 n=0 sum=0",
                                   "90..100 n=1 sum=4"});
    CHECK(full.counters().empty_skipped == 3);

    tumbling_window<totals> jumping{1ns, {.has_empty = true, .empty_run_max = 2}};
    CHECK(run(jumping, {{0ns, 1}, {event_time_limit - 1ns, 2}}).size() == 4);
}

TEST_CASE("analytics/windows: advancing closes what the source is too silent to close") {
    hopping_window<totals> window{20ns, 10ns};
    CHECK(!window.add(5ns, 1.0));
    CHECK(!window.advance(9ns));
    auto const closed = window.advance(10ns);
    REQUIRE(closed.has_value());
    CHECK(line_of(*closed) == "-10..10 n=1 sum=1");
    CHECK(!window.next());
    CHECK(!window.add(9ns, 1.0));
    CHECK(window.counters().late == 1);
    CHECK(window.counters().dropped == 0);
    auto const second = window.advance(20ns);
    REQUIRE(second.has_value());
    CHECK(line_of(*second) == "0..20 n=2 sum=2 late=1");
}

TEST_CASE("analytics/windows: impossible times are left out and counted") {
    tumbling_window<totals> window{10ns};
    CHECK(!window.add(event_time::max(), 1.0));
    CHECK(!window.add(event_time::min(), 1.0));
    CHECK(!window.advance(event_time::max()));
    CHECK(window.counters().left_out == 2);
    CHECK(!window.add(5ns, 1.0));
    CHECK(window.add(10ns, 1.0).has_value());

    sliding_window<mean> sliding{10ns};
    sliding.add(event_time::max(), 1.0);
    sliding.advance(event_time::max());
    CHECK(sliding.left_out() == 1);
    CHECK(sliding.entries() == 0);

    session_window<mean> session{10ns};
    CHECK(!session.add(event_time::min(), 1.0));
    CHECK(session.counters().left_out == 1);
}

TEST_CASE("analytics/windows: panes are bounded, and what is forgotten is counted") {
    tumbling_window<totals> window{10ns, {.watermark_delay = 1000ns, .panes_max = 3}};
    for (int i = 0; i < 5; ++i) CHECK(!window.add(event_time{i * 10}, 1.0));
    CHECK(window.counters().forced == 2);
    CHECK(!window.add(0ns, 1.0));
    CHECK(window.counters().dropped == 1);
    std::size_t left = 0;
    for (auto closed = window.finish(); closed; closed = window.next()) ++left;
    CHECK(left == 3);
}

TEST_CASE("analytics/windows: a rate divides by the window and not by what it saw") {
    hopping_window<rate> window{4s, 2s};
    window.add(1s, 100.0);
    auto const first_half = window.add(2s, 100.0);
    REQUIRE(first_half.has_value());
    CHECK(first_half->value() == 25);
    auto const whole = window.add(4s, 100.0);
    REQUIRE(whole.has_value());
    CHECK(whole->value() == 50);
}

TEST_CASE("analytics/windows: accumulators with options begin as they were given") {
    tumbling_window<histogram> window{1s, {}, histogram{{.low = 0, .high = 10, .buckets = 2}}};
    window.add(0s, 3.0);
    window.add(0s, 7.0);
    auto const closed = window.add(1s, 8.0);
    REQUIRE(closed.has_value());
    CHECK(closed->total.count() == 2);
    CHECK(window.finish()->total.value()[1] == 1);
}

TEST_CASE("analytics/sliding_window: after every event holds exactly the events of its length") {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        CAPTURE(seed);
        random_stream random{seed};
        auto const length = static_cast<std::int64_t>(1 + random.below(60));
        sliding_window<combine<count, sum, livetape::max, first, last>> window{event_time{length}};
        std::deque<sample> inside;
        std::int64_t now = -100;
        for (int i = 0; i < 300; ++i) {
            now += static_cast<std::int64_t>(random.below(random.below(30) == 0 ? 100 : 5));
            if (random.below(10) == 0) {
                window.advance(event_time{now});
            } else {
                double const value = static_cast<double>(random.below(1000));
                window.add(event_time{now}, value);
                inside.push_back({event_time{now}, value});
            }
            while (!inside.empty() && inside.front().time.count() <= now - length)
                inside.pop_front();
            auto const total = window.total();
            REQUIRE(total.get<count>().value() == inside.size());
            REQUIRE(window.entries() == inside.size());
            if (inside.empty()) continue;
            double expected = 0;
            double greatest = inside.front().value;
            for (auto const& each : inside) {
                expected += each.value;
                greatest = std::max(greatest, each.value);
            }
            REQUIRE(total.get<sum>().value() == expected);
            REQUIRE(total.get<livetape::max>().value() == greatest);
            auto const oldest = std::find_if(inside.begin(), inside.end(), [&](auto const& each) {
                return each.time == inside.front().time;
            });
            REQUIRE(total.get<first>().value() == oldest->value);
            REQUIRE(total.get<last>().value() == inside.back().value);
        }
    }
}

TEST_CASE("analytics/sliding_window: a coarse one is at most one resolution too long") {
    random_stream random{9};
    sliding_window<count> coarse{100ns, {.resolution = 10ns}};
    std::deque<std::int64_t> times;
    std::int64_t now = 0;
    for (int i = 0; i < 5000; ++i) {
        now += static_cast<std::int64_t>(random.below(3));
        coarse.add(event_time{now}, 1.0);
        times.push_back(now);
        while (times.front() <= now - 110) times.pop_front();
        auto const exact = static_cast<std::uint64_t>(
            std::count_if(times.begin(), times.end(), [&](auto t) { return t > now - 100; }));
        REQUIRE(coarse.value() >= exact);
        REQUIRE(coarse.value() <= times.size());
        REQUIRE(coarse.entries() <= 12);
    }
}

TEST_CASE("analytics/sliding_window: does not drift, where adding and subtracting would") {
    sliding_window<sum> window{2ns};
    double naive = 0;
    for (int i = 0; i < 10; ++i) {
        window.add(event_time{3 * i}, 1e17);
        naive += 1e17;
        window.add(event_time{3 * i + 2}, 1.0);
        naive = naive + 1.0 - 1e17;
    }
    CHECK(window.value() == 1.0);
    CHECK(naive != 10.0);
}

TEST_CASE("analytics/sliding_window: late events and too many are counted") {
    sliding_window<count> window{100ns, {.entries_max = 5}};
    for (int i = 0; i < 8; ++i) window.add(event_time{i}, 1.0);
    CHECK(window.value() == 5);
    CHECK(window.left_early() == 3);
    window.add(6ns, 1.0);
    CHECK(window.late() == 1);
    CHECK(window.value() == 5);
    window.add(7ns, 1.0);
    CHECK(window.late() == 1);
    CHECK(window.left_early() == 4);
}

TEST_CASE("analytics/sliding_count_window: holds the last so many events, whatever their times") {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        CAPTURE(seed);
        random_stream random{seed};
        auto const length = 1 + random.below(40);
        sliding_count_window<combine<livetape::min, sum>> window{length};
        std::deque<double> inside;
        for (int i = 0; i < 200; ++i) {
            inside.push_back(static_cast<double>(random.below(1000)));
            window.add(event_time{static_cast<std::int64_t>(random.below(50))}, inside.back());
            if (inside.size() > length) inside.pop_front();
            double total = 0;
            for (double const value : inside) total += value;
            REQUIRE(window.total().get<sum>().value() == total);
            REQUIRE(window.total().get<livetape::min>().value() ==
                    *std::min_element(inside.begin(), inside.end()));
            REQUIRE(window.is_full() == (inside.size() == length));
        }
    }
}

TEST_CASE("analytics/session_window: ends when nothing came for the gap") {
    session_window<totals> visits{10ns};
    CHECK(run(visits, {{1ns, 1}, {5ns, 2}, {14ns, 4}, {24ns, 8}, {100ns, 16}}) ==
          std::vector<std::string>{"1..14 n=3 sum=7", "24..24 n=1 sum=8", "100..100 n=1 sum=16"});
}

TEST_CASE("analytics/session_window: sessions are the groups of the sorted times, in any order") {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        CAPTURE(seed);
        random_stream random{seed};
        auto const gap = static_cast<std::int64_t>(1 + random.below(20));
        auto samples = wandering(random, 100, 40);
        session_window<totals> window{event_time{gap}, {.watermark_delay = 40ns}};
        auto const lines = run(window, samples);
        CHECK(window.counters().late == 0);

        std::sort(samples.begin(), samples.end(),
                  [](auto const& a, auto const& b) { return a.time < b.time; });
        session_window<totals> sorted{event_time{gap}};
        CHECK(run(sorted, samples) == lines);
        std::size_t groups = 1;
        for (std::size_t i = 1; i < samples.size(); ++i)
            groups += (samples[i].time - samples[i - 1].time).count() >= gap;
        CHECK(lines.size() == groups);
    }
}

TEST_CASE("analytics/session_window: an event between two sessions makes them one") {
    session_window<totals> window{10ns, {.watermark_delay = 100ns}};
    CHECK(run(window, {{0ns, 1}, {15ns, 2}, {9ns, 4}}) ==
          std::vector<std::string>{"0..15 n=3 sum=7"});
}

TEST_CASE("analytics/session_window: late events are counted, and nobody is active for ever") {
    session_window<totals> window{10ns};
    CHECK(!window.add(0ns, 1.0));
    CHECK(window.add(30ns, 1.0).has_value());
    CHECK(!window.add(5ns, 1.0));
    CHECK(window.counters().late == 1);
    // It would make two sessions one that were reported apart.
    CHECK(window.add(45ns, 1.0).has_value());
    CHECK(window.add(60ns, 1.0).has_value());
    CHECK(!window.add(37ns, 1.0));
    CHECK(!window.next());
    CHECK(window.counters().dropped == 2);
    CHECK(window.finish()->begin == 60ns);

    session_window<totals> robot{10ns, {.length_max = 20ns}};
    std::vector<sample> steady;
    for (int i = 0; i < 10; ++i) steady.push_back({event_time{i * 5}, 1});
    CHECK(run(robot, steady) == std::vector<std::string>{"0..20 n=5 sum=5", "25..45 n=5 sum=5"});
}

namespace {

struct session_bounds {
    std::int64_t begin;
    std::int64_t end;
    std::uint64_t count;
    double sum;
    bool operator==(session_bounds const&) const = default;
};

/// Sessions as somebody has them who goes by what corrections say.
class session_list {
public:
    template <class Result>
    void take(Result const& said) {
        session_bounds const made{said.begin.count(), said.end.count(),
                                  said.total.template get<count>().value(),
                                  said.total.template get<sum>().value()};
        if (said.is_correction)
            std::erase_if(sessions_, [&](session_bounds const& each) {
                return each.begin >= made.begin && each.end <= made.end;
            });
        sessions_.push_back(made);
    }

    [[nodiscard]] std::vector<session_bounds> in_order() const {
        auto sorted = sessions_;
        std::sort(sorted.begin(), sorted.end(),
                  [](auto const& a, auto const& b) { return a.begin < b.begin; });
        return sorted;
    }

private:
    std::vector<session_bounds> sessions_;
};

/// The sessions of samples whose order does not matter.
std::vector<session_bounds> sessions_of(std::vector<sample> samples, std::int64_t gap) {
    std::sort(samples.begin(), samples.end(),
              [](auto const& a, auto const& b) { return a.time < b.time; });
    std::vector<session_bounds> made;
    for (auto const& each : samples) {
        auto const time = each.time.count();
        if (made.empty() || time - made.back().end >= gap) made.push_back({time, time, 0, 0});
        made.back().end = time;
        ++made.back().count;
        made.back().sum += each.value;
    }
    return made;
}

} // namespace

TEST_CASE("analytics/session_window: corrections give the sessions of the sorted stream") {
    std::uint64_t late = 0;
    for (std::uint64_t seed = 1; seed <= 500; ++seed) {
        CAPTURE(seed);
        random_stream random{seed};
        auto const gap = static_cast<std::int64_t>(1 + random.below(20));
        auto const delay = static_cast<std::int64_t>(random.below(3) * random.below(20));
        auto const lateness = static_cast<std::int64_t>(1 + random.below(100));
        session_window<totals> window{
            event_time{gap},
            {.watermark_delay = event_time{delay}, .allowed_lateness = event_time{lateness}}};
        session_list said;
        std::vector<sample> samples;
        std::int64_t latest = 0;
        for (int i = 0; i < 200; ++i) {
            auto const behind = static_cast<std::uint64_t>(delay + lateness + 1);
            auto const ahead = 1 + random.below(static_cast<std::uint64_t>(3 * gap));
            auto time = latest + static_cast<std::int64_t>(ahead);
            if (i > 0 && random.below(2) == 0)
                time = latest - static_cast<std::int64_t>(random.below(behind));
            latest = i == 0 ? time : std::max(latest, time);
            samples.push_back({event_time{time}, static_cast<double>(i)});
            for (auto over = window.add(event_time{time}, static_cast<double>(i)); over;
                 over = window.next())
                said.take(*over);
        }
        for (auto over = window.finish(); over; over = window.next()) said.take(*over);
        CHECK((said.in_order() == sessions_of(samples, gap)));
        CHECK(window.counters().dropped == 0);
        late += window.counters().late;
    }
    CHECK(late > 1000);
}

TEST_CASE("analytics/session_window: a late event extends, joins or makes a session") {
    session_window<totals> window{10ns, {.allowed_lateness = 100ns}};
    std::vector<std::string> lines;
    auto const add = [&](std::int64_t time, double value) {
        lines.clear();
        for (auto over = window.add(event_time{time}, value); over; over = window.next())
            lines.push_back(line_of(*over));
        return lines;
    };
    using said = std::vector<std::string>;
    CHECK(add(0, 1) == said{});
    CHECK(add(18, 2) == said{"0..0 n=1 sum=1"});
    CHECK(add(50, 4) == said{"18..18 n=1 sum=2"});
    // Extends one, and joins both.
    CHECK(add(4, 8) == said{"0..4 n=2 sum=9 late=1 corrected"});
    CHECK(add(9, 16) == said{"0..18 n=4 sum=27 late=2 corrected"});
    // Joins none that there is.
    CHECK(add(32, 32) == said{"32..32 n=1 sum=32 late=1 corrected"});
    // Joins one that was reported with one that is open, which is open then.
    CHECK(add(41, 64) == said{});
    CHECK(line_of(*window.provisional()) == "32..50 n=3 sum=100 late=2 corrected provisional");
    CHECK(add(55, 128) == said{});
    CHECK(add(80, 256) == said{"32..55 n=4 sum=228 late=2 corrected"});
    // Behind the watermark and after the end of a session that was reported: it is open again.
    CHECK(add(100, 512) == said{"80..80 n=1 sum=256"});
    CHECK(window.counters().late == 4);
    CHECK(window.counters().dropped == 0);
    // The first one is kept until the watermark is at 18 + 10 + 100.
    CHECK(add(127, 1) == said{"100..100 n=1 sum=512"});
    CHECK(add(20, 1) == said{"0..20 n=5 sum=28 late=3 corrected"});
    CHECK(add(130, 1) == said{});
    CHECK(add(19, 1) == said{});
    CHECK(window.counters().dropped == 1);
}

TEST_CASE("analytics/session_window: an event after a reported session may open it again") {
    session_window<totals> window{10ns, {.allowed_lateness = 50ns}};
    CHECK(!window.add(0ns, 1.0));
    CHECK(line_of(*window.advance(10ns)) == "0..0 n=1 sum=1");
    CHECK(!window.provisional());
    CHECK(!window.add(9ns, 2.0));
    CHECK(line_of(*window.provisional()) == "0..9 n=2 sum=3 late=1 corrected provisional");
    CHECK(!window.add(18ns, 4.0));
    CHECK(line_of(*window.advance(28ns)) == "0..18 n=3 sum=7 late=1 corrected");
}

TEST_CASE("analytics/session_window: a cut session takes late events within it and ends there") {
    session_window<totals> window{10ns, {.allowed_lateness = 100ns, .length_max = 20ns}};
    std::vector<sample> steady;
    for (int i = 0; i <= 4; ++i) steady.push_back({event_time{i * 5}, 1});
    steady.push_back({12ns, 2}); // within
    steady.push_back({22ns, 4}); // after the end
    steady.push_back({21ns, 8});
    steady.push_back({-5ns, 16}); // before the beginning
    CHECK(run(window, steady) ==
          std::vector<std::string>{"0..20 n=5 sum=5", "0..20 n=6 sum=7 late=1 corrected",
                                   "-5..-5 n=1 sum=16 late=1 corrected", "21..22 n=2 sum=12"});
}

TEST_CASE("analytics/session_window: sessions are bounded, open and kept") {
    session_window<totals> open{10ns, {.watermark_delay = 1000ns, .open_max = 2}};
    CHECK(!open.add(0ns, 1.0));
    CHECK(!open.add(20ns, 1.0));
    CHECK(line_of(*open.add(40ns, 1.0)) == "0..0 n=1 sum=1");
    CHECK(open.counters().forced == 1);

    session_window<totals> kept{10ns, {.allowed_lateness = 1000ns, .kept_max = 2}};
    for (int i = 0; i < 3; ++i) kept.add(event_time{i * 20}, 1.0);
    CHECK(kept.counters().forced == 0);
    CHECK(line_of(*kept.add(60ns, 1.0)) == "40..40 n=1 sum=1");
    CHECK(kept.counters().forced == 1);
    // The first one is forgotten, so this is no part of it; the second one is not.
    CHECK(line_of(*kept.add(5ns, 1.0)) == "5..5 n=1 sum=1 late=1 corrected");
    CHECK(line_of(*kept.add(22ns, 1.0)) == "20..22 n=2 sum=2 late=1 corrected");
}
