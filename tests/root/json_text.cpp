#include <livetape/json_text.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

using namespace std::string_view_literals;

namespace {

std::string json_string(std::string_view text) {
    std::string out;
    livetape::append_json_string(out, text);
    return out;
}

std::string number(std::uint64_t value) {
    std::string out;
    livetape::append_number(out, value);
    return out;
}

} // namespace

TEST_CASE("root/json_text: escapes what a JSON string must not hold [RFC 8259 7]") {
    struct {
        std::string_view text;
        std::string_view json;
    } const vectors[]{
        {"", R"("")"},
        {"plain", R"("plain")"},
        {R"(")", R"("\"")"},
        {R"(\)", R"("\\")"},
        {R"(a"b\c)", R"("a\"b\\c")"},
        {"\b\f\n\r\t", R"("\b\f\n\r\t")"},
        {"a\0b"sv, R"("a\u0000b")"},
        {"\x01\x0f\x10\x1f", R"("\u0001\u000f\u0010\u001f")"},
        {"\x7f/", "\"\x7f/\""},
        {"caf\xc3\xa9 \xf0\x9f\x8e\x89", "\"caf\xc3\xa9 \xf0\x9f\x8e\x89\""},
    };
    for (auto const& v : vectors) {
        CAPTURE(v.json);
        CHECK(json_string(v.text) == v.json);
    }
}

TEST_CASE("root/json_text: leaves no control character in any string") {
    for (int c = 0; c < 0x20; ++c) {
        auto const json = json_string(std::string(3, static_cast<char>(c)));
        for (char const escaped : json) CHECK(static_cast<unsigned char>(escaped) >= 0x20);
    }
}

TEST_CASE("root/json_text: appends after what is there") {
    std::string out = "[1,";
    livetape::append_json_string(out, "a");
    out.push_back(',');
    livetape::append_number(out, 23);
    CHECK(out == R"([1,"a",23)");
}

TEST_CASE("root/json_text: writes numbers in decimal") {
    CHECK(number(0) == "0");
    CHECK(number(10) == "10");
    CHECK(number(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
}
