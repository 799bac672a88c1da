#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <asio/error.hpp>
#include <asio/steady_timer.hpp>

#include <livetape/client/feed_parser.hpp>
#include <livetape/client/poll_limit.hpp>
#include <livetape/json_text.hpp>
#include <livetape/wire/query.hpp>

namespace livetape {

namespace detail {

/// The place where live paths are mounted, without a slash at its end.
[[nodiscard]] inline url without_last_slash(url at) {
    at.target.resize(at.target.find('?') == std::string::npos ? at.target.size()
                                                              : at.target.find('?'));
    if (at.target.ends_with('/')) at.target.pop_back();
    return at;
}

/// Where live paths are mounted, if the URL is that of the path `last` below it.
[[nodiscard]] inline std::optional<url> base_of(url at, std::string_view last) {
    at.target.resize(std::min(at.target.find('?'), at.target.size()));
    if (!at.target.ends_with(last)) return std::nullopt;
    at.target.resize(at.target.size() - last.size());
    return at;
}

/// Names the channels in a request's target, and how each is to be delivered.
/// @param usual  for those without a wish of their own
inline void append_channels(std::string& target, std::vector<feed_tracker::subscription> const& all,
                            feed_delivery const& usual) {
    std::string names;
    for (auto const& each : all)
        if (!each.delivery && has_parameters(usual))
            names.append(names.empty() ? "" : ",").append(each.channel);
    if (!names.empty()) {
        http::append_parameter(target, "channel", names);
        append_parameters(target, usual);
    }
    for (auto const& each : all)
        if (each.delivery || !has_parameters(usual))
            append_subscribe(target, each.channel, each.delivery.value_or(usual));
}

} // namespace detail

/// Theory of operation: `attempt` opens a link of the transport that the machine names, `opened`
/// says that it works, `read_on` reads while there is room in the queue, `lost` ends it. Callbacks
/// of a link hold its number, so that those of one that was given up change nothing. On WebSocket
/// channels come and go by commands; the other transports are opened anew for it.
template <class Dialer>
struct basic_subscription_client<Dialer>::state final : detail::reconnect_loop {
    using socket_type = basic_websocket_client<Dialer>;
    using exchange_type = detail::http_exchange<Dialer>;

    /// A command that was sent and is not answered yet.
    struct question {
        std::string channel;
        bool is_change = false;
        std::optional<feed_delivery> before{}; // the choice that it changes
    };

    state(asio::any_io_executor const& executor, url const& at, subscription_options from,
          Dialer with)
        : reconnect_loop{executor, from.reconnect},
          queue{std::make_shared<detail::item_queue<feed_item>>(executor)}, options{std::move(
                                                                                from)},
          dialer{std::move(with)}, base{detail::without_last_slash(at)}, here{base}, first_bytes{
                                                                                         executor} {
        http_options http{options.dial, options.fields, options.response_timeout, {}};
        exchange = std::make_shared<exchange_type>(executor, dialer, http);
    }

    [[nodiscard]] asio::any_io_executor const& context() const noexcept { return executor(); }

    // What the user asks for.

    void subscribe(std::string channel, subscribe_options how) {
        if (is_stopped()) return;
        if (!tracker.add(channel, std::move(how)))
            return refuse(channel, error::already_subscribed, {});
        if (was_asked) begin();
        if (link == feed_transport::websocket && is_open) send_subscribe(channel);
        else if (is_linked && link != feed_transport::websocket) open_http();
    }

    void unsubscribe(std::string const& channel) {
        if (!tracker.remove(channel) || is_stopped()) return;
        if (link == feed_transport::websocket && is_open) send_command("unsubscribe", channel, {});
        else if (is_linked && link != feed_transport::websocket) open_http();
    }

    void change(std::string const& channel, feed_delivery to) {
        auto* const wanted = tracker.delivery_of(channel);
        if (wanted == nullptr || is_stopped()) return;
        std::string fields;
        detail::append_fields(fields, to, true);
        change(channel, std::exchange(*wanted, std::move(to)), fields);
    }

    void move_keys(std::string const& channel, std::vector<std::string> const& added,
                   std::vector<std::string> const& removed) {
        auto* const wanted = tracker.delivery_of(channel);
        if (wanted == nullptr || is_stopped()) return;
        auto before = *wanted;
        auto to = before.value_or(options.delivery);
        if (!to.keys) return;
        for (auto const& key : removed) std::erase(*to.keys, key);
        for (auto const& key : added)
            if (std::find(to.keys->begin(), to.keys->end(), key) == to.keys->end())
                to.keys->push_back(key);
        *wanted = std::move(to);
        std::string fields;
        if (!added.empty()) detail::append_list(fields += R"(,"add_keys":)", added);
        if (!removed.empty()) detail::append_list(fields += R"(,"remove_keys":)", removed);
        if (!fields.empty()) change(channel, std::move(before), fields);
    }

    void change(std::string const& channel, std::optional<feed_delivery> before,
                std::string& fields) {
        bool const is_socket = link == feed_transport::websocket && is_open;
        // A pattern is changed as a whole by subscribing anew; what comes twice by it is dropped.
        if (is_socket && detail::is_pattern(channel)) {
            send_command("unsubscribe", channel, {});
            send_subscribe(channel);
        } else if (is_socket)
            ask("change", channel, std::move(fields), question{channel, true, std::move(before)});
        else if (is_linked && link != feed_transport::websocket) open_http();
    }

    void give_credit(std::string const& channel, std::uint32_t flushes) {
        if (link != feed_transport::websocket || !is_open || is_stopped()) return;
        std::string fields = R"(,"flushes":)";
        append_number(fields, flushes);
        send_command("credit", channel, fields);
    }

    void close() {
        stop();
        drop_link();
        queue->clear();
        queue->finish(asio::error::operation_aborted);
    }

    // What the reconnecting machine asks for.

    void attempt(reconnect_fsm::connect const& how) override {
        drop_link();
        tracker.restart();
        link = how.transport;
        is_linked = true;
        here = base;
        queue->push(feed_connecting{link});
        if (link == feed_transport::websocket) return open_websocket(how.at);
        if (how.at) {
            auto const place =
                detail::base_of(*how.at, link == feed_transport::sse ? "/sse" : "/poll");
            // A prime asks at another path than the stream that it prepares.
            auto const primed = place ? place : detail::base_of(*how.at, "/poll");
            if (!primed) return lose_later({.ec = error::redirect_refused});
            here = *primed;
        }
        open_http();
    }

    void backs_off(std::chrono::milliseconds delay, disconnect const& why) override {
        queue->push(feed_waiting{delay, why});
    }

    void gave_up(std::error_code ec) override {
        drop_link();
        // Which address said so is what whoever mistyped it wants to know.
        if (last_status != 0) {
            auto message = "HTTP status " + std::to_string(last_status) + " at " + here.text();
            if (!last_reason.empty()) message += ": " + last_reason;
            refuse({}, ec, std::move(message));
        }
        queue->finish(ec);
    }

    /// The link works.
    void opened() {
        first_bytes.cancel();
        if (std::exchange(is_live_link, true)) return;
        is_live();
        queue->push(feed_live{link});
    }

    /// The link, or the attempt at it, has ended.
    void lost(disconnect how) {
        how.was_live = is_live_link;
        if (parser && parser->reconnection_time())
            how.requested_delay = std::max(how.requested_delay, *parser->reconnection_time());
        if (how.http_status != 0) {
            std::string message;
            auto const named = parse_refusal(how.reason, message);
            if (named != error::none) how.ec = named;
            if (named != error::none) how.reason = std::move(message);
        }
        last_status = how.http_status;
        last_reason = how.reason;
        drop_link();
        ended(how);
    }

    void lose_later(disconnect how) {
        asio::post(executor(), on_link([how = std::move(how)](state& s) { s.lost(how); }));
    }

    void drop_link() {
        ++link_number;
        is_linked = is_open = is_reading = is_live_link = has_doubted = false;
        doubted.clear();
        first_bytes.cancel();
        socket.reset();
        exchange->close();
        parser.reset();
    }

    /// Wraps a callback of this link: it is called unless the link, or all of this, is gone.
    template <class Callback>
    [[nodiscard]] auto on_link(Callback callback) {
        auto const weak = std::weak_ptr{std::static_pointer_cast<state>(this->shared_from_this())};
        return [weak, number = link_number, callback = std::move(callback)](auto&&... results) {
            auto const s = weak.lock();
            if (s && s->link_number == number)
                callback(*s, std::forward<decltype(results)>(results)...);
        };
    }

    /// Reads as long as there is room for what comes.
    void read_on() {
        was_asked = true;
        if (!tracker.empty()) begin();
        if (!is_open || is_reading || queue->size() >= options.queue_items_max) return;
        is_reading = true;
        if (link == feed_transport::websocket) read_websocket();
        else if (link == feed_transport::sse) read_stream();
        else poll();
    }

    void refuse(std::string const& channel, std::error_code why, std::string message) {
        queue->push(feed_refusal{channel, why, std::move(message)});
    }

    /// The server does not give a channel; false if it was the last one, which ends it all.
    bool drop_channel(std::string const& channel, std::error_code why, std::string message) {
        refuse(channel, why, std::move(message));
        tracker.remove(channel);
        doubted.erase(channel);
        if (!tracker.empty()) return true;
        stop();
        gave_up(why);
        return false;
    }

    void hand_out() {
        for (auto& each : items) queue->push(std::move(each));
        items.clear();
    }

    void watch_first_bytes() {
        first_bytes.expires_after(options.first_bytes_timeout);
        first_bytes.async_wait(on_link([](state& s, std::error_code ec) {
            if (!ec && !s.is_live_link) s.lost({.ec = error::idle_timeout, .was_reached = true});
        }));
    }

    // WebSocket.

    void open_websocket(std::optional<url> const& redirected) {
        websocket_client_options how;
        how.dial = options.dial;
        how.offer.subprotocols = {"livetape.v1.json"};
        auto at = redirected.value_or(here);
        if (!redirected) at.target += "/ws";
        at.scheme = at.is_secure() ? url::scheme_type::wss : url::scheme_type::ws;
        if (at.host == base.host && at.port == base.port && at.is_secure() == base.is_secure())
            how.offer.fields = options.fields;
        how.compression = options.compression;
        how.handshake_timeout = options.response_timeout;
        how.idle_timeout = options.silence_max;
        how.ping_interval = options.silence_max / 3;
        how.messages.message_bytes_max = options.message_bytes_max;
        socket = std::make_unique<socket_type>(executor(), std::move(how), dialer);
        socket->connect(at.text(), on_link([at](state& s, std::error_code ec) {
                            if (ec) return s.websocket_refused(at, ec);
                            s.is_open = true;
                            s.asked.clear();
                            for (auto const& each : s.tracker.subscriptions())
                                s.send_subscribe(each);
                            if (s.tracker.empty()) s.opened();
                            else s.watch_first_bytes();
                            s.read_on();
                        }));
    }

    void websocket_refused(url const& at, std::error_code ec) {
        disconnect how{.ec = ec, .was_reached = socket->was_dialled()};
        if (ec == error::unexpected_status) {
            auto const& head = socket->response();
            how.http_status = head.status();
            how.requested_delay = detail::retry_after(head);
            how.reason = socket->refusal();
            if (is_redirect(head.status())) {
                url target;
                auto const location = head.field("Location").value_or(std::string_view{});
                if (resolve_redirect(at, location, target) == error::none) how.redirect = target;
                else how.ec = error::redirect_refused;
            }
        }
        lost(std::move(how));
    }

    void send_subscribe(std::string const& channel) {
        for (auto const& each : tracker.subscriptions())
            if (each.channel == channel) send_subscribe(each);
    }

    void send_subscribe(feed_tracker::subscription const& to) {
        std::string more;
        if (!to.cursor.empty()) {
            more += R"(,"cursor":)";
            append_json_string(more, to.cursor);
        }
        if (to.has_snapshot) more += R"(,"snapshot":true)";
        detail::append_fields(more, to.delivery ? *to.delivery : options.delivery);
        ask("subscribe", to.channel, std::move(more), question{to.channel, false, {}});
    }

    /// Sends a command whose refusal is to be understood.
    void ask(std::string_view name, std::string const& channel, std::string more, question about) {
        asked.emplace(++last_id_sent, std::move(about));
        more += R"(,"id":)";
        append_number(more, last_id_sent);
        send_command(name, channel, more);
    }

    void send_command(std::string_view name, std::string_view channel, std::string_view more) {
        std::string json = "{\"";
        json.append(name).append("\":");
        append_json_string(json, channel);
        json.append(more).append("}");
        // A failure is the connection's, and the read tells it.
        socket->write_text(json, [](std::error_code) {});
    }

    void read_websocket() {
        socket->read(on_link([](state& s, std::error_code ec, websocket_message message) {
            s.is_reading = false;
            if (!ec) return s.take_message(message);
            disconnect how{.ec = ec, .was_reached = true};
            if (ec == error::connection_closed) {
                how.close_code = s.socket->peer_close().code;
                how.reason = s.socket->peer_close().reason;
            }
            s.lost(std::move(how));
        }));
    }

    void take_message(websocket_message message) {
        server_message found;
        auto const wrong = message.is_text() ? parse_server_message(message.payload, found)
                                             : parse_binary_server_message(message.payload, found);
        if (wrong != error::none) return lost({.ec = error::bad_envelope, .was_reached = true});
        opened();
        auto const command = asked.extract(found.id);
        if (found.what == server_message::kind::error) {
            if (!command.empty() && !take_refusal(command.mapped(), std::move(found))) return;
        } else if (is_end(found)) {
            if (!end_channel(found.event.channel)) return;
        } else {
            tracker.on_websocket(std::move(found), items);
            hand_out();
        }
        read_on();
    }

    /// Whether the server has closed a channel.
    [[nodiscard]] static bool is_end(server_message const& message) {
        return message.what == server_message::kind::unsubscribed && message.gap.reason == "closed";
    }

    /// False if that was the last one.
    bool end_channel(std::string const& channel) {
        if (tracker.forget(channel))
            return refuse(channel, error::unknown_channel, "the channel was closed"), true;
        return !tracker.contains(channel) ||
               drop_channel(channel, error::unknown_channel, "the channel was closed");
    }

    /// A subscription that is refused ends; a change that is refused leaves it as it was. False if
    /// that was the last one.
    bool take_refusal(question& about, server_message&& answer) {
        auto* const wanted = tracker.delivery_of(about.channel);
        if (wanted == nullptr) return true;
        if (!about.is_change)
            return drop_channel(about.channel, answer.failure, std::move(answer.message));
        *wanted = std::move(about.before);
        refuse(about.channel, answer.failure, std::move(answer.message));
        return true;
    }

    // Event streams and polls.

    /// Begins anew, with the channels that there are now.
    void open_http() {
        ++link_number;
        exchange->close();
        is_open = is_reading = false;
        parser.reset();
        tracker.restart();
        go_on_opening();
    }

    /// Opens the stream, or begins to poll; channels that have no place yet are asked for one by
    /// one before, because each may begin in another way, and one cursor cannot say so.
    void go_on_opening() {
        if (tracker.empty()) return;
        auto const all = tracker.subscriptions();
        auto const unknown = std::find_if(all.begin(), all.end(), [this](auto const& each) {
            return !each.is_known || doubted.contains(each.channel);
        });
        bool const can_say_so = link == feed_transport::sse && all.size() == 1;
        if (unknown != all.end() && !can_say_so) return prime(*unknown);
        if (link == feed_transport::sse) return open_stream(all);
        is_open = true;
        read_on();
    }

    void prime(feed_tracker::subscription const& to) {
        auto at = path("/poll");
        detail::append_channels(at.target, {to}, options.delivery);
        if (to.has_snapshot) http::append_parameter(at.target, "snapshot", "1");
        auto const cursor = to.cursor.empty() && !to.has_snapshot ? "now" : to.cursor;
        if (!cursor.empty()) http::append_parameter(at.target, "cursor", cursor);
        append_limit(at.target);
        fetch(at, options.response_timeout, to.channel, [channel = to.channel](state& s) {
            s.doubted.erase(channel);
            s.go_on_opening();
        });
    }

    void poll() {
        auto at = path("/poll");
        detail::append_channels(at.target, tracker.subscriptions(), options.delivery);
        http::append_parameter(at.target, "cursor", tracker.cursor());
        http::append_parameter(at.target, "wait", std::to_string(options.poll_wait.count()));
        append_limit(at.target);
        fetch(at, options.response_timeout + options.poll_wait, {}, [](state& s) {
            s.is_reading = s.has_doubted = false;
            s.read_on();
        });
    }

    void append_limit(std::string& target) const {
        if (auto const limit = poll_limit.parameter(); limit != 0)
            http::append_parameter(target, "limit", std::to_string(limit));
    }

    /// Polls; hands out the answer and calls `then`.
    /// @param channel  the only one that is asked for; empty for all
    template <class Then>
    void fetch(url const& at, std::chrono::milliseconds timeout, std::string channel, Then then) {
        exchange->fetch(
            at, "application/json", timeout, options.poll_bytes_max,
            on_link([channel = std::move(channel), then](state& s, std::optional<disconnect> failed,
                                                         std::string const& body) {
                if (failed) return s.poll_failed(std::move(*failed), channel);
                poll_answer answer;
                auto why = parse_poll_answer(body, answer);
                if (why == error::none)
                    why = s.tracker.on_poll(std::move(answer), channel, s.items);
                if (why != error::none) return s.lost({.ec = why, .was_reached = true});
                s.poll_limit.succeeded();
                if (s.link == feed_transport::poll) s.opened();
                s.hand_out();
                then(s);
            }));
    }

    /// @param channel  the only one that was asked for; empty for all
    void poll_failed(disconnect how, std::string const& channel) {
        if (how.was_cut_short) poll_limit.failed();
        if (channel.empty()) return request_failed(std::move(how));
        std::string message;
        auto const named = error_about_channel(how, message);
        if (named == error::none) return lost(std::move(how));
        if (drop_channel(channel, named, std::move(message))) go_on_opening();
    }

    /// What a refusal says of a channel; none if it is about something else.
    [[nodiscard]] static error error_about_channel(disconnect const& how, std::string& message) {
        auto const named = parse_refusal(how.reason, message);
        // A path that is not there is nothing that another channel would mend.
        bool const is_about_channel = named != error::not_found && how.http_status >= 400 &&
                                      how.http_status < 500 &&
                                      judge(how, feed_transport::poll) == reconnect_verdict::finish;
        return is_about_channel ? named : error::none;
    }

    /// A refusal of several channels does not say which one is not to be had. So each is asked for
    /// alone, from where it is, which drops that one; once, lest it go on for ever.
    void request_failed(disconnect how) {
        auto const all = tracker.subscriptions();
        std::string ignored;
        bool const may_be_one = all.size() > 1 && !std::exchange(has_doubted, true) &&
                                error_about_channel(how, ignored) != error::none;
        if (!may_be_one) return lost(std::move(how));
        is_reading = is_open = false;
        for (auto const& each : all) doubted.insert(each.channel);
        go_on_opening();
    }

    void open_stream(std::vector<feed_tracker::subscription> const& all) {
        auto at = path("/sse");
        detail::append_channels(at.target, all, options.delivery);
        auto const cursor = all.size() == 1 ? all.front().cursor : tracker.cursor();
        if (!cursor.empty()) http::append_parameter(at.target, "cursor", cursor);
        if (all.front().has_snapshot) http::append_parameter(at.target, "snapshot", "1");
        parser.emplace(
            sse::parser_limits{options.message_bytes_max + 64, options.message_bytes_max});
        last_id.clear();
        exchange->open(at, "text/event-stream", {{"Cache-Control", "no-store"}},
                       options.response_timeout,
                       on_link([](state& s, std::optional<disconnect> failed) {
                           if (failed) return s.request_failed(std::move(*failed));
                           s.is_open = true;
                           s.has_doubted = false;
                           s.watch_first_bytes();
                           s.read_on();
                       }));
    }

    void read_stream() {
        exchange->read(
            options.silence_max,
            on_link([](state& s, std::error_code ec, std::string_view content) {
                s.is_reading = false;
                if (!ec && !content.empty()) return s.take_stream(content);
                s.lost({.ec = ec ? ec : make_error_code(asio::error::eof), .was_reached = true});
            }));
    }

    void take_stream(std::string_view content) {
        sse::event found;
        auto why = error::none;
        auto status = parse_status::done;
        while (why == error::none && status == parse_status::done && parser) {
            status = parser->next(content, found);
            if (status == parse_status::done) why = take_stream_event(found.data);
            if (status == parse_status::failed) why = parser->failure();
            if (why == error::none && parser) why = take_stream_id();
        }
        if (!parser) return; // the last channel was closed
        if (why == error::none) opened();
        hand_out();
        if (why == error::none) read_on();
        else lost({.ec = why, .was_reached = true});
    }

    [[nodiscard]] error take_stream_event(std::string_view json) {
        server_message message;
        auto const why = parse_server_message(json, message);
        if (why == error::none && is_end(message)) {
            hand_out();
            end_channel(message.event.channel);
            return error::none;
        }
        return why == error::none ? tracker.on_stream(std::move(message), items) : why;
    }

    [[nodiscard]] error take_stream_id() {
        if (parser->last_event_id() == last_id) return error::none;
        last_id = parser->last_event_id();
        return tracker.on_stream_id(last_id, items);
    }

    [[nodiscard]] url path(std::string_view below) const {
        auto at = here;
        at.target += below;
        return at;
    }

    std::shared_ptr<detail::item_queue<feed_item>> queue;
    subscription_options options;
    Dialer dialer;
    url base; // where the live paths are mounted
    url here; // the same for this link, after redirects
    feed_tracker tracker{options.message_bytes_max};
    feed_tracker::items items; // on their way to the queue
    std::shared_ptr<exchange_type> exchange;
    detail::poll_limit poll_limit;
    std::unique_ptr<socket_type> socket;
    std::optional<sse::parser> parser;
    std::string last_id;                     // that the tracker was told
    std::map<std::uint64_t, question> asked; // by the id of the command
    std::uint64_t last_id_sent = 0;
    std::set<std::string> doubted; // channels of which one was refused, but not by its name
    asio::steady_timer first_bytes;
    feed_transport link = feed_transport::websocket;
    std::size_t link_number = 0;
    unsigned last_status = 0; // of the response that ended a link, if one did
    std::string last_reason;
    bool was_asked = false; // for an item: begin as soon as there is a channel
    bool is_linked = false; // between `attempt` and `lost`
    bool is_open = false;   // the link can be read
    bool is_reading = false;
    bool is_live_link = false;
    bool has_doubted = false; // since a request for all channels was answered
};

} // namespace livetape
