#include <livetape/wire/body_framing.hpp>

#include <cstdint>
#include <string_view>

#include <doctest/doctest.h>

using livetape::error;
using livetape::http::body_framing;
using livetape::http::read_body_framing;
using livetape::http::request_head;

TEST_CASE("wire/body_framing: reads how a body is delimited [RFC 9112 6.3]") {
    body_framing framing{.is_chunked = true, .length = 5};
    CHECK(read_body_framing(request_head{"GET", "/"}, framing) == error::none);
    CHECK_FALSE(framing.is_chunked);
    CHECK(framing.length == 0);

    request_head const chunked{"POST", "/", {{"transfer-encoding", "CHUNKED"}}};
    CHECK(read_body_framing(chunked, framing) == error::none);
    CHECK(framing.is_chunked);

    struct {
        std::string_view text;
        std::uint64_t length;
    } const lengths[]{{"0", 0}, {"12", 12}, {"0012", 12}, {"9223372036854775807", INT64_MAX}};
    for (auto const& v : lengths) {
        request_head const head{"POST", "/", {{"content-length", v.text}}};
        CHECK(read_body_framing(head, framing) == error::none);
        CHECK_FALSE(framing.is_chunked);
        CHECK(framing.length == v.length);
    }
}

TEST_CASE("wire/body_framing: leaves its output alone when it refuses [RFC 9112 6.1]") {
    body_framing framing{.is_chunked = false, .length = 5};
    request_head const long_body{"POST", "/", {{"Content-Length", "9223372036854775808"}}};
    CHECK(read_body_framing(long_body, framing) == error::bad_content_length);
    request_head const coded{"POST", "/", {{"Transfer-Encoding", "gzip"}}};
    CHECK(read_body_framing(coded, framing) == error::bad_transfer_encoding);
    CHECK_FALSE(framing.is_chunked);
    CHECK(framing.length == 5);
}
