#include <livetape/compact_vector.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace {

using namespace livetape;

std::vector<int> values_of(compact_vector<std::shared_ptr<int>> const& from) {
    std::vector<int> values;
    for (auto const& each : from) values.push_back(*each);
    return values;
}

} // namespace

TEST_CASE("root/compact_vector: keeps elements in order while it grows and shrinks") {
    compact_vector<std::shared_ptr<int>> elements;
    CHECK(elements.empty());
    CHECK(elements.begin() == elements.end());
    for (int i = 0; i < 10; ++i) {
        CHECK(*elements.push_back(std::make_shared<int>(i)) == i);
        CHECK(elements.size() == static_cast<std::size_t>(i) + 1);
        CHECK(*elements.front() == 0);
        CHECK(*elements.back() == i);
    }
    CHECK(values_of(elements) == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    elements.erase_front(7);
    CHECK(values_of(elements) == std::vector<int>{7, 8, 9});
    elements.pop_back();
    CHECK(*elements[1] == 8);
    elements.erase_front(0);
    elements.erase_front(2);
    CHECK(elements.empty());
}

TEST_CASE("root/compact_vector: takes out the element that equals a value, and no other") {
    compact_vector<int> numbers;
    for (int const each : {1, 2, 3, 2}) numbers.push_back(each);
    numbers.erase_unordered(1);
    CHECK(std::vector<int>(numbers.begin(), numbers.end()) == std::vector<int>{2, 2, 3});
    numbers.erase_unordered(7);
    CHECK(numbers.size() == 3);
    numbers.erase_unordered(3);
    numbers.erase_unordered(2);
    CHECK(std::vector<int>(numbers.begin(), numbers.end()) == std::vector<int>{2});
}

TEST_CASE("root/compact_vector: destroys each element once, and can be filled again") {
    auto const counted = std::make_shared<int>(1);
    {
        compact_vector<std::shared_ptr<int>> elements;
        for (int i = 0; i < 5; ++i) elements.push_back(counted);
        CHECK(counted.use_count() == 6);
        elements.clear();
        CHECK(counted.use_count() == 1);
        elements.push_back(counted);
        CHECK(counted.use_count() == 2);
    }
    CHECK(counted.use_count() == 1);
}

TEST_CASE("root/compact_vector: takes out what matches and keeps the order of the others") {
    compact_vector<std::shared_ptr<int>> elements;
    for (int i = 0; i < 9; ++i) elements.push_back(std::make_shared<int>(i));
    elements.erase_if([](auto const& each) { return *each % 3 == 0; });
    CHECK(values_of(elements) == std::vector<int>{1, 2, 4, 5, 7, 8});
    elements.erase_if([](auto const&) { return false; });
    CHECK(elements.size() == 6);
    elements.erase_if([](auto const&) { return true; });
    CHECK(elements.empty());
}

TEST_CASE("root/compact_vector: puts in and takes out at any place and keeps the order") {
    compact_vector<std::shared_ptr<int>> elements;
    for (int const i : {2, 0, 3, 1}) {
        std::size_t at = 0;
        while (at < elements.size() && *elements[at] < i) ++at;
        elements.insert(at, std::make_shared<int>(i));
    }
    CHECK(values_of(elements) == std::vector<int>{0, 1, 2, 3});
    elements.erase(3);
    elements.erase(0);
    CHECK(values_of(elements) == std::vector<int>{1, 2});
    elements.erase(0);
    elements.erase(0);
    CHECK(elements.empty());
}

TEST_CASE("root/compact_vector: a move hands over one element or many, a copy shares nothing") {
    for (int const count : {0, 1, 2, 9}) {
        CAPTURE(count);
        auto const counted = std::make_shared<int>(7);
        compact_vector<std::shared_ptr<int>> first;
        for (int i = 0; i < count; ++i) first.push_back(counted);
        compact_vector<std::shared_ptr<int>> second{std::move(first)};
        CHECK(first.empty());
        CHECK(second.size() == static_cast<std::size_t>(count));
        CHECK(counted.use_count() == count + 1);
        auto const third = second;
        CHECK(values_of(third) == values_of(second));
        CHECK(counted.use_count() == 2 * count + 1);
        first.push_back(counted);
        first = std::move(second);
        CHECK(values_of(first) == values_of(third));
        CHECK(counted.use_count() == 2 * count + 1);
        first = compact_vector<std::shared_ptr<int>>{};
        CHECK(counted.use_count() == count + 1);
    }
}

TEST_CASE("root/compact_vector: has room for what was reserved and keeps what it had") {
    compact_vector<std::shared_ptr<int>> elements;
    elements.push_back(std::make_shared<int>(0));
    elements.reserve(6);
    auto const* const first = elements.begin();
    for (int i = 1; i < 6; ++i) elements.push_back(std::make_shared<int>(i));
    CHECK(elements.begin() == first);
    CHECK(values_of(elements) == std::vector<int>{0, 1, 2, 3, 4, 5});
    elements.reserve(2);
    CHECK(elements.begin() == first);
}
