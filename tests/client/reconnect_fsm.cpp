#include <livetape/client/reconnect_fsm.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <system_error>
#include <variant>
#include <vector>

namespace {

using namespace livetape;
using namespace std::chrono_literals;
using enum feed_transport;

/// A machine, a clock that only a test moves, and the actions as text.
struct script {
    explicit script(reconnect_options options = {}) : machine{std::move(options)} {}

    std::string start() { return text(machine.start(now)); }
    std::string ended(disconnect const& how) { return text(machine.resume(how, now, random)); }
    std::string waited() { return text(machine.wait_over(now)); }

    /// A connection that works for that long before it ends.
    std::string lived(std::chrono::milliseconds life, disconnect how) {
        machine.is_live(now);
        now += life;
        how.was_live = true;
        return ended(how);
    }

    static std::string text(reconnect_fsm::action const& action) {
        if (auto const* const c = std::get_if<reconnect_fsm::connect>(&action)) {
            constexpr char const* names[] = {"websocket", "sse", "poll"};
            std::string name = names[static_cast<int>(c->transport)];
            return c->at ? name + " at " + c->at->text() : name;
        }
        if (auto const* const w = std::get_if<reconnect_fsm::wait>(&action))
            return "wait " + std::to_string(w->delay.count());
        auto const ec = std::get<reconnect_fsm::finish>(action).ec;
        return "finish " + std::string{ec.category().name()} + ' ' + std::to_string(ec.value());
    }

    reconnect_fsm machine;
    time_point now{1h};
    std::uint32_t random = 0;
};

disconnect const unreachable{.ec = std::make_error_code(std::errc::connection_refused)};
disconnect const broken{.ec = std::make_error_code(std::errc::connection_reset),
                        .was_reached = true};

disconnect answered(unsigned status) {
    return {.ec = error::unexpected_status, .http_status = status, .was_reached = true};
}

disconnect closed(int code) {
    return {.ec = error::connection_closed,
            .close_code = static_cast<std::uint16_t>(code),
            .was_reached = true};
}

std::string finish(error e) { return script::text(reconnect_fsm::finish{e}); }

url parsed(std::string const& text) {
    url out;
    REQUIRE(parse_url(text, out) == error::none);
    return out;
}

} // namespace

TEST_CASE("client/disconnect: a close code says whether to come back [RFC 6455 7.4]") {
    for (int const code :
         {1001, 1005, 1006, 1011, 1012, 1013, 1014, 3008, 4000, 4001, 4002, 4003, 4499}) {
        CAPTURE(code);
        CHECK(judge(closed(code), websocket) == reconnect_verdict::retry);
    }
    for (int const code :
         {1000, 1002, 1003, 1007, 1008, 1009, 1010, 1015, 3000, 3007, 3009, 3999, 4500, 4999}) {
        CAPTURE(code);
        CHECK(judge(closed(code), websocket) == reconnect_verdict::finish);
    }
}

TEST_CASE("client/disconnect: a status says whether to come back [RFC 9110 15]") {
    using enum reconnect_verdict;
    struct row {
        unsigned status;
        reconnect_verdict over_websocket, over_sse, over_poll;
    };
    for (auto const& each : std::vector<row>{{200, fall_back, fall_back, fall_back},
                                             {204, fall_back, finish, finish},
                                             {304, fall_back, finish, finish},
                                             {400, fall_back, finish, finish},
                                             {401, finish, finish, finish},
                                             {403, fall_back, finish, finish},
                                             {404, finish, finish, finish},
                                             {405, fall_back, fall_back, finish},
                                             {406, fall_back, fall_back, finish},
                                             {407, finish, finish, finish},
                                             {408, retry, retry, retry},
                                             {410, finish, finish, finish},
                                             {425, retry, retry, retry},
                                             {426, fall_back, finish, finish},
                                             {429, retry, retry, retry},
                                             {500, retry, retry, retry},
                                             {501, fall_back, retry, retry},
                                             {502, fall_back, retry, retry},
                                             {503, retry, retry, retry},
                                             {504, retry, retry, retry},
                                             {599, retry, retry, retry}}) {
        CAPTURE(each.status);
        CHECK(judge(answered(each.status), websocket) == each.over_websocket);
        CHECK(judge(answered(each.status), sse) == each.over_sse);
        CHECK(judge(answered(each.status), poll) == each.over_poll);
    }
}

TEST_CASE("client/disconnect: a redirect is followed, but not out of TLS [RFC 9110 15.4]") {
    auto const plain = parsed("http://a.test/live/sse?channel=x");
    auto const secure = parsed("https://a.test/live/sse?channel=x");
    url target;
    CHECK(resolve_redirect(plain, "https://b.test/y", target) == error::none);
    CHECK(target == parsed("https://b.test/y"));
    CHECK(resolve_redirect(plain, "/y?z", target) == error::none);
    CHECK(target == parsed("http://a.test/y?z"));
    CHECK(resolve_redirect(secure, "//b.test/y", target) == error::none);
    CHECK(target == parsed("https://b.test/y"));
    CHECK(resolve_redirect(parsed("ws://a.test/ws"), "https://b.test/ws", target) == error::none);
    CHECK(target == parsed("wss://b.test/ws"));

    auto const before = target;
    for (auto const* location :
         {"", "ftp://a.test/", "file:///etc/passwd", "http://", "javascript:x"}) {
        CAPTURE(location);
        CHECK(resolve_redirect(plain, location, target) == error::redirect_refused);
    }
    CHECK(resolve_redirect(secure, "http://a.test/y", target) == error::redirect_refused);
    CHECK(resolve_redirect(parsed("wss://a.test/ws"), "ws://a.test/ws", target) ==
          error::redirect_refused);
    CHECK(target == before);
}

TEST_CASE("client/reconnect_fsm: waits longer and longer for a host that is not reached") {
    script s;
    CHECK(s.start() == "websocket");
    for (auto const* wait : {"wait 500", "wait 1000", "wait 2000", "wait 4000"}) {
        CHECK(s.ended(unreachable) == wait);
        // Another transport would not reach it either.
        CHECK(s.waited() == "websocket");
    }
    CHECK(s.lived(5s, broken) == "wait 500");
}

TEST_CASE("client/reconnect_fsm: falls back in order, without a wait, when upgrades are blocked") {
    for (auto const& blocked :
         {answered(400), answered(426), answered(200), answered(502), answered(403), broken}) {
        script s;
        CHECK(s.start() == "websocket");
        CHECK(s.ended(blocked) == "sse");
        CHECK(s.ended(answered(200)) == "poll");
        CHECK(s.ended(broken) == "wait 500");
        CHECK(s.waited() == "websocket");
    }
}

TEST_CASE("client/reconnect_fsm: stays with the transport that works, for a time") {
    script s{{.preference_time = 1min}};
    s.start();
    s.ended(answered(426));
    CHECK(s.lived(30s, broken) == "wait 500");
    CHECK(s.waited() == "sse");
    CHECK(s.lived(30s, broken) == "wait 500");
    CHECK(s.waited() == "websocket");
    CHECK(s.ended(answered(426)) == "sse");
}

TEST_CASE("client/reconnect_fsm: changes the transport when connections are cut soon") {
    script s;
    s.start();
    CHECK(s.lived(4999ms, broken) == "wait 500");
    s.waited();
    CHECK(s.lived(1ms, broken) == "wait 1000");
    s.waited();
    // One that lived long enough begins the count again.
    CHECK(s.lived(5s, broken) == "wait 500");
    s.waited();
    CHECK(s.lived(1ms, broken) == "wait 1000");
    s.waited();
    CHECK(s.lived(1ms, broken) == "wait 2000");
    s.waited();
    CHECK(s.lived(1ms, broken) == "sse");
}

TEST_CASE(
    "client/reconnect_fsm: a server that says good-bye is met again with the same transport") {
    script s;
    s.start();
    for (int i = 0; i < 10; ++i) {
        CHECK(s.lived(1ms, closed(1012)).starts_with("wait "));
        CHECK(s.waited() == "websocket");
    }
    CHECK(s.lived(1h, closed(1008)) == finish(error::connection_closed));
}

TEST_CASE("client/reconnect_fsm: does what the server asks [RFC 9110 10.2.3]") {
    script s;
    s.start();
    auto busy = answered(503);
    busy.requested_delay = 7s;
    CHECK(s.ended(busy) == "wait 7000");
    CHECK(s.waited() == "websocket");
    CHECK(s.ended(answered(401)) == finish(error::unexpected_status));
}

TEST_CASE("client/reconnect_fsm: follows redirects up to the limit") {
    script s{{.redirects_max = 2}};
    s.start();
    auto moved = answered(307);
    moved.redirect = parsed("ws://b.test/ws");
    CHECK(s.ended(moved) == "websocket at ws://b.test/ws");
    CHECK(s.ended(moved) == "websocket at ws://b.test/ws");
    CHECK(s.ended(moved) == finish(error::redirect_refused));

    script refused;
    refused.start();
    auto downgraded = answered(307);
    downgraded.ec = error::redirect_refused;
    CHECK(refused.ended(downgraded) == finish(error::redirect_refused));
}

TEST_CASE("client/reconnect_fsm: a working connection gives new redirects") {
    script s{{.redirects_max = 1}};
    s.start();
    auto moved = answered(307);
    moved.redirect = parsed("ws://b.test/ws");
    for (int i = 0; i < 3; ++i) {
        CHECK(s.ended(moved) == "websocket at ws://b.test/ws");
        CHECK(s.lived(10s, broken) == "wait 500");
        CHECK(s.waited() == "websocket");
    }
}

TEST_CASE("client/reconnect_fsm: gives up after the attempts that it may make") {
    script s{{.attempts_max = 3}};
    s.start();
    CHECK(s.ended(unreachable) == "wait 500");
    s.waited();
    CHECK(s.lived(1h, broken) == "wait 500");
    s.waited();
    CHECK(s.ended(unreachable) == "wait 1000");
    s.waited();
    CHECK(s.ended(unreachable) == "wait 2000");
    s.waited();
    CHECK(s.ended(unreachable).starts_with("finish "));
}

TEST_CASE("client/reconnect_fsm: the only transport ends when it is answered with a no") {
    script s{{.transports = {sse}}};
    CHECK(s.start() == "sse");
    CHECK(s.ended(broken) == "wait 500");
    CHECK(s.waited() == "sse");
    CHECK(s.ended(answered(503)) == "wait 1000");
    s.waited();
    auto page = answered(200);
    page.ec = error::bad_content_type;
    CHECK(s.ended(page) == finish(error::bad_content_type));
}
