#include <livetape/channel/cursor.hpp>

#include <support/fuzz.hpp>

#include <cstddef>
#include <string>
#include <string_view>

// A cursor that was understood, written again, is the same cursor.

namespace {

using namespace livetape;

/// Writes what a cursor that was read from `text` says; the channels are named in the text alone.
std::string to_text(cursor const& read, std::string_view text) {
    std::string out;
    if (read.is_unnamed()) {
        append_position(out, *read.find("any"));
        return out;
    }
    while (!text.empty()) {
        auto const part = text.substr(0, text.find('!'));
        text.remove_prefix(std::min(part.size() + 1, text.size()));
        auto const name = part.substr(0, part.find('~'));
        REQUIRE(is_channel_name(name));
        REQUIRE(read.find(name).has_value());
        append_named_position(out, name, *read.find(name));
    }
    return out;
}

} // namespace

void livetape::fuzz::run(std::string_view input) {
    if (auto const at = parse_position(input)) {
        std::string text;
        append_position(text, *at);
        REQUIRE(text.size() <= input.size());
        REQUIRE(parse_position(text) == at);
    }

    constexpr std::size_t channels_max = 4;
    auto const read = cursor::parse(input, channels_max);
    if (!read) return;
    REQUIRE((read->what() == cursor::kind::none) == input.empty());
    if (read->what() != cursor::kind::positions) return;
    auto const text = to_text(*read, input);
    auto const again = cursor::parse(text, channels_max);
    REQUIRE(again.has_value());
    REQUIRE(to_text(*again, text) == text);
}
