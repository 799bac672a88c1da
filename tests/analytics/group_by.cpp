#include <livetape/analytics/count.hpp>
#include <livetape/analytics/detail/same_text.hpp>
#include <livetape/analytics/group_by.hpp>
#include <livetape/analytics/mean.hpp>
#include <livetape/analytics/sum.hpp>
#include <livetape/analytics/tumbling_window.hpp>

#include "support/random_stream.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace livetape;
using namespace std::chrono_literals;

namespace {

/// A bounded map in the plainest way: keys in a list, the idlest in front.
class group_model {
public:
    explicit group_model(std::size_t keys_max) : keys_max_{keys_max} {}

    std::uint64_t& at(std::string const& key) {
        auto const known = std::find(order_.begin(), order_.end(), key);
        if (known != order_.end()) {
            order_.splice(order_.end(), order_, known);
            return values_[key];
        }
        if (order_.size() == keys_max_) {
            evicted.push_back({order_.front(), values_[order_.front()]});
            values_.erase(order_.front());
            order_.pop_front();
        }
        order_.push_back(key);
        return values_[key] = 0;
    }

    std::vector<std::pair<std::string, std::uint64_t>> contents() const {
        std::vector<std::pair<std::string, std::uint64_t>> all;
        for (auto const& key : order_) all.push_back({key, values_.at(key)});
        return all;
    }

    std::vector<std::pair<std::string, std::uint64_t>> evicted;

private:
    std::size_t keys_max_;
    std::list<std::string> order_;
    std::map<std::string, std::uint64_t> values_;
};

} // namespace

TEST_CASE("analytics/sip_hash: gives the value of the paper, appendix A") {
    std::string text;
    for (char c = 0; c < 15; ++c) text.push_back(c);
    CHECK(detail::sip_hash<2, 4>(text, 0x0706050403020100u, 0x0f0e0d0c0b0a0908u) ==
          0xa129ca6149be45e5u);
}

TEST_CASE("analytics/same_text: sees every byte that differs, at every length") {
    for (std::size_t size = 0; size <= 40; ++size) {
        CAPTURE(size);
        std::string const text(size, 'a');
        CHECK(detail::same_text(text, std::string(size, 'a')));
        CHECK_FALSE(detail::same_text(text, text + 'a'));
        for (std::size_t i = 0; i < size; ++i) {
            auto other = text;
            other[i] = 'b';
            CHECK_FALSE(detail::same_text(text, other));
        }
    }
}

TEST_CASE("analytics/group_by: holds, orders and evicts as a plain bounded map does") {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        random_stream random{seed};
        auto const keys_max = 1 + random.below(40);
        group_by<count> groups{{}, {.keys_max = keys_max, .seed = seed}};
        group_model model{keys_max};
        std::vector<std::pair<std::string, std::uint64_t>> evicted;
        for (int i = 0; i < 2000; ++i) {
            auto const key = std::string(random.below(30), 'k') + std::to_string(random.below(60));
            groups
                .at(key,
                    [&](std::string_view gone, count& value) {
                        evicted.push_back({std::string{gone}, value.value()});
                    })
                .add();
            ++model.at(key);
        }
        std::vector<std::pair<std::string, std::uint64_t>> contents;
        groups.for_each([&](std::string_view key, count& value) {
            contents.push_back({std::string{key}, value.value()});
            CHECK(groups.find(key) == &value);
        });
        CHECK(contents == model.contents());
        CHECK(evicted == model.evicted);
        CHECK(groups.evicted() == evicted.size());
        CHECK(groups.size() <= keys_max);
    }
}

TEST_CASE("analytics/group_by: windows of one key do not see those of another") {
    group_by<tumbling_window<mean>> loads{tumbling_window<mean>{1s}};
    loads.at("a").add(0s, 1.0);
    loads.at("b").add(0s, 10.0);
    loads.at("a").add(500ms, 3.0);
    auto const closed = loads.at("a").add(1s, 100.0);
    REQUIRE(closed.has_value());
    CHECK(closed->value() == 2);
    std::vector<std::string> others;
    loads.for_each([&](std::string_view key, tumbling_window<mean>& window) {
        if (auto const late = window.advance(1s)) others.push_back(std::string{key});
    });
    CHECK(others == std::vector<std::string>{"b"});
}

TEST_CASE("analytics/group_by: a flood of keys costs no more than the bound") {
    group_by<sum> groups{{}, {.keys_max = 100, .key_bytes_max = 8}};
    for (int i = 0; i < 10'000; ++i) groups.at("flood-" + std::to_string(i)).add(1);
    CHECK(groups.size() <= 100);
    // Keys that are longer than the bound share a group.
    groups.at("12345678-one").add(1);
    groups.at("12345678-two").add(1);
    REQUIRE(groups.find("12345678") != nullptr);
    CHECK(groups.find("12345678")->value() == 2);
    CHECK(groups.find("") == nullptr);
    groups.at("").add(5);
    CHECK(groups.find("")->value() == 5);
}

TEST_CASE("analytics/group_by: groups of two servers merge key by key") {
    group_by<sum> one;
    group_by<sum> other;
    one.at("x").add(1);
    one.at("y").add(2);
    other.at("y").add(3);
    other.at("z").add(4);
    other.for_each([&](std::string_view key, sum& value) { one.at(key).merge(value); });
    CHECK(one.find("x")->value() == 1);
    CHECK(one.find("y")->value() == 5);
    CHECK(one.find("z")->value() == 4);
}
