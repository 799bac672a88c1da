#include <livetape/wire/query.hpp>

#include <support/fuzz.hpp>

#include <cstddef>
#include <string>
#include <string_view>

// A query string, written again from what was read; any bytes, percent-encoded and back; and the
// decoder of paths beside the definition.

namespace {

using namespace livetape;

std::string to_text(http::query const& query) {
    std::string text;
    for (auto const [name, value] : query) {
        if (!text.empty()) text += '&';
        http::append_percent_encoded(text, name);
        text += '=';
        http::append_percent_encoded(text, value);
    }
    return text;
}

} // namespace

void livetape::fuzz::run(std::string_view input) {
    std::string encoded, decoded;
    http::append_percent_encoded(encoded, input);
    REQUIRE(encoded.size() <= 3 * input.size());
    REQUIRE(http::percent_decode(encoded, decoded));
    REQUIRE(decoded == input);

    decoded = "kept";
    bool const is_well_formed = http::percent_decode(input, decoded);
    REQUIRE(decoded.starts_with("kept"));
    REQUIRE(decoded.size() <= 4 + input.size());
    if (!is_well_formed) REQUIRE(decoded == "kept");
    REQUIRE((is_well_formed || input.find('%') != std::string_view::npos));

    constexpr std::size_t parameters_max = 8;
    auto const query = http::query::parse(input, parameters_max);
    if (!query) return;
    REQUIRE(query->size() <= parameters_max);
    std::size_t bytes = 0;
    for (auto const [name, value] : *query) {
        bytes += name.size() + value.size();
        REQUIRE(query->count(name) >= 1);
        REQUIRE(query->get(name).has_value());
    }
    REQUIRE(bytes <= input.size());
    auto const text = to_text(*query);
    auto const again = http::query::parse(text, parameters_max);
    REQUIRE(again.has_value());
    REQUIRE(to_text(*again) == text);
    REQUIRE(again->size() == query->size());
}
