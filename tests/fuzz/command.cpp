#include <livetape/transport/command.hpp>
#include <livetape/transport/subscription_protocol.hpp>
#include <livetape/wire/utf8.hpp>

#include <support/fuzz.hpp>

#include <string>
#include <string_view>

// A client's message in the JSON subscription protocol; whatever it says, the reply to it is JSON.

void livetape::fuzz::run(std::string_view input) {
    command read;
    auto const failure = parse_command(input, read);
    std::string reply;
    append_error(reply, failure.what, failure.detail, read.id);
    REQUIRE(detail::is_json(reply));
    REQUIRE(is_utf8(reply));
    REQUIRE(read.id.size() <= command_id_bytes_max);
    REQUIRE((read.id.empty() || detail::is_json(read.id)));

    command again;
    std::string const padded = " \t\r\n" + std::string{input} + "\n ";
    REQUIRE(parse_command(padded, again).what == failure.what);
    REQUIRE(again.id == read.id);
    if (failure.what != error::none) return;

    REQUIRE(detail::is_json(input));
    for (auto const* text : {&read.channel, &read.cursor, &read.key}) REQUIRE(is_utf8(*text));
    REQUIRE(again.channel == read.channel);
    REQUIRE(again.payload == read.payload);
    reply.clear();
    append_published(reply, read.channel, read.id, {1, 2});
    REQUIRE(detail::is_json(reply));
    if (read.what != command::kind::publish) return;
    if (read.payload_is == payload_kind::json) {
        REQUIRE(detail::is_json(read.payload));
        REQUIRE(input.find(read.payload) != std::string_view::npos);
    } else {
        REQUIRE(read.payload_is == payload_kind::binary);
        REQUIRE(read.payload.size() < input.size());
    }
}
