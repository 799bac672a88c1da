#pragma once

#include "support/client_socket.hpp"
#include "support/feed_payload.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace benchmarks {

/// A way to follow the feed.
enum class method : std::uint8_t { short_poll, long_poll, sse, websocket };

/// What all clients of a case have counted.
struct client_counts {
    std::vector<std::int64_t> staleness_ns;
    std::vector<std::int64_t> just_after_ns; ///< of updates published just after an answer
    std::uint64_t sent_bytes = 0;
    std::uint64_t received_bytes = 0;
    std::uint64_t requests = 0;
    std::uint64_t missing = 0;
    std::uint64_t repeated = 0;
};

/// One client of the feed, as a page in a browser would be: its requests carry the fields that a
/// browser sends, because they are a part of what polling costs.
class feed_client {
public:
    /// @param just_after_ns  how soon after an answer a publication counts as just after it
    feed_client(method how, server_address const& server, std::size_t number,
                std::int64_t just_after_ns)
        : how_{how}, just_after_ns_{just_after_ns}, socket_{connect_to(server, number)} {}

    [[nodiscard]] int socket() const noexcept { return socket_.get(); }
    [[nodiscard]] bool is_waiting() const noexcept { return is_waiting_; }

    /// Whether the first answer, which says that the client takes part, has come.
    [[nodiscard]] bool is_started() const noexcept { return answers_ > 0; }

    /// Sends the next request, or the only one.
    void request(client_counts& counts) {
        std::string text;
        switch (how_) {
        case method::websocket:
            text = upgrade_request("/live/ws?channel=feed", browser_fields);
            break;
        case method::sse: text = get("/live/sse?channel=feed", "text/event-stream"); break;
        default:
            text = get("/live/poll?channel=feed&wait=" +
                           std::string{how_ == method::short_poll || !is_started() ? "0" : "25"} +
                           "&cursor=" + cursor_,
                       "*/*");
        }
        send_all(socket_.get(), text);
        counts.sent_bytes += text.size();
        ++counts.requests;
        is_waiting_ = true;
    }

    /// Reads what has come; returns false if the server has closed the connection.
    bool receive(client_counts& counts) {
        std::array<char, 64u << 10> buffer;
        auto const size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
        if (size <= 0) return size < 0 && errno == EAGAIN;
        counts.received_bytes += static_cast<std::uint64_t>(size);
        text_.append(buffer.data(), static_cast<std::size_t>(size));
        auto const now = monotonic_ns();
        if (how_ == method::short_poll || how_ == method::long_poll) take_answer(now, counts);
        else take_stream(now, counts);
        return true;
    }

private:
    static constexpr std::string_view browser_fields =
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/130.0.0.0 Safari/537.36\r\n"
        "Accept-Encoding: gzip, deflate, br, zstd\r\n"
        "Accept-Language: en-US,en;q=0.9\r\n";

    static std::string get(std::string const& target, std::string_view accept) {
        std::string text =
            "GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\nAccept: ";
        text.append(accept).append("\r\n"
                                   "Sec-Fetch-Site: same-origin\r\n"
                                   "Sec-Fetch-Mode: cors\r\n"
                                   "Sec-Fetch-Dest: empty\r\n"
                                   "Referer: http://localhost/\r\n");
        return text.append(browser_fields).append("\r\n");
    }

    /// Takes one whole HTTP answer: head, `Content-Length`, body with cursor and events.
    void take_answer(std::int64_t now, client_counts& counts) {
        std::string_view const text{text_};
        auto const head_end = text.find("\r\n\r\n");
        if (head_end == std::string_view::npos) return;
        constexpr std::string_view length_field = "Content-Length: ";
        auto const length_at = text.substr(0, head_end).find(length_field);
        std::size_t length = 0;
        if (length_at != std::string_view::npos) {
            auto const* const digits = text.data() + length_at + length_field.size();
            std::from_chars(digits, text.data() + head_end, length);
        }
        auto const body = text.substr(head_end + 4);
        if (body.size() < length) return;
        constexpr std::string_view cursor_begin = R"({"cursor":")";
        if (body.starts_with(cursor_begin)) {
            auto const value = body.substr(cursor_begin.size());
            cursor_ = value.substr(0, value.find('"'));
        }
        take_events(body, now, counts);
        end_answer(now);
        text_.clear();
        is_waiting_ = false;
    }

    /// Takes the whole events of a stream; how they are framed does not matter for finding them.
    void take_stream(std::int64_t now, client_counts& counts) {
        auto const taken = take_events(text_, now, counts);
        if (taken > 0 || !is_started()) end_answer(now);
        text_.erase(0, taken);
        // Frame headers and comments between events need not be kept, but a beginning might be
        // there.
        if (text_.size() > stream_rest_max) text_.erase(0, text_.size() - stream_rest_max);
    }

    /// Reads the events in `text`; returns where the last whole one ends.
    std::size_t take_events(std::string_view text, std::int64_t now, client_counts& counts) {
        std::size_t end = 0;
        bool is_first = true;
        for (auto at = text.find(event_begin); at != std::string_view::npos;
             at = text.find(event_begin, end)) {
            auto const event_end = text.find(event_last, at);
            if (event_end == std::string_view::npos) break;
            auto event = text.substr(at, event_end - at);
            end = event_end + event_last.size();
            auto const sequence = read_sequence(event);
            auto const published = read_time(event);
            if (next_ != 0 && sequence > next_) counts.missing += sequence - next_;
            if (next_ != 0 && sequence < next_) ++counts.repeated;
            next_ = sequence + 1;
            counts.staleness_ns.push_back(now - published);
            if (is_first && answers_ > 1 && published - last_answer_ns_ < just_after_ns_)
                counts.just_after_ns.push_back(now - published);
            is_first = false;
        }
        return end;
    }

    void end_answer(std::int64_t now) noexcept {
        last_answer_ns_ = now;
        ++answers_;
    }

    static constexpr std::string_view event_begin = R"({"s":)";
    static constexpr std::string_view event_last = R"("})";
    static constexpr std::size_t stream_rest_max = 64u << 10;

    method how_;
    std::int64_t just_after_ns_;
    descriptor socket_;
    std::string cursor_ = "now";
    std::string text_;
    std::uint64_t next_ = 0; // 0: the first event may be any
    std::uint64_t answers_ = 0;
    std::int64_t last_answer_ns_ = 0;
    bool is_waiting_ = false;
};

} // namespace benchmarks
