#include <livetape/transport/client_request.hpp>
#include <livetape/transport/subscription_protocol.hpp>
#include <livetape/wire/characters.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace livetape;
using kind = command::kind;

command parse(std::string_view message) {
    // In a block of its own that ends with it, so that a sanitizer sees a parser that reads on.
    std::vector<char> const block(message.begin(), message.end());
    command read;
    auto const failure = parse_command({block.data(), block.size()}, read);
    CAPTURE(message);
    CHECK(failure.what == error::none);
    CHECK(failure.detail.empty());
    return read;
}

command_failure fail(std::string_view message, command& read) {
    std::vector<char> const block(message.begin(), message.end());
    return parse_command({block.data(), block.size()}, read);
}

template <class Append>
std::string built(Append append) {
    std::string out = "before";
    append(out);
    return out.substr(6);
}

} // namespace

TEST_CASE(
    "transport/subscription_protocol: reads subscriptions with all their fields, in any order") {
    auto const plain = parse(R"({"subscribe":"ticks"})");
    CHECK(plain.what == kind::subscribe);
    CHECK(plain.channel == "ticks");
    CHECK(plain.id.empty());
    CHECK(plain.cursor.empty());
    CHECK_FALSE(plain.has_snapshot);

    auto const full =
        parse(R"( { "snapshot" : true , "cursor":"abc-1" ,"id" : 7, "mode":"every", "extra":[{}],)"
              "\n\t\"subscribe\" : \"a.b\" } ");
    CHECK(full.channel == "a.b");
    CHECK(full.cursor == "abc-1");
    CHECK(full.id == "7");
    CHECK(full.has_snapshot);
    CHECK_FALSE(parse(R"({"subscribe":"a","snapshot":false})").has_snapshot);
    CHECK(parse(R"({"sub\u0073cribe":"\u0061"})").channel == "a");

    auto const leave = parse(R"({"unsubscribe":"ticks","id":"x"})");
    CHECK(leave.what == kind::unsubscribe);
    CHECK(leave.channel == "ticks");
    CHECK(leave.id == R"("x")");
}

TEST_CASE("transport/subscription_protocol: an id is repeated as JSON, up to its limit") {
    auto const id_of = [](std::string_view json) {
        return parse(R"({"subscribe":"a","id":)" + std::string{json} + '}').id;
    };
    CHECK(id_of("0") == "0");
    CHECK(id_of("-12") == "-12");
    CHECK(id_of("18446744073709551615") == "18446744073709551615");
    CHECK(id_of(R"("")") == R"("")");
    CHECK(id_of(R"("a\"\\\n\u0001")") == R"("a\"\\\n\u0001")");
    CHECK(id_of("\"\xc3\xa4\"") == "\"\xc3\xa4\"");
    std::string const longest = '"' + std::string(command_id_bytes_max - 2, 'x') + '"';
    CHECK(id_of(longest) == longest);
    for (auto const* wrong : {"null", "true", "[1]", "{}"}) {
        command read;
        auto const failure = fail(R"({"subscribe":"a","id":)" + std::string{wrong} + '}', read);
        CHECK(failure.what == error::bad_message);
        CHECK(read.id.empty());
    }
    command read;
    CHECK(fail(R"({"subscribe":"a","id":"x)" + longest.substr(1) + '}', read).what ==
          error::bad_message);
}

TEST_CASE("transport/subscription_protocol: published data is taken as it was written") {
    struct data_vector {
        std::string_view message, payload;
    };
    for (auto const& v : {
             data_vector{R"({"publish":"c","data":1})", "1"},
             data_vector{R"({"data": 1.50 ,"publish":"c"})", "1.50"},
             data_vector{R"({"publish":"c","data":1e2})", "1e2"},
             data_vector{R"({"publish":"c","data":-0.0})", "-0.0"},
             data_vector{R"({"publish":"c","data":9007199254740993})", "9007199254740993"},
             data_vector{R"({"publish":"c","data":null})", "null"},
             data_vector{"{\"publish\":\"c\",\"data\": true\n}", "true"},
             data_vector{R"({"publish":"c","data":""})", R"("")"},
             data_vector{R"({"publish":"c","data":"a\"}\u00e4" })", R"("a\"}\u00e4")"},
             data_vector{"{\"publish\":\"c\",\"data\":\"\xe2\x82\xac\"}", "\"\xe2\x82\xac\""},
             data_vector{"{\"publish\":\"c\",\"data\": { \"a\" : [ 1,\n 2 ] }\t}",
                         "{ \"a\" : [ 1,\n 2 ] }"},
             data_vector{R"({"publish":"c","data":[]})", "[]"},
             data_vector{R"({"x":{"data":2},"publish":"c","data":[[[]]],"y":{"data":3}})",
                         "[[[]]]"},
             data_vector{R"({"publish":"c","data":1,"data":2})", "1"},
         }) {
        auto const read = parse(v.message);
        CHECK(read.what == kind::publish);
        CHECK(read.channel == "c");
        CHECK(read.payload == v.payload);
        CHECK(read.payload_is == payload_kind::json);
    }
    std::string const large(300'000, '7');
    CHECK((parse(R"({"publish":"c","key":"k","data":")" + large + "\"}").payload ==
           '"' + large + '"'));

    auto const binary = parse(R"({"publish":"c","key":"k","data64":"AP8K"})");
    CHECK(binary.payload == std::string("\0\xff\n", 3));
    CHECK(binary.payload_is == payload_kind::binary);
    CHECK(binary.key == "k");
    CHECK(parse(R"({"publish":"c","data64":""})").payload.empty());
}

TEST_CASE("transport/subscription_protocol: says what is wrong with a message, and keeps its id") {
    struct wrong {
        std::string_view message;
        error what;
        std::string_view id;
    };
    for (auto const& v : {
             wrong{"", error::bad_json, ""},
             wrong{" ", error::bad_json, ""},
             wrong{"{", error::bad_json, ""},
             wrong{R"({"subscribe":"a")", error::bad_json, ""},
             wrong{R"({"subscribe":"a",})", error::bad_json, ""},
             wrong{R"({'subscribe':'a'})", error::bad_json, ""},
             wrong{R"({"subscribe":"a"}{})", error::bad_json, ""},
             wrong{"{\"subscribe\":\"a\x01\"}", error::bad_json, ""},
             wrong{"{\"subscribe\":\"\xff\"}", error::bad_json, ""},
             wrong{"null", error::bad_json, ""},
             wrong{R"("subscribe")", error::bad_json, ""},
             wrong{"[1]", error::bad_json, ""},
             wrong{R"({"id":1})", error::bad_message, "1"},
             wrong{R"({"id":1,"Subscribe":"a"})", error::bad_message, "1"},
             wrong{R"({"id":1,"subscribe":null})", error::bad_message, "1"},
             wrong{R"({"id":1,"subscribe":["a"]})", error::bad_message, "1"},
             wrong{R"({"id":1,"subscribe":"a","publish":"b","data":1})", error::bad_message, "1"},
             wrong{R"({"id":1,"subscribe":"a","cursor":null})", error::bad_message, "1"},
             wrong{R"({"id":1,"subscribe":"a","snapshot":1})", error::bad_message, "1"},
             wrong{R"({"id":1,"subscribe":"a","mode":1})", error::bad_message, "1"},
             wrong{R"({"id":1,"subscribe":"a","mode":"latest"})", error::unsupported, "1"},
             wrong{R"({"id":1,"subscribe":"a","rate":10})", error::unsupported, "1"},
             wrong{R"({"id":1,"subscribe":"a","keys":[]})", error::unsupported, "1"},
             wrong{R"({"id":1,"presence":"a"})", error::unsupported, "1"},
             wrong{R"({"id":1,"history":"a","limit":1})", error::unsupported, "1"},
             wrong{R"({"id":1,"publish":"a"})", error::bad_message, "1"},
             wrong{R"({"id":1,"publish":"a","data":1,"data64":"AA=="})", error::bad_message, "1"},
             wrong{R"({"id":1,"publish":"a","data64":1})", error::bad_message, "1"},
             wrong{R"({"id":1,"publish":"a","data64":"A"})", error::bad_payload, "1"},
             wrong{R"({"id":1,"publish":"a","data64":"A A="})", error::bad_payload, "1"},
             wrong{R"({"id":1,"publish":"a","data":1,"key":1})", error::bad_message, "1"},
         }) {
        CAPTURE(v.message);
        command read;
        auto const failure = fail(v.message, read);
        CHECK(failure.what == v.what);
        CHECK_FALSE(failure.detail.empty());
        CHECK(read.id == v.id);
    }
    // Nesting has a bound, so that no message costs more than it has bytes.
    command read;
    CHECK(fail(R"({"publish":"a","data":)" + std::string(5000, '[') + std::string(5000, ']') + '}',
               read)
              .what == error::bad_json);
}

TEST_CASE("transport/subscription_protocol: no beginning of a message is taken for the whole") {
    std::string const message = R"({"publish":"chat","id":"x","key":"k","data":{"a":[1,"b"]}})";
    for (std::size_t size = 0; size < message.size(); ++size) {
        command read;
        CHECK(fail(std::string_view{message}.substr(0, size), read).what == error::bad_json);
    }
}

TEST_CASE("transport/subscription_protocol: replies are built as documented, with and without id") {
    position const at{33, 120};
    CHECK(built([&](auto& out) { append_subscribed(out, "ticks", "1", at, true); }) ==
          R"({"subscribed":"ticks","id":1,"cursor":"11-120","recovered":true})");
    CHECK(built([&](auto& out) { append_subscribed(out, "ticks", "", at, false); }) ==
          R"({"subscribed":"ticks","cursor":"11-120","recovered":false})");
    CHECK(built([&](auto& out) { append_unsubscribed(out, "ticks", R"("x")", at); }) ==
          R"({"unsubscribed":"ticks","id":"x","cursor":"11-120"})");
    CHECK(built([&](auto& out) { append_published(out, "chat", "", at); }) ==
          R"({"published":"chat","offset":120,"cursor":"11-120"})");
    CHECK(built([&](auto& out) {
              append_gap(out, "ticks", {100, 120, gap_reason::retention});
          }) == R"({"gap":"ticks","from":100,"to":120,"reason":"retention"})");
    CHECK(built([&](auto& out) {
              append_gap(out, "ticks", {1, 0, gap_reason::epoch});
          }) == R"({"gap":"ticks","from":1,"to":0,"reason":"epoch"})");
    CHECK(built([&](auto& out) { append_error(out, error::unknown_channel, "say \"hi\"", "2"); }) ==
          R"({"error":{"code":"unknown_channel","message":"say \"hi\""},"id":2})");
    for (std::size_t i = 1; i < error_count; ++i) {
        auto const& known = describe(static_cast<error>(i));
        auto const json = built([&](auto& out) { append_error(out, static_cast<error>(i), {}); });
        CHECK(json == R"({"error":{"code":")" + std::string{known.name} + R"(","message":")" +
                          std::string{known.message} + "\"}}");
    }
}

TEST_CASE("transport/client_request: the query names channels, cursor and snapshot") {
    auto const parse_target = [](std::string_view target, subscribe_request& read,
                                 std::string_view path_channel = {}, std::size_t channels_max = 3) {
        return read
            .parse({"GET", target, {{"Last-Event-ID", "oldest"}}}, path_channel, false,
                   channels_max)
            .what;
    };
    {
        subscribe_request read;
        CHECK(parse_target("/ws", read) == error::none);
        CHECK(read.channels().empty());
        CHECK(read.from().what() == cursor::kind::none);
        CHECK_FALSE(read.has_snapshot());
    }
    {
        subscribe_request read;
        CHECK(parse_target("/ws?channel=a%2Cb&x=y&channel=c&snapshot=true&cursor=now", read) ==
              error::none);
        CHECK(read.channels() == std::vector<std::string>{"a", "b", "c"});
        CHECK(read.from().what() == cursor::kind::now);
        CHECK(read.has_snapshot());
    }
    {
        subscribe_request read;
        CHECK(parse_target("/ws?cursor=a~11-1!b~1-2", read, "a%2f%62") == error::none);
        CHECK(read.channels() == std::vector<std::string>{"a/b"});
        CHECK(read.from().find("a") == position{33, 1});
        CHECK(read.from().find("b") == position{1, 2});
        CHECK_FALSE(read.from().find("c"));
    }
    {
        subscribe_request read;
        CHECK(read.parse({"GET", "/sse?channel=a&cursor=now", {{"Last-Event-ID", "oldest"}}}, {},
                         true, 3)
                  .what == error::none);
        CHECK(read.from().what() == cursor::kind::oldest);
        refusal_reason wrong;
        CHECK(read.number("wait", 5, wrong) == 5);
        CHECK_FALSE(wrong);
        CHECK(read.number("channel", 5, wrong) == 5);
        CHECK(wrong.what == error::bad_query);
    }
    struct refused {
        std::string_view target;
        error what;
    };
    for (auto const& v :
         {refused{"/ws?channel=%f", error::bad_query},
          refused{"/ws?snapshot=maybe", error::bad_query},
          refused{"/ws?mode=latest", error::unsupported}, refused{"/ws?rate=", error::unsupported},
          refused{"/ws?keys=", error::unsupported},
          refused{"/ws?channel=a,b,c,d", error::too_many_channels},
          refused{"/ws?channel=a,b&cursor=1-1", error::bad_cursor},
          refused{"/ws?cursor=a~1-1!b~1-1!c~1-1!d~1-1", error::bad_cursor},
          refused{"/ws?cursor=1-", error::bad_cursor},
          refused{"/ws?cursor=a~1-1!", error::bad_cursor}}) {
        CAPTURE(v.target);
        subscribe_request read;
        CHECK(parse_target(v.target, read) == v.what);
    }
    subscribe_request read;
    CHECK(parse_target("/ws", read, "%4") == error::bad_channel_name);
}
