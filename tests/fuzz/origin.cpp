#include <livetape/wire/origin.hpp>

#include <support/fuzz.hpp>

#include <arpa/inet.h>

#include <string>
#include <string_view>

// Hosts against the system's reading of IP addresses; and the first line as Origin against the
// second as Host.

namespace {

using namespace livetape;

bool is_address(int family, std::string const& text) {
    unsigned char bytes[16];
    return text.find('\0') == std::string::npos && inet_pton(family, text.c_str(), bytes) == 1;
}

void check_host(std::string const& host) {
    REQUIRE(http::detail::is_ipv6_address(host) == is_address(AF_INET6, host));
    REQUIRE(http::detail::is_ipv4_address(host) == is_address(AF_INET, host));
    REQUIRE(http::is_host_and_port("[" + host + "]") == is_address(AF_INET6, host));
    if (!http::is_host_and_port(host)) return;
    REQUIRE(!host.empty());
    REQUIRE(host.find_first_of(std::string_view{" \t\r\n\0/?#@\\", 10}) == std::string::npos);
    bool const has_port = host.find(':', host.front() == '[' ? host.find(']') : 0) != host.npos;
    REQUIRE(http::is_host_and_port(host + ":65535") == !has_port);
    REQUIRE(!http::is_host_and_port(host + ":65536"));
    REQUIRE(!http::is_host_and_port("user@" + host));
}

} // namespace

void livetape::fuzz::run(std::string_view input) {
    std::string const origin{http::trim_whitespace(take_line(input))};
    std::string const host{http::trim_whitespace(take_line(input))};
    check_host(host);

    auto const ask = [](std::string_view o, std::string_view h) {
        return http::request_head{"GET", "/", {{"Origin", o}, {"Host", h}}};
    };
    bool const is_same = http::same_origin(ask(origin, host));
    REQUIRE(http::origin_policy{}.allows(ask(origin, host)) == is_same);
    REQUIRE(http::origin_policy{{"*"}}.allows(ask(origin, host)));
    if (http::detail::parse_origin(origin))
        REQUIRE(http::origin_policy{{origin}}.allows(ask(origin, "other")));
    if (!is_same) return;
    // The host of an origin is the text behind its scheme, but for case and a default port.
    REQUIRE(http::is_host_and_port(host));
    auto const authority = origin.substr(origin.find("://") + 3);
    REQUIRE(http::same_origin(ask("http://" + authority, authority)));
    REQUIRE(http::same_origin(ask("HTTPS://" + host, host)));
    REQUIRE(!http::same_origin(ask(origin, "x" + host)));
}
