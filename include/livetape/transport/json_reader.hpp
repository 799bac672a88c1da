#pragma once

#include <string_view>

#include <simdjson.h>

namespace livetape::detail {

/// The parser of this thread: it keeps its buffers between documents, so that a session needs none.
inline simdjson::dom::parser& json_parser() {
    thread_local simdjson::dom::parser parser;
    return parser;
}

/// Whether the text is exactly one JSON value (RFC 8259) with numbers that fit 64 bits or a double.
[[nodiscard]] inline bool is_json(std::string_view text) {
    simdjson::dom::element ignored;
    // The parser copies its input, also when there is none to copy from.
    if (text.empty()) return false;
    return json_parser().parse(text.data(), text.size()).get(ignored) == simdjson::SUCCESS;
}

} // namespace livetape::detail
