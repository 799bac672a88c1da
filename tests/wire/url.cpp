#include <livetape/wire/url.hpp>

#include <cstdint>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

using namespace std::string_literals;
using livetape::error;
using livetape::parse_url;
using livetape::resolve_url;
using livetape::url;

namespace {

url parsed(std::string_view text) {
    url found;
    REQUIRE(parse_url(text, found) == error::none);
    return found;
}

} // namespace

TEST_CASE("wire/url: takes URLs of the four schemes apart [RFC 3986 3, RFC 6455 3]") {
    struct {
        std::string_view text;
        std::string_view host;
        std::uint16_t port;
        std::string_view target;
        std::string_view authority;
        bool is_secure;
    } const vectors[]{
        {"ws://example.org", "example.org", 80, "/", "example.org", false},
        {"wss://example.org", "example.org", 443, "/", "example.org", true},
        {"http://example.org/", "example.org", 80, "/", "example.org", false},
        {"https://example.org/", "example.org", 443, "/", "example.org", true},
        {"WS://Example.ORG:8080/a/b?c=d&e", "example.org", 8080, "/a/b?c=d&e", "example.org:8080",
         false},
        {"ws://example.org:80/a", "example.org", 80, "/a", "example.org", false},
        {"wss://example.org:80/", "example.org", 80, "/", "example.org:80", true},
        {"ws://example.org:/", "example.org", 80, "/", "example.org", false},
        {"ws://example.org:65535/", "example.org", 65535, "/", "example.org:65535", false},
        {"ws://example.org?q=1", "example.org", 80, "/?q=1", "example.org", false},
        {"ws://127.0.0.1:9001/", "127.0.0.1", 9001, "/", "127.0.0.1:9001", false},
        {"ws://[::1]:9001/x", "::1", 9001, "/x", "[::1]:9001", false},
        {"wss://[2001:DB8::1]", "2001:db8::1", 443, "/", "[2001:db8::1]", true},
        {"ws://a/b//c/../d?e=/../f%20", "a", 80, "/b//c/../d?e=/../f%20", "a", false},
        {"http://a/b?c#d", "a", 80, "/b?c", "a", false},
        {"http://a#d", "a", 80, "/", "a", false},
    };
    for (auto const& v : vectors) {
        CAPTURE(v.text);
        auto const found = parsed(v.text);
        CHECK(found.host == v.host);
        CHECK(found.port == v.port);
        CHECK(found.target == v.target);
        CHECK(found.authority() == v.authority);
        CHECK(found.is_secure() == v.is_secure);
        CHECK(found.is_websocket() == ((v.text[0] | 0x20) == 'w'));
        CHECK(parsed(found.text()) == found);
    }
    CHECK(parsed("wss://[::1]").host_and_port() == "[::1]:443");
    CHECK(parsed("WS://A:80/b").text() == "ws://a/b");
}

TEST_CASE("wire/url: refuses what is no URL, and says which part [RFC 3986 3, RFC 6455 3]") {
    struct {
        std::string text;
        error failure;
    } const vectors[]{
        {"", error::bad_url_scheme},
        {"example.org", error::bad_url_scheme},
        {"/path", error::bad_url_scheme},
        {"ws:/example.org", error::bad_url_scheme},
        {"://example.org", error::bad_url_scheme},
        {" ws://example.org", error::bad_url_scheme},
        {"ftp://example.org", error::bad_url_scheme},
        {"wsx://example.org", error::bad_url_scheme},
        {"ws://", error::bad_url_authority},
        {"ws:///path", error::bad_url_authority},
        {"ws://:80/", error::bad_url_authority},
        {"ws://user@example.org/", error::bad_url_authority},
        {"ws://user:secret@example.org/", error::bad_url_authority},
        {"ws://@example.org/", error::bad_url_authority},
        {"ws://exa mple.org/", error::bad_url_authority},
        {"ws://ex%61mple.org/", error::bad_url_authority},
        {"ws://b\xc3\xbc"
         "cher.example/",
         error::bad_url_authority},
        {"ws://example.org\\@evil/", error::bad_url_authority},
        {"ws://example.org:0/", error::bad_url_authority},
        {"ws://example.org:65536/", error::bad_url_authority},
        {"ws://example.org:99999999999999999999/", error::bad_url_authority},
        {"ws://example.org:80a/", error::bad_url_authority},
        {"ws://example.org:-1/", error::bad_url_authority},
        {"ws://example.org:80:80/", error::bad_url_authority},
        {"ws://::1/", error::bad_url_authority},
        {"ws://[::1/", error::bad_url_authority},
        {"ws://[::1]x/", error::bad_url_authority},
        {"ws://[::1%25eth0]/", error::bad_url_authority},
        {"ws://[]/", error::bad_url_authority},
        {"ws://[1.2.3.4]/", error::bad_url_authority},
        {"ws://a/b c", error::bad_url_target},
        {"ws://a/\r\nX: y", error::bad_url_target},
        {"ws://a/\0"s, error::bad_url_target},
        {"ws://a/\xc3\xbc", error::bad_url_target},
        {"ws://a/b#", error::bad_url_target},
        {"wss://a/b?c#d", error::bad_url_target},
        {"http://a/b c#d", error::bad_url_target},
    };
    for (auto const& v : vectors) {
        CAPTURE(v.text);
        url found;
        CHECK(parse_url(v.text, found) == v.failure);
    }
}

TEST_CASE("wire/url: resolves references at the place of a URL [RFC 3986 5.4]") {
    struct {
        std::string_view base, reference, result;
    } const vectors[]{
        {"http://a/b/c/d?q", "g", "http://a/b/c/g"},
        {"http://a/b/c/d?q", "./g", "http://a/b/c/g"},
        {"http://a/b/c/d?q", "g/", "http://a/b/c/g/"},
        {"http://a/b/c/d?q", "/g", "http://a/g"},
        {"http://a/b/c/d?q", "//g", "http://g/"},
        {"http://a:81/b/c/d?q", "//g:82?x", "http://g:82/?x"},
        {"http://a/b/c/d?q", "?y", "http://a/b/c/d?y"},
        {"http://a/b/c/d?q", "g?y", "http://a/b/c/g?y"},
        {"http://a/b/c/d?q", "#s", "http://a/b/c/d?q"},
        {"http://a/b/c/d?q", "g?y#s", "http://a/b/c/g?y"},
        {"http://a/b/c/d?q", "", "http://a/b/c/d?q"},
        {"http://a/b/c/d?q", ".", "http://a/b/c/"},
        {"http://a/b/c/d?q", "..", "http://a/b/"},
        {"http://a/b/c/d?q", "../g", "http://a/b/g"},
        {"http://a/b/c/d?q", "../../../g", "http://a/g"},
        {"http://a/b/c/d?q", "/./g", "http://a/g"},
        {"http://a/b/c/d?q", "g.", "http://a/b/c/g."},
        {"http://a/b/c/d?q", "..g", "http://a/b/c/..g"},
        {"http://a/b/c/d?q", "./g/.", "http://a/b/c/g/"},
        {"http://a/b/c/d?q", "g/../h", "http://a/b/c/h"},
        {"http://a/b/c/d?q", "g?y/../x", "http://a/b/c/g?y/../x"},
        {"http://a/b/c/d?q", "https://h/i", "https://h/i"},
        {"ws://a/b", "https://h/i#f", "wss://h/i"},
        {"wss://a/b", "http://h:80/i", "ws://h/i"},
        {"ws://a/b", "wss://h/i", "wss://h/i"},
        {"ws://a:9/b", "/c:d", "ws://a:9/c:d"},
    };
    for (auto const& v : vectors) {
        CAPTURE(v.base);
        CAPTURE(v.reference);
        url found;
        CHECK(resolve_url(parsed(v.base), v.reference, found) == error::none);
        CHECK(found.text() == v.result);
    }
    url found;
    CHECK(resolve_url(parsed("ws://a/"), "g:h", found) == error::bad_url_scheme);
    CHECK(resolve_url(parsed("ws://a/"), "//u@h/", found) == error::bad_url_authority);
    CHECK(resolve_url(parsed("ws://a/"), "/b c", found) == error::bad_url_target);
}
