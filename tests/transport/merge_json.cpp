#include <livetape/transport/json_reader.hpp>
#include <livetape/transport/merge_json.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace {

using namespace livetape;

std::string merged(std::string older, std::string_view newer) {
    merge_json_fields(older, newer);
    return older;
}

/// A value of at most that depth over few names, so that objects meet.
std::string random_value(std::mt19937_64& random, int depth) {
    auto const kind = random() % (depth > 0 ? 8 : 4);
    if (kind == 0) return "null";
    if (kind == 1) return std::to_string(random() % 100);
    if (kind == 2) return R"("},:[\"")";
    if (kind == 3) return R"([{"a":1},"]"])";
    std::string object = "{";
    for (std::string const name : {"a", "b", "c", "d"}) {
        if (random() % 2 == 0) continue;
        if (object.size() > 1) object += ',';
        object += '"' + name + "\":" + random_value(random, depth - 1);
    }
    return object + '}';
}

} // namespace

TEST_CASE("transport/merge_json: objects merge field by field, all else is replaced") {
    struct vector {
        std::string_view older, newer, result;
    };
    for (auto const& v : {
             vector{R"({"a":1})", R"({"b":2})", R"({"a":1,"b":2})"},
             vector{R"({"a":1,"b":2})", R"({"a":3})", R"({"a":3,"b":2})"},
             vector{R"({"a":{"x":1,"y":2}})", R"({"a":{"y":3,"z":4}})",
                    R"({"a":{"x":1,"y":3,"z":4}})"},
             // A merge patch would remove the field (RFC 7396); here null is a value like others.
             vector{R"({"a":1})", R"({"a":null})", R"({"a":null})"},
             vector{R"({"a":[1,2]})", R"({"a":[3]})", R"({"a":[3]})"},
             vector{R"({"a":{"x":1}})", R"({"a":2})", R"({"a":2})"},
             vector{R"({"a":2})", R"({"a":{"x":1}})", R"({"a":{"x":1}})"},
             vector{R"({})", R"({})", R"({})"},
             vector{R"({})", R"({"a":1.50})", R"({"a":1.50})"},
             vector{R"({"a":1e2})", R"({})", R"({"a":1e2})"},
             vector{" { \"a\" : [ 1 , {\"b\":\"]\"} ] , \"c\" : -0.0 } ",
                    "{\"c\"\n:\t9007199254740993}",
                    R"({"a":[ 1 , {"b":"]"} ],"c":9007199254740993})"},
             vector{R"({"a\"}":1,"\\":2})", R"({"a\"}":3})", R"({"a\"}":3,"\\":2})"},
             vector{R"({"a":1})", "7", "7"},
             vector{"7", R"({"a":1})", R"({"a":1})"},
             // Who reads a name that stands twice takes the last.
             vector{R"({"a":1})", R"({"b":1,"b":2})", R"({"a":1,"b":2})"},
             vector{R"({"a":{"x":1},"a":2})", R"({"a":{"y":3}})",
                    R"({"a":{"x":1,"y":3},"a":{"y":3}})"},
         }) {
        CAPTURE(v.older);
        CAPTURE(v.newer);
        CHECK(merged(std::string{v.older}, v.newer) == v.result);
    }
}

TEST_CASE(
    "transport/merge_json: what is no JSON object is replaced, and nothing is read beyond it") {
    for (std::string_view const whole :
         {R"({"a":{"b":[1,"x\"}"]},"c":null})", R"({"a\\":"\u0041"} )"}) {
        for (std::size_t size = 0; size + 2 < whole.size(); ++size) {
            // A string of its own, so that a sanitizer sees what reads on.
            std::string const cut{whole.substr(0, size)};
            CHECK(merged(R"({"z":1})", cut) == cut);
            CHECK(merged(cut, R"({"z":1})") == R"({"z":1})");
        }
    }
    for (auto const* wrong : {"{,}", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1 2}", "{\"a\":1}}",
                              "{]", "{\"a\":1,}", "}", "{\"a\"\"b\":1}"})
        CHECK(merged(R"({"z":1})", wrong) == wrong);
    // No stack is at the mercy of what was published.
    std::string deep;
    for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
    deep += '1' + std::string(100'000, '}');
    CHECK((merged(deep, deep) == deep));
}

TEST_CASE(
    "transport/merge_json: what is merged is JSON, and merging it once more changes nothing") {
    auto const seed = std::uint64_t{20261124};
    CAPTURE(seed);
    std::mt19937_64 random{seed};
    for (int i = 0; i < 20'000; ++i) {
        auto const a = random_value(random, 4);
        auto const b = random_value(random, 4);
        auto const c = random_value(random, 4);
        auto const one_by_one = merged(merged(a, b), c);
        CHECK(detail::is_json(one_by_one));
        CHECK(merged(one_by_one, c) == one_by_one);
    }
}
