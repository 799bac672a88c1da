#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <livetape/channel/encoding.hpp>
#include <livetape/transport/client_identity.hpp>
#include <livetape/transport/client_request.hpp>
#include <livetape/transport/command.hpp>
#include <livetape/transport/compressed_encodings.hpp>
#include <livetape/transport/encodings.hpp>
#include <livetape/transport/session.hpp>
#include <livetape/transport/session_channels.hpp>
#include <livetape/transport/subscription_protocol.hpp>
#include <livetape/transport/websocket_link.hpp>

namespace livetape {

namespace detail {
struct websocket_opening;
}

/// Subscriptions over WebSocket: `/ws` with the JSON subscription protocol, `/ws/raw/<channel>`
/// with one payload per message and no envelope.
///
/// A raw connection has no place for a notice, so a gap closes it with code 4001; what its client
/// sends is ignored.
/// Thread safety: shared objects unsafe; the shard's thread owns it.
class websocket_session {
public:
    websocket_session(session_context const& context, http::request_head const& head,
                      std::string_view path);

    void feed(std::span<char> bytes, time_point now) {
        link_.feed(bytes, now, [&](auto const& message) {
            if (!is_raw_) obey(message);
        });
        if (!link_.is_open()) end_subscriptions();
    }

    [[nodiscard]] bool wants_input() const noexcept { return link_.wants_input(); }

    void end_of_input(time_point) noexcept {
        link_.end_of_input();
        end_subscriptions();
    }

    void gather(write_batch& batch, time_point now) {
        if (link_.is_open()) {
            link_.out.gather(batch, cursors_,
                             [&](auto const& missed) { return report_gap(missed, now); });
        } else {
            end_subscriptions(); // a gap may have closed it, and nobody shall be due any more
            link_.out.gather_replies(batch);
        }
        link_.out.begin_write(batch, now);
        has_events_in_flight_ = batch.event_count() > 0;
    }

    void settle(write_batch& batch, std::size_t written, time_point now) {
        link_.out.settle(batch, written, now);
        has_events_in_flight_ = false;
        bool const had_deferred = has_deferred();
        if (had_deferred) obey_deferred();
        bool const has_gone_on = !has_deferred() && link_.go_on(now, [this](auto const& message) {
            if (!is_raw_) obey(message);
        });
        if (!had_deferred && !has_gone_on) return;
        if (!link_.is_open()) end_subscriptions();
        cursors_.make_ready();
    }

    [[nodiscard]] time_point wake(time_point now) {
        auto const next = link_.wake(now);
        if (!link_.is_open()) end_subscriptions();
        return next;
    }

    [[nodiscard]] session_end end() const noexcept { return link_.end(); }

    void shut_down(time_point now) { link_.close(error::shutting_down, {}, now); }
    void dismiss(std::string_view whom, dismissal const& why, time_point now) {
        if (whom != identity()) return;
        link_.close(why, now);
        end_subscriptions();
    }

    [[nodiscard]] subscriber& cursors() noexcept { return cursors_; }
    [[nodiscard]] std::string take_unread() { return {}; }

private:
    websocket_session(session_context const& context, http::request_head const& head,
                      detail::websocket_opening&& opening);

    void obey(websocket::message_reader::item const& message);
    void obey(command const& from);
    void defer(command&& from, std::size_t message_bytes);
    [[nodiscard]] bool has_deferred() const noexcept {
        return seldom_ && !seldom_->deferred.empty();
    }
    [[nodiscard]] bool waits_for_events(command::kind what) const noexcept;
    void obey_deferred();
    void subscribe_by_command(command const& from);
    void unsubscribe(command const& from);
    void change(command const& from);
    void give_credit(command const& from);
    void give_stats(command const& from);
    void publish(command const& from);
    void give_history(command const& from);
    void give_presence(command const& from);
    void subscribe_to_pattern(pattern_request const& wanted, std::string_view id);
    void unsubscribe_from_pattern(command const& from);
    void take_over(subscription& covered, command const& from);
    void report_match(pattern_match const& match);
    void report_gap(std::string_view channel, gap const& missed);
    [[nodiscard]] session_channels& channels();
    void end_subscriptions() {
        if (seldom_) seldom_->channels.reset();
        cursors_.clear();
    }
    bool report_gap(subscriber::missed_events const& missed, time_point now);
    bool report_end(subscription& ended);

    /// What most connections never need: an idle one shall not hold the memory.
    struct seldom_used {
        std::vector<command> deferred;
        std::size_t obeyed = 0;         ///< of them, from the front
        std::size_t deferred_bytes = 0; ///< of the messages that the deferred commands came in
        std::unique_ptr<session_channels> channels; ///< null unless patterns or presence need it
    };

    [[nodiscard]] seldom_used& seldom() {
        if (!seldom_) seldom_ = std::make_unique<seldom_used>();
        return *seldom_;
    }

    [[nodiscard]] std::string_view identity() const noexcept {
        return identity_ ? std::string_view{identity_->id} : std::string_view{};
    }

    /// Subscribes and appends the acknowledgement, and the gap if there is one.
    refusal_reason subscribe_to(std::string_view channel, start_position const& start,
                                delivery_choice const& delivery, std::string_view id);

    void reply(std::string_view json) { link_.send(websocket::opcode::text, json); }
    void reply_error(error what, std::string_view detail, std::string_view id);

    [[nodiscard]] static encoding const& choose_format(websocket_link& link, bool is_raw) {
        if (auto const* const shared = link.share_messages()) {
            auto const& compressed = compressed_encodings::of(*shared);
            return is_raw ? compressed.raw : compressed.json;
        }
        return is_raw ? encoding_of<websocket_raw_encoder> : encoding_of<websocket_json_encoder>;
    }

    websocket_link link_;
    encoding const& format_;
    dispatcher& wakes_;
    subscriber cursors_;
    std::unique_ptr<client_identity const> identity_; ///< null if it is nobody in particular
    std::unique_ptr<seldom_used> seldom_;
    bool is_raw_ = false;
    bool has_events_in_flight_ = false;
};

/// The WebSocket transport. A plain GET of its paths is answered with 426.
struct websocket_transport {
    using session = websocket_session;

    [[nodiscard]] static bool matches(http::request_head const&, std::string_view path) noexcept {
        return path == "/ws" || path.starts_with(raw_prefix);
    }

    static constexpr std::string_view raw_prefix = "/ws/raw/";
};

} // namespace livetape

#include <livetape/transport/impl/websocket_session.ipp>
