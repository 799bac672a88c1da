#include <livetape/intrusive_list.hpp>
#include <livetape/intrusive_ref.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using namespace livetape;

struct item : list_hook<item> {
    explicit item(char n) : name{n} {}
    char name;
};

std::string names_of(intrusive_list<item> const& list) {
    std::string names;
    list.for_each([&](item& each) { names += each.name; });
    return names;
}

struct counted {
    explicit counted(int& c) : alive{c} { ++alive; }
    ~counted() { --alive; }
    void retain() noexcept { ++references; }
    void release() noexcept {
        if (--references == 0) delete this;
    }
    int& alive;
    int references = 0;
};

} // namespace

TEST_CASE("root/intrusive_list: keeps the order in which objects came") {
    intrusive_list<item> list;
    CHECK(list.empty());
    CHECK(list.pop_front() == nullptr);
    item a{'a'};
    item b{'b'};
    item c{'c'};
    CHECK_FALSE(a.is_linked());
    list.push_back(a);
    list.push_back(b);
    list.push_back(c);
    CHECK(a.is_linked());
    CHECK(names_of(list) == "abc");
    CHECK(&list.front() == &a);

    list.push_back(a);
    CHECK(names_of(list) == "bca");
    c.unlink();
    c.unlink();
    CHECK_FALSE(c.is_linked());
    CHECK(names_of(list) == "ba");
    CHECK(list.pop_front() == &b);
    CHECK(list.pop_front() == &a);
    CHECK(list.empty());
}

TEST_CASE("root/intrusive_list: tells which object follows the first") {
    intrusive_list<item> list;
    CHECK(list.second() == nullptr);
    item a{'a'};
    list.push_back(a);
    CHECK(list.second() == nullptr);
    item b{'b'};
    list.push_back(b);
    CHECK(list.second() == &b);
    list.pop_front();
    CHECK(list.second() == nullptr);
}

TEST_CASE("root/intrusive_list: moves an object that is in another list") {
    intrusive_list<item> first;
    intrusive_list<item> second;
    item a{'a'};
    item b{'b'};
    first.push_back(a);
    first.push_back(b);
    first.for_each([&](item& each) { second.push_back(each); });
    CHECK(first.empty());
    CHECK(names_of(second) == "ab");
}

TEST_CASE("root/intrusive_list: lets go of what is destroyed, and of all when it is") {
    item a{'a'};
    {
        intrusive_list<item> list;
        list.push_back(a);
        {
            item b{'b'};
            list.push_back(b);
        }
        CHECK(names_of(list) == "a");
    }
    CHECK_FALSE(a.is_linked());

    intrusive_list<item> list;
    std::vector<std::unique_ptr<item>> owned;
    for (char n = 'a'; n <= 'e'; ++n)
        list.push_back(*owned.emplace_back(std::make_unique<item>(n)));
    list.for_each([&](item& each) { owned[static_cast<std::size_t>(each.name - 'a')].reset(); });
    CHECK(list.empty());
}

TEST_CASE("root/intrusive_ref: deletes the object with the last reference") {
    int alive = 0;
    {
        intrusive_ref<counted> const first{new counted{alive}};
        CHECK(first->references == 1);
        auto second = first;
        CHECK(first->references == 2);
        auto third = std::move(second);
        CHECK_FALSE(second);
        CHECK(first->references == 2);
        third = first;
        CHECK(first->references == 2);
        auto& same = third;
        third = same;
        CHECK(third.get() == first.get());
        CHECK(&*third == first.get());
        third.reset();
        CHECK_FALSE(third);
        CHECK(first->references == 1);
        CHECK(alive == 1);
    }
    CHECK(alive == 0);
    intrusive_ref<counted> const nothing{nullptr};
    CHECK_FALSE(nothing);
}
