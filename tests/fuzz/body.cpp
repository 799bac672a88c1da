#include <livetape/wire/body.hpp>

#include <support/fuzz.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>

// A request body in pieces, within its limit; and any content, written as chunks and read back. The
// first byte chooses how the body is announced.

namespace {

using namespace livetape;

constexpr std::size_t body_bytes_max = 200;

http::request_head chunked_head() {
    return {"POST", "/", {{"Host", "a"}, {"Transfer-Encoding", "chunked"}}};
}

/// The content as chunks of sizes that depend on it alone, with extensions and a trailer section.
std::string to_chunks(std::string_view content) {
    constexpr std::string_view digits = "0123456789abcDEF";
    fuzz::choices choices{content};
    std::string chunks;
    while (!content.empty()) {
        auto const chunk = content.substr(0, 1 + choices.up_to(60));
        content.remove_prefix(chunk.size());
        if (choices.up_to(1) == 0) chunks += '0';
        chunks += digits[chunk.size() / 16];
        chunks += digits[chunk.size() % 16];
        if (choices.up_to(3) == 0) chunks += " ;a=\"b\"";
        chunks.append("\r\n").append(chunk).append("\r\n");
    }
    return chunks += "0\r\nX: y\r\n\r\n";
}

void check(http::request_head const& head, std::string_view input) {
    auto const [failure, body, taken] = fuzz::same_in_pieces(input, [&](fuzz::cutting how) {
        http::body_reader reader{head, body_bytes_max};
        std::size_t bytes_taken = 0;
        std::string_view nothing;
        auto status = reader.feed(nothing);
        if (status == parse_status::need_more)
            how.feed(input, [&](auto piece) {
                std::string_view rest{piece.data(), piece.size()};
                status = reader.feed(rest);
                bytes_taken += piece.size() - rest.size();
                REQUIRE((status != parse_status::need_more || rest.empty()));
                return status == parse_status::need_more;
            });
        REQUIRE((reader.failure() != error::none) == (status == parse_status::failed));
        REQUIRE(reader.body().size() <= std::min(bytes_taken, body_bytes_max));
        if (status != parse_status::done) bytes_taken = 0;
        return std::tuple{reader.failure(), std::move(reader.body()), bytes_taken};
    });
    REQUIRE(taken <= input.size());
}

} // namespace

void livetape::fuzz::run(std::string_view input) {
    auto const options = take_byte(input);
    if (options == 'f') {
        // The fields themselves are part of the input.
        http::request_head head{"POST", "/", {{"Host", "a"}}, 1};
        for (auto line = take_line(input); !line.empty(); line = take_line(input)) {
            auto const colon = std::min(line.find(':'), line.size());
            head.add_field(line.substr(0, colon), line.substr(std::min(colon + 1, line.size())));
        }
        return check(head, input);
    }
    if (options == 'l')
        return check({"POST", "/", {{"Content-Length", std::to_string(take_byte(input))}}}, input);

    check(chunked_head(), input);
    auto const content = input.substr(0, body_bytes_max);
    auto const chunks = to_chunks(content) + "next";
    std::string_view rest{chunks};
    http::body_reader reader{chunked_head(), body_bytes_max};
    REQUIRE(reader.feed(rest) == parse_status::done);
    REQUIRE(reader.body() == content);
    REQUIRE(rest == "next");
    check(chunked_head(), chunks);
}
