#include <livetape/client/connect_race.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <livetape/client/masking_keys.hpp>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using livetape::time_point;
using livetape::detail::connect_race;
using livetape::detail::interleave_families;

namespace {

std::vector<std::string> interleaved(std::vector<std::string> const& resolved) {
    return interleave_families(resolved, [](std::string const& each) { return each[0] == '6'; });
}

time_point const start{1h};
auto const refused = std::make_error_code(std::errc::connection_refused);
auto const unreachable = std::make_error_code(std::errc::network_unreachable);

} // namespace

TEST_CASE("client/connect_race: alternates the families of addresses [RFC 8305 4]") {
    using list = std::vector<std::string>;
    CHECK(interleaved({}).empty());
    CHECK(interleaved({"4a"}) == list{"4a"});
    CHECK(interleaved({"4a", "4b"}) == list{"4a", "4b"});
    CHECK(interleaved({"6a", "6b", "6c", "4a", "4b"}) == list{"6a", "4a", "6b", "4b", "6c"});
    CHECK(interleaved({"4a", "4b", "6a", "6b", "6c"}) == list{"4a", "6a", "4b", "6b", "6c"});
    CHECK(interleaved({"6a", "4a", "6b"}) == list{"6a", "4a", "6b"});
}

TEST_CASE("client/connect_race: starts the next attempt after the delay [RFC 8305 5]") {
    connect_race race{3, 250ms};
    CHECK(race.due(start) == 0u);
    CHECK_FALSE(race.due(start).has_value());
    CHECK(race.next_start() == start + 250ms);
    CHECK_FALSE(race.due(start + 249ms).has_value());
    CHECK(race.due(start + 250ms) == 1u);
    CHECK_FALSE(race.due(start + 499ms).has_value());
    CHECK(race.due(start + 500ms) == 2u);
    CHECK_FALSE(race.due(start + 10s).has_value());
    CHECK_FALSE(race.next_start().has_value());
    CHECK_FALSE(race.is_lost());
}

TEST_CASE("client/connect_race: starts the next attempt at a failure [RFC 8305 5]") {
    connect_race race{3, 250ms};
    CHECK(race.due(start) == 0u);
    race.fail(refused);
    CHECK(race.due(start + 1ms) == 1u);
    CHECK_FALSE(race.due(start + 1ms).has_value());
    CHECK(race.next_start() == start + 251ms);
    race.fail(unreachable);
    CHECK(race.due(start + 2ms) == 2u);
    CHECK_FALSE(race.is_lost());
    race.fail(unreachable);
    CHECK(race.is_lost());
    CHECK(race.failure() == refused);
}

TEST_CASE("client/connect_race: a failure of one of several that are under way goes on") {
    connect_race race{2, 250ms};
    CHECK(race.due(start) == 0u);
    CHECK(race.due(start + 250ms) == 1u);
    race.fail(refused);
    CHECK_FALSE(race.due(start + 300ms).has_value());
    CHECK_FALSE(race.is_lost());
    race.fail(refused);
    CHECK(race.is_lost());
}

TEST_CASE("client/masking_keys: are the key stream of ChaCha20 [RFC 8439 2.3.2]") {
    constexpr auto block =
        livetape::detail::chacha20_block({0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c,
                                          0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c},
                                         {0x00000001, 0x09000000, 0x4a000000, 0x00000000});
    static_assert(block[0] == 0xe4e7f110);
    CHECK(block == std::array<std::uint32_t, 16>{0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3,
                                                 0xc7f4d1c7, 0x0368c033, 0x9aaa2204, 0x4e6cd4c3,
                                                 0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9,
                                                 0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2});
}

TEST_CASE("client/masking_keys: go on over the end of a block, and differ between objects") {
    livetape::masking_keys keys{std::array<std::uint32_t, 8>{}};
    auto const first = livetape::detail::chacha20_block({}, {});
    auto const second = livetape::detail::chacha20_block({}, {1});
    for (std::size_t i = 0; i < 32; ++i) {
        auto const word = i < 16 ? first[i] : second[i - 16];
        auto const key = keys.next();
        CHECK(key[0] == (word & 0xffu));
        CHECK(key[3] == word >> 24);
    }
    // Equal by chance once in 2^128 runs.
    livetape::masking_keys a;
    livetape::masking_keys b;
    bool is_equal = true;
    for (int i = 0; i < 4; ++i) is_equal = a.next() == b.next() && is_equal;
    CHECK_FALSE(is_equal);
}
