#pragma once

#include <livetape/channel/dispatcher.hpp>
#include <livetape/channel/hub.hpp>
#include <livetape/channel/write_batch.hpp>
#include <livetape/json_text.hpp>
#include <livetape/transport/endpoint.hpp>
#include <livetape/transport/session.hpp>
#include <livetape/wire/close_code.hpp>
#include <livetape/wire/frame_header.hpp>
#include <livetape/wire/message_reader.hpp>
#include <livetape/wire/request_head.hpp>
#include <livetape/wire/sse_parser.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace livetape::test {

/// The clock of a simulation: stands still until a test moves it.
inline time_point virtual_now{std::chrono::hours{1}};
inline time_point read_virtual_now() { return virtual_now; }

inline constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

/// Segments of a few events and a log of a few segments: retention passes whoever waits for 100.
inline constexpr channel_options short_memory{.log_bytes_max = 8u << 10, .log_events_max = 20};

/// A hub with a fixed seed, an endpoint on it and the dispatcher of one shard.
struct world {
    explicit world(live_options live = {}, channel_options channels = {},
                   std::size_t channels_max = 100)
        : source{channels, {channels_max, 7, read_virtual_now}}, endpoint{source, std::move(live)} {
    }

    hub source;
    live_endpoint endpoint;
    dispatcher wakes{[](void*) noexcept {}, nullptr};

    [[nodiscard]] session_context context(std::uint32_t random = 0) {
        return {endpoint, wakes, virtual_now, random};
    }

    /// Lets every session that has something due write.
    void run() {
        while (wakes.run(16, virtual_now)) {
        }
    }

    std::uint64_t publish(std::string_view channel, std::string_view payload,
                          publish_options options = {}) {
        auto const offset = source.publish(channel, payload, options);
        run();
        return offset;
    }

    [[nodiscard]] std::uint64_t count(error e) const { return endpoint.errors()[e]; }

    /// Sum of all counters but those named: what else went wrong.
    [[nodiscard]] std::uint64_t count_all() const {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < error_count; ++i)
            sum += endpoint.errors()[static_cast<error>(i)];
        return sum;
    }

    [[nodiscard]] std::string cursor(std::string_view channel, std::uint64_t offset) {
        std::string text;
        append_position(text, {source.open(channel).epoch(), offset});
        return text;
    }
};

/// Drives a session as a connection would, and is the network: `piece_bytes` go out per write and
/// `window` in all, until the test opens it. Every byte that goes out is kept.
template <session Session>
class session_driver {
public:
    template <class... Arguments>
    explicit session_driver(Arguments&&... arguments) : on{std::forward<Arguments>(arguments)...} {
        on.cursors().on_ready(
            [](void* self) noexcept { static_cast<session_driver*>(self)->flush(); }, this);
    }
    session_driver(session_driver const&) = delete;
    session_driver& operator=(session_driver const&) = delete;

    Session on;
    std::string received; ///< what the peer has got
    std::size_t piece_bytes = unlimited;
    std::size_t window = unlimited;
    time_point wakes_at = never;
    bool is_over = false; ///< nothing goes either way any more
    bool is_aborted = false;

    /// Starts as a connection does: asks the session and writes what it has.
    session_driver& start() {
        pump();
        return *this;
    }

    /// Sends bytes, which are fed in pieces; each piece lies in a block of its own, so that a
    /// sanitizer sees a session that keeps a view of it. What the session does not want yet waits.
    void send(std::string_view bytes, std::size_t fed_bytes = unlimited) {
        in_transit += bytes;
        fed_bytes_ = fed_bytes;
        feed();
    }

    void end_input() {
        has_input_ended_ = true;
        feed();
    }

    std::string in_transit; ///< sent by the peer, not wanted by the session yet

    void shut_down() {
        on.shut_down(virtual_now);
        pump();
    }

    /// Lets time pass, calling the session whenever it asked to be called.
    void advance(std::chrono::milliseconds by) {
        auto const until = virtual_now + by;
        for (int calls = 0; !is_over && wakes_at <= until; ++calls) {
            REQUIRE(calls < 1000);
            virtual_now = std::max(virtual_now, wakes_at);
            pump();
            // A deadline that has passed must lead to something, not to the same deadline again.
            if (!is_over) REQUIRE(wakes_at > virtual_now);
        }
        virtual_now = until;
    }

    void open_window(std::size_t bytes = unlimited) {
        window = bytes;
        pump();
    }

    void pump() {
        if (is_over) return;
        wakes_at = on.wake(virtual_now);
        for (;;) {
            if (on.end() == session_end::abort) return finish(true);
            if (cannot_write()) break;
            if (write()) continue;
            if (on.end() == session_end::none) break;
            if (on.end() == session_end::abort) return finish(true);
            return finish(false);
        }
        wakes_at = on.wake(virtual_now);
        if (on.end() == session_end::abort) finish(true);
        feed();
    }

    /// Begins a write that a test ends itself, as on a stream that is not driven by readiness.
    /// Returns the bytes that are on their way.
    std::size_t begin_write() {
        REQUIRE(!is_in_flight_);
        on.gather(batch_, virtual_now);
        planned_.clear();
        for (std::size_t i = 0; i < batch_.count(); ++i) planned_ += batch_.piece(i);
        if (batch_.empty()) {
            set_writing();
            return 0;
        }
        is_in_flight_ = true;
        set_writing();
        return planned_.size();
    }

    void end_write(std::size_t written) {
        REQUIRE(is_in_flight_);
        is_in_flight_ = false;
        set_writing();
        finish_write(std::min(written, planned_.size()));
    }

private:
    void feed() {
        if (std::exchange(is_feeding_, true)) return;
        std::size_t fed = 0;
        while (fed < in_transit.size() && !is_over && wants_input(on)) {
            auto const piece = std::string_view{in_transit}.substr(fed, fed_bytes_);
            fed += piece.size();
            std::vector<char> block(piece.begin(), piece.end());
            on.feed(block, virtual_now);
            pump();
        }
        in_transit.erase(0, fed);
        if (has_input_ended_ && in_transit.empty() && !is_over && wants_input(on)) {
            has_input_ended_ = false;
            on.end_of_input(virtual_now);
            pump();
        }
        is_feeding_ = false;
    }

    void flush() {
        bool const is_whole = !write() || planned_.size() == written_;
        if (!is_whole || on.end() != session_end::none || !in_transit.empty()) pump();
        else if (on.cursors().is_due()) on.cursors().make_ready(); // as a connection does
    }

    [[nodiscard]] bool cannot_write() const {
        return is_in_flight_ || (is_blocked_ && window == 0);
    }

    void set_writing() { on.cursors().set_writing(is_in_flight_ || is_blocked_); }

    /// One write; false if there was nothing to write.
    bool write() {
        if (is_over || cannot_write()) return false;
        is_blocked_ = false;
        if (begin_write() == 0) return false;
        auto const size = std::min({piece_bytes, window, planned_.size()});
        if (window != unlimited) window -= size;
        // With the window closed the stream says when it takes more.
        is_blocked_ = size < planned_.size() && window == 0;
        end_write(size);
        return true;
    }

    void finish_write(std::size_t written) {
        std::string now;
        for (std::size_t i = 0; i < batch_.count(); ++i) now += batch_.piece(i);
        REQUIRE((now == planned_));
        written_ = written;
        received += planned_.substr(0, written);
        on.settle(batch_, written, virtual_now);
        REQUIRE(batch_.empty());
    }

    void finish(bool aborted) {
        is_over = true;
        is_aborted = aborted;
        on.cursors().clear();
    }

    write_batch batch_;
    std::string planned_;
    std::size_t written_ = 0;
    std::size_t fed_bytes_ = unlimited;
    bool has_input_ended_ = false;
    bool is_feeding_ = false;
    bool is_in_flight_ = false;
    bool is_blocked_ = false; // the stream took less than all, and will say when it takes more
};

/// Connects a client to a session of the live paths, whose prefix the target does not have.
template <session Session>
std::unique_ptr<session_driver<Session>> connect(world& to, http::request_head const& head,
                                                 std::size_t piece_bytes = unlimited,
                                                 std::size_t window = unlimited) {
    auto driver = std::make_unique<session_driver<Session>>(to.context(), head, head.path());
    driver->piece_bytes = piece_bytes;
    driver->window = window;
    driver->start();
    return driver;
}

/// A response as a client reads it.
struct response {
    unsigned status = 0;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;

    [[nodiscard]] std::string field(std::string_view name) const {
        for (auto const& [key, value] : fields)
            if (http::equals_ignoring_case(key, name)) return value;
        return {};
    }
    [[nodiscard]] std::string code() const {
        auto const begin = body.find("\"code\":\"");
        return begin == std::string::npos
                   ? ""
                   : body.substr(begin + 8, body.find('"', begin + 8) - begin - 8);
    }
};

/// Takes a response's head from the front of `bytes`.
inline response take_head(std::string_view& bytes) {
    response r;
    auto const end = bytes.find("\r\n\r\n");
    REQUIRE(end != std::string_view::npos);
    auto head = bytes.substr(0, end + 2);
    bytes.remove_prefix(end + 4);
    REQUIRE(head.starts_with("HTTP/1.1 "));
    r.status = static_cast<unsigned>(std::stoi(std::string{head.substr(9, 3)}));
    head.remove_prefix(head.find("\r\n") + 2);
    while (!head.empty()) {
        auto const line = head.substr(0, head.find("\r\n"));
        head.remove_prefix(line.size() + 2);
        auto const colon = line.find(": ");
        REQUIRE(colon != std::string_view::npos);
        r.fields.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    }
    return r;
}

/// Takes a whole response with Content-Length, or without a body, from the front of `bytes`.
inline response take_response(std::string_view& bytes) {
    auto r = take_head(bytes);
    auto const length = r.field("Content-Length");
    auto const size = length.empty() ? std::size_t{0} : std::size_t{std::stoul(length)};
    REQUIRE(bytes.size() >= size);
    r.body = bytes.substr(0, size);
    bytes.remove_prefix(size);
    return r;
}

/// All of `bytes` as one response.
inline response only_response(std::string_view bytes) {
    auto r = take_response(bytes);
    CHECK(bytes.empty());
    return r;
}

/// What a WebSocket client got: the handshake's answer and the messages after it.
struct websocket_inbox {
    response handshake;
    std::vector<std::string> messages; ///< text and binary
    std::vector<websocket::message_reader::item_kind> kinds;
    std::vector<std::string> pings, pongs;
    std::string order;  ///< of all: m message, i ping, o pong, c close
    int close_code = 0; ///< 0: no close frame
    std::string close_reason;
};

/// Reads with the library's reader in the client's role; nothing may be left or broken, but for a
/// frame that has not arrived in whole.
/// @param codec  the client's, if compression was agreed on
inline websocket_inbox read_websocket(std::string_view bytes,
                                      websocket::message_codec* codec = nullptr) {
    websocket_inbox inbox;
    inbox.handshake = take_head(bytes);
    if (inbox.handshake.status != 101) {
        inbox.handshake.body = bytes;
        return inbox;
    }
    std::vector<char> block(bytes.begin(), bytes.end());
    std::span<char> input{block};
    websocket::message_reader reader{websocket::role::client, {std::size_t{1} << 30}};
    if (codec != nullptr) reader.set_compression(*codec);
    for (;;) {
        using kind = websocket::message_reader::item_kind;
        auto const item = reader.next(input);
        if (item.kind == kind::none) break;
        REQUIRE(item.kind != kind::failed);
        CHECK(inbox.close_code == 0);
        inbox.order += item.kind == kind::ping    ? 'i'
                       : item.kind == kind::pong  ? 'o'
                       : item.kind == kind::close ? 'c'
                                                  : 'm';
        if (item.kind == kind::text || item.kind == kind::binary) {
            inbox.messages.emplace_back(item.payload);
            inbox.kinds.push_back(item.kind);
        }
        if (item.kind == kind::ping) inbox.pings.emplace_back(item.payload);
        if (item.kind == kind::pong) inbox.pongs.emplace_back(item.payload);
        if (item.kind == kind::close) {
            inbox.close_code = item.close_code;
            inbox.close_reason = item.payload;
            CHECK(input.empty());
        }
    }
    return inbox;
}

/// What an EventSource got.
struct sse_inbox {
    struct message {
        std::string type, data, id;
    };
    response head;
    std::vector<message> messages;
    std::string last_event_id;
    std::optional<std::chrono::milliseconds> retry;
    std::string stream; ///< the stream as it came
};

inline sse_inbox read_sse(std::string_view bytes) {
    sse_inbox inbox;
    inbox.head = take_head(bytes);
    inbox.stream = bytes;
    if (inbox.head.status != 200) {
        inbox.head.body = bytes;
        return inbox;
    }
    sse::parser parser{{std::size_t{1} << 30, std::size_t{1} << 30}};
    sse::event found;
    while (parser.next(bytes, found) == parse_status::done)
        inbox.messages.push_back(
            {std::string{found.type}, std::string{found.data}, std::string{found.last_event_id}});
    REQUIRE(parser.failure() == error::none);
    inbox.last_event_id = parser.last_event_id();
    inbox.retry = parser.reconnection_time();
    return inbox;
}

/// A client's frames, masked.
inline std::string masked(std::string_view payload,
                          websocket::opcode code = websocket::opcode::text) {
    std::string bytes;
    websocket::append_masked_frame(bytes, code, payload, {0x12, 0x34, 0x56, 0x78});
    return bytes;
}
inline std::string masked_close(std::uint16_t code, std::string_view reason = {}) {
    std::string bytes;
    websocket::append_masked_close_frame(bytes, code, reason, {1, 2, 3, 4});
    return bytes;
}

/// A request for a WebSocket connection.
inline http::request_head handshake(std::string_view target,
                                    std::initializer_list<http::header_field> more = {}) {
    http::request_head head{"GET",
                            target,
                            {{"Host", "example.com"},
                             {"Upgrade", "websocket"},
                             {"Connection", "Upgrade"},
                             {"Sec-WebSocket-Version", "13"},
                             {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}}};
    for (auto const& field : more) head.add_field(field.name, field.value);
    return head;
}

/// A request of the live paths, whose prefix is cut off already.
inline http::request_head request(std::string_view method, std::string_view target,
                                  std::initializer_list<http::header_field> fields = {},
                                  int minor_version = 1) {
    http::request_head head{method, target, {{"Host", "example.com"}}, minor_version};
    for (auto const& field : fields) head.add_field(field.name, field.value);
    return head;
}

/// The text of a member of a flat JSON object: without quotes if it is a string.
inline std::string member(std::string_view json, std::string_view name) {
    auto const mark = '"' + std::string{name} + "\":";
    auto const begin = json.find(mark);
    if (begin == std::string_view::npos) return {};
    auto rest = json.substr(begin + mark.size());
    if (rest.starts_with('"')) return std::string{rest.substr(1, rest.find('"', 1) - 1)};
    return std::string{rest.substr(0, rest.find_first_of(",}]"))};
}

/// The offsets of all events in a text, in order.
inline std::vector<std::uint64_t> offsets_in(std::string_view json) {
    std::vector<std::uint64_t> offsets;
    constexpr std::string_view mark = R"(","offset":)";
    for (auto at = json.find(mark); at != std::string_view::npos; at = json.find(mark, at + 1))
        offsets.push_back(std::stoull(std::string{json.substr(at + mark.size(), 20)}));
    return offsets;
}

inline std::vector<std::uint64_t> offsets_in(std::vector<std::string> const& messages) {
    std::vector<std::uint64_t> offsets;
    for (auto const& message : messages)
        for (auto const offset : offsets_in(message)) offsets.push_back(offset);
    return offsets;
}

/// first, first + 1 … last.
inline std::vector<std::uint64_t> range(std::uint64_t first, std::uint64_t last) {
    std::vector<std::uint64_t> offsets;
    for (auto offset = first; offset <= last; ++offset) offsets.push_back(offset);
    return offsets;
}

} // namespace livetape::test
