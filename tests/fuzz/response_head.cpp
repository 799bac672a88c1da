#include <livetape/wire/client_handshake.hpp>
#include <livetape/wire/response.hpp>
#include <livetape/wire/response_parser.hpp>

#include <support/fuzz.hpp>

#include <string>
#include <string_view>
#include <tuple>

// A response head in pieces, within its limits, judged as the answer to an opening handshake; and
// fields with any value, written and read back.

namespace {

using namespace livetape;

constexpr http::head_limits limits{.head_bytes_max = 400, .fields_max = 5};

/// What the head says, in one text.
std::string to_text(http::response_head const& head) {
    auto text = std::to_string(head.minor_version()) + ' ' + std::to_string(head.status());
    for (std::size_t i = 0; i < head.field_count(); ++i) {
        auto const [name, value] = head.field_at(i);
        REQUIRE(http::is_token(name));
        REQUIRE(http::is_field_value(value));
        text.append("\n").append(name).append(":").append(value);
    }
    return text;
}

void check_written(std::string_view value) {
    std::string written;
    http::append_status_line(written, 200);
    http::append_field(written, "X", value);
    http::append_field(written, "Y", "1");
    http::append_end_of_head(written);
    http::response_parser parser;
    std::string_view rest{written};
    REQUIRE(parser.feed(rest) == parse_status::done);
    REQUIRE(rest.empty());
    REQUIRE(parser.head().field_count() == 2);
    REQUIRE(parser.head().field("Y") == "1");
}

} // namespace

void livetape::fuzz::run(std::string_view input) {
    same_in_pieces(input, [&](cutting how) {
        http::response_parser parser{limits};
        std::size_t taken = 0;
        auto status = parse_status::need_more;
        how.feed(input, [&](auto piece) {
            std::string_view rest{piece.data(), piece.size()};
            status = parser.feed(rest);
            taken += piece.size() - rest.size();
            REQUIRE((status != parse_status::need_more || rest.empty()));
            return status == parse_status::need_more;
        });
        REQUIRE((parser.failure() != error::none) == (status == parse_status::failed));
        if (status != parse_status::done)
            return std::tuple{parser.failure(), std::string{}, std::size_t{0}};
        REQUIRE(taken <= limits.head_bytes_max);
        auto const& head = parser.head();
        REQUIRE(head.status() >= 100);
        REQUIRE(head.field_count() <= limits.fields_max);
        websocket::handshake_agreement agreement;
        websocket::handshake_offer const offer{{"chat"}, "", "permessage-deflate", {}};
        auto const why =
            websocket::check_response(head, offer, "dGhlIHNhbXBsZSBub25jZQ==", agreement);
        if (why == error::none) {
            REQUIRE(head.status() == 101);
            REQUIRE((agreement.subprotocol.empty() || agreement.subprotocol == "chat"));
            REQUIRE(agreement.extensions.size() <= 1);
        }
        return std::tuple{why, to_text(head), taken};
    });
    check_written(input.substr(0, 1000));
}
