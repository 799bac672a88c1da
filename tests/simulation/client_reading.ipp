#pragma once

namespace livetape::simulation {

/// Reads the cursor of a stream or an answer: for each subscription, in whatever order, the place
/// that was reached.
inline std::optional<std::vector<place>> client::read_cursor(strict_reader& reader) {
    std::vector<place> places;
    if (subscriptions_.empty() && !reader.skip("oldest")) return std::nullopt;
    std::vector<bool> is_told(subscriptions_.size());
    while (places.size() < subscriptions_.size()) {
        std::size_t which = 0;
        if (is_shared_) {
            if (!places.empty() && !reader.skip("!")) return std::nullopt;
            while (which < is_told.size() &&
                   !reader.skip(subscriptions_[which].queue.source().name + '~'))
                ++which;
        }
        if (which == is_told.size() || is_told[which]) return std::nullopt;
        auto& each = subscriptions_[which];
        position at;
        if (!read_position(reader, at) || at.epoch != each.queue.source().epoch ||
            !each.queue.is_reached(at.offset))
            return std::nullopt;
        is_told[which] = true;
        places.push_back({each.channel, at});
    }
    return places;
}

/// Reads what was gathered: the rest of what was cut, then replies, then events, then on streams
/// of several channels the cursor. All of it must be expected.
inline void client::read_plan() {
    items_.clear();
    planned_replies_ = 0;
    has_planned_events_ = false;
    std::string_view const plan{plan_};
    std::size_t at = 0;
    bool needs_trailer = false;
    if (!cut_rest_.empty()) {
        if (!plan.starts_with(cut_rest_)) return fail("a write does not go on where it was cut");
        at = cut_rest_.size();
        auto rest = cut_item_;
        rest.what = planned_item::kind::rest;
        rest.begin = 0;
        rest.end = at;
        items_.push_back(std::move(rest));
        needs_trailer = cut_item_.what == planned_item::kind::event;
    }
    bool const has_trailers = transport_ == transport_kind::sse && is_shared_;
    while (at < plan.size()) {
        auto const found = next_item(transport_, plan.substr(at));
        if (found.what == wire_item::kind::malformed)
            return fail("malformed: " + std::string{plan.substr(at, 200)});
        auto content = found.content;
        if (transport_ == transport_kind::sse && found.what == wire_item::kind::text)
            content.remove_prefix(std::min(content.find("data: "), content.size()));
        bool const is_message =
            found.what == wire_item::kind::text || found.what == wire_item::kind::binary;
        bool const is_event = is_message && content.find("{\"channel\":\"") ==
                                                (transport_ == transport_kind::sse ? 6u : 0u);
        if (is_event) {
            has_planned_events_ = true;
            if (!read_event(found, at)) return;
        } else if (has_trailers && at + found.size == plan.size() &&
                   (has_planned_events_ || needs_trailer)) {
            strict_reader reader{found.content};
            auto places = reader.skip("id: ") ? read_cursor(reader) : std::nullopt;
            if (!places || reader.rest() != "\n\n")
                return fail("not the cursor of what was reached: " + std::string{found.content} +
                            '\n' + describe_subscriptions());
            needs_trailer = has_planned_events_ = false;
            ++covered_.trailers;
            items_.push_back(
                {planned_item::kind::trailer, at, at + found.size, 0, {}, std::move(*places)});
        } else if (!read_reply(found, at)) {
            return;
        }
        at += found.size;
    }
    if (has_trailers && (has_planned_events_ || needs_trailer))
        fail("a flush of several channels does not end with their cursor");
    has_planned_events_ = std::any_of(items_.begin(), items_.end(), [](auto const& item) {
        return item.what == planned_item::kind::event;
    });
    if (planned_replies_ < replies_.size())
        fail("a reply is not written: " + replies_[planned_replies_].text);
}

/// Reads an event's envelope. Where payloads merge and events conflate, it carries the fields of
/// all that it stands for.
inline bool client::read_envelope(subscription_queue const& queue, due_event const& taken,
                                  std::uint64_t count, strict_reader& from) {
    auto const& source = queue.source();
    auto const& event = source.at(taken.offset);
    if (!source.merges || !(queue.is_latest() || taken.is_ahead))
        return from.skip(envelope_text(event, count, is_websocket()));
    ++covered_.merged;
    // Of a key that was forgotten nothing is known but what came since.
    auto const oldest = source.evicted() > 0 ? taken.offset : taken.count == 0 ? 1 : taken.oldest;
    if (!from.skip(event.envelope_head)) return false;
    if (count > 1 && !from.skip(",\"count\":" + std::to_string(count))) return false;
    return from.skip(",\"data\":") && is_merged(source, taken.offset, oldest, from) &&
           from.skip("}");
}

inline bool client::read_event(wire_item const& found, std::size_t begin) {
    auto const content = found.content;
    auto envelope = content;
    if (transport_ == transport_kind::sse) envelope.remove_prefix(envelope.find("data: ") + 6);
    auto const start = read_envelope_start(envelope);
    auto* const of = start ? find(start->channel) : nullptr;
    if (of == nullptr) {
        fail("an event of no subscription: " + std::string{content});
        return false;
    }
    auto& queue = of->queue;
    due_event taken;
    if (!queue.take(start->offset, static_cast<std::uint32_t>(start->count), taken)) {
        auto const due = !queue.has_due() ? "nothing"
                                          : std::to_string(queue.front().offset) + " for " +
                                                std::to_string(queue.front().count);
        fail("of " + queue.source().name + " " + due + " is due, not " + std::string{content} +
             "\n" + describe_subscriptions());
        return false;
    }
    auto const& event = queue.source().at(start->offset);
    bool const is_binary = is_websocket() && !event.binary_rest.empty();
    if (is_binary != (found.what == wire_item::kind::binary)) fail("a frame of the wrong kind");
    auto const text = transport_ == transport_kind::sse ? sse_text(envelope) : std::string{content};
    strict_reader reader{text};
    bool is_right = read_envelope(queue, taken, start->count, reader) && reader.rest().empty();
    if (transport_ == transport_kind::sse) {
        auto block = is_shared_
                         ? std::string{}
                         : "id: " + position_text(queue.source().epoch, start->offset) + "\n";
        is_right = is_right && content == (block += sse_data(text)) + '\n';
    }
    if (!is_right) {
        fail("expected " + envelope_text(event, start->count, is_websocket()) + ", got " +
             std::string{content});
        return false;
    }
    ++covered_.events;
    if (start->count > 1) ++covered_.conflated;
    planned_item item{planned_item::kind::event, begin, begin + found.size, of->channel, taken};
    if (transport_ != transport_kind::sse || !is_shared_)
        item.places.push_back({of->channel, {queue.source().epoch, start->offset}});
    item.subscription = of->number;
    items_.push_back(std::move(item));
    return true;
}

/// A reply must be the next that is expected, or one that a session may make of its own accord.
inline bool client::read_reply(wire_item const& found, std::size_t begin) {
    if (has_planned_events_) {
        fail("a reply waits behind events: " + std::string{found.content});
        return false;
    }
    if (planned_replies_ == replies_.size() || !replies_[planned_replies_].matches(found.content)) {
        auto made = unexpected(found);
        if (!made) {
            auto const due =
                planned_replies_ == replies_.size() ? "no reply" : replies_[planned_replies_].text;
            fail("expected " + due + ", got " + std::string{found.content} + "\n" +
                 describe_subscriptions());
            return false;
        }
        replies_.insert(replies_.begin() + static_cast<std::ptrdiff_t>(planned_replies_),
                        std::move(*made));
    }
    auto const& reply = replies_[planned_replies_++];
    items_.push_back({planned_item::kind::reply,
                      begin,
                      begin + found.size,
                      0,
                      {},
                      reply.places,
                      reply.ends_stream});
    return true;
}

inline std::optional<expected_reply> client::unexpected(wire_item const& found) {
    auto const& options = world_.on->endpoint.options();
    expected_reply made{std::string{found.content}};
    switch (found.what) {
    case wire_item::kind::ping:
        ++covered_.heartbeats;
        if (virtual_now < connected_at_ + options.heartbeat_interval) return std::nullopt;
        if (found.content != (is_websocket() ? "" : ":\n\n")) return std::nullopt;
        return made;
    case wire_item::kind::close:
        made.ends_stream = true;
        if (made.text.starts_with("\x0f\xa1") && may_end_) return made;               // 4001
        if (!made.text.starts_with("\x0f\xa3") || !was_silent()) return std::nullopt; // 4003
        is_ending_ = may_end_ = true;
        subscriptions_.clear();
        return made;
    case wire_item::kind::answer: return read_answer(found.content);
    case wire_item::kind::text:
        if (auto ended = read_end(found.content)) return ended;
        return read_new_gap(found.content);
    default: return std::nullopt;
    }
}

/// A gap that retention has just cut.
inline std::optional<expected_reply> client::read_new_gap(std::string_view content) {
    auto json = content;
    if (transport_ == transport_kind::sse) {
        if (!json.starts_with("data: ") || !json.ends_with("\n\n")) return std::nullopt;
        json = json.substr(6, json.size() - 8);
    }
    std::string_view name;
    auto const missed = read_gap(json, name);
    auto* const of = missed ? find(name) : nullptr;
    if (of == nullptr || !of->queue.skip(*missed)) return std::nullopt;
    ++covered_.gaps;
    auto const& options = of->of->source->options();
    if (!is_plain() && options.on_overrun == overrun_policy::close) {
        ++covered_.overruns;
        is_ending_ = may_end_ = true;
        subscriptions_.clear();
    }
    return expected_reply{std::string{content}};
}

/// The end of a channel that was closed, for who has all that is wanted of it.
inline std::optional<expected_reply> client::read_end(std::string_view content) {
    auto json = content;
    if (transport_ == transport_kind::sse && json.starts_with("data: ")) json.remove_prefix(6);
    strict_reader reader{json};
    std::string_view name;
    position at;
    if (!reader.skip("{\"unsubscribed\":\"") || !reader.read_string(name) ||
        !reader.skip(",\"cursor\":\"") || !read_position(reader, at) ||
        !reader.skip("\",\"reason\":\"closed\"}") ||
        reader.rest() != (transport_ == transport_kind::sse ? "\n\n" : ""))
        return std::nullopt;
    auto* const of = find(name);
    if (of == nullptr || !of->of->history.is_closed || at.epoch != of->of->history.epoch)
        return std::nullopt;
    auto const channel = of->channel;
    if (!of->queue.empty() || !of->queue.is_reached(at.offset)) return std::nullopt;
    ++covered_.ends;
    subscriptions_.erase(subscriptions_.begin() + (of - subscriptions_.data()));
    leave(channel);
    notice_matches(true);
    if (find(channel) != nullptr) ++covered_.next_lives;
    if (transport_ == transport_kind::sse && subscriptions_.empty() && patterns_.empty())
        is_ending_ = may_end_ = true;
    return expected_reply{std::string{content}, {}, {{channel, at}}};
}

inline std::optional<expected_reply> client::read_answer(std::string_view bytes) {
    if (!bytes.starts_with("HTTP/1.1 200 ")) return std::nullopt;
    auto const head = bytes.substr(0, bytes.find("\r\n\r\n") + 4);
    strict_reader body{bytes.substr(head.size())};
    std::string_view cursor, name;
    if (!body.skip("{\"cursor\":\"") || !body.read_string(cursor)) return std::nullopt;
    if (head.find("\r\nETag: \"" + std::string{cursor} + "\"\r\n") == head.npos)
        return std::nullopt;

    // Gaps of the beginning, then those that retention cut into what was read.
    std::vector<std::pair<std::string, gap>> cut;
    std::size_t gaps = 0;
    if (body.skip(",\"gaps\":[")) {
        do {
            auto const end = body.rest().find('}');
            if (end == std::string_view::npos) return std::nullopt;
            auto const text = body.rest().substr(0, end + 1);
            if (gaps < poll_gaps_.size()) {
                if (text != gap_text(server::names[poll_gap_channels_[gaps]], poll_gaps_[gaps]))
                    return std::nullopt;
            } else {
                auto const missed = read_gap(text, name);
                if (!missed) return std::nullopt;
                cut.emplace_back(name, *missed);
            }
            ++gaps;
            body.skip(text);
        } while (body.skip(","));
        if (!body.skip("]")) return std::nullopt;
    }
    if (gaps < poll_gaps_.size()) return std::nullopt;
    covered_.gaps += cut.size();
    auto const skip_cut = [&](subscribed& of) {
        for (auto const& [channel, missed] : cut)
            if (channel == of.queue.source().name) return of.queue.skip(missed);
        return false;
    };

    if (!body.skip(",\"events\":[")) return std::nullopt;
    std::uint64_t events = 0;
    auto const begin = body.rest().size();
    while (body.rest().starts_with("{")) {
        auto const start = read_envelope_start(body.rest());
        auto* const of = start ? find(start->channel) : nullptr;
        if (of == nullptr) return std::nullopt;
        due_event taken;
        auto const count = static_cast<std::uint32_t>(start->count);
        if (!of->queue.take(start->offset, count, taken) &&
            !(skip_cut(*of) && of->queue.take(start->offset, count, taken)))
            return std::nullopt;
        if (!read_envelope(of->queue, taken, start->count, body)) return std::nullopt;
        ++events;
        if (!body.skip(",")) break;
    }
    auto const event_bytes = begin - body.rest().size();
    if (!body.skip("]}\n") || !body.rest().empty()) return std::nullopt;
    for (auto& each : subscriptions_) skip_cut(each);

    covered_.events += events;
    ++(events == 0 ? covered_.empty_answers : covered_.answers);
    strict_reader reader{cursor};
    auto places = read_cursor(reader);
    if (!places || !reader.rest().empty())
        fail("not the cursor of what was reached: " + std::string{bytes} + '\n' +
             describe_subscriptions());
    // Nor need it know of what was published while its loop has not looked.
    bool const may_stop = events == poll_limit_ ||
                          event_bytes >= world_.on->endpoint.options().poll_bytes_max ||
                          world_.on->loops[loop_index_].is_woken();
    for (auto const& each : subscriptions_)
        if (!may_stop && each.queue.is_overdue())
            fail("an answer leaves out what is due of " + each.queue.source().name + ": " +
                 std::string{bytes});
    bool const is_over = std::any_of(subscriptions_.begin(), subscriptions_.end(),
                                     [](auto const& each) { return each.of->history.is_closed; });
    if (events == 0 && gaps == 0 && !is_over && virtual_now < poll_deadline_)
        fail("a poll is answered with nothing before its time");
    expected_reply made{std::string{bytes}, {}, std::move(places).value_or(std::vector<place>{})};
    subscriptions_.clear();
    leave();
    may_end_ = is_ending_ = true;
    return made;
}

/// A write ends after `written` bytes: what was sent arrives, events that were not are due again.
inline void client::settle(std::size_t written) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < batch_.count(); ++i) {
        auto const piece = batch_.piece(i);
        if (std::string_view{plan_}.substr(at, piece.size()) != piece)
            fail("bytes of a write in flight have changed");
        at += piece.size();
    }
    has_unsent_ = written < plan_.size();
    if (written > 0) progress_at_ = virtual_now;
    refund(written);
    notice_matches();
    // What waits is obeyed when the events that were not sent are back.
    if (!deferred_.empty())
        for (auto& each : subscriptions_)
            if (!each.queue.pass(real(each.channel)->counters().filtered))
                fail("what is not wanted was miscounted\n" + describe_subscriptions());
    session_->settle(batch_, written);

    if (!cut_rest_.empty()) cut_rest_.erase(0, std::min(written, cut_rest_.size()));
    std::size_t replies_begun = 0;
    std::optional<expected_reply> unsent_trailer;
    for (auto item = items_.rbegin(); item != items_.rend(); ++item) {
        using kind = planned_item::kind;
        if (item->what == kind::reply && item->begin < written) ++replies_begun;
        if (item->end <= written || item->what == kind::rest) continue;
        if (item->begin < written) {
            cut_rest_ = plan_.substr(written, item->end - written);
            cut_item_ = *item;
        } else if (item->what == kind::event) {
            ++covered_.given_back;
            auto* const of = find(item->channel);
            if (of != nullptr && of->number == item->subscription) of->queue.give_back(item->event);
        } else if (item->what == kind::trailer && item->begin == written) {
            unsent_trailer = expected_reply{plan_.substr(item->begin), {}, item->places};
        }
    }
    replies_.erase(replies_.begin(), replies_.begin() + static_cast<std::ptrdiff_t>(replies_begun));
    // A cursor of which nothing was sent, after events that all were, goes first next time; after
    // events that were not it would be wrong.
    if (unsent_trailer) replies_.push_front(std::move(*unsent_trailer));
    has_planned_events_ = false;
    for (auto const& item : items_)
        if (item.end <= written) arrive(item);
    settle_presence();
    obey_deferred();
}

inline void client::obey_deferred() {
    for (auto& each : subscriptions_) each.passed = each.queue.passed();
    for (auto const& from : std::exchange(deferred_, {}))
        if (!is_ending_) obey(from);
}

inline void client::arrive(planned_item const& item) {
    for (auto const& each : item.places) seen_[each.channel] = each.at;
    if (item.ends_stream && is_websocket()) {
        // The client answers the close frame, as the protocol asks.
        auto frame = client_frame({}, '\x88');
        session_->feed(frame);
    }
}

} // namespace livetape::simulation
