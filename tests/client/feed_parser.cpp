#include <livetape/client/feed_parser.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace {

using namespace livetape;
using kind = server_message::kind;

server_message parsed(std::string_view json) {
    CAPTURE(json);
    server_message found;
    REQUIRE(parse_server_message(json, found) == error::none);
    return found;
}

} // namespace

TEST_CASE("client/feed_parser: reads an event with the data as it was published") {
    for (std::string const data :
         {"1", "-0.10", "1e3", "true", "null", R"("a\u00e9\n")", R"({"b":[1, 2.50] })", "[]",
          "12345678901234567890", R"({"data":{"channel":"x"}})", "1e999",
          "[1000000000000000000000000000000]"}) {
        CAPTURE(data);
        auto const found =
            parsed(R"({"channel":"ticks","offset":121,"key":"AA\u0022","data":)" + data + " }");
        CHECK(found.what == kind::event);
        CHECK(found.event.channel == "ticks");
        CHECK(found.event.offset == 121);
        CHECK(found.event.key == "AA\"");
        CHECK(found.event.data == data);
        CHECK_FALSE(found.event.is_binary);
    }
    // Fields in any order, and unknown ones.
    auto const found = parsed(R"({"data":[1],"later":{"data":2},"offset":7,"channel":"c"})");
    CHECK(found.event.data == "[1]");
    CHECK_FALSE(found.event.key);
}

TEST_CASE("client/feed_parser: decodes a binary event [RFC 4648 4]") {
    auto const found = parsed(R"({"channel":"frames","offset":7,"data64":"AAEC"})");
    CHECK(found.event.is_binary);
    CHECK(found.event.data == std::string{"\0\1\2", 3});
}

TEST_CASE("client/feed_parser: takes a binary message apart at its first line feed") {
    std::string const head = R"({"channel":"frames","offset":7,"count":3,"key":"k"})";
    for (auto const& bytes : {std::string{}, std::string{"\0\n\xff", 3}, std::string{"{}"}}) {
        server_message found;
        REQUIRE(parse_binary_server_message(head + '\n' + bytes, found) == error::none);
        CHECK(found.what == kind::event);
        CHECK(found.event.channel == "frames");
        CHECK(found.event.offset == 7);
        CHECK(found.event.count == 3);
        CHECK(found.event.key == "k");
        CHECK(found.event.is_binary);
        CHECK(found.event.data == bytes);
    }
    for (auto const& message :
         {std::string{}, std::string{"\n"}, head, "x" + head + "\n",
          std::string{"{\"channel\":\"c\",\"offset\":1,\"data\":1}\nx"},
          std::string{"{\"channel\":\"c\",\"offset\":1,\"data64\":\"\"}\nx"},
          std::string{"{\"gap\":\"c\",\"from\":1,\"to\":2,\"reason\":\"epoch\"}\n"},
          std::string{"{\"channel\":\"c\",\n\"offset\":1}\nx"}}) {
        CAPTURE(message);
        server_message found;
        CHECK(parse_binary_server_message(message, found) == error::bad_envelope);
    }
}

TEST_CASE("client/feed_parser: an event says how many it stands for, one unless it says more") {
    CHECK(parsed(R"({"channel":"c","offset":9,"data":1})").event.count == 1);
    CHECK(parsed(R"({"channel":"c","offset":9,"count":70000,"data":1})").event.count == 70000);
    for (auto const* json : {R"({"channel":"c","offset":9,"count":0,"data":1})",
                             R"({"channel":"c","offset":9,"count":"2","data":1})"}) {
        server_message found;
        CHECK(parse_server_message(json, found) == error::bad_envelope);
    }
}

TEST_CASE("client/feed_parser: reads gaps, answers and errors") {
    auto const gap = parsed(R"({"gap":"ticks","from":100,"to":120,"reason":"retention"})");
    CHECK(gap.what == kind::gap);
    CHECK(gap.gap.channel == "ticks");
    CHECK(gap.gap.from == 100);
    CHECK(gap.gap.to == 120);
    CHECK(gap.gap.reason == "retention");

    auto const subscribed =
        parsed(R"({"subscribed":"ticks","id":1,"cursor":"abc-5","recovered":true})");
    CHECK(subscribed.what == kind::subscribed);
    CHECK(subscribed.event.channel == "ticks");
    CHECK(subscribed.event.cursor == "abc-5");
    CHECK(subscribed.id == 1);
    CHECK(subscribed.is_recovered);

    auto const unsubscribed = parsed(R"({"unsubscribed":"ticks","cursor":"abc-5"})");
    CHECK(unsubscribed.what == kind::unsubscribed);
    CHECK(unsubscribed.id == 0);

    auto const refused =
        parsed(R"({"error":{"code":"unknown_channel","message":"there is none"},"id":4})");
    CHECK(refused.what == kind::error);
    CHECK(refused.failure == error::unknown_channel);
    CHECK(refused.message == "there is none");
    CHECK(refused.id == 4);
    CHECK(parsed(R"({"error":{"code":"of_tomorrow","message":""}})").failure ==
          error::bad_envelope);

    CHECK(parsed(R"({"published":"chat","id":3,"offset":12,"cursor":"x-12"})").what == kind::other);
    CHECK(parsed("{}").what == kind::other);
}

TEST_CASE("client/feed_parser: refuses what is not of the protocol") {
    for (std::string_view const json : {"",
                                        " ",
                                        "x",
                                        "1",
                                        "[]",
                                        "{",
                                        R"({"channel":"c"})",
                                        R"({"channel":"c","offset":0,"data":1})",
                                        R"({"channel":"c","offset":-1,"data":1})",
                                        R"({"channel":"c","offset":"1","data":1})",
                                        R"({"channel":1,"offset":1,"data":1})",
                                        R"({"channel":"c","offset":1})",
                                        R"({"channel":"c","offset":1,"key":2,"data":1})",
                                        R"({"channel":"c","offset":1,"data":tru})",
                                        R"({"channel":"c","offset":1,"data":{"a"}})",
                                        R"({"channel":"c","offset":1,"data64":"A"})",
                                        R"({"channel":"c","offset":1,"data64":1})",
                                        R"({"gap":"c","from":1,"to":2})",
                                        R"({"gap":"c","from":1,"reason":"epoch"})",
                                        R"({"subscribed":"c","recovered":true})",
                                        R"({"subscribed":"c","cursor":"a-1"})",
                                        R"({"error":"x"})",
                                        R"({"error":{"code":1,"message":""}})",
                                        R"({"channel":"c","gap":"c","offset":1,"data":1})",
                                        R"({"channel":"c","offset":1,"data":1}x)",
                                        "{\"channel\":\"\xff\"}"}) {
        CAPTURE(json);
        server_message found;
        CHECK(parse_server_message(json, found) == error::bad_envelope);
    }
}

TEST_CASE("client/feed_parser: refuses every text that was cut") {
    std::string const whole = R"({"channel":"ticks","offset":121,"key":"A","data":{"a":[1,"x"]}})";
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CAPTURE(size);
        server_message found;
        CHECK(parse_server_message(whole.substr(0, size), found) == error::bad_envelope);
    }
}

TEST_CASE("client/feed_parser: reads a poll's answer, gaps before events") {
    poll_answer answer;
    REQUIRE(parse_poll_answer(
                R"({"cursor":"k-9","gaps":[{"gap":"chat","from":2,"to":4,"reason":"retention"}],)"
                R"("events":[{"channel":"chat","offset":8,"data":{"x": 1}},)"
                R"({"channel":"chat","offset":9,"data64":"AAEC"},)"
                R"({"channel":"chat","offset":10,"key":"k","data":"z"}]})",
                answer) == error::none);
    CHECK(answer.cursor == "k-9");
    REQUIRE(answer.messages.size() == 4);
    CHECK(answer.messages[0].gap.to == 4);
    CHECK(answer.messages[1].event.data == R"({"x": 1})");
    CHECK(answer.messages[2].event.data.size() == 3);
    CHECK(answer.messages[3].event.data == R"("z")");
    CHECK(text_of(answer.messages[3].event) == "z");
    CHECK_FALSE(text_of(answer.messages[1].event));
    CHECK_FALSE(text_of(answer.messages[2].event));

    REQUIRE(parse_poll_answer(R"({"events":[],"cursor":""})", answer) == error::none);
    CHECK(answer.messages.empty());
    for (std::string_view const json :
         {"", "[]", "{}", R"({"cursor":"k-9"})", R"({"events":[]})", R"({"cursor":1,"events":[]})",
          R"({"cursor":"k-9","events":{}})", R"({"cursor":"k-9","events":[1]})",
          R"({"cursor":"k-9","events":[{}]})", R"({"cursor":"k-9","events":[],"gaps":[{}]})",
          R"({"cursor":"k-9","events":[{"gap":"chat","from":2,"to":4,"reason":"retention"}]})",
          R"({"cursor":"k-9","events":[],"gaps":1})", R"({"cursor":"k-9","events":[)"}) {
        CAPTURE(json);
        CHECK(parse_poll_answer(json, answer) == error::bad_envelope);
    }
}

TEST_CASE("client/feed_parser: finds the reason in a refusal's body") {
    std::string message;
    CHECK(parse_refusal(R"({"error":{"code":"bad_cursor","message":"x"}})", message) ==
          error::bad_cursor);
    CHECK(message == "x");
    CHECK(parse_refusal("<html>Bad Gateway</html>", message) == error::none);
    CHECK(parse_refusal(R"({"channel":"c","offset":1,"data":1})", message) == error::none);
}
