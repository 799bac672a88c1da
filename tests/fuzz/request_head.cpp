#include <livetape/wire/field_list.hpp>
#include <livetape/wire/request_parser.hpp>

#include <support/fuzz.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>

// A request head in pieces, within its limits, and through the parser a second time.

namespace {

using namespace livetape;

/// The head as it would be sent.
std::string to_text(http::request_head const& head) {
    std::string text{head.method()};
    text.append(" ")
        .append(head.target())
        .append(head.minor_version() == 1 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
    for (std::size_t i = 0; i < head.field_count(); ++i)
        text.append(head.field_at(i).name).append(":").append(head.field_at(i).value) += "\r\n";
    return text += "\r\n";
}

void check(http::request_head const& head, http::head_limits limits) {
    REQUIRE(http::is_token(head.method()));
    REQUIRE(head.target().size() <= limits.target_bytes_max);
    REQUIRE(head.field_count() <= limits.fields_max);
    REQUIRE((head.path() == "*" || head.path().starts_with('/')));
    REQUIRE(head.count("Host") == (head.minor_version() == 1 ? 1 : head.count("host")));
    REQUIRE((head.authority().empty() || http::is_host_and_port(head.authority())));
    for (std::size_t i = 0; i < head.field_count(); ++i) {
        auto const [name, value] = head.field_at(i);
        REQUIRE(http::is_token(name));
        REQUIRE(http::is_field_value(value));
        REQUIRE(http::trim_whitespace(value) == value);
        REQUIRE(value.find_first_of(std::string_view{"\0\r\n", 3}) == std::string_view::npos);
        REQUIRE(head.count(name) >= 1);
    }
    static_cast<void>(http::keep_alive(head));
}

void check_with(http::head_limits limits, std::string_view input) {
    auto const [failure, text, taken] = fuzz::same_in_pieces(input, [&](fuzz::cutting how) {
        http::request_parser parser{limits};
        std::size_t bytes_taken = 0;
        auto status = parse_status::need_more;
        how.feed(input, [&](auto piece) {
            std::string_view rest{piece.data(), piece.size()};
            status = parser.feed(rest);
            bytes_taken += piece.size() - rest.size();
            REQUIRE((status != parse_status::need_more || rest.empty()));
            return status == parse_status::need_more;
        });
        REQUIRE((parser.failure() != error::none) == (status == parse_status::failed));
        // Where it fails is not the same: a line in pieces is refused before its end.
        if (status != parse_status::done)
            return std::tuple{parser.failure(), std::string{}, std::size_t{0}};
        check(parser.head(), limits);
        REQUIRE(bytes_taken <= limits.head_bytes_max);
        return std::tuple{error::none, to_text(parser.release()), bytes_taken};
    });
    if (text.empty()) return;

    REQUIRE(text.size() <= taken);
    http::request_parser again{limits};
    auto const trailing = text + "x";
    std::string_view rest{trailing};
    REQUIRE(again.feed(rest) == parse_status::done);
    REQUIRE(rest == "x");
    REQUIRE(to_text(again.head()) == text);
}

} // namespace

void livetape::fuzz::run(std::string_view input) {
    check_with({}, input);
    check_with({.head_bytes_max = 100, .target_bytes_max = 20, .fields_max = 3}, input);
}
