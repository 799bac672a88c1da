#include "../../examples/leaderboard/league.hpp"
#include "../../examples/support/rank_board.hpp"
#include "../../examples/tickerplant/plant.hpp"
#include "../../examples/trends/post_file.hpp"
#include "../../examples/trends/simulated_posts.hpp"
#include "../../examples/trends/trend_watch.hpp"
#include "../../examples/trends/word_list.hpp"

#include <livetape/channel/hub.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace livetape;
using namespace std::chrono_literals;

using texts = std::vector<std::string>;

time_point virtual_now{};

/// A hub whose time is the test's.
struct world {
    world() { virtual_now = time_point{} + 1000s; }

    void pass(clock::duration time) { all.advance(virtual_now += time); }

    hub all{{}, {1000, 1, [] { return virtual_now; }}};
};

texts payloads(hub const& all, std::string_view name) {
    texts found;
    if (auto const of = all.find(name))
        for (auto const& each : of->read(0, {.events_max = 100'000}))
            found.emplace_back(each.payload);
    return found;
}

/// The newest payload of each key.
std::map<std::string, std::string> newest(hub const& all, std::string_view name) {
    std::map<std::string, std::string> found;
    for (auto const& each : all.find(name)->read(0, {.events_max = 100'000}))
        found[std::string{each.key}] = each.payload;
    return found;
}

texts words_of(std::string_view text) {
    texts found;
    trends::for_each_word(text, [&](std::string_view word) { found.emplace_back(word); });
    return found;
}

struct ranked {
    std::string_view key;
    double count;
};

} // namespace

TEST_CASE("examples/rank_board: publishes the ranks that changed and empties those left") {
    world w;
    auto& to = w.all.open("board");
    rank_board board{to};
    board.show(std::vector<ranked>{{"ann", 3}, {"bob", 2.5}}, 2);
    CHECK(payloads(w.all, "board") ==
          texts{R"({"name":"ann","value":3})", R"({"name":"bob","value":2.5})"});
    board.show(std::vector<ranked>{{"ann", 3}, {"\"c\"", 2}}, 2);
    board.show(std::vector<ranked>{{"ann", 3}}, 1);
    board.show(std::vector<ranked>{{"ann", 3}}, 1);
    CHECK(to.last_offset() == 4);
    CHECK(newest(w.all, "board") ==
          std::map<std::string, std::string>{{"1", R"({"name":"ann","value":3})"}, {"2", "null"}});
}

TEST_CASE("examples/trends: texts are cut into words whatever bytes they have") {
    CHECK(words_of("The cat's #Hat, and @Bob!") == texts{"the", "cat's", "#hat", "and", "@bob"});
    CHECK(words_of("na\xc3\xafve \xff\xfe") == texts{"na\xc3\xafve", "\xff\xfe"});
    CHECK(words_of("## # @ a#b x") == texts{"a", "#b", "x"});
    CHECK(words_of("").empty());
    CHECK(words_of(std::string(3, '\0')).empty());
}

TEST_CASE("examples/trends: the mood of a text is the mean of its words', turned by a negation") {
    CHECK(trends::mood_of("wonderful") == 1);
    CHECK(trends::mood_of("a disaster, awful") == -1);
    CHECK(trends::mood_of("great but late") == 0.25);
    CHECK(trends::mood_of("not good, isn't awful") == 0.25);
    CHECK(trends::mood_of("it is what it is") == 0);
    CHECK(trends::mood_of("") == 0);
}

TEST_CASE("examples/trends: a line is a text alone, or author, followers and text") {
    auto const text = trends::post_file::parse("just words");
    REQUIRE(text);
    CHECK(text->author.empty());
    CHECK(text->text == "just words");
    auto const whole = trends::post_file::parse("ann\t12\thello\tthere");
    REQUIRE(whole);
    CHECK(whole->author == "ann");
    CHECK(whole->followers == 12);
    CHECK(whole->text == "hello\tthere");
    for (auto const* const bad : {"ann\thello", "ann\t\thello", "\t1\thello", "ann\t1x\thello",
                                  "ann\t-1\thello", "ann\t10000000001\thello", "caf\xe9"}) {
        CAPTURE(bad);
        CHECK_FALSE(trends::post_file::parse(bad));
    }
}

TEST_CASE("examples/trends: what was written about most falls behind what is written about now") {
    world w;
    trends::trend_watch watch{w.all, 1s};
    for (int i = 0; i < 8; ++i) watch.take({0s, "ann", 10, "harvest harvest"});
    watch.show();
    CHECK(newest(w.all, "words").at("1") == R"({"name":"harvest","value":8})");
    for (int i = 0; i < 3; ++i) watch.take({2s, "bob", 25, "the comet is great @ann"});
    watch.show();
    CHECK(newest(w.all, "words") ==
          std::map<std::string, std::string>{{"1", R"({"name":"comet","value":3})"},
                                             {"2", R"({"name":"harvest","value":2})"}});
    CHECK(newest(w.all, "influencers") ==
          std::map<std::string, std::string>{{"1", R"({"name":"ann","value":80})"},
                                             {"2", R"({"name":"bob","value":75})"}});
    auto const mood = payloads(w.all, "mood").back();
    CHECK(mood.starts_with(R"({"time":2000,"posts":11,"authors":2,"mood":0.)"));
    CHECK(payloads(w.all, "posts").back() ==
          R"({"author":"bob","text":"the comet is great @ann","mood":1})");
}

TEST_CASE("examples/trends: the topic of the day trends among simulated posts") {
    world w;
    trends::trend_watch watch{w.all, 5s};
    trends::simulated_posts posts{1, 100};
    std::string leader;
    int changes = 0;
    for (int day = 0; day < 3; ++day) {
        for (int i = 0; i < 1990; ++i) watch.take(posts.next());
        watch.show();
        auto const now = newest(w.all, "words").at("1");
        auto const name = now.substr(0, now.find(R"(","value)"));
        changes += name != leader ? 1 : 0;
        leader = name;
    }
    CHECK(changes == 3);
}

TEST_CASE("examples/leaderboard: plays become sessions, channels of players and a board") {
    world w;
    leaderboard::league league{w.all, 2s};
    auto& plays = w.all.open("plays");
    auto const look = [&] { league.look(to_event_time(virtual_now)); };
    plays.publish(R"({"player":"ann","points":30})");
    virtual_now += 1s;
    plays.publish(R"({"player":"bob","points":50})");
    plays.publish(R"({"player":"ann","points":10})");
    look();
    CHECK(
        payloads(w.all, "player.ann") ==
        texts{R"({"key":"ann","begin":1000000,"end":1000000,"value":[1,30],"provisional":true})",
              R"({"key":"ann","begin":1000000,"end":1001000,"value":[2,40],"provisional":true})"});
    CHECK(newest(w.all, "board") ==
          std::map<std::string, std::string>{{"1", R"({"name":"bob","value":50})"},
                                             {"2", R"({"name":"ann","value":40})"}});

    // Nobody plays any more: the sessions are over by time alone.
    virtual_now += 5s;
    look();
    look();
    CHECK(payloads(w.all, "player.ann").back() ==
          R"({"key":"ann","begin":1000000,"end":1001000,"value":[2,40]})");
    CHECK(payloads(w.all, "player.bob").size() == 2);
    CHECK(payloads(w.all, "problems").empty());
}

TEST_CASE("examples/leaderboard: what is no play is counted and changes nothing") {
    for (auto const* const bad :
         {"", "{", "[]", "{}", R"({"player":"ann"})", R"({"player":"ann","points":"7"})",
          R"({"player":"ann","points":1000001})", R"({"player":"ann","points":-1})",
          R"({"player":"a..b","points":1})", R"({"player":"","points":1})",
          R"({"player":7,"points":1})",
          R"({"player":"abcdefghijklmnopqrstuvwxyz0123456","points":1})"}) {
        CAPTURE(bad);
        world w;
        leaderboard::league league{w.all, 2s};
        w.all.publish("plays", bad);
        league.look(to_event_time(virtual_now));
        CHECK(payloads(w.all, "problems").size() == 1);
        CHECK(payloads(w.all, "sessions").empty());
        CHECK(payloads(w.all, "board").empty());
    }
}

TEST_CASE("examples/tickerplant: a producer's channel is copied twice, each time more slowly") {
    world w;
    tickerplant::plant plant{w.all};
    w.all.publish("ticks.A", "1");
    w.all.publish("ticks.A.B", "1");
    plant.look();
    CHECK(w.all.find("screen.A.B") == nullptr);
    w.pass(200ms);
    CHECK(payloads(w.all, "screen.A") == texts{"1"});
    w.all.publish("ticks.A", "2");
    w.all.publish("ticks.A", "3");
    w.pass(200ms);
    w.all.publish("ticks.A", "4");
    w.pass(200ms);
    CHECK(payloads(w.all, "screen.A") == texts{"1", "3", "4"});
    w.pass(400ms);
    CHECK(payloads(w.all, "wall.A") == texts{"4"});
    CHECK(payloads(w.all, "plant.state").back() == R"({"interval":0,"producers":1})");
}

TEST_CASE("examples/tickerplant: the way to publish holds for all channels, those to come too") {
    world w;
    tickerplant::plant plant{w.all};
    w.all.publish("ticks.A", "1");
    w.all.publish("plant.interval", "250");
    plant.look();
    w.all.publish("ticks.A", "2");
    w.all.publish("ticks.B", "1");
    plant.look();
    w.all.publish("ticks.B", "2");
    CHECK(payloads(w.all, "ticks.A") == texts{"1"});
    CHECK(payloads(w.all, "ticks.B") == texts{"1"});
    w.pass(250ms);
    CHECK(payloads(w.all, "ticks.A") == texts{"1", "2"});
    CHECK(payloads(w.all, "ticks.B") == texts{"1", "2"});

    for (auto const* const bad : {"-1", "5001", "1.5", "\"1\"", "", " 1", "null"})
        w.all.publish("plant.interval", bad);
    plant.look();
    CHECK(payloads(w.all, "plant.state").back() == R"({"interval":250,"producers":2})");
    w.all.publish("plant.interval", "0");
    plant.look();
    w.all.publish("ticks.A", "3");
    CHECK(payloads(w.all, "ticks.A").back() == "3");
}
