#include <livetape/transport/poll_session.hpp>

#include <support/session_script.hpp>

#include <string>
#include <string_view>

// A poll: the first line is the request target, the second If-None-Match, the others are a
// session_script. There is exactly one well-formed response, and what came meanwhile is handed
// back.

namespace {

using namespace livetape;

void check_answer(test::response const& answer, bool has_snapshot, fuzz::delivery_check& check) {
    if (answer.status == 304) {
        REQUIRE(answer.body.empty());
        return;
    }
    simdjson::dom::parser parser;
    simdjson::dom::element body;
    REQUIRE(parser.parse(answer.body).get(body) == simdjson::SUCCESS);
    if (answer.status != 200) {
        REQUIRE(answer.status >= 400);
        return;
    }

    std::string_view cursor;
    REQUIRE(body["cursor"].get(cursor) == simdjson::SUCCESS);
    REQUIRE(answer.field("ETag") == '"' + std::string{cursor} + '"');
    auto const reached = livetape::cursor::parse(cursor);
    REQUIRE(reached.has_value());
    simdjson::dom::array notices, events;
    if (body["gaps"].get(notices) == simdjson::SUCCESS)
        for (auto const notice : notices) check.take(simdjson::minify(notice));
    REQUIRE(body["events"].get(events) == simdjson::SUCCESS);
    for (auto const event : events) {
        check.take(simdjson::minify(event));
        std::string_view channel;
        std::uint64_t offset = 0;
        REQUIRE(event["channel"].get(channel) == simdjson::SUCCESS);
        REQUIRE(event["offset"].get(offset) == simdjson::SUCCESS);
        if (!has_snapshot) REQUIRE(offset <= reached->find(channel)->offset);
    }
}

} // namespace

void livetape::fuzz::run(std::string_view input) {
    auto const whole = input;
    bool const has_snapshot = input.find("cursor") == std::string_view::npos ||
                              input.find("snapshot") != std::string_view::npos;
    auto around = make_world();
    for (auto const* channel : {"a", "b"})
        for (int i = 0; i < 25; ++i) around.source.publish(channel, "1");
    std::string const target{take_line(input)};
    auto const head = test::request("GET", target, {{"If-None-Match", take_line(input)}});
    delivery_check check{has_snapshot, may_choose(whole)};
    subscribe_request request;
    if (!request.parse(head, {}, false, 3))
        for (auto const& channel : request.channels()) check.expect(channel);

    auto const client = test::connect<poll_session>(around, head);
    session_script script{around, *client};
    while (!input.empty()) script.play(take_line(input));
    script.finish();
    if (!client->is_over) client->advance(std::chrono::seconds{60});
    script.finish();

    REQUIRE(client->is_over);
    if (client->is_aborted) return;
    auto const answer = test::only_response(client->received);
    check_answer(answer, has_snapshot, check);
    if (client->on.end() == session_end::handback) REQUIRE(answer.field("Connection") != "close");
}
