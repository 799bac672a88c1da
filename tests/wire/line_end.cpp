#include <livetape/wire/line_end.hpp>

#include <cstddef>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using livetape::sse::detail::find_line_end;

TEST_CASE("wire/line_end: finds the first CR or LF at every place") {
    for (std::size_t size = 0; size < 40; ++size) {
        // Neighbours in value and a high bit, which word arithmetic might confuse with a line end.
        std::string const neighbours = "\x0b\x0c\x0e\x09\x8a\x8d\xff";
        std::vector<char> text(size);
        for (std::size_t i = 0; i < size; ++i) text[i] = neighbours[i % neighbours.size()];
        CHECK(find_line_end({text.data(), size}) == std::string_view::npos);
        for (std::size_t position = 0; position < size; ++position) {
            for (char const end : {'\r', '\n'}) {
                auto copy = text;
                copy[position] = end;
                copy.back() = '\n';
                CHECK(find_line_end({copy.data(), size}) == position);
            }
        }
    }
}
