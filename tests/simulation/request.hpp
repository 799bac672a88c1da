#pragma once

#include "client.hpp"
#include "coverage.hpp"
#include "history_text.hpp"
#include "presence_text.hpp"
#include "server.hpp"
#include "wire_text.hpp"

#include <livetape/channel/write_batch.hpp>
#include <livetape/transport/history_session.hpp>
#include <livetape/transport/presence_answer.hpp>
#include <livetape/transport/publish_session.hpp>
#include <livetape/transport/session.hpp>
#include <livetape/wire/request_head.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace livetape::simulation {

/// A client that makes requests which are answered at once: each is written and read as a network
/// may cut it, and its answer is compared as a whole.
class request_client {
public:
    request_client(surroundings& world, coverage& seen) : world_{world}, covered_{seen} {}

    /// `GET /history`, with the tag of the last answer if `is_again`.
    void ask_for_history(std::size_t channel, history_question const& asked, bool is_again) {
        auto const& history = world_.on->at(channel).history;
        auto target = "/history?channel=" + history.name + asked.as_parameters();
        auto& known = tags_[channel];
        auto const tag = '"' + position_text(history.epoch, history.last()) + '-' +
                         std::to_string(std::min(history.first_kept, history.last() + 1)) + '"';
        bool const is_known = is_again && known == tag;
        http::request_head head{world_.random->one_in(8) ? "HEAD" : "GET", target, {{"Host", "h"}}};
        if (is_again && !known.empty()) head.add_field("If-None-Match", known);
        auto const body =
            history_text(history, asked, {}, world_.on->endpoint.options().history.bytes_max) +
            '\n';
        ++(is_known ? covered_.unchanged_histories : covered_.histories_by_get);
        std::string answer = is_known ? "HTTP/1.1 304 Not Modified\r\n" : "HTTP/1.1 200 OK\r\n";
        if (!is_known)
            answer +=
                "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n";
        answer += "ETag: " + tag + "\r\nCache-Control: no-cache, no-transform\r\n\r\n";
        if (!is_known && head.method() == "GET") answer += body;
        known = tag;
        history_transport::session session{context(), head, "/history"};
        check(read_all(session), answer);
    }

    /// `GET /presence` of a channel that has presence.
    void ask_for_presence(std::size_t channel) {
        auto const& of = world_.on->at(channel);
        http::request_head const head{
            "GET", "/presence?channel=" + of.history.name, {{"Host", "h"}}};
        presence_transport::session session{context(), head, "/presence"};
        auto const body = presence_text(of, world_.on->at(server::companion).history, {}) + '\n';
        ++covered_.presence_asked;
        check(read_all(session),
              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                  std::to_string(body.size()) +
                  "\r\nCache-Control: no-cache, no-transform\r\n\r\n" + body);
    }

    /// `POST /publish`: what others publish while the body comes goes before it.
    void publish(publish_request const& wanted) {
        auto const& to = world_.on->at(wanted.channel);
        std::string target = "/publish?channel=" + to.history.name;
        if (!wanted.key.empty()) target += "&key=" + wanted.key;
        bool const is_field = world_.random->one_in(2);
        if (!wanted.message_id.empty() && !is_field) target += "&message_id=" + wanted.message_id;
        http::request_head head{"POST", target, {{"Host", "h"}}};
        if (!wanted.message_id.empty() && is_field)
            head.add_field("Idempotency-Key", wanted.message_id);
        if (wanted.kind != payload_kind::binary)
            head.add_field("Content-Type", wanted.kind == payload_kind::json
                                               ? "application/json; charset=utf-8"
                                               : "text/plain");
        auto body = wanted.payload;
        if (world_.random->one_in(3)) {
            head.add_field("Transfer-Encoding", "chunked");
            body = chunks_of(body);
        } else {
            head.add_field("Content-Length", std::to_string(body.size()));
        }
        expected_publish expected;
        if (body.empty()) expected = expect(wanted);
        publish_session session{context(), head, "/publish"};
        if (!body.empty()) {
            auto const cut = world_.random->below(body.size());
            session.feed({body.data(), cut}, virtual_now);
            // A payload that is to merge says its own offset.
            if (!to.history.merges) world_.during_callback(world_.world);
            expected = expect(wanted);
            session.feed({body.data() + cut, body.size() - cut}, virtual_now);
        }
        ++covered_.publishes_by_post;
        if (!expected.is_duplicate)
            world_.on->note(wanted.channel, wanted.key, wanted.payload, wanted.kind,
                            id_of_publish({}, wanted.message_id));
        else ++covered_.duplicates;
        auto const text = published_text(to.history.name, {}, {to.history.epoch, expected.offset},
                                         expected.is_duplicate) +
                          '\n';
        check(read_all(session), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                 "Cache-Control: no-store\r\nContent-Length: " +
                                     std::to_string(text.size()) + "\r\n\r\n" + text);
    }

private:
    struct expected_publish {
        std::uint64_t offset = 0;
        bool is_duplicate = false;
    };

    [[nodiscard]] expected_publish expect(publish_request const& wanted) const {
        auto const& to = world_.on->at(wanted.channel);
        auto const known = wanted.message_id.empty()
                               ? 0
                               : to.memory.find(id_of_publish({}, wanted.message_id), virtual_now);
        return {known != 0 ? known : to.next_offset(), known != 0};
    }

    [[nodiscard]] session_context context() const {
        return {world_.on->endpoint, world_.on->loops[0].wakes, virtual_now};
    }

    /// A body in chunks (RFC 9112 §7.1), of which none is large.
    [[nodiscard]] std::string chunks_of(std::string_view body) const {
        constexpr std::string_view digits = "0123456789abcdef";
        std::string chunks;
        while (!body.empty()) {
            auto const size = std::min<std::size_t>(body.size(), 1 + world_.random->below(255));
            chunks += digits[size / 16];
            chunks += digits[size % 16];
            chunks.append("\r\n").append(body.substr(0, size)).append("\r\n");
            body.remove_prefix(size);
        }
        return chunks += "0\r\n\r\n";
    }

    /// What a session writes, if not everything fits at once.
    template <session Session>
    [[nodiscard]] std::string read_all(Session& from) {
        std::string text;
        write_batch batch;
        for (bool is_whole = false; !is_whole;) {
            from.gather(batch, virtual_now);
            std::string piece;
            for (std::size_t i = 0; i < batch.count(); ++i) piece += batch.piece(i);
            auto const written =
                world_.random->below(4) > 0 ? piece.size() : world_.random->below(piece.size() + 1);
            is_whole = written == piece.size();
            text.append(piece, 0, written);
            from.settle(batch, written, virtual_now);
        }
        if (from.end() != session_end::handback)
            world_.judge->fail("a connection cannot be used again after: " + text);
        return text;
    }

    void check(std::string const& got, std::string const& wanted) {
        world_.judge->check(got == wanted,
                            [&] { return "a request: expected " + wanted + ", got " + got; });
    }

    surroundings& world_;
    coverage& covered_;
    std::array<std::string, server::channel_count> tags_{};
};

} // namespace livetape::simulation
