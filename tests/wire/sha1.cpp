#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include <livetape/wire/sha1.hpp>
#include <support/hex.hpp>

namespace {

using livetape::test::to_hex;
using livetape::websocket::sha1;

std::string digest(std::string_view bytes) {
    auto const hash = sha1(bytes);
    return to_hex(std::string{hash.begin(), hash.end()});
}

TEST_CASE("wire/sha1: gives the digests of the standard [RFC 3174 §7.3]") {
    std::string repeated;
    for (int i = 0; i < 10; ++i)
        repeated += "0123456701234567012345670123456701234567012345670123456701234567";
    struct vector {
        char const* name;
        std::string bytes;
        char const* digest;
    };
    vector const vectors[] = {
        {"TEST1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {"TEST2", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
        {"TEST3", std::string(1000000, 'a'), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"},
        {"TEST4", repeated, "dea356a2cddd90c7a7ecedc5ebb563934f460452"},
        {"FIPS 180, empty", "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
    };
    for (auto const& v : vectors) {
        CAPTURE(v.name);
        CHECK(digest(v.bytes) == v.digest);
    }
}

TEST_CASE("wire/sha1: pads right at every length around a block") {
    // Digests of the digests of 'a' repeated 0 to 130 times: one wrong padding changes the end.
    std::string chain;
    for (std::size_t length = 0; length <= 130; ++length) chain += digest(std::string(length, 'a'));
    CHECK(digest(std::string(55, 'a')) == "c1c8bbdc22796e28c0e15163d20899b65621d65a");
    CHECK(digest(std::string(56, 'a')) == "c2db330f6083854c99d4b5bfb6e8f29f201be699");
    CHECK(digest(std::string(63, 'a')) == "03f09f5b158a7a8cdad920bddc29b81c18a551f5");
    CHECK(digest(std::string(64, 'a')) == "0098ba824b5c16427bd7a1122a5a442a25ec644d");
    CHECK(digest(std::string(65, 'a')) == "11655326c708d70319be2610e8a57d9a5b959d3b");
    CHECK(digest(chain) == "e9a26226834c1decc620e4a7df67e181b336a6b8");
}

TEST_CASE("wire/sha1: can be computed by the compiler") {
    constexpr auto hash = sha1("abc");
    static_assert(hash[0] == 0xa9 && hash[19] == 0x9d);
    CHECK(hash == sha1("abc"));
}

} // namespace
