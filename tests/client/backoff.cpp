#include <livetape/client/backoff.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>

namespace {

using namespace livetape;
using namespace std::chrono_literals;

constexpr std::uint32_t least = 0;
constexpr std::uint32_t most = UINT32_MAX;

} // namespace

TEST_CASE("client/backoff: doubles the waits up to the longest, within their jitter") {
    backoff shortest{{.delay_min = 100ms, .delay_max = 1000ms}};
    backoff longest{{.delay_min = 100ms, .delay_max = 1000ms}};
    for (auto const upper : {200ms, 400ms, 800ms, 1000ms, 1000ms, 1000ms}) {
        CAPTURE(upper.count());
        CHECK(shortest.next(least) == upper / 2);
        CHECK(longest.next(most) == upper);
    }
    shortest.reset();
    CHECK(shortest.next(least) == 100ms);
}

TEST_CASE("client/backoff: never waits less than the least or more than the longest") {
    backoff narrow{{.delay_min = 700ms, .delay_max = 1000ms}};
    CHECK(narrow.next(least) == 700ms);
    CHECK(narrow.next(most) == 1000ms);
    CHECK(narrow.next(least) == 700ms);

    backoff none{{.delay_min = 0ms, .delay_max = 0ms}};
    CHECK(none.next(most) == 0ms);
    CHECK(none.next(most) == 0ms);

    backoff huge{{.delay_min = 1ms, .delay_max = std::chrono::hours{24 * 365}}};
    auto last = huge.next(most);
    for (int i = 0; i < 100; ++i) last = huge.next(most);
    CHECK(last > std::chrono::hours{24 * 364});
    CHECK(last <= std::chrono::hours{24 * 365});
}

TEST_CASE("client/backoff: waits as long as the server asks, with some jitter behind it") {
    backoff_options const options{
        .delay_min = 100ms, .delay_max = 1000ms, .requested_delay_max = 10s};
    CHECK(backoff{options}.next(least, 5s) == 5s);
    CHECK(backoff{options}.next(most, 5s) == 5100ms);
    // What is less than the client's own wait does not shorten it.
    CHECK(backoff{options}.next(most, 50ms) == 200ms);
    CHECK(backoff{options}.next(least, 24h) == 10s);
    CHECK(backoff{options}.next(most, std::chrono::milliseconds::max()) == 10100ms);
}
