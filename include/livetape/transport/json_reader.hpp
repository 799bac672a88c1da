#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <livetape/wire/json_number.hpp>

#include <simdjson.h>

namespace livetape::detail {

/// The parser of this thread: it keeps its buffers between documents, so that a session needs none.
inline simdjson::dom::parser& json_parser() {
    thread_local simdjson::dom::parser parser;
    return parser;
}

/// The text with `{}` and spaces in the place of each number that fits neither 64 bits nor a
/// double. RFC 8259 §6 sets no limit, and a payload is passed on with its digits; an empty object
/// is what no field of a command may be.
[[nodiscard]] inline std::string without_large_numbers(std::string_view text) {
    // 1e309 is the shortest that does not fit.
    constexpr std::size_t large_size_min = 5;
    std::string tamed{text};
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] == '"') {
            for (++at; at < text.size() && text[at] != '"'; ++at)
                if (text[at] == '\\') ++at;
            ++at;
            continue;
        }
        auto const end = text.find_first_of("\"{}[]:, \t\r\n", at);
        auto const word = text.substr(at, end - at);
        simdjson::dom::element ignored;
        if (word.size() >= large_size_min && is_json_number(word) &&
            is_number_error(json_parser().parse(word.data(), word.size()).get(ignored)))
            tamed.replace(at, word.size(), "{}" + std::string(word.size() - 2, ' '));
        at += word.empty() ? 1 : word.size();
    }
    return tamed;
}

/// Parses into this thread's parser; a number that does not fit is no mistake of the text's, and
/// reads as an empty object.
[[nodiscard]] inline simdjson::simdjson_result<simdjson::dom::element>
parse_json(std::string_view text) {
    // The parser copies its input, also when there is none to copy from.
    if (text.empty()) return simdjson::EMPTY;
    auto const whole = json_parser().parse(text.data(), text.size());
    if (!is_number_error(whole.error())) return whole;
    auto const tamed = without_large_numbers(text);
    return json_parser().parse(tamed);
}

/// Whether the text is exactly one JSON value (RFC 8259), with numbers of any size. Half of a
/// surrogate pair is refused: its readers could not make text of it.
[[nodiscard]] inline bool is_json(std::string_view text) {
    return parse_json(text).error() == simdjson::SUCCESS;
}

/// What is wrong with a text that was refused, for a person.
[[nodiscard]] inline std::string json_fault(simdjson::error_code code) {
    if (code == simdjson::DEPTH_ERROR)
        return "it nests deeper than " + std::to_string(json_parser().max_depth()) + " levels";
    return simdjson::error_message(code);
}

} // namespace livetape::detail
