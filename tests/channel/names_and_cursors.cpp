#include <livetape/channel/cursor.hpp>
#include <livetape/channel/hub.hpp>
#include <livetape/channel_name.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace livetape;
using namespace std::string_view_literals;
using std::chrono::seconds;

constexpr auto offset_max = std::numeric_limits<std::uint64_t>::max();

std::string text_of(position const& at) {
    std::string text;
    append_position(text, at);
    return text;
}

time_point virtual_now{};
time_point read_virtual_now() { return virtual_now; }

std::shared_ptr<channel> make_channel(channel_options const& options) {
    auto identity = log_identity::make("test", 7);
    return std::make_shared<channel>(identity, options, read_virtual_now);
}

std::vector<std::uint64_t> offsets_of(event_range const& range) {
    std::vector<std::uint64_t> offsets;
    for (auto const event : range) offsets.push_back(event.offset);
    return offsets;
}

} // namespace

TEST_CASE("channel/channel_name: takes tokens of letters, digits and marks") {
    for (auto const name : {"a", "A9", "a.b.c", "room:7", "user@host/x", "_-:@/", "0"}) {
        CAPTURE(name);
        CHECK(is_channel_name(name));
    }
    for (auto const name : {""sv,     "."sv,    "a."sv,   ".a"sv,   "a..b"sv,     "a b"sv, "a*"sv,
                            "a>"sv,   "a,b"sv,  "a~b"sv,  "a!b"sv,  "a?b"sv,      "a#b"sv, "a%b"sv,
                            "a\"b"sv, "a\\b"sv, "a\nb"sv, "a\0b"sv, "\xc3\xa9"sv, "\x7f"sv}) {
        CAPTURE(name);
        CHECK_FALSE(is_channel_name(name));
    }
    CHECK(is_channel_name(std::string(channel_name_bytes_max - 1, 'a')));
    CHECK(is_channel_name(std::string(channel_name_bytes_max, 'a')));
    CHECK_FALSE(is_channel_name(std::string(channel_name_bytes_max + 1, 'a')));
}

TEST_CASE("channel/cursor: reads the positions that it wrote") {
    for (auto const epoch : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{31},
                             std::uint64_t{32}, std::uint64_t{1} << 50, offset_max})
        for (auto const offset :
             {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{10}, offset_max}) {
            position const at{epoch, offset};
            CAPTURE(text_of(at));
            CHECK(parse_position(text_of(at)) == at);
        }
    CHECK(text_of({0, 0}) == "0-0");
    CHECK(text_of({31, 12}) == "v-12");
    CHECK(text_of({offset_max, offset_max}) == "fvvvvvvvvvvvv-18446744073709551615");
}

TEST_CASE("channel/cursor: refuses positions of any other form") {
    for (auto const text : {""sv,
                            "-"sv,
                            "1"sv,
                            "1-"sv,
                            "-1"sv,
                            "1--1"sv,
                            "1-+1"sv,
                            "+1-1"sv,
                            " 1-1"sv,
                            "1 -1"sv,
                            "1- 1"sv,
                            "1-1 "sv,
                            "1-1-1"sv,
                            "w-1"sv,
                            "1-a"sv,
                            "1-0x1"sv,
                            "1-1.0"sv,
                            "1-1\0"sv,
                            "fvvvvvvvvvvvvv-1"sv,
                            "g000000000000-1"sv,
                            "1-18446744073709551616"sv}) {
        CAPTURE(text);
        CHECK_FALSE(parse_position(text));
        if (!text.empty()) CHECK_FALSE(cursor::parse(text));
    }
}

TEST_CASE("channel/cursor: tells nothing, the words and positions apart") {
    CHECK(cursor::parse("")->what() == cursor::kind::none);
    CHECK(cursor::parse("now")->what() == cursor::kind::now);
    CHECK(cursor::parse("oldest")->what() == cursor::kind::oldest);
    CHECK_FALSE(cursor::parse("Now"));
    CHECK_FALSE(cursor::parse("newest"));

    auto const one = cursor::parse("7-12");
    REQUIRE(one);
    CHECK(one->what() == cursor::kind::positions);
    CHECK(one->is_unnamed());
    CHECK(one->find("any") == position{7, 12});

    auto const named = cursor::parse("a~7-12");
    REQUIRE(named);
    CHECK_FALSE(named->is_unnamed());
    CHECK(named->find("a") == position{7, 12});
    CHECK_FALSE(named->find("b"));
}

TEST_CASE("channel/cursor: reads the positions of several channels that it wrote") {
    std::string text;
    append_named_position(text, "a", {1, 2});
    append_named_position(text, "b.c-d:e@f/g", {33, 4});
    CHECK(text == "a~1-2!b.c-d:e@f/g~11-4");
    auto const read = cursor::parse(text);
    REQUIRE(read);
    CHECK(read->find("a") == position{1, 2});
    CHECK(read->find("b.c-d:e@f/g") == position{33, 4});
    CHECK_FALSE(read->find("b"));

    for (auto const wrong : {"!", "a~1-1!", "!a~1-1", "a~1-1!!b~1-1", "1-1!2-2", "1-1!a~2-2",
                             "a~1-1!2-2", "~1-1", "a~", "a~~1-1", "a~b~1-1", "a..b~1-1", "a b~1-1",
                             "a~1-1!a~1-2", "a~now", "now!oldest", "a~1-1!b~1-x"}) {
        CAPTURE(wrong);
        CHECK_FALSE(cursor::parse(wrong));
    }
}

TEST_CASE("channel/cursor: is bounded in channels") {
    std::string text;
    for (int i = 0; i < 4; ++i) append_named_position(text, "c" + std::to_string(i), {1, 1});
    CHECK(cursor::parse(text, 5));
    CHECK(cursor::parse(text, 4));
    CHECK_FALSE(cursor::parse(text, 3));
}

TEST_CASE("channel/hub: makes a channel once and finds it again") {
    hub all;
    CHECK_FALSE(all.find("a"));
    auto& a = all.open("a");
    CHECK(a.name() == "a");
    CHECK(&all.open("a") == &a);
    CHECK(all.find("a").get() == &a);
    CHECK(all.try_open("a").get() == &a);
    CHECK(all.channel_count() == 1);

    channel_options own;
    own.log_events_max = 3;
    CHECK(all.open("b", own).options().log_events_max == 3);
    CHECK(all.open("b").options().log_events_max == 3);
    CHECK(all.open("c").options().log_events_max == channel_options{}.log_events_max);
}

TEST_CASE("channel/hub: refuses bad names and a channel over the limit") {
    hub all{{}, {2, 1}};
    CHECK_FALSE(all.try_open("a b"));
    CHECK_FALSE(all.try_open(""));
    CHECK(all.publish("a b", "1") == 0);
    CHECK(all.try_open("a"));
    CHECK(all.try_open("b"));
    CHECK_FALSE(all.try_open("c"));
    CHECK(all.publish("c", "1") == 0);
    CHECK(all.try_open("a"));
    CHECK(all.channel_count() == 2);
    CHECK(all.channels_max() == 2);
}

TEST_CASE("channel/hub: publishes into a channel that it makes") {
    hub all;
    CHECK(all.publish("a", "1") == 1);
    CHECK(all.publish("a", "2", {"key", payload_kind::text}) == 2);
    auto const events = all.find("a")->read(0);
    REQUIRE(events.size() == 2);
    CHECK(events.at(1).payload == "1");
    CHECK(events.at(1).kind == payload_kind::json);
    CHECK(events.at(2).key == "key");
    CHECK(events.at(2).kind == payload_kind::text);
    CHECK(events.at(2).channel == "a");
    CHECK(events.at(2).epoch == all.find("a")->epoch());
}

TEST_CASE("channel/hub: gives epochs that follow from the seed and differ") {
    hub first{{}, {10, 42}};
    hub second{{}, {10, 42}};
    hub third{{}, {10, 43}};
    CHECK(first.open("a").epoch() == second.open("a").epoch());
    CHECK(first.open("a").epoch() != first.open("b").epoch());
    CHECK(first.open("a").epoch() != third.open("a").epoch());
    CHECK(first.open("a").epoch() < (std::uint64_t{1} << 50));
    CHECK(first.open("a").epoch() != 0);
}

TEST_CASE("channel/channel: refuses a payload or a key over its limit") {
    channel_options options;
    options.payload_bytes_max = 10;
    options.key_bytes_max = 4;
    auto const c = make_channel(options);
    CHECK(c->publish(std::string(9, 'x')) == 1);
    CHECK(c->publish(std::string(10, 'x')) == 2);
    CHECK(c->publish(std::string(11, 'x')) == 0);
    CHECK(c->publish("", {"abcd"}) == 3);
    CHECK(c->publish("", {"abcde"}) == 0);
    CHECK(c->last_offset() == 3);
}

TEST_CASE("channel/channel: reads after an offset, bounded") {
    auto const c = make_channel({});
    CHECK(c->read(0).empty());
    for (int i = 0; i < 5; ++i) c->publish(std::to_string(i));
    CHECK(offsets_of(c->read(0)) == std::vector<std::uint64_t>{1, 2, 3, 4, 5});
    CHECK(offsets_of(c->read(3)) == std::vector<std::uint64_t>{4, 5});
    CHECK(offsets_of(c->read(1, {2})) == std::vector<std::uint64_t>{2, 3});
    CHECK(c->read(1, {0}).empty());
    CHECK(c->read(5).empty());
    CHECK(c->read(99).empty());
}

TEST_CASE("channel/channel: reads as many events as there are when asked for any number") {
    auto const c = make_channel({});
    for (int i = 0; i < 3; ++i) c->publish("x");
    CHECK(offsets_of(c->read(1, {std::numeric_limits<std::size_t>::max()})) ==
          std::vector<std::uint64_t>{2, 3});
    CHECK(c->read(offset_max).empty());
    CHECK(c->read(offset_max - 1).empty());
}

TEST_CASE("channel/channel: keeps no more events than the limit") {
    channel_options options;
    options.log_events_max = 3;
    auto const c = make_channel(options);
    for (int i = 0; i < 3; ++i) c->publish("x");
    CHECK(c->first_offset() == 1);
    c->publish("x");
    CHECK(c->first_offset() == 2);
    for (int i = 0; i < 1000; ++i) c->publish("x");
    CHECK(offsets_of(c->read(0)) == std::vector<std::uint64_t>{1002, 1003, 1004});

    options.log_events_max = 0;
    auto const nothing = make_channel(options);
    nothing->publish("x");
    nothing->publish("x");
    CHECK(offsets_of(nothing->read(0)) == std::vector<std::uint64_t>{2});
}

TEST_CASE("channel/channel: keeps no more bytes than the limit, but always the newest event") {
    channel_options options;
    options.log_bytes_max = 64u << 10;
    auto const c = make_channel(options);
    for (int i = 0; i < 2000; ++i) {
        c->publish(std::string(100, 'x'));
        REQUIRE(c->footprint_bytes() <= options.log_bytes_max);
    }
    CHECK(c->first_offset() > 1000);
    CHECK(c->read(0).size() > 100);
    c->publish(std::string(100u << 10, 'y'));
    CHECK(offsets_of(c->read(0)) == std::vector<std::uint64_t>{2001});
    c->publish("z");
    CHECK(c->read(0).at(2002).payload == "z");
}

TEST_CASE("channel/channel: lets go of events at their age") {
    channel_options options;
    options.log_age_max = seconds{10};
    auto const c = make_channel(options);
    virtual_now = time_point{} + seconds{100};
    c->publish("1", {"key"});
    virtual_now += seconds{5};
    c->publish("2");
    c->expire(time_point{} + seconds{110});
    CHECK(c->first_offset() == 1);
    c->expire(time_point{} + seconds{110} + clock::duration{1});
    CHECK(c->first_offset() == 2);
    c->expire(time_point{} + seconds{116});
    CHECK(c->first_offset() == 3);
    CHECK(c->read(0).empty());
    CHECK(c->last_offset() == 2);

    auto const snapshot = c->open_cursor({start_position::kind::now, {}, true}).snapshot;
    REQUIRE(snapshot);
    CHECK(snapshot->at(0).payload == "1");
    c->publish("3");
    CHECK(offsets_of(c->read(0)) == std::vector<std::uint64_t>{3});
}

TEST_CASE("channel/channel: shares one snapshot until the next publish") {
    auto const c = make_channel({});
    start_position const start{start_position::kind::now, {}, true};
    CHECK_FALSE(c->open_cursor(start).snapshot);
    c->publish("1", {"a"});
    c->publish("2", {"b"});
    c->publish("3", {"a"});
    auto const first = c->open_cursor(start);
    REQUIRE(first.snapshot);
    CHECK(first.next_offset == 4);
    REQUIRE(first.snapshot->count() == 2);
    CHECK(first.snapshot->at(0).payload == "2");
    CHECK(first.snapshot->at(1).payload == "3");
    CHECK(c->open_cursor(start).snapshot.get() == first.snapshot.get());
    c->publish("4", {"b"});
    CHECK(c->open_cursor(start).snapshot.get() != first.snapshot.get());
    CHECK(first.snapshot->at(0).payload == "2");
}

TEST_CASE("channel/channel: opens cursors where the client was, or says what is missing") {
    channel_options options;
    options.log_events_max = 3;
    auto const c = make_channel(options);
    auto const after = [&](std::uint64_t epoch, std::uint64_t offset) {
        return c->open_cursor({start_position::kind::after, {epoch, offset}, false});
    };
    CHECK(after(7, 0).is_recovered);
    CHECK(after(7, 1).is_ahead);
    CHECK(after(7, offset_max).is_ahead);
    for (int i = 1; i <= 10; ++i) c->publish(std::to_string(i));

    CHECK(after(7, 10).is_recovered);
    CHECK(after(7, 10).next_offset == 11);
    CHECK(after(7, 7).is_recovered);
    CHECK(after(7, 7).next_offset == 8);
    CHECK(after(7, 11).is_ahead);

    auto const late = after(7, 6);
    CHECK_FALSE(late.is_recovered);
    REQUIRE(late.missed);
    CHECK(late.missed->first == 7);
    CHECK(late.missed->last == 9);
    CHECK(late.missed->reason == gap_reason::retention);
    REQUIRE(late.snapshot);
    CHECK(late.snapshot->at(late.snapshot_index).offset == 10);

    auto const foreign = after(8, 9);
    REQUIRE(foreign.missed);
    CHECK(foreign.missed->first == 1);
    CHECK(foreign.missed->last == 9);
    CHECK(foreign.missed->reason == gap_reason::epoch);
    CHECK_FALSE(foreign.is_recovered);

    CHECK(c->open_cursor({start_position::kind::oldest, {}, false}).next_offset == 8);
    CHECK(c->open_cursor({}).next_offset == 11);
}
