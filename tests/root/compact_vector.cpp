#include <livetape/compact_vector.hpp>

#include <doctest/doctest.h>

#include <memory>
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
