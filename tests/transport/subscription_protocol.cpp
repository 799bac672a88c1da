#include <livetape/channel/hub.hpp>
#include <livetape/transport/client_request.hpp>
#include <livetape/transport/command.hpp>
#include <livetape/transport/publish_checked.hpp>
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
    auto const too_long = fail(R"({"subscribe":"a","id":"x)" + longest.substr(1) + '}', read);
    CHECK(too_long.what == error::id_too_long);
    CHECK(too_long.detail.find("128") != std::string::npos);

    std::string const name(message_id_bytes_max, 'm');
    auto const with_id = [](std::string_view message_id) {
        return R"({"publish":"a","data":1,"message_id":")" + std::string{message_id} + "\"}";
    };
    CHECK(parse(with_id(name)).message_id == name);
    CHECK(fail(with_id(name + 'm'), read).what == error::id_too_long);
}

TEST_CASE("transport/command: reads what a client chooses about delivery, and what it takes back") {
    auto const all = parse(R"({"subscribe":"a","mode":"latest","rate":2.5,"keys":["x","y"],)"
                           R"("credit":3})")
                         .delivery;
    CHECK(all.mode == delivery_mode::latest);
    CHECK(all.interval->count() == 400);
    CHECK(all.is_rate);
    CHECK(all.keys == std::vector<std::string>{"x", "y"});
    CHECK(all.credit == 3u);
    CHECK(parse(R"({"subscribe":"a"})").delivery.is_empty());

    auto const none =
        parse(R"({"change":"a","mode":"every","rate":null,"keys":null,"credit":null})");
    CHECK(none.what == kind::change);
    CHECK(none.delivery.mode == delivery_mode::every);
    CHECK(none.delivery.interval->count() == 0);
    CHECK(none.delivery.has_all_keys);
    CHECK(none.delivery.has_unlimited_credit);
    CHECK_FALSE(none.delivery.keys);
    CHECK(parse(R"({"change":"a","interval":40})").delivery.interval->count() == 40);
    auto const moved = parse(R"({"change":"a","add_keys":["x"],"remove_keys":["y","z"]})").delivery;
    CHECK(moved.add_keys == std::vector<std::string>{"x"});
    CHECK(moved.remove_keys == std::vector<std::string>{"y", "z"});
    CHECK(parse(R"({"credit":"a","flushes":7})").flushes == 7);
    CHECK(parse(R"({"stats":"a"})").what == kind::stats);
    CHECK(parse(R"({"presence":"a"})").what == kind::presence);
}

TEST_CASE("transport/command: reads history queries") {
    auto const plain = parse(R"({"history":"a"})").history;
    CHECK_FALSE(plain.from);
    CHECK_FALSE(plain.to);
    CHECK_FALSE(plain.limit);
    CHECK_FALSE(plain.is_reversed);
    auto const full =
        parse(R"({"history":"a","from":18446744073709551615,"to":0,"limit":9,"reverse":true})")
            .history;
    CHECK(full.from == UINT64_MAX);
    CHECK(full.to == 0u);
    CHECK(full.limit == 9u);
    CHECK(full.is_reversed);
}

TEST_CASE("transport/command: a binary message is a publish, a line feed and the bytes") {
    std::string const head = R"({"publish":"c","key":"k","id":1,"message_id":"m"})";
    for (auto const& bytes : {std::string{}, std::string{"\n\0\xff", 3}, std::string{"{}"}}) {
        command read;
        CHECK(parse_binary_command(head + '\n' + bytes, read).what == error::none);
        CHECK(read.what == kind::publish);
        CHECK(read.channel == "c");
        CHECK(read.key == "k");
        CHECK(read.id == "1");
        CHECK(read.message_id == "m");
        CHECK(read.payload_is == payload_kind::binary);
        CHECK(read.payload == bytes);
    }
    struct wrong {
        std::string message;
        error what;
    };
    for (auto const& v :
         {wrong{"", error::bad_json}, wrong{"\n", error::bad_json}, wrong{head, error::bad_message},
          wrong{"{\"subscribe\":\"c\"}\n", error::bad_message},
          wrong{"{\"publish\":\"c\",\"data\":1}\n", error::bad_message},
          wrong{"{\"publish\":\"c\",\"data64\":\"\"}\n", error::bad_message},
          wrong{"{\n\"publish\":\"c\"}\n", error::bad_json}}) {
        CAPTURE(v.message);
        command read;
        CHECK(parse_binary_command(v.message, read).what == v.what);
    }
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
             wrong{R"({"id":1,"subscribe":"a","mode":"newest"})", error::unsupported, "1"},
             wrong{R"({"id":1,"subscribe":"a","rate":"10"})", error::bad_message, "1"},
             wrong{R"({"id":1,"subscribe":"a","rate":true})", error::bad_message, "1"},
             wrong{R"({"id":1,"subscribe":"a","subscribe":"b"})", error::bad_message, "1"},
             wrong{R"({"id":1,"subscribe":"a","id":2})", error::bad_message, "1"},
             wrong{R"({"id":1,"subscribe":"a","keys":["x"],"keys":null})", error::bad_message, "1"},
             wrong{R"({"id":1,"publish":"a","data":1,"data":2})", error::bad_message, "1"},
             wrong{R"({"id":1,"subscribe":"a","rate":1,"interval":1})", error::bad_message, "1"},
             wrong{R"({"id":1,"subscribe":"a","interval":[]})", error::bad_message, "1"},
             wrong{R"({"id":1,"subscribe":"a","keys":"x"})", error::bad_message, "1"},
             wrong{R"({"id":1,"subscribe":"a","keys":["x",1]})", error::bad_message, "1"},
             wrong{R"({"id":1,"subscribe":"a","credit":-1})", error::bad_message, "1"},
             wrong{R"({"id":1,"subscribe":"a","credit":4294967296})", error::bad_message, "1"},
             wrong{R"({"id":1,"change":"a"})", error::bad_message, "1"},
             wrong{R"({"id":1,"change":"a","keys":[],"add_keys":[]})", error::bad_message, "1"},
             wrong{R"({"id":1,"change":"a","add_keys":[null]})", error::bad_message, "1"},
             wrong{R"({"id":1,"credit":"a"})", error::bad_message, "1"},
             wrong{R"({"id":1,"credit":"a","flushes":0})", error::bad_message, "1"},
             wrong{R"({"id":1,"credit":5})", error::bad_message, "1"},
             wrong{R"({"id":1,"history":"a","limit":0})", error::bad_message, "1"},
             wrong{R"({"id":1,"history":"a","from":-1})", error::bad_message, "1"},
             wrong{R"({"id":1,"history":"a","reverse":1})", error::bad_message, "1"},
             wrong{R"({"id":1,"publish":"a","data":1,"message_id":1})", error::bad_message, "1"},
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
    auto const too_deep = fail(
        R"({"publish":"a","data":)" + std::string(5000, '[') + std::string(5000, ']') + '}', read);
    CHECK(too_deep.what == error::bad_json);
    CHECK(too_deep.detail.find("1024 levels") != std::string::npos);
}

TEST_CASE(
    "transport/subscription_protocol: a payload keeps numbers of any size, a field does not") {
    command read;
    REQUIRE(
        fail(R"({"publish":"a","data":{"wei": 123456789012345678901234567890,"x":-1e999} })", read)
            .what == error::none);
    CHECK(read.payload == R"({"wei": 123456789012345678901234567890,"x":-1e999})");
    REQUIRE(fail(R"({"publish":"a","data":99999999999999999999})", read).what == error::none);
    CHECK(read.payload == "99999999999999999999");
    for (auto const* message :
         {R"({"credit":"a","flushes":99999999999999999999})",
          R"({"subscribe":"a","credit":99999999999999999999})", R"({"subscribe":"a","rate":1e400})",
          R"({"subscribe":"a","keys":1e400})", R"({"subscribe":"a","snapshot":1e400})",
          R"({"subscribe":1e400})", R"({"publish":"a","data":1,"id":1e400})",
          R"({"history":"a","to":18446744073709551616})",
          R"({"publish":"a","data":1e400,"data":1})"}) {
        CAPTURE(message);
        command other;
        auto const failure = fail(message, other);
        CHECK(failure.what == error::bad_message);
        CHECK(failure.detail.find(" must be ") + failure.detail.find(" is there twice") !=
              2 * std::string::npos);
    }
    for (auto const* message :
         {R"({"publish":"a","data":01})", R"({"publish":"a","data":[1e400,-]})",
          R"({"publish":"a","data":1e400)"}) {
        CAPTURE(message);
        CHECK(fail(message, read).what == error::bad_json);
    }
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
    CHECK(built([&](auto& out) { append_published(out, "chat", "2", at, true); }) ==
          R"({"published":"chat","id":2,"offset":120,"cursor":"11-120","duplicate":true})");
    CHECK(built([&](auto& out) { append_changed(out, "ticks", "2", at); }) ==
          R"({"changed":"ticks","id":2,"from":121,"cursor":"11-120"})");
    CHECK(built([&](auto& out) { append_subscribed(out, "a.b", "", at, false, "a.*"); }) ==
          R"({"subscribed":"a.b","pattern":"a.*","cursor":"11-120","recovered":false})");
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

TEST_CASE("transport/delivery_choice: what is over a limit is refused with the limit named") {
    delivery_limits const limits{std::chrono::milliseconds{10}, std::chrono::milliseconds{1500}, 3,
                                 5, 4};
    struct choice {
        char const* json;
        error what;
        std::string_view named;
    };
    for (auto const& v : {
             choice{R"("rate":100)", error::none, ""},
             choice{R"("rate":100.1)", error::bad_rate, "100 per second"},
             choice{R"("rate":0.667)", error::none, ""},
             choice{R"("rate":0.66)", error::bad_rate, "0.667"},
             choice{R"("rate":0)", error::bad_rate, "0.667"},
             choice{R"("rate":1e300)", error::bad_rate, "100 per second"},
             choice{R"("interval":0)", error::none, ""},
             choice{R"("interval":9)", error::bad_rate, "between 10 and 1500"},
             choice{R"("interval":1500)", error::none, ""},
             choice{R"("interval":1501)", error::bad_rate, "between 10 and 1500"},
             choice{R"("keys":["1","2","3"])", error::none, ""},
             choice{R"("keys":["1","2","3","4"])", error::too_many_keys, "3 keys"},
             choice{R"("keys":["1234"])", error::none, ""},
             choice{R"("keys":["12345"])", error::key_too_long, "4 bytes"},
             choice{R"("add_keys":["12345"])", error::key_too_long, "4 bytes"},
             choice{R"("add_keys":["b","c"])", error::none, ""},
             choice{R"("add_keys":["b","c","d"])", error::too_many_keys, "3 keys"},
             choice{R"("add_keys":["b","c","d"],"remove_keys":["a"])", error::none, ""},
         }) {
        CAPTURE(v.json);
        auto const read = parse(R"({"change":"c",)" + std::string{v.json} + '}');
        delivery_options to;
        to.keys = std::vector<std::string>{"a"};
        auto const refused = apply(read.delivery, limits, to, 2);
        CHECK(refused.what == v.what);
        CHECK(refused.detail.find(v.named) != std::string::npos);
        CHECK(refused.detail.empty() == v.named.empty());
    }
    delivery_options to;
    auto const read = parse(R"({"subscribe":"c","keys":["1","2","3"]})").delivery;
    CHECK(apply(read, limits, to, 3).what == error::too_many_keys);
    CHECK(apply(read, limits, to, 3).detail.find("5 keys in all") != std::string::npos);
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
    {
        subscribe_request read;
        CHECK(parse_target("/ws?channel=a&mode=latest&rate=0.5&keys=x,y&keys=z", read) ==
              error::none);
        CHECK(read.delivery("a").mode == delivery_mode::latest);
        CHECK(read.delivery("a").interval->count() == 2000);
        CHECK(read.delivery("a").keys == std::vector<std::string>{"x", "y", "z"});
    }
    {
        subscribe_request read;
        CHECK(
            parse_target(R"(/ws?channel=a&mode=latest&subscribe={"subscribe":"b","keys":["x,y"]})",
                         read) == error::none);
        CHECK(read.channels() == std::vector<std::string>{"a", "b"});
        CHECK(read.delivery("a").mode == delivery_mode::latest);
        CHECK_FALSE(read.delivery("a").keys);
        CHECK_FALSE(read.delivery("b").mode);
        CHECK(read.delivery("b").keys == std::vector<std::string>{"x,y"});
        CHECK(read.has_keys());
    }
    struct refused {
        std::string_view target;
        error what;
    };
    for (auto const& v :
         {refused{"/ws?channel=%f", error::bad_query},
          refused{"/ws?subscribe=a", error::bad_json},
          refused{R"(/ws?subscribe={"unsubscribe":"a"})", error::bad_message},
          refused{R"(/ws?subscribe={"subscribe":"a","mode":"all"})", error::unsupported},
          refused{R"(/ws?subscribe={"subscribe":"a","cursor":"now"})", error::bad_message},
          refused{R"(/ws?subscribe={"subscribe":"a","snapshot":true})", error::bad_message},
          refused{R"(/ws?subscribe={"subscribe":"a","credit":1})", error::bad_message},
          refused{R"(/ws?channel=a,b,c&subscribe={"subscribe":"d"})", error::too_many_channels},
          refused{R"(/ws?channel=a&subscribe={"subscribe":"b"}&cursor=1-1)", error::bad_cursor},
          refused{"/ws?snapshot=maybe", error::bad_query},
          refused{"/ws?mode=newest", error::unsupported},
          refused{"/ws?rate=", error::bad_query},
          refused{"/ws?rate=0x5", error::bad_query},
          refused{"/ws?rate=+1", error::bad_query},
          refused{"/ws?interval=1s", error::bad_query},
          refused{"/ws?rate=1&rate=1", error::bad_query},
          refused{"/ws?snapshot=1&snapshot=1", error::bad_query},
          refused{"/ws?rate=1&interval=5", error::bad_query},
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

TEST_CASE(
    "transport/publish_checked: what is not what its kind says is refused, and reaches nobody") {
    hub all;
    auto& to = all.open("a");
    struct checked {
        std::string_view payload;
        payload_kind kind;
        std::string_view key;
        publish_refusal refusal;
    };
    using enum publish_refusal;
    for (auto const& v :
         {checked{R"({"a":[1,2.5,"x"]})", payload_kind::json, "k", none},
          checked{" 1 ", payload_kind::json, "", none},
          checked{"1234567890123456789012345678901", payload_kind::json, "", none},
          checked{R"({"a":[-1e400,"1e400\\"],"b":0.5E+999})", payload_kind::json, "", none},
          checked{"[1e400,01]", payload_kind::json, "", bad_payload},
          checked{"[1e400,-]", payload_kind::json, "", bad_payload},
          checked{"1e400 1e400", payload_kind::json, "", bad_payload},
          checked{"1e400x", payload_kind::json, "", bad_payload},
          checked{"1e40.0", payload_kind::json, "", bad_payload},
          checked{R"([1e400,"\ud800"])", payload_kind::json, "", bad_payload},
          checked{"[1e400,\"", payload_kind::json, "", bad_payload},
          checked{"", payload_kind::json, "", bad_payload},
          checked{"{", payload_kind::json, "", bad_payload},
          checked{"1 2", payload_kind::json, "", bad_payload},
          checked{"nan", payload_kind::json, "", bad_payload},
          checked{"\"\xff\"", payload_kind::json, "", bad_payload},
          checked{"1", payload_kind::json, "\xff", bad_payload},
          checked{"\xc3(", payload_kind::text, "", bad_payload},
          checked{"{", payload_kind::text, "", none},
          checked{"\xff", payload_kind::binary, "", none},
          checked{"\xff", payload_kind::binary, "\xff", bad_payload},
          checked{"1", payload_kind::json, std::string_view{"k\0k", 3}, none}}) {
        CAPTURE(v.payload);
        auto const before = to.last_offset();
        auto const result = publish_checked(to, v.payload, {v.key, v.kind});
        CHECK(result.refusal == v.refusal);
        CHECK(to.last_offset() == before + (v.refusal == none ? 1 : 0));
        CHECK(result.offset == (v.refusal == none ? before + 1 : 0));
    }
    // The channel's own limits hold as well.
    auto& small = all.open("small", {.payload_bytes_max = 3});
    CHECK(publish_checked(small, "1234").refusal == payload_too_large);
}
