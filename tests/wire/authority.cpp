#include <livetape/wire/authority.hpp>

#include <string>
#include <string_view>

#include <doctest/doctest.h>

using livetape::http::is_host_and_port;

TEST_CASE("wire/authority: accepts names, addresses and ports [RFC 3986 3.2.2]") {
    for (std::string_view const text : {
             "a",
             "example.com",
             "EXAMPLE.com.",
             "a_b-c~d",
             "a!$&'()*+,;=b",
             "caf%C3%a9",
             "a:80",
             "a:",
             "a:0",
             "a:65535",
             "127.0.0.1",
             "127.0.0.1:8080",
             "999.1.2.3",
             "1",
             "[::]",
             "[::1]",
             "[::1]:443",
             "[1::]",
             "[2001:db8::7]",
             "[2001:DB8:0:0:0:0:0:1]",
             "[1:2:3:4:5:6:7::]",
             "[::2:3:4:5:6:7:8]",
             "[1:2:3:4:5:6:7:8]:",
             "[::ffff:192.0.2.1]",
             "[1:2:3:4:5:6:1.2.3.4]",
             "[1::5:1.2.3.4]",
             "[::255.255.255.255]",
         }) {
        CAPTURE(text);
        CHECK(is_host_and_port(text));
    }
}

TEST_CASE("wire/authority: refuses what is no host with a port [RFC 3986 3.2.2]") {
    for (std::string_view const text : {
             "",
             ":80",
             " a",
             "a b",
             "a/b",
             "a?b",
             "a#b",
             "u@a",
             "u:p@a",
             "a,b:80 ",
             "a\\b",
             "a\"b",
             "a%",
             "a%4",
             "a%4g",
             "a%g4",
             "caf\xc3\xa9",
             "a:80:90",
             "a:-1",
             "a:+1",
             "a:65536",
             "a:080",
             "a:000080",
             "a:8o",
             "::1",
             "[",
             "[]",
             "[::1",
             "::1]",
             "[::1]x",
             "[::1]80",
             "[::1]:x",
             "[1]",
             "[:]",
             "[:::]",
             "[:1]",
             "[1:]",
             "[1:2:3:4:5:6:7]",
             "[1:2:3:4:5:6:7:8:9]",
             "[1:2:3:4:5:6:7:8::]",
             "[1::2::3]",
             "[1::2:3:4:5:6:7:8]",
             "[12345::]",
             "[g::]",
             "[::1%25eth0]",
             "[::1.2.3]",
             "[::1.2.3.4.5]",
             "[::1.2.3.256]",
             "[::01.2.3.4]",
             "[1.2.3.4]",
             "[1:2:3:4:5:6:7:1.2.3.4]",
             "[::2:3:4:5:6:7:1.2.3.4]",
             "[::1.2.3.4:5]",
             "[v1.a]",
         }) {
        CAPTURE(text);
        CHECK_FALSE(is_host_and_port(text));
    }
    CHECK_FALSE(is_host_and_port(std::string_view{"a\0b", 3}));
}
