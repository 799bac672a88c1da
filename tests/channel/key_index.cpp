#include <livetape/channel/key_index.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <string>

namespace {

using namespace livetape;

/// The keys that have an event, in order, each with its newest offset.
std::string keys_of(key_index const& index) {
    std::string text;
    for (auto const* each = index.front(); each != nullptr; each = each->next())
        text += std::string{each->key()} + std::to_string(each->value.offset) + ' ';
    return text;
}

event_view event_of(std::string_view key, std::uint64_t offset, std::string_view payload = {}) {
    return {{}, 0, offset, key, payload, payload_kind::text, {}};
}

segment_ref events_of_keys(std::initializer_list<char const*> keys) {
    auto const identity = log_identity::make("test", 1);
    segment_ref events = segment::make(identity, 1, 10, 100);
    for (std::uint64_t offset = 1; auto const* const key : keys)
        events->append({{}, 0, offset++, key, "payload", payload_kind::text, {}});
    return events;
}

} // namespace

TEST_CASE("channel/key_index: orders keys by their last update and forgets the oldest") {
    key_index index{2, 1000};
    CHECK(index.empty());
    index.update(event_of("a", 1));
    index.update(event_of("b", 2));
    index.update(event_of("a", 3));
    CHECK(keys_of(index) == "b2 a3 ");
    CHECK(index.evicted_offset() == 0);
    index.update(event_of("c", 4));
    CHECK(keys_of(index) == "a3 c4 ");
    CHECK(index.size() == 2);
    CHECK(index.evicted_offset() == 2);
    CHECK(index.find("b") == nullptr);

    key_index none{0, 1000};
    none.update(event_of("a", 1));
    CHECK(none.empty());
    CHECK(none.evicted_offset() == 1);
}

TEST_CASE(
    "channel/key_index: copies what leaves the log if it is its key's newest, bounded in bytes") {
    auto const leaving = events_of_keys({"a", "b", "", "a"});
    key_index index{10, 14};
    index.update(event_of("a", 1));
    index.update(event_of("b", 2));
    index.update(event_of("a", 4));
    index.update(event_of("c", 5));
    index.keep(*leaving);
    CHECK(keys_of(index) == "b2 a4 c5 ");
    REQUIRE(index.find("b")->kept);
    CHECK(index.find("b")->kept->payload == "payload");
    CHECK(index.find("b")->kept->kind == payload_kind::text);
    CHECK(index.find("a")->kept);
    CHECK_FALSE(index.find("c")->kept);

    index.update(event_of("b", 6));
    CHECK_FALSE(index.find("b")->kept);

    key_index small{10, 13};
    small.update(event_of("a", 4));
    small.update(event_of("b", 2));
    small.keep(*leaving);
    CHECK(keys_of(small) == "b2 ");
}

TEST_CASE("channel/key_index: keeps the events without a key as those of one key, out of order") {
    auto const leaving = events_of_keys({"a", ""});
    key_index index{1, 1000};
    CHECK(index.find("") == nullptr);
    index.update(event_of("a", 1));
    index.update(event_of("", 2));
    CHECK(keys_of(index) == "a1 ");
    CHECK(index.find("")->offset == 2);
    index.keep(*leaving);
    REQUIRE(index.find("")->kept);
    CHECK(index.find("")->kept->payload == "payload");
    index.update(event_of("", 3));
    CHECK(index.find("")->sequence == 2);
    CHECK_FALSE(index.find("")->kept);
}

TEST_CASE("channel/key_index: keeps the place of a watched key, before its first event and after "
          "its eviction") {
    key_index index{1, 1000};
    auto& place = index.watch("a");
    auto& again = index.watch("a");
    CHECK(&again == &place);
    CHECK(index.empty());
    CHECK(place.value.offset == 0);
    index.update(event_of("a", 1));
    CHECK(place.value.sequence == 1);
    index.update(event_of("b", 2));
    CHECK(keys_of(index) == "b2 ");
    CHECK(place.value.offset == 1);
    index.update(event_of("a", 3));
    CHECK(place.value.sequence == 2);
    CHECK(keys_of(index) == "a3 ");

    index.update(event_of("b", 4));
    index.unwatch(place);
    CHECK(index.find("a") != nullptr);
    index.unwatch(place);
    CHECK(index.find("a") == nullptr);
}

TEST_CASE("channel/key_index: grows to many keys and finds each") {
    key_index index{1000, 1000};
    for (std::uint64_t offset = 1; offset <= 2500; ++offset)
        index.update(event_of("key" + std::to_string(offset % 1500), offset));
    CHECK(index.size() == 1000);
    CHECK(index.front()->value.offset == 1501);
    for (std::uint64_t offset = 1501; offset <= 2500; ++offset) {
        auto const* const found = index.find("key" + std::to_string(offset % 1500));
        REQUIRE(found != nullptr);
        CHECK(found->offset == offset);
    }
}

TEST_CASE("channel/key_index: merges the payloads of a key from its first event on, bounded") {
    key_index index{10, 6, [](std::string& into, std::string_view newer) { into += newer; }};
    index.update(event_of("a", 1, "12"));
    index.update(event_of("", 2, "x"));
    index.update(event_of("a", 3, "3"));
    index.update(event_of("", 4, "y"));
    REQUIRE(index.find("a")->kept);
    CHECK(index.find("a")->kept->payload == "123");
    CHECK(index.find("")->kept->payload == "xy");
    index.update(event_of("b", 5, "456"));
    CHECK(keys_of(index) == "a3 b5 ");
    index.update(event_of("b", 6, "7"));
    CHECK(keys_of(index) == "b6 ");
    CHECK(index.evicted_offset() == 3);
}

TEST_CASE(
    "channel/key_index: a watched key that was evicted keeps nothing when it leaves the log") {
    auto const leaving = events_of_keys({"a", "b", "c"});
    key_index index{1, 10};
    auto& a = index.watch("a");
    auto& b = index.watch("b");
    index.update(event_of("a", 1));
    index.update(event_of("b", 2));
    index.update(event_of("c", 3));
    index.keep(*leaving);
    CHECK(a.value.kept == nullptr);
    CHECK(b.value.kept == nullptr);
    CHECK(keys_of(index) == "c3 ");
    CHECK(index.find("c")->kept != nullptr);
    CHECK(index.evicted_offset() == 2);
}
