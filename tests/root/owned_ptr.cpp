#include <livetape/owned_ptr.hpp>

#include <doctest/doctest.h>

#include <utility>

namespace {

using namespace livetape;

/// Counts those that live.
struct counted {
    explicit counted(int& living) : count{living} { ++count; }
    counted(counted const&) = delete;
    counted& operator=(counted const&) = delete;
    ~counted() { --count; }
    int& count;
};

} // namespace

TEST_CASE("root/owned_ptr: destroys what it owns once, with its end or when it is reset") {
    int living = 0;
    {
        auto owner = make_owned<counted>(living);
        CHECK(owner);
        CHECK(living == 1);
        owner.reset();
        CHECK_FALSE(owner);
        CHECK(living == 0);
        owner = make_owned<counted>(living);
        CHECK(living == 1);
    }
    CHECK(living == 0);
}

TEST_CASE("root/owned_ptr: a move hands the object over and destroys what was there") {
    int living = 0;
    auto first = make_owned<counted>(living);
    auto second = make_owned<counted>(living);
    auto const* const object = first.get();
    second = std::move(first);
    CHECK(living == 1);
    CHECK(second == object);
    owned_ptr<counted> third{std::move(second)};
    CHECK(third.get() == object);
    CHECK(living == 1);
    auto& itself = third;
    third = std::move(itself);
    CHECK(third.get() == object);
    CHECK(living == 1);
}

TEST_CASE("root/owned_ptr: one that owns nothing says so") {
    owned_ptr<int> nothing;
    CHECK_FALSE(nothing);
    CHECK(nothing.get() == nullptr);
    nothing.reset();
    CHECK_FALSE(nothing);
    owned_ptr<int> taken{new int{7}};
    nothing = std::move(taken);
    CHECK(*nothing == 7);
}
