#include <livetape/transport/publish_session.hpp>

#include <support/session_script.hpp>

#include <string>
#include <string_view>
#include <tuple>

// A publish: the first line is the request target, then fields up to an empty line, then the body.
// However the body is cut, there is the same response, and one event exactly if it says so.

void livetape::fuzz::run(std::string_view input) {
    std::string const target{take_line(input)};
    http::request_head head{"POST", target, {{"Host", "example.com"}}};
    for (auto line = take_line(input); !line.empty(); line = take_line(input)) {
        auto const colon = std::min(line.find(':'), line.size());
        auto const value = line.substr(std::min(colon + 1, line.size()));
        head.add_field(line.substr(0, colon), http::trim_whitespace(value));
    }

    auto const [received, payload] = same_in_pieces(input, [&](cutting how) {
        auto around = make_world();
        auto const client = test::connect<publish_session>(around, head);
        how.feed(input, [&](auto piece) {
            client->send({piece.data(), piece.size()});
            return !client->is_over;
        });
        bool const is_unfinished = !client->is_over;
        client->advance(std::chrono::seconds{200});
        REQUIRE(client->is_over);
        REQUIRE(!client->is_aborted);

        std::string_view rest{client->received};
        auto answer = test::take_response(rest);
        if (answer.status == 100) answer = test::take_response(rest);
        REQUIRE(rest.empty());
        REQUIRE(detail::is_json(answer.body));
        if (is_unfinished) REQUIRE(answer.status == 408);

        auto const channel = around.source.find("a");
        auto const count = channel ? channel->last_offset() : 0;
        REQUIRE(count <= (answer.status == 200 ? 1 : 0));
        std::string published;
        if (count == 1)
            for (auto const event : channel->read(0)) published = event.payload;
        return std::pair{client->received, published};
    });
    REQUIRE(payload.size() <= input.size());
}
