#include <livetape/wire/query.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace std::string_view_literals;
using livetape::http::append_percent_encoded;
using livetape::http::percent_decode;
using livetape::http::query;

namespace {

using pairs = std::vector<std::pair<std::string_view, std::string_view>>;

} // namespace

TEST_CASE("wire/query: decodes parameters in their order [WHATWG URL 5.1]") {
    struct {
        std::string_view text;
        pairs parameters;
    } const vectors[]{
        {"", {}},
        {"&&", {}},
        {"a=b", {{"a", "b"}}},
        {"a=1&b=2&a=3", {{"a", "1"}, {"b", "2"}, {"a", "3"}}},
        {"&a&&b=&", {{"a", ""}, {"b", ""}}},
        {"=b", {{"", "b"}}},
        {"=", {{"", ""}}},
        {"a=b=c", {{"a", "b=c"}}},
        {"a+b=c+d%2B", {{"a b", "c d+"}}},
        {"%61%3D%26=%c3%A9", {{"a=&", "\xc3\xa9"}}},
        {"a=%00b", {{"a", "\0b"sv}}},
        {"a=b;c=d", {{"a", "b;c=d"}}},
        {"a=?/:@", {{"a", "?/:@"}}},
    };
    for (auto const& v : vectors) {
        CAPTURE(v.text);
        auto const parsed = query::parse(v.text);
        REQUIRE(parsed.has_value());
        CHECK(parsed->size() == v.parameters.size());
        CHECK(parsed->empty() == v.parameters.empty());
        pairs found;
        for (auto const parameter : *parsed) found.emplace_back(parameter.name, parameter.value);
        CHECK((found == v.parameters));
    }
}

TEST_CASE("wire/query: refuses malformed escapes [RFC 3986 2.1]") {
    for (auto const text : {"%"sv, "a=%"sv, "a=%4"sv, "a%4=b"sv, "a=%4g"sv, "a=%g4"sv,
                            "a=b&c=%%41"sv, "%+1=a"sv, "a=%u0041"sv, "a=1%&2"sv}) {
        CAPTURE(text);
        CHECK_FALSE(query::parse(text).has_value());
    }
}

TEST_CASE("wire/query: looks up the first parameter and counts all") {
    auto const parsed = query::parse("channel=a&mode=latest&channel=b&empty");
    REQUIRE(parsed.has_value());
    CHECK(parsed->get("channel") == std::optional{"a"sv});
    CHECK(parsed->get("empty") == std::optional{""sv});
    CHECK_FALSE(parsed->get("Channel").has_value());
    CHECK(parsed->count("channel") == 2);
    CHECK(parsed->count("none") == 0);
    CHECK((*parsed)[2].value == "b");
}

TEST_CASE("wire/query: stays valid when it is moved") {
    auto parsed = query::parse("a=b");
    REQUIRE(parsed.has_value());
    query const moved = std::move(*parsed);
    CHECK(moved.get("a") == std::optional{"b"sv});
    CHECK(query{}.empty());
}

TEST_CASE("wire/query: bounds the number of parameters") {
    CHECK(query::parse("a&b", 3).has_value());
    CHECK(query::parse("a&b&&c&", 3).has_value());
    CHECK_FALSE(query::parse("a&b&c&d", 3).has_value());
    std::string most;
    for (std::size_t i = 0; i < query::parameters_max_default; ++i) most += "a&";
    CHECK(query::parse(most).has_value());
    CHECK_FALSE(query::parse(most + "a").has_value());
}

TEST_CASE("wire/query: decodes paths, where a plus is a plus [RFC 3986 2.1]") {
    std::string out = "x";
    CHECK(percent_decode("/a+b%20c%2f", out));
    CHECK(out == "x/a+b c/");
    CHECK_FALSE(percent_decode("abc%2", out));
    CHECK(out == "x/a+b c/");
    CHECK(percent_decode("", out));
    CHECK(out == "x/a+b c/");
}

TEST_CASE("wire/query: encodes all but the unreserved characters, and back [RFC 3986 2.3]") {
    std::string out;
    append_percent_encoded(out, "aZ09-._~ /+%\xff");
    CHECK(out == "aZ09-._~%20%2F%2B%25%FF");

    std::string bytes;
    for (int c = 0; c < 256; ++c) bytes.push_back(static_cast<char>(static_cast<unsigned char>(c)));
    std::string encoded, decoded;
    append_percent_encoded(encoded, bytes);
    CHECK(percent_decode(encoded, decoded));
    CHECK(decoded == bytes);
    auto const parsed = query::parse(encoded + "=" + encoded);
    REQUIRE(parsed.has_value());
    CHECK(parsed->get(bytes) == std::optional<std::string_view>{bytes});
}

TEST_CASE("wire/query: appends parameters that are read back [RFC 3986 2.1]") {
    std::string target = "/live/poll";
    livetape::http::append_parameter(target, "channel", "a,b");
    CHECK(target == "/live/poll?channel=a%2Cb");
    livetape::http::append_parameter(target, "cursor", "a~e-1!b~f-2");
    livetape::http::append_parameter(target, "empty", "");
    auto const parsed = query::parse(target.substr(target.find('?') + 1));
    REQUIRE(parsed);
    CHECK(parsed->get("channel") == "a,b");
    CHECK(parsed->get("cursor") == "a~e-1!b~f-2");
    CHECK(parsed->get("empty") == "");
}
