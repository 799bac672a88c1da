#include <livetape/transport/json_reader.hpp>
#include <livetape/transport/merge_json.hpp>

#include <support/fuzz.hpp>

#include <algorithm>
#include <string>
#include <string_view>

// Two payloads, the older up to the first line feed: what they merge to is JSON if both are, and
// merging the newer once more changes nothing but spaces.

void livetape::fuzz::run(std::string_view input) {
    auto const end = std::min(input.find('\n'), input.size());
    std::string const older{input.substr(0, end)};
    std::string const newer{input.substr(std::min(end + 1, input.size()))};
    std::string merged = older;
    merge_json_fields(merged, newer);
    if (!detail::is_json(older) || !detail::is_json(newer)) return;
    REQUIRE(detail::is_json(merged));
    // What replaced the older one stands as it was written; its spaces go when it is merged into.
    merge_json_fields(merged, newer);
    REQUIRE(detail::is_json(merged));
    std::string again = merged;
    merge_json_fields(again, newer);
    REQUIRE(again == merged);
}
