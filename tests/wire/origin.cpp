#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include <livetape/wire/origin.hpp>
#include <livetape/wire/request_head.hpp>

namespace {

using livetape::http::origin_policy;
using livetape::http::request_head;
using livetape::http::same_origin;

request_head request(std::string_view host, std::string_view origin) {
    return {"GET", "/live", {{"Host", host}, {"Origin", origin}}};
}

TEST_CASE("wire/origin: compares Origin with Host [RFC 6454 §4, §7]") {
    struct pair {
        char const* host;
        char const* origin;
        bool is_same;
    };
    constexpr pair pairs[] = {
        {"example.com", "http://example.com", true},
        {"example.com", "https://example.com", true},
        {"example.com:80", "http://example.com", true},
        {"example.com", "http://example.com:80", true},
        {"example.com:443", "https://example.com", true},
        {"example.com", "https://example.com:443", true},
        {"example.com:", "https://example.com", true},
        {"example.com:8080", "http://example.com:8080", true},
        {"Example.COM:8080", "HTTP://example.com:8080", true},
        {"127.0.0.1:9000", "http://127.0.0.1:9000", true},
        {"[::1]:8080", "http://[::1]:8080", true},
        {"[::1]", "http://[::1]:80", true},
        {"localhost:3000", "http://localhost:3000", true},

        {"example.com:443", "http://example.com", false},
        {"example.com:80", "https://example.com", false},
        {"example.com:8080", "http://example.com", false},
        {"example.com", "http://example.com:8080", false},
        {"example.com", "http://example.org", false},
        {"example.com", "http://www.example.com", false},
        {"example.com", "http://example.com.evil.org", false},
        {"example.com", "http://evil.org/example.com", false},
        {"example.com", "http://evil.org?example.com", false},
        {"example.com", "http://user@example.com", false},
        {"example.com", "http://example.com/", false},
        {"example.com", "http://example.com http://evil.org", false},
        {"example.com", "null", false},
        {"null", "null", false},
        {"example.com", "", false},
        {"example.com", "example.com", false},
        {"example.com", "://example.com", false},
        {"example.com", "http://", false},
        {"example.com", "ftp://example.com", false},
        {"abcdef", "chrome-extension://abcdef", false},
        {"", "http://", false},
        {"[::1]", "http://[::2]", false},
        {"example.com:80", "http://example.com:65616", false},
    };
    for (auto const& p : pairs) {
        CAPTURE(p.host);
        CAPTURE(p.origin);
        CHECK(same_origin(request(p.host, p.origin)) == p.is_same);
        CHECK(origin_policy{}.allows(request(p.host, p.origin)) == p.is_same);
    }
}

TEST_CASE("wire/origin: fields that are missing or repeated are no proof") {
    request_head const without{"GET", "/", {{"Host", "a"}}};
    CHECK_FALSE(same_origin(without));
    CHECK(origin_policy{}.allows(without));
    request_head const twice{
        "GET", "/", {{"Host", "a"}, {"Origin", "http://a"}, {"Origin", "http://a"}}};
    CHECK_FALSE(same_origin(twice));
    CHECK_FALSE(origin_policy{}.allows(twice));
    CHECK_FALSE(origin_policy{{"http://a"}}.allows(twice));
    request_head const no_host{"GET", "/", {{"Origin", "http://a"}}};
    CHECK_FALSE(origin_policy{}.allows(no_host));
    request_head const two_hosts{
        "GET", "/", {{"Host", "a"}, {"Host", "a"}, {"Origin", "http://a"}}};
    CHECK_FALSE(origin_policy{}.allows(two_hosts));
}

TEST_CASE("wire/origin: a policy opens to the origins of its list") {
    origin_policy const policy{{"https://app.example.com", "http://localhost:3000", "null"}};
    auto const allows = [&policy](std::string_view origin) {
        return policy.allows(request("api.example.com", origin));
    };
    CHECK(allows("https://api.example.com"));
    CHECK(allows("https://app.example.com"));
    CHECK(allows("https://APP.example.com:443"));
    CHECK(allows("http://localhost:3000"));
    CHECK(allows("null"));
    CHECK_FALSE(allows("http://app.example.com"));
    CHECK_FALSE(allows("https://app.example.com:444"));
    CHECK_FALSE(allows("http://localhost"));
    CHECK_FALSE(allows("http://localhost:3001"));
    CHECK_FALSE(allows("https://evil.example.com"));
    CHECK_FALSE(allows("nothing"));
    CHECK_FALSE(allows(""));
    CHECK_FALSE(origin_policy{{"https://app.example.com"}}.allows(request("a", "null")));
}

TEST_CASE("wire/origin: an extension's pages can be listed, and \"*\" opens to all") {
    origin_policy const listed{{"chrome-extension://abcdef"}};
    CHECK(listed.allows(request("a", "chrome-extension://abcdef")));
    CHECK_FALSE(listed.allows(request("a", "chrome-extension://fedcba")));
    origin_policy const open{{"*"}};
    CHECK(open.allows(request("a", "https://anywhere.example")));
    CHECK(open.allows(request("a", "null")));
    CHECK(open.allows(request("a", "not an origin")));
}

} // namespace
