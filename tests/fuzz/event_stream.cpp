#include <livetape/wire/sse_block.hpp>
#include <livetape/wire/sse_parser.hpp>

#include <support/fuzz.hpp>

#include <compare>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

// An event stream in pieces, against the algorithm of WHATWG HTML §9.2.6 spelled out over a whole
// text; and any data, written as a block and read back.

namespace {

using namespace livetape;

struct received_event {
    std::string type, data, id;
    friend bool operator==(received_event const&, received_event const&) = default;
};

struct outcome {
    std::vector<received_event> events;
    std::string last_event_id;
    friend bool operator==(outcome const&, outcome const&) = default;
};

/// The text with LF for every line end.
std::string with_line_feeds(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\n' && i > 0 && text[i - 1] == '\r') continue;
        out += text[i] == '\r' ? '\n' : text[i];
    }
    return out;
}

outcome read_by_definition(std::string_view stream) {
    if (stream.starts_with("\xEF\xBB\xBF")) stream.remove_prefix(3);
    auto const text = with_line_feeds(stream);
    std::string_view rest{text};
    outcome result;
    std::string data, type, id;
    while (rest.find('\n') != std::string_view::npos) {
        auto const line = fuzz::take_line(rest);
        if (line.empty()) {
            result.last_event_id = id;
            if (!data.empty()) {
                data.pop_back();
                result.events.push_back({type.empty() ? "message" : type, data, id});
            }
            data.clear();
            type.clear();
            continue;
        }
        auto const colon = std::min(line.find(':'), line.size());
        auto value = line.substr(std::min(colon + 1, line.size()));
        if (value.starts_with(' ')) value.remove_prefix(1);
        auto const name = line.substr(0, colon);
        if (name == "data") data.append(value) += '\n';
        if (name == "event") type = value;
        if (name == "id" && value.find('\0') == std::string_view::npos) id = value;
    }
    return result;
}

outcome read(fuzz::cutting how, std::string_view stream, sse::parser& parser) {
    outcome result;
    how.feed(stream, [&](auto piece) {
        std::string_view rest{piece.data(), piece.size()};
        sse::event found;
        while (parser.next(rest, found) == parse_status::done)
            result.events.push_back({std::string{found.type}, std::string{found.data},
                                     std::string{found.last_event_id}});
        if (parser.failure() == error::none) REQUIRE(rest.empty());
        return parser.failure() == error::none;
    });
    result.last_event_id = parser.last_event_id();
    return result;
}

} // namespace

void livetape::fuzz::run(std::string_view input) {
    auto const result = same_in_pieces(input, [&](cutting how) {
        sse::parser parser;
        return read(how, input, parser);
    });
    REQUIRE((result == read_by_definition(input)));

    same_in_pieces(input, [&](cutting how) {
        sse::parser parser{{.line_bytes_max = 12, .data_bytes_max = 20}};
        auto limited = read(how, input, parser);
        for (auto const& event : limited.events) REQUIRE(event.data.size() <= 20);
        return std::pair{limited, parser.failure()};
    });

    std::string block;
    sse::append_comment(block, input);
    sse::append_block(block, {.data = input, .id = "7", .event = "tick"});
    auto const expected = outcome{{{"tick", with_line_feeds(input), "7"}}, "7"};
    sse::parser parser;
    REQUIRE((read(cutting{cutting::kind::random, input}, block, parser) == expected));
}
