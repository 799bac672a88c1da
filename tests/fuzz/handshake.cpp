#include <livetape/wire/handshake.hpp>

#include <support/fuzz.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// The opening handshake: lines `Name: value` are added to those of a good one, of which the bits of
// the first byte leave some out.

namespace {

using namespace livetape;

constexpr std::array<http::header_field, 5> good_fields{{
    {"Host", "example.com"},
    {"Upgrade", "websocket"},
    {"Connection", "Upgrade"},
    {"Sec-WebSocket-Version", "13"},
    {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
}};

/// Unlike the tokens of other fields, the names of subprotocols are compared exactly.
bool is_offered(http::request_head const& head, std::string_view name) {
    for (std::size_t i = 0; i < head.field_count(); ++i) {
        auto const field = head.field_at(i);
        if (!http::equals_ignoring_case(field.name, "Sec-WebSocket-Protocol")) continue;
        for (auto rest = field.value;;) {
            auto const comma = std::min(rest.find(','), rest.size());
            if (http::trim_whitespace(rest.substr(0, comma)) == name) return true;
            if (comma == rest.size()) break;
            rest.remove_prefix(comma + 1);
        }
    }
    return false;
}

std::string to_text(std::vector<websocket::extension> const& extensions) {
    std::string text;
    for (auto const& extension : extensions) {
        text.append(text.empty() ? "" : ",").append(extension.name);
        for (auto const& [name, value] : extension.parameters)
            text.append(";").append(name).append(value ? "=" + *value : "");
    }
    return text;
}

void check_extensions(std::string_view value) {
    std::vector<websocket::extension> found;
    if (!websocket::parse_extensions(value, found)) return;
    for (auto const& extension : found) {
        REQUIRE(http::is_token(extension.name));
        for (auto const& parameter : extension.parameters)
            REQUIRE(
                (http::is_token(parameter.name) && http::is_token(parameter.value.value_or("a"))));
    }
    auto const text = to_text(found);
    std::vector<websocket::extension> again;
    REQUIRE(websocket::parse_extensions(text, again));
    REQUIRE(to_text(again) == text);
}

} // namespace

void livetape::fuzz::run(std::string_view input) {
    auto const left_out = take_byte(input);
    http::request_head head{"GET", "/", {}, (left_out & 32) != 0 ? 0 : 1};
    for (std::size_t i = 0; i < good_fields.size(); ++i)
        if ((left_out >> i & 1) == 0) head.add_field(good_fields[i].name, good_fields[i].value);
    while (!input.empty()) {
        auto const line = take_line(input);
        auto const colon = std::min(line.find(':'), line.size());
        auto const value = http::trim_whitespace(line.substr(std::min(colon + 1, line.size())));
        check_extensions(value);
        head.add_field(line.substr(0, colon), value);
    }

    auto const failure = websocket::check_handshake(head);
    constexpr std::array<std::string_view, 2> supported{"livetape.v1.json", "chat"};
    auto const chosen = websocket::choose_subprotocol(head, supported);
    REQUIRE((chosen.empty() || is_offered(head, chosen)));
    if (failure != error::none) {
        REQUIRE(describe(failure).http_status >= 400);
        return;
    }
    REQUIRE(websocket::is_upgrade(head));
    REQUIRE(head.minor_version() == 1);
    REQUIRE(chosen.empty() == (!is_offered(head, supported[0]) && !is_offered(head, supported[1])));
    std::string response;
    websocket::append_accept(response, head, chosen);
    REQUIRE(response.starts_with("HTTP/1.1 101 "));
    REQUIRE(response.find("\r\n\r\n") == response.size() - 4);
}
