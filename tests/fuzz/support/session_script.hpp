#pragma once

#include <livetape/wire/query.hpp>
#include <livetape/wire/utf8.hpp>

#include <support/fuzz.hpp>
#include <support/session_driver.hpp>

#include <simdjson.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace livetape::fuzz {

/// A hub of short memory, open to everybody, with limits that a script can reach.
inline test::world make_world() {
    test::virtual_now = time_point{std::chrono::hours{1}};
    live_options options;
    options.channels_per_session_max = 3;
    options.message_bytes_max = 600;
    options.reply_bytes_max = 1000;
    options.poll_bytes_max = 500;
    options.clients_may_create_channels = true;
    options.hooks.publish = [](auto, std::string_view channel) { return channel != "closed"; };
    return test::world{std::move(options), test::short_memory, 4};
}

/// The decimal number at the front of a text, at most `largest`; `otherwise` if there is none.
inline std::size_t number_of(std::string_view text, std::size_t largest, std::size_t otherwise) {
    std::size_t number = 0, digits = 0;
    for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits)
        number = std::min(number * 10 + static_cast<std::size_t>(text[digits] - '0'), largest);
    return digits == 0 ? otherwise : number;
}

/// What happens around a session, a line for each event, told apart by its first letter:
///
///     p CHANNEL PAYLOAD   an event is published; the channel is one letter
///     P CHANNEL           forty are, which is more than the log keeps
///     t SECONDS           time passes
///     w BYTES             the peer takes that many more bytes; without a number, all
///     z BYTES             the network takes at most that many at a time
///     r BYTES             the peer sends; percent-encoded where need be
///     b                   a write begins, which ends later
///     f BYTES             it ends after that many bytes
///     e, s                the peer sends no more; the server is stopping
template <session Session>
class session_script {
public:
    session_script(test::world& around, test::session_driver<Session>& driver)
        : around_{around}, driver_{driver} {}

    /// Plays one line; what it does not know may be the caller's.
    void play(std::string_view line) {
        if (line.empty()) return;
        auto const rest = line.substr(std::min<std::size_t>(2, line.size()));
        switch (line.front()) {
        case 'p': publish(rest); break;
        case 'P':
            for (int i = 0; i < 40; ++i) publish(rest.substr(0, 1));
            break;
        case 't': driver_.advance(std::chrono::seconds{number_of(rest, 200, 1)}); break;
        case 'w': driver_.open_window(number_of(rest, 1 << 20, test::unlimited)); break;
        case 'z':
            driver_.piece_bytes = std::max<std::size_t>(number_of(rest, 1 << 20, 1), 1);
            break;
        case 'r': send(decoded(rest)); break;
        case 'b':
            if (!is_in_flight_ && !driver_.is_over) is_in_flight_ = driver_.begin_write() > 0;
            break;
        case 'f': end_write(number_of(rest, 1 << 20, test::unlimited)); break;
        case 'e': driver_.end_input(); break;
        case 's': driver_.shut_down(); break;
        default: break;
        }
        around_.run();
    }

    /// The bytes arrive in pieces.
    void send(std::string_view bytes) {
        choices cut{bytes};
        while (!bytes.empty()) {
            auto const piece = bytes.substr(0, 1 + cut.up_to(cut.up_to(1) == 0 ? 3 : bytes.size()));
            driver_.send(piece);
            bytes.remove_prefix(piece.size());
        }
    }

    /// Lets everything that is due go out.
    void finish() {
        end_write(test::unlimited);
        driver_.piece_bytes = test::unlimited;
        driver_.open_window();
        around_.run();
    }

    static std::string decoded(std::string_view text) {
        std::string bytes;
        if (!http::percent_decode(text, bytes)) bytes = text;
        return bytes;
    }

private:
    void publish(std::string_view channel_and_payload) {
        auto const channel = channel_and_payload.substr(0, 1);
        auto payload =
            channel_and_payload.substr(std::min<std::size_t>(2, channel_and_payload.size()));
        auto const kind = is_utf8(payload) ? payload_kind::text : payload_kind::binary;
        around_.source.publish(channel, payload, {.kind = kind});
    }

    void end_write(std::size_t written) {
        if (!std::exchange(is_in_flight_, false)) return;
        driver_.end_write(written);
        driver_.pump();
    }

    test::world& around_;
    test::session_driver<Session>& driver_;
    bool is_in_flight_ = false;
};

/// Follows what one client is told of each channel, and requires that nothing is lost, repeated or
/// out of order without a notice.
class delivery_check {
public:
    /// @param has_snapshot  snapshots leave superseded events out, and then only the order counts
    /// @param has_choice    the client chose what it gets, and then only the form counts: what each
    ///                      choice promises is for tests/channel and tests/transport
    explicit delivery_check(bool has_snapshot, bool has_choice = false)
        : has_snapshot_{has_snapshot}, has_choice_{has_choice} {}

    /// A message of the JSON subscription protocol.
    void take(std::string_view json) {
        simdjson::dom::element message;
        REQUIRE(parser_.parse(json.data(), json.size()).get(message) == simdjson::SUCCESS);
        if (has_choice_) return;
        std::string_view channel, cursor;
        std::uint64_t offset = 0, last = 0;
        if (message["channel"].get(channel) == simdjson::SUCCESS) {
            REQUIRE(message["offset"].get(offset) == simdjson::SUCCESS);
            take_event(std::string{channel}, offset);
        } else if (message["gap"].get(channel) == simdjson::SUCCESS) {
            REQUIRE(message["from"].get(offset) == simdjson::SUCCESS);
            REQUIRE(message["to"].get(last) == simdjson::SUCCESS);
            take_gap(std::string{channel}, offset, last);
        } else if (message["subscribed"].get(channel) == simdjson::SUCCESS) {
            REQUIRE(message["cursor"].get(cursor) == simdjson::SUCCESS);
            bool const is_new = next_.emplace(channel, parse_position(cursor)->offset + 1).second;
            REQUIRE(is_new);
        } else if (message["unsubscribed"].get(channel) == simdjson::SUCCESS) {
            REQUIRE(message["cursor"].get(cursor) == simdjson::SUCCESS);
            REQUIRE(next_.count(std::string{channel}) == 1);
            if (!has_snapshot_)
                REQUIRE(next_[std::string{channel}] == parse_position(cursor)->offset + 1);
            next_.erase(std::string{channel});
        }
    }

    /// A channel whose subscription was not announced by a message of its own.
    void expect(std::string_view channel) { unannounced_.emplace(channel, 0); }

    /// Requires that all of the channel has come, if anything has.
    void check_end(channel const& of) const {
        auto const found = next_.find(std::string{of.name()});
        if (found != next_.end()) REQUIRE(found->second == of.last_offset() + 1);
    }

private:
    void take_event(std::string const& channel, std::uint64_t offset) {
        auto& next = expected(channel, offset);
        REQUIRE((has_snapshot_ ? offset >= next : offset == next));
        next = offset + 1;
    }

    void take_gap(std::string const& channel, std::uint64_t first, std::uint64_t last) {
        REQUIRE(first <= last + 1);
        auto& next = expected(channel, first);
        // The answer to a subscription names the place after its gap, then the gap.
        if (last + 1 == next) return;
        REQUIRE((has_snapshot_ ? first >= next : first == next));
        next = last + 1;
    }

    std::uint64_t& expected(std::string const& channel, std::uint64_t otherwise) {
        if (unannounced_.erase(channel) > 0) next_.emplace(channel, otherwise);
        REQUIRE(next_.count(channel) == 1);
        return next_[channel];
    }

    simdjson::dom::parser parser_;
    std::map<std::string, std::uint64_t> next_, unannounced_;
    bool has_snapshot_;
    bool has_choice_;
};

/// Whether an input may hold a pattern, or choose modes, rates or keys, in whatever spelling.
[[nodiscard]] inline bool may_choose(std::string_view input) {
    for (std::string_view const sign :
         {"*", ">", "%", "\\", "mode", "rate", "interval", "keys", "credit", "change"})
        if (input.find(sign) != std::string_view::npos) return true;
    return false;
}

} // namespace livetape::fuzz
