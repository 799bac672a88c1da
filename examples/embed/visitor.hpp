#pragma once

#include <livetape/livetape.hpp>
#include <livetape/wire/request_parser.hpp>

#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

/// One connection of a service that speaks HTTP by itself: it answers `/beep` on its own and hands
/// everything below `/live` to livetape, which gives the connection back after a poll.
class visitor : public std::enable_shared_from_this<visitor> {
public:
    /// @param received  what has arrived of the next request already
    visitor(asio::ip::tcp::socket socket, std::string received, livetape::live_endpoint& live)
        : socket_{std::move(socket)}, received_{std::move(received)}, live_{live} {}

    void next_request() {
        std::string_view input{received_};
        auto const status = parser_.feed(input);
        received_.erase(0, received_.size() - input.size());
        if (status == livetape::parse_status::need_more) return read();
        if (status == livetape::parse_status::failed)
            return answer(livetape::http::refusal(parser_.failure(), {}, false), false);
        auto head = parser_.release();
        if (head.path().starts_with("/live/")) return hand_over(std::move(head));
        answer_by_myself(head);
    }

private:
    void read() {
        socket_.async_read_some(asio::buffer(buffer_),
                                [self = shared_from_this()](auto ec, auto size) {
                                    if (ec) return;
                                    self->received_.append(self->buffer_.data(), size);
                                    self->next_request();
                                });
    }

    void hand_over(livetape::http::request_head head) {
        auto const taken_back = [&live = live_](std::error_code, auto back) {
            if (!back) return;
            std::make_shared<visitor>(std::move(back->stream), std::move(back->received), live)
                ->next_request();
        };
        livetape::serve(std::move(socket_), std::move(head), live_,
                        {.prefix = "/live", .received = std::move(received_)}, taken_back);
    }

    void answer_by_myself(livetape::http::request_head const& head) {
        if (head.path() != "/beep" || head.method() != "GET")
            return answer(livetape::http::refusal(livetape::error::not_found, {}, false), false);
        auto const offset = live_.source().publish("beeps", R"({"beep":true})");
        auto const body = "beep " + std::to_string(offset) + '\n';
        bool const keep_alive = livetape::http::keep_alive(head) && !livetape::has_body(head);
        answer("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                   body,
               keep_alive);
    }

    void answer(std::string response, bool keep_alive) {
        response_ = std::move(response);
        asio::async_write(socket_, asio::buffer(response_),
                          [self = shared_from_this(), keep_alive](auto ec, auto) {
                              if (!ec && keep_alive) self->next_request();
                          });
    }

    asio::ip::tcp::socket socket_;
    std::string received_;
    livetape::live_endpoint& live_;
    livetape::http::request_parser parser_;
    std::array<char, 4096> buffer_;
    std::string response_;
};
