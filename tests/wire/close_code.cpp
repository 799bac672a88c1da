#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <livetape/error.hpp>
#include <livetape/wire/close_code.hpp>
#include <support/hex.hpp>

namespace {

using livetape::error;
using livetape::test::from_hex;
using livetape::test::to_hex;
using namespace livetape::websocket;

TEST_CASE("wire/close_code: knows which codes a frame may carry [RFC 6455 §7.4]") {
    std::size_t allowed = 0;
    for (std::uint32_t code = 0; code <= 0xFFFF; ++code)
        allowed += may_be_sent(static_cast<std::uint16_t>(code));
    CHECK(allowed == 4 + 8 + 2000);
    struct edge {
        std::uint16_t code;
        bool is_allowed;
    };
    constexpr edge edges[] = {{0, false},    {999, false},  {1000, true},  {1003, true},
                              {1004, false}, {1005, false}, {1006, false}, {1007, true},
                              {1014, true},  {1015, false}, {1016, false}, {2999, false},
                              {3000, true},  {4999, true},  {5000, false}, {65535, false}};
    for (auto const& e : edges) {
        CAPTURE(e.code);
        CHECK(may_be_sent(e.code) == e.is_allowed);
    }
}

TEST_CASE("wire/close_code: the codes of the library's own errors may be sent") {
    for (std::size_t i = 0; i < livetape::error_count; ++i) {
        auto const& described = livetape::describe(static_cast<error>(i));
        CAPTURE(std::string{described.name});
        CHECK(may_be_sent(described.close_code));
    }
}

TEST_CASE("wire/close_code: reads payloads [RFC 6455 §5.5.1]") {
    struct payload_vector {
        char const* name;
        std::string payload;
        error failure;
        std::uint16_t code;
        std::string reason;
    };
    payload_vector const vectors[] = {
        {"empty", "", error::none, 1005, ""},
        {"one byte", from_hex("03"), error::bad_close_payload, 77, "kept"},
        {"code", from_hex("03 e8"), error::none, 1000, ""},
        {"code and reason", from_hex("03 e9") + "bye", error::none, 1001, "bye"},
        {"application's code", from_hex("13 87"), error::none, 4999, ""},
        {"code 1005", from_hex("03 ed"), error::bad_close_code, 77, "kept"},
        {"code 5000", from_hex("13 88") + "x", error::bad_close_code, 77, "kept"},
        {"bad reason", from_hex("03 e8 ff"), error::bad_utf8, 77, "kept"},
        {"cut reason", from_hex("03 e8 c3"), error::bad_utf8, 77, "kept"},
    };
    for (auto const& v : vectors) {
        CAPTURE(v.name);
        close_status status{77, "kept"};
        CHECK(parse_close(v.payload, status) == v.failure);
        CHECK(status.code == v.code);
        CHECK(status.reason == v.reason);
    }
}

std::string close_frame(std::uint16_t code, std::string_view reason) {
    std::string out;
    append_close_frame(out, code, reason);
    return out;
}

TEST_CASE("wire/close_code: serialises close frames") {
    CHECK(to_hex(close_frame(1000, "")) == "880203e8");
    CHECK(close_frame(1001, "bye") == from_hex("88 05 03 e9") + "bye");
    CHECK(to_hex(close_frame(1005, "dropped")) == "8800");
    std::string out = "kept";
    append_close_frame(out, close_code::policy_violation, "no");
    CHECK(out == "kept" + from_hex("88 04 03 f0") + "no");
    out.clear();
    append_masked_close_frame(out, 1000, "", {1, 2, 3, 4});
    CHECK(to_hex(out) == "88820102030402ea");
}

TEST_CASE("wire/close_code: cuts a long reason between two code points") {
    auto const reason_of = [](std::string const& frame) { return frame.substr(4); };
    CHECK(reason_of(close_frame(1000, std::string(122, 'r'))) == std::string(122, 'r'));
    CHECK(reason_of(close_frame(1000, std::string(123, 'r'))) == std::string(123, 'r'));
    CHECK(reason_of(close_frame(1000, std::string(124, 'r'))) == std::string(123, 'r'));
    std::string const smile = "\xf0\x9f\x98\x80";
    for (std::size_t before = 117; before <= 126; ++before) {
        CAPTURE(before);
        std::string const letters(before, 'r');
        auto const reason = reason_of(close_frame(1000, letters + smile + letters));
        CHECK(livetape::is_utf8(reason));
        if (before < 119) CHECK(reason.size() == 123);
        if (before == 119) CHECK(reason == letters + smile);
        if (before > 119 && before < 123) CHECK(reason == letters);
        if (before >= 123) CHECK(reason == std::string(123, 'r'));
    }
}

TEST_CASE("wire/close_code: leaves out a reason that is not UTF-8") {
    CHECK(to_hex(close_frame(1000, "\xff")) == "880203e8");
    CHECK(to_hex(close_frame(1000, std::string(300, '\x80'))) == "880203e8");
}

} // namespace
