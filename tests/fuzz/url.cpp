#include <livetape/wire/request_parser.hpp>
#include <livetape/wire/url.hpp>

#include <support/fuzz.hpp>

#include <string>
#include <string_view>

// A URL, written in its normal form and read again; the second line as a reference at its place;
// and whatever comes out can stand in a request.

namespace {

using namespace livetape;

void check(url const& found) {
    REQUIRE(found.port != 0);
    REQUIRE(!found.host.empty());
    REQUIRE(found.target.starts_with('/'));
    REQUIRE(found.target.find('#') == std::string::npos);
    url again;
    REQUIRE(parse_url(found.text(), again) == error::none);
    REQUIRE((again == found));

    auto const request =
        "GET " + found.target + " HTTP/1.1\r\nHost: " + found.authority() + "\r\n\r\n";
    http::request_parser parser{{1 << 20, 1 << 20, 9}};
    std::string_view rest{request};
    REQUIRE(parser.feed(rest) == parse_status::done);
    REQUIRE(parser.head().target() == found.target);
    REQUIRE(http::is_host_and_port(found.host_and_port()));
}

} // namespace

void livetape::fuzz::run(std::string_view input) {
    auto const line = take_line(input);
    url base;
    if (parse_url(line, base) != error::none) return;
    check(base);

    auto const reference = take_line(input);
    url found;
    if (resolve_url(base, reference, found) != error::none) return;
    check(found);
    REQUIRE(found.is_websocket() == (base.is_websocket() || found.is_websocket()));
    auto const path = std::string_view{found.target}.substr(0, found.target.find('?'));
    bool const is_whole = reference.find("://") != std::string_view::npos;
    if (!reference.empty() && reference.front() != '?' && !is_whole)
        REQUIRE(path.find("/../") == std::string_view::npos);
    // What was resolved is a reference to itself.
    url same;
    REQUIRE(resolve_url(found, found.text(), same) == error::none);
    REQUIRE((same == found));
}
