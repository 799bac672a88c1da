#include <livetape/channel/hash_index.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <random>

using livetape::hash_index;

TEST_CASE("channel/hash_index: finds, replaces and erases as a map does, collisions included") {
    constexpr unsigned seed = 11;
    INFO("seed ", seed);
    std::mt19937 random{seed};
    hash_index index;
    std::map<std::uint32_t, std::size_t> hashes; // of the numbers that are in it
    // Few hashes, so that most numbers share theirs or its place with others.
    std::size_t const some_hashes[] = {0, 1, 2, 3, 1023, 1024, 4096, std::size_t{1} << 40, ~0ull};
    for (int step = 0; step < 20'000; ++step) {
        auto const number = static_cast<std::uint32_t>(random() % 500);
        auto const is_it = [number](std::uint32_t each) { return each == number; };
        auto const known = hashes.find(number);
        if (known == hashes.end()) {
            REQUIRE(index.find(some_hashes[random() % 9], is_it) == hash_index::none);
            auto const hash = some_hashes[random() % 9] + random() % 64;
            index.add(hash, number);
            hashes.emplace(number, hash);
        } else if (random() % 4 == 0) {
            auto const other = number + 500;
            index.replace(known->second, number, other);
            REQUIRE(index.find(known->second, is_it) == hash_index::none);
            index.replace(known->second, other, number);
        } else {
            REQUIRE(index.find(known->second, is_it) == number);
            index.erase(known->second, number);
            REQUIRE(index.find(known->second, is_it) == hash_index::none);
            hashes.erase(known);
        }
        REQUIRE(index.size() == hashes.size());
    }
    for (auto const& known : hashes) {
        auto const is_it = [&known](std::uint32_t each) { return each == known.first; };
        CHECK(index.find(known.second, is_it) == known.first);
    }
    index.clear();
    CHECK(index.size() == 0);
    CHECK(index.find(0, [](std::uint32_t) { return true; }) == hash_index::none);
    index.erase(0, 0);
    CHECK(index.size() == 0);
}
