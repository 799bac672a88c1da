#include <livetape/transport/json_reader.hpp>
#include <livetape/transport/merge_json.hpp>

#include <support/fuzz.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

// Two payloads, the older up to the first line feed: what they merge to is JSON if both are, and
// merging the newer once more changes nothing of what is read: a value that replaced another stands
// as it was written, and loses its spaces, and all but the last of equal names, when it is merged
// into.

namespace {

/// A value as it is read: objects without spaces and with the last of equal names, in their order.
std::string as_read(std::string_view json) {
    std::vector<livetape::detail::json_field> fields;
    if (!livetape::detail::read_fields(json, fields)) return std::string{json};
    std::map<std::string_view, std::string_view> last;
    for (auto const& field : fields) last[field.name] = field.value;
    std::string result = "{";
    for (auto const& [name, value] : last)
        result.append(name).append(":").append(as_read(value)).append(",");
    return result + "}";
}

} // namespace

void livetape::fuzz::run(std::string_view input) {
    auto const end = std::min(input.find('\n'), input.size());
    std::string const older{input.substr(0, end)};
    std::string const newer{input.substr(std::min(end + 1, input.size()))};
    std::string merged = older;
    merge_json_fields(merged, newer);
    if (!detail::is_json(older) || !detail::is_json(newer)) return;
    REQUIRE(detail::is_json(merged));
    std::string again = merged;
    merge_json_fields(again, newer);
    REQUIRE(detail::is_json(again));
    REQUIRE(as_read(again) == as_read(merged));
}
