#include <livetape/channel_name.hpp>
#include <livetape/transport/client_request.hpp>
#include <livetape/transport/json_reader.hpp>
#include <livetape/wire/response.hpp>

#include <support/fuzz.hpp>

#include <string>
#include <string_view>

// What a request for subscriptions asks: the first line is the query, the second the path's
// channel, the third Last-Event-ID. Whatever it says, a refusal is one well-formed response.

void livetape::fuzz::run(std::string_view input) {
    auto const query = take_line(input);
    auto const path_channel = take_line(input);
    std::string const target = "/sse?" + std::string{query};
    http::request_head const head{"GET", target, {{"Last-Event-ID", take_line(input)}}};

    constexpr std::size_t channels_max = 3;
    subscribe_request request;
    auto why = request.parse(head, path_channel, true, channels_max);
    if (!why) {
        REQUIRE(request.channels().size() <= channels_max);
        for (auto const& channel : request.channels()) {
            auto const start = start_of(request.from(), channel, request.has_snapshot(),
                                        request.channels().size());
            REQUIRE(start.has_value());
        }
        static_cast<void>(request.number("wait", 7, why));
    }
    if (!why) return;
    auto const response = http::refusal(why.what, why.detail, false);
    auto const end = response.find("\r\n\r\n");
    REQUIRE(end != std::string::npos);
    REQUIRE(detail::is_json(std::string_view{response}.substr(end + 4)));
    REQUIRE(describe(why.what).http_status >= 400);
}
