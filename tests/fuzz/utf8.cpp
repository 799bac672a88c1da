#include <livetape/wire/utf8.hpp>

#include <support/fuzz.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

// The validator against the definition of RFC 3629 §3, spelled out.

namespace {

bool is_utf8_by_definition(std::string_view text) {
    while (!text.empty()) {
        auto const byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
        unsigned const lead = byte(0);
        std::size_t const size = lead < 0x80         ? 1
                                 : (lead >> 5) == 6  ? 2
                                 : (lead >> 4) == 14 ? 3
                                 : (lead >> 3) == 30 ? 4
                                                     : 0;
        if (size == 0 || size > text.size()) return false;
        std::uint32_t code_point = size == 1 ? lead : lead & (0x7Fu >> size);
        for (std::size_t i = 1; i < size; ++i) {
            if ((byte(i) & 0xC0u) != 0x80) return false;
            code_point = code_point << 6 | (byte(i) & 0x3Fu);
        }
        constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
        bool const is_surrogate = code_point >= 0xD800 && code_point < 0xE000;
        if (code_point < smallest[size] || code_point > 0x10FFFF || is_surrogate) return false;
        text.remove_prefix(size);
    }
    return true;
}

/// Whether some bytes behind the text make it valid. One of these stands in each range that a
/// second byte may have to lie in.
bool can_be_completed(std::string const& text, int bytes_left = 3) {
    if (is_utf8_by_definition(text)) return true;
    if (bytes_left == 0) return false;
    for (auto const* next : {"\x80", "\x90", "\xA0"})
        if (can_be_completed(text + next, bytes_left - 1)) return true;
    return false;
}

} // namespace

void livetape::fuzz::run(std::string_view input) {
    auto const [has_failed, is_complete] = same_in_pieces(input, [&](cutting how) {
        utf8_validator validator;
        bool goes_on = true;
        how.feed(input, [&](auto piece) {
            return goes_on = validator.feed({piece.data(), piece.size()});
        });
        return std::pair{!goes_on, validator.is_complete()};
    });
    REQUIRE(is_complete == is_utf8_by_definition(input));
    REQUIRE(is_utf8(input) == is_complete);
    if (input.size() <= 64) REQUIRE(has_failed != can_be_completed(std::string{input}));
}
