#pragma once

#include "any_session.hpp"
#include "base64_text.hpp"
#include "channel_patterns.hpp"
#include "coverage.hpp"
#include "delivery_change.hpp"
#include "history_text.hpp"
#include "merged_event.hpp"
#include "plain_session.hpp"
#include "server.hpp"
#include "subscription_queue.hpp"
#include "verdict.hpp"
#include "wire_text.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace livetape::simulation {

/// What a client got to know when an item arrived in whole.
struct place {
    std::size_t channel = 0;
    position at;
};

/// Something that the session must write, before any event.
struct expected_reply {
    std::string text; ///< all of it, or its beginning if there is an `ending`
    std::string ending{};
    std::vector<place> places{};
    bool ends_stream = false;
    /// Between text and ending stands the place that this subscription reached.
    std::shared_ptr<subscription_queue> reached{};
    /// There stand, with their names, the places that these reached.
    std::vector<std::shared_ptr<subscription_queue>> all_reached{};
    bool is_over_several = false;

    [[nodiscard]] bool matches(std::string_view content) {
        if (ending.empty()) return content == text;
        if (!content.starts_with(text) || !content.ends_with(ending)) return false;
        strict_reader reader{content.substr(text.size())};
        if (reached && !read_reached(*reached, reader, places.front().at)) return false;
        if (is_over_several && !read_all_reached(reader)) return false;
        if (!reached && !is_over_several) return true;
        if (reader.rest() != ending) return false;
        // If it must be written once more, it says the same.
        text = content;
        ending.clear();
        return true;
    }

private:
    static bool read_reached(subscription_queue& of, strict_reader& reader, position& at) {
        return read_position(reader, at) && at.epoch == of.source().epoch &&
               of.is_reached(at.offset);
    }

    /// In whatever order; of none, all that will come is new.
    bool read_all_reached(strict_reader& reader) {
        if (all_reached.empty()) return reader.skip("oldest");
        std::vector<bool> is_told(all_reached.size());
        for (std::size_t told = 0; told < all_reached.size(); ++told) {
            if (told > 0 && !reader.skip("!")) return false;
            std::size_t which = 0;
            while (which < all_reached.size() &&
                   !reader.skip(all_reached[which]->source().name + '~'))
                ++which;
            if (which == all_reached.size() || is_told[which] ||
                !read_reached(*all_reached[which], reader, places[which].at))
                return false;
            is_told[which] = true;
        }
        return true;
    }
};

/// What the world is to a client.
struct surroundings {
    server* on = nullptr;
    random_source* random = nullptr;
    verdict* judge = nullptr;
    void (*during_callback)(void* world) = nullptr; ///< publishes now and then
    void (*notice_matches)(void* world, std::size_t loop_index) = nullptr; ///< of all on a loop
    void* world = nullptr;
};

/// What a client publishes.
struct publish_request {
    std::size_t channel = 0;
    std::string key;
    std::string payload;
    payload_kind kind = payload_kind::json;
    std::string message_id; ///< names the publish, which may have been made before; or empty
};

/// What names a client's publish, beside those of the host.
[[nodiscard]] inline std::string id_of_publish(std::string const& who,
                                               std::string_view message_id) {
    return message_id.empty() ? std::string{} : "by " + who + ": " + std::string{message_id};
}

/// One client: a session with the network between them, and the queues that say what must come.
///
/// The session is driven exactly as `net/connection.hpp` does it, on a stream driven by readiness
/// or on one with asynchronous writes. Each batch is read as soon as it is gathered: events are
/// taken from the queues then, and given back if they were not sent.
class client {
public:
    client(surroundings& world, coverage& seen, std::size_t loop_index)
        : world_{world}, covered_{seen}, loop_index_{loop_index} {}
    client(client const&) = delete;
    client& operator=(client const&) = delete;

    [[nodiscard]] bool is_connected() const { return session_ != nullptr; }
    [[nodiscard]] bool is_websocket() const { return transport_ == transport_kind::websocket; }
    [[nodiscard]] bool is_plain() const { return transport_ == transport_kind::plain; }
    [[nodiscard]] bool takes_commands() const {
        return is_connected() && (is_websocket() || is_plain()) && !is_ending_ && !was_silent();
    }
    [[nodiscard]] std::size_t loop_index() const { return loop_index_; }
    [[nodiscard]] bool is_writing() const { return is_in_flight_ || is_blocked_; }
    [[nodiscard]] time_point wakes_at() const { return wakes_at_; }

    /// How a client asks for its channels.
    struct request {
        transport_kind transport = transport_kind::websocket;
        std::vector<std::size_t> channels;
        std::vector<std::string> patterns{};
        bool has_snapshot = false;
        enum class from : std::uint8_t { nothing, now, oldest, seen } cursor = from::nothing;
        bool is_async = false;
        std::uint64_t wait_seconds = 0;
        std::uint64_t limit = 1000;
        delivery_change delivery{};
        person who{};
    };

    void connect(request asked);
    void subscribe(std::size_t channel, bool has_snapshot, request::from cursor, bool is_ahead,
                   delivery_change delivery);
    void change(std::size_t channel, delivery_change wanted);
    void give_credit(std::size_t channel, std::uint32_t flushes);
    void ask_for_stats(std::size_t channel);
    void unsubscribe(std::size_t channel);
    void subscribe(std::string const& pattern, bool has_snapshot, request::from cursor,
                   delivery_change delivery);
    void unsubscribe(std::string const& pattern);
    void ask_for_history(std::size_t channel, history_question const& asked);
    bool publish(publish_request const& wanted);
    void ask_for_presence(std::size_t channel);
    [[nodiscard]] person const& who() const { return who_; }

    /// The connection breaks.
    void cut() {
        ++covered_.cuts;
        disconnect();
    }

    void hang_up() {
        is_ending_ = true;
        may_end_ = true;
        session_->end_of_input();
        subscriptions_.clear();
        settle_presence();
        pump();
    }

    /// The network takes up to `bytes_max` more bytes.
    void let_through(std::size_t bytes_max);

    /// A deadline has passed.
    void pump();

    /// A channel has a new event.
    void note(channel_history const& in) {
        bool const is_seen = !is_gathering_ && !world_.on->loops[loop_index_].is_running();
        for (auto& each : subscriptions_)
            if (&each.queue.source() == &in) each.queue.publish(in.last(), is_seen);
    }

    /// What has been published by now is seen by whoever reads next.
    void begin_run() {
        notice_matches();
        for (auto& each : subscriptions_) {
            each.queue.begin_read(true);
            each.queue.notice();
        }
        for (auto const i : world_.on->opened())
            kept_at_run_[i] = world_.on->at(i).history.first_kept;
    }

    /// The loop has run: channels that match a pattern are subscribed to.
    void notice_matches(bool has_read = false);

    /// The loop ticks.
    void tick();

    /// Everything was let through and the loops are idle: nothing may be due.
    void check_quiet();

    /// The places that it has seen are of no use to a server that never had them.
    void forget() { seen_ = {}; }

    [[nodiscard]] std::string describe() const;
    [[nodiscard]] std::string describe_subscriptions() const;

private:
    /// A client of a WebSocket that says nothing for so long is closed.
    [[nodiscard]] bool was_silent() const {
        return is_websocket() &&
               virtual_now >= last_sent_ + world_.on->endpoint.options().idle_timeout;
    }

    using seen_places = std::array<std::optional<position>, server::channel_count>;

    struct subscribed {
        std::size_t channel;
        served_channel* of;
        subscription_queue queue;
        std::uint64_t number;       ///< events of one that ended are not given back to the next
        bool is_by_pattern = false; ///< the client did not name it
        std::uint64_t passed = 0;   ///< unwanted events that were passed when a command came
    };

    struct watched_pattern {
        std::string text;
        delivery_options delivery;
    };

    /// A subscription that begins, as the client is told.
    struct beginning {
        std::size_t channel = 0;
        position at;
        bool is_recovered = false;
        std::optional<gap> missed{};
        bool is_gone = false; ///< there is no such channel any more
    };

    struct planned_item {
        enum class kind : std::uint8_t { rest, reply, event, trailer } what;
        std::size_t begin = 0, end = 0;
        std::size_t channel = 0; ///< of an event
        due_event event{};
        std::vector<place> places{};
        bool ends_stream = false;
        std::uint64_t subscription = 0; ///< of an event
    };

    struct command {
        enum class kind : std::uint8_t {
            subscribe,
            unsubscribe,
            change,
            credit,
            stats,
            history,
            presence
        } what;
        std::size_t channel;
        std::uint64_t id = 0;
        start_position start{};
        delivery_change delivery{};
        std::uint32_t flushes = 0;
        std::string pattern{}; ///< instead of a channel
        bool has_snapshot = false;
        request::from cursor = request::from::nothing;
        seen_places seen{}; ///< when the pattern was asked for

        [[nodiscard]] std::string with_id() const {
            return id != 0 ? ",\"id\":" + std::to_string(id) : std::string{};
        }
    };

    static void flush_ready(void* self) noexcept { static_cast<client*>(self)->flush(); }
    void flush();
    bool write_some();
    void settle(std::size_t written);
    void conclude();
    void disconnect();
    void enter(served_channel& which);
    void leave(std::size_t channel = 0);
    void settle_presence();
    time_point wake();
    bool send(std::string_view json, bool is_whole = false, char opcode = '\x81');
    void give(command const& from, std::string_view name, std::string const& fields);
    void obey(command const& from);
    void obey_plainly(command const& from);
    void open(std::size_t channel, start_position const& start, delivery_options const& delivery,
              std::string const& with_id);
    std::optional<beginning> begin(std::size_t channel, start_position const& start,
                                   delivery_options const& delivery);
    void announce(beginning const& begun, std::string const& details);
    void take_over(command const& from, subscribed& covered);
    void open_pattern(command const& from);
    void close_pattern(command const& from);
    [[nodiscard]] bool is_covered(std::string_view name) const;
    [[nodiscard]] std::string cursor_of_pattern(std::string_view pattern,
                                                request::from cursor) const;
    void expect_start();
    void expect_error(std::string_view code, command const& from);
    [[nodiscard]] static std::string begin_reply(std::string_view what, command const& to);
    void end(command const& from, subscribed& ended);
    void change(command const& from, subscribed& which);
    void give_stats(command const& from, subscribed& which);
    void restrict(std::size_t channel, delivery_change& wanted) const;
    void restrict_all(delivery_change& wanted) const;
    [[nodiscard]] static std::string name_in(command const& from);
    [[nodiscard]] bool may_change(subscribed const& which, delivery_change const& wanted) const;
    [[nodiscard]] bool waits_for_events(command const& from) const;
    [[nodiscard]] bool is_deferred(std::size_t channel) const;
    [[nodiscard]] subscription* real(std::size_t channel) const;
    /// An id for a command, or none.
    [[nodiscard]] std::uint64_t next_id() { return next_id_++ % 4; }
    void take_credit();
    void refund(std::size_t written);
    [[nodiscard]] start_position start_of(std::size_t channel, bool has_snapshot,
                                          request::from cursor) const;
    [[nodiscard]] std::string cursor_text(request const& asked) const;
    [[nodiscard]] std::optional<std::vector<place>> read_cursor(strict_reader& reader);

    void read_plan();
    bool read_event(wire_item const& found, std::size_t begin);
    [[nodiscard]] bool read_envelope(subscription_queue const& queue, due_event const& taken,
                                     std::uint64_t count, strict_reader& from);
    bool read_reply(wire_item const& found, std::size_t begin);
    std::optional<expected_reply> unexpected(wire_item const& found);
    std::optional<expected_reply> read_answer(std::string_view bytes);
    std::optional<expected_reply> read_new_gap(std::string_view content);
    std::optional<expected_reply> read_end(std::string_view content);
    void arrive(planned_item const& item);
    void obey_deferred();
    subscribed* find(std::size_t channel);
    subscribed const* find(std::size_t channel) const;
    subscribed* find(std::string_view name);
    void fail(std::string const& what) const { world_.judge->fail(describe() + ": " + what); }

    surroundings& world_;
    coverage& covered_;
    std::size_t loop_index_;
    transport_kind transport_ = transport_kind::websocket;
    bool is_async_ = false;
    person who_;
    struct place_on_channel {
        served_channel* of = nullptr;
        bool is_member = false;
    } on_; ///< where it is present; only the first channel has presence
    std::unique_ptr<any_session> session_;
    std::vector<subscribed> subscriptions_;
    std::deque<expected_reply> replies_;
    std::vector<command> deferred_;
    std::vector<watched_pattern> patterns_;
    std::array<std::uint64_t, server::channel_count>
        kept_at_run_{};       ///< when channels may have come
    bool is_orderly_ = false; ///< has had patterns or presence: subscribing waits for a write
    bool is_shared_ = false;  ///< the cursor is one over several channels
    bool has_snapshot_events_ = false; ///< a subscription began with a snapshot
    seen_places seen_;

    write_batch batch_;
    std::string plan_;
    std::vector<planned_item> items_;
    std::size_t planned_replies_ = 0;
    bool has_planned_events_ = false;
    std::string cut_rest_;
    planned_item cut_item_{planned_item::kind::rest};

    std::vector<gap> poll_gaps_; ///< with the channel at the same index
    std::vector<std::size_t> poll_gap_channels_;
    std::uint64_t poll_limit_ = 0;
    time_point poll_deadline_{};

    time_point wakes_at_ = never;
    time_point connected_at_{}, last_sent_{}, progress_at_{};
    std::uint64_t next_id_ = 1;
    std::uint64_t subscriptions_made_ = 0;
    bool is_gathering_ = false;
    bool is_in_flight_ = false;
    bool is_blocked_ = false;
    bool has_unsent_ = false;
    bool is_ending_ = false; ///< the session takes no more commands and has no more events
    bool may_end_ = false;
};

} // namespace livetape::simulation

#include "client_checks.ipp"
#include "client_commands.ipp"
#include "client_connecting.ipp"
#include "client_network.ipp"
#include "client_patterns.ipp"
#include "client_presence.ipp"
#include "client_reading.ipp"
