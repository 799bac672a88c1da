#include <livetape/channel/dispatcher.hpp>
#include <livetape/channel/hub.hpp>
#include <livetape/channel/pattern_index.hpp>
#include <livetape/channel_pattern.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace livetape;

struct match_case {
    std::string_view pattern;
    std::string_view name;
    bool matches;
};

constexpr match_case match_cases[]{
    {"a.*", "a.b", true},
    {"a.*", "a", false},
    {"a.*", "a.b.c", false},
    {"a.>", "a.b", true},
    {"a.>", "a.b.c", true},
    {"a.>", "a", false},
    {"*", "a", true},
    {"*", "a.b", false},
    {">", "a", true},
    {">", "a.b.c", true},
    {"*.b", "a.b", true},
    {"*.b", "a.c", false},
    {"*.*", "a.b", true},
    {"a.*.c", "a.b.c", true},
    {"a.*.c", "a.b.d", false},
    {"a.*.>", "a.b", false},
    {"a.*.>", "a.b.c.d", true},
    {">", "@presence/a", false},
    {"*", "@presence/a", false},
    {"*.b", "@presence/a.b", false},
    {"@presence/a.*", "@presence/a.b", true},
    {"@presence/a.>", "@presence/a", false},
};

struct fault_case {
    std::string_view text;
    pattern_fault fault;
};

constexpr fault_case fault_cases[]{
    {"a.*", pattern_fault::none},
    {">", pattern_fault::none},
    {"@presence/a.*", pattern_fault::none},
    {"", pattern_fault::empty},
    {"a.b", pattern_fault::no_wildcard},
    {".*", pattern_fault::empty_token},
    {"*.", pattern_fault::empty_token},
    {"a..*", pattern_fault::empty_token},
    {"a*", pattern_fault::wildcard_in_token},
    {"a.b>", pattern_fault::wildcard_in_token},
    {"**", pattern_fault::wildcard_in_token},
    {">.a", pattern_fault::tail_before_the_end},
    {"a.>.*", pattern_fault::tail_before_the_end},
    {"a b.*", pattern_fault::bad_character},
    {"a,b.*", pattern_fault::bad_character},
    {"\xc3\xa4.*", pattern_fault::bad_character},
};

/// Collects the names of the channels that it is told of.
struct watcher {
    watcher(dispatcher& wakes, hub& all, std::string_view pattern)
        : watched{std::make_unique<pattern_subscription>(wakes.patterns(all.channels()), pattern,
                                                         &watcher::note, this)} {}

    static void note(void* self, std::shared_ptr<channel> const& matching) {
        auto& me = *static_cast<watcher*>(self);
        me.names.emplace_back(matching->name());
        if (me.names.size() == me.names_max) me.watched.reset();
        if (me.ends_too != nullptr) me.ends_too->watched.reset();
    }

    std::vector<std::string> names;
    std::size_t names_max = 1'000'000;
    watcher* ends_too = nullptr;
    std::unique_ptr<pattern_subscription> watched;
};

using names = std::vector<std::string>;

struct world {
    hub all;
    int wake_count = 0;
    dispatcher wakes{[](void* self) noexcept { ++static_cast<world*>(self)->wake_count; }, this};
    void run() { wakes.run(100, {}); }
};

} // namespace

TEST_CASE("channel/channel_pattern: matches a name by the rules of NATS") {
    for (auto const& each : match_cases) {
        CAPTURE(each.pattern);
        CAPTURE(each.name);
        REQUIRE(is_channel_pattern(each.pattern));
        CHECK(matches_channel_pattern(each.pattern, each.name) == each.matches);
        pattern_index<int> index;
        index.add(each.pattern, 1);
        int found = 0;
        index.match(each.name, [&](int) { ++found; });
        CHECK(found == (each.matches ? 1 : 0));
    }
}

TEST_CASE("channel/channel_pattern: says what is wrong with a malformed pattern") {
    for (auto const& each : fault_cases) {
        CAPTURE(each.text);
        CHECK(find_pattern_fault(each.text) == each.fault);
        CHECK(is_channel_pattern(each.text) == (each.fault == pattern_fault::none));
        CHECK_FALSE(describe(each.fault).empty());
    }
}

TEST_CASE("channel/channel_pattern: holds a pattern to its limits of tokens and bytes") {
    channel_pattern_limits const limits{3, 8};
    CHECK(find_pattern_fault("a.b.*", limits) == pattern_fault::none);
    CHECK(find_pattern_fault("a.b.c.*", limits) == pattern_fault::too_deep);
    CHECK(find_pattern_fault("abcdef.*", limits) == pattern_fault::none);
    CHECK(find_pattern_fault("abcdefg.*", limits) == pattern_fault::too_long);
}

TEST_CASE("channel/pattern_index: agrees with matching one by one while patterns come and go") {
    std::mt19937 random{20'240};
    auto const below = [&](unsigned n) { return random() % n; };
    auto const text_of = [&](bool is_pattern) {
        std::string text;
        for (auto left = below(4) + 1; left > 0; --left) {
            if (!text.empty()) text += '.';
            auto const kind = is_pattern ? below(6) : 5;
            if (kind == 0 && left == 1) text += '>';
            else if (kind == 1) text += '*';
            else text += static_cast<char>('a' + below(3));
        }
        return text;
    };
    std::vector<std::pair<std::string, int>> patterns;
    pattern_index<int> index;
    for (int step = 0; step < 20'000; ++step) {
        CAPTURE(step);
        if (below(3) == 0 && !patterns.empty()) {
            auto const which =
                patterns.begin() +
                static_cast<std::ptrdiff_t>(below(static_cast<unsigned>(patterns.size())));
            index.remove(which->first, which->second);
            patterns.erase(which);
        } else if (patterns.size() < 50) {
            auto const text = text_of(true);
            if (!is_channel_pattern(text)) continue;
            index.add(text, step);
            patterns.emplace_back(text, step);
        }
        auto const name = text_of(false);
        std::vector<int> expected;
        for (auto const& [text, value] : patterns)
            if (matches_channel_pattern(text, name)) expected.push_back(value);
        std::vector<int> found;
        index.match(name, [&](int value) { found.push_back(value); });
        std::sort(found.begin(), found.end());
        REQUIRE(found == expected);
    }
    for (auto const& [text, value] : patterns) index.remove(text, value);
    CHECK(index.empty());
}

TEST_CASE("channel/pattern_feed: reports existing channels, then each that is created, once") {
    world w;
    w.all.open("a.1");
    w.all.open("b.1");
    watcher late{w.wakes, w.all, "a.*"};
    w.all.open("a.2");
    late.watched->report_existing();
    CHECK(late.names == names{"a.1"});
    w.run();
    CHECK(late.names == names{"a.1", "a.2"});
    w.all.publish("a.3", "1");
    w.all.open("b.2");
    CHECK(w.wake_count == 2);

    // One who comes before the run finds these itself.
    watcher later{w.wakes, w.all, "*.3"};
    later.watched->report_existing();
    w.run();
    CHECK(late.names == names{"a.1", "a.2", "a.3"});
    CHECK(later.names == names{"a.3"});
    CHECK(w.all.find("a.3")->read(0).size() == 1);
}

TEST_CASE("channel/pattern_feed: lets a callee end itself, another one and all") {
    world w;
    watcher first{w.wakes, w.all, "a.*"};
    watcher second{w.wakes, w.all, "a.*"};
    first.ends_too = &second;
    first.names_max = 1;
    second.ends_too = &first;
    second.names_max = 1;
    w.all.open("a.1");
    w.all.open("a.2");
    w.run();
    CHECK(first.names.size() + second.names.size() == 1);

    watcher self{w.wakes, w.all, ">"};
    self.names_max = 1;
    self.watched->report_existing();
    CHECK(self.names == names{"a.1"});
    CHECK_FALSE(self.watched);

    // Nobody listens any more, so a creation wakes nobody.
    auto const before = w.wake_count;
    w.all.open("a.3");
    CHECK(w.wake_count == before);

    watcher again{w.wakes, w.all, "a.*"};
    again.watched->report_existing();
    w.run();
    CHECK(again.names == names{"a.1", "a.2", "a.3"});
}

TEST_CASE("channel/pattern_feed: matches a flood of new channels in several turns") {
    world w;
    watcher all{w.wakes, w.all, ">"};
    for (int i = 0; i < 2500; ++i) w.all.open(std::to_string(i));
    w.run();
    CHECK(all.names.size() == 1000);
    CHECK(w.wake_count == 2);
    w.run();
    w.run();
    CHECK(all.names.size() == 2500);
    CHECK(w.wakes.is_idle());
}
