#include <livetape/transport/sse_session.hpp>

#include <support/session_script.hpp>

#include <string>
#include <string_view>

// An SSE session: the first line is the request target, the second Last-Event-ID, the others are a
// session_script. What the client gets is a well-formed response or event stream, and each
// channel's events come in order, none missing.

void livetape::fuzz::run(std::string_view input) {
    auto const whole = input;
    bool const has_snapshot = input.find("snapshot") != std::string_view::npos;
    auto around = make_world();
    std::string const target{take_line(input)};
    auto const head = test::request("GET", target, {{"Last-Event-ID", take_line(input)}});
    auto const path = head.path();
    if (!sse_transport::matches(head, path)) return;
    auto const client = test::connect<sse_session>(around, head);
    auto& cursors = client->on.cursors();
    delivery_check check{has_snapshot, may_choose(whole)};
    for (std::size_t i = 0; i < cursors.count(); ++i) check.expect(cursors.at(i).source().name());

    session_script script{around, *client};
    while (!input.empty()) script.play(take_line(input));
    script.finish();

    if (client->is_over && client->is_aborted) return;
    auto const inbox = test::read_sse(client->received);
    REQUIRE((inbox.head.status == 200 || inbox.head.status >= 400));
    REQUIRE(inbox.retry.has_value() == (inbox.head.status == 200));
    if (path.starts_with(sse_format::raw_prefix)) return;
    for (auto const& message : inbox.messages) check.take(message.data);
    if (client->is_over || may_choose(whole)) return;
    for (std::size_t i = 0; i < cursors.count(); ++i) {
        check.check_end(cursors.at(i).source());
        REQUIRE(!cursors.at(i).is_behind());
    }
    // The last event ID resumes where the stream is.
    auto const reached = cursor::parse(inbox.last_event_id);
    REQUIRE(reached.has_value());
    for (std::size_t i = 0; i < cursors.count(); ++i)
        REQUIRE(reached->find(cursors.at(i).source().name()) == cursors.at(i).reached());
}
