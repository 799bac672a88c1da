#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <livetape/wire/deflate_parameters.hpp>
#include <livetape/wire/extension.hpp>

namespace {

using namespace livetape::websocket;

std::optional<deflate_parameters> parse(std::string_view value, bool is_response = false) {
    std::vector<extension> found;
    REQUIRE(parse_extensions(value, found));
    REQUIRE(found.size() == 1);
    return parse_deflate_parameters(found.front(), is_response);
}

TEST_CASE("wire/deflate_parameters: answers an offer or declines it [RFC 7692 §7.1]") {
    struct {
        char const* offer;
        deflate_preferences wanted;
        char const* answer; ///< null: declined
    } const cases[] = {
        {"permessage-deflate",
         {},
         "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
        {"permessage-deflate", {false, false}, "permessage-deflate"},
        {"permessage-deflate; client_max_window_bits", {false, false}, "permessage-deflate"},
        {"permessage-deflate; client_max_window_bits",
         {false, false, 15, 10},
         "permessage-deflate; client_max_window_bits=10"},
        {"permessage-deflate; client_max_window_bits",
         {false, false, 15, 8},
         "permessage-deflate; client_max_window_bits=8"},
        {"permessage-deflate; client_max_window_bits=8",
         {false, false},
         "permessage-deflate; client_max_window_bits=8"},
        {"permessage-deflate; client_max_window_bits=12",
         {false, false, 15, 10},
         "permessage-deflate; client_max_window_bits=10"},
        {"permessage-deflate; client_max_window_bits=15",
         {false, false},
         "permessage-deflate; client_max_window_bits=15"},
        {"permessage-deflate", {false, false, 15, 10}, "permessage-deflate"},
        {"permessage-deflate; server_no_context_takeover",
         {false, false},
         "permessage-deflate; server_no_context_takeover"},
        {"permessage-deflate; client_no_context_takeover",
         {false, false},
         "permessage-deflate; client_no_context_takeover"},
        {"permessage-deflate; server_max_window_bits=15",
         {false, false},
         "permessage-deflate; server_max_window_bits=15"},
        {"permessage-deflate; server_max_window_bits=\"12\"",
         {false, false},
         "permessage-deflate; server_max_window_bits=12"},
        {"permessage-deflate; server_max_window_bits=12",
         {true, false},
         "permessage-deflate; server_no_context_takeover; server_max_window_bits=9"},
        {"permessage-deflate; server_max_window_bits=12",
         {false, false, 10},
         "permessage-deflate; server_max_window_bits=10"},
        {"permessage-deflate; server_max_window_bits=9",
         {false, false},
         "permessage-deflate; server_max_window_bits=9"},
        {"permessage-deflate", {false, false, 11}, "permessage-deflate; server_max_window_bits=11"},
        {"permessage-deflate",
         {false, false, 8},
         "permessage-deflate; server_max_window_bits=9"}, // zlib cannot do 8
        {"permessage-deflate; server_max_window_bits=8", {}, nullptr},
    };
    for (auto const& c : cases) {
        CAPTURE(c.offer);
        auto const offer = parse(c.offer);
        REQUIRE(offer);
        auto const answer = answer_deflate_offer(*offer, c.wanted);
        REQUIRE(answer.has_value() == (c.answer != nullptr));
        if (!answer) continue;
        CHECK(format_deflate_extension(*answer) == c.answer);
        CHECK(parse(c.answer, true) == answer);
        CHECK(keeps_deflate_offer(*answer, *offer));
    }
}

TEST_CASE("wire/deflate_parameters: refuses what does not keep the rules [RFC 7692 §7.1]") {
    for (std::string const parameter :
         {"unknown",
          "unknown=1",
          "Server_no_context_takeover",
          "server_no_context_takeover=1",
          "server_no_context_takeover=true",
          "client_no_context_takeover=\"15\"",
          "server_no_context_takeover; server_no_context_takeover",
          "client_no_context_takeover; client_no_context_takeover",
          "server_max_window_bits",
          "server_max_window_bits=7",
          "server_max_window_bits=16",
          "server_max_window_bits=08",
          "server_max_window_bits=015",
          "server_max_window_bits=0",
          "server_max_window_bits=x",
          "server_max_window_bits=10x",
          "server_max_window_bits=+10",
          "server_max_window_bits=-10",
          "server_max_window_bits=1e1",
          "server_max_window_bits=256",
          "server_max_window_bits=266",
          "server_max_window_bits=99999999999999999999",
          "server_max_window_bits=\"08\"",
          "server_max_window_bits=10; server_max_window_bits=10",
          "client_max_window_bits=7",
          "client_max_window_bits=16",
          "client_max_window_bits=09",
          "client_max_window_bits=x",
          "client_max_window_bits; client_max_window_bits",
          "client_max_window_bits; client_max_window_bits=10",
          "client_max_window_bits=10; client_max_window_bits",
          "client_no_context_takeover; server_max_window_bits=10; x"}) {
        CAPTURE(parameter);
        CHECK_FALSE(parse("permessage-deflate; " + parameter));
        CHECK_FALSE(parse("permessage-deflate; " + parameter, true));
    }
    CHECK(parse("permessage-deflate; client_max_window_bits"));
    CHECK_FALSE(parse("permessage-deflate; client_max_window_bits", true));
}

TEST_CASE("wire/deflate_parameters: reads every legal value, quoted or not") {
    for (int bits = 8; bits <= 15; ++bits) {
        auto const text = std::to_string(bits);
        for (auto const& value : {text, '"' + text + '"'}) {
            auto const found = parse("permessage-deflate; server_max_window_bits=" + value +
                                     " ;client_max_window_bits = " + value);
            REQUIRE(found);
            CHECK(found->server_max_window_bits == bits);
            CHECK(found->client_max_window_bits == bits);
            CHECK(found->has_client_max_window_bits);
        }
    }
}

} // namespace
