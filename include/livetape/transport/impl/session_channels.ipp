#pragma once

namespace livetape {

inline refusal_reason session_channels::check(pattern_request const& wanted, cursor const& from,
                                              delivery_options& delivery) const {
    auto const& options = endpoint_.options();
    channel_pattern_limits const limits{.tokens_max = options.pattern_tokens_max};
    auto const fault = find_pattern_fault(wanted.pattern, limits);
    if (fault == pattern_fault::too_deep)
        return {error::pattern_too_deep,
                "a pattern has at most " + std::to_string(options.pattern_tokens_max) + " tokens"};
    if (fault == pattern_fault::too_long)
        return {error::bad_pattern,
                "a pattern has at most " + std::to_string(limits.bytes_max) + " bytes"};
    if (fault != pattern_fault::none) return {error::bad_pattern, std::string{describe(fault)}};
    for (auto const& each : patterns_)
        if (each->pattern == wanted.pattern) return {error::already_subscribed};
    if (patterns_.size() >= options.patterns_per_session_max)
        return {error::too_many_patterns, "a connection can have " +
                                              std::to_string(options.patterns_per_session_max) +
                                              " patterns"};
    if (from.is_unnamed())
        return {error::bad_cursor, "this cursor is a single channel's, and a pattern is asked for"};
    return apply(wanted.delivery, options.delivery, delivery,
                 wanted.delivery.keys ? keys_elsewhere(cursors_) : 0);
}

inline refusal_reason session_channels::subscribe(pattern_request const& wanted,
                                                  std::vector<pattern_match>& matched) {
    auto const from = cursor::parse(
        wanted.cursor_text, std::max<std::size_t>(endpoint_.options().channels_per_session_max, 1));
    if (!from) return {error::bad_cursor};
    auto added = std::make_unique<watched>();
    if (auto refused = check(wanted, *from, added->delivery)) return refused;
    added->owner = this;
    added->pattern = wanted.pattern;
    added->opening = &wanted;
    added->from = &*from;
    added->matched = &matched;
    auto& by = *added;
    patterns_.push_back(std::move(added));
    by.watch = std::make_unique<pattern_subscription>(
        wakes_.patterns(endpoint_.source().channels()), wanted.pattern,
        [](void* one, std::shared_ptr<channel> const& matching) {
            auto& which = *static_cast<watched*>(one);
            which.owner->match(which, matching);
        },
        &by);
    by.watch->report_existing();
    report_gone(by);
    by.opening = nullptr;
    by.from = nullptr;
    by.matched = nullptr;
    if (!by.failure) return {};
    auto failure = std::move(by.failure);
    std::string left;
    static_cast<void>(unsubscribe(wanted.pattern, left));
    matched.clear();
    return failure;
}

inline start_position session_channels::start_of_match(watched const& by,
                                                       std::string_view name) const {
    start_position from_its_beginning;
    from_its_beginning.from = start_position::kind::oldest;
    if (by.opening == nullptr) return from_its_beginning;
    bool const is_named = by.from->find(name).has_value();
    bool const is_new =
        by.from->what() == cursor::kind::positions || covers(name, by.opening->pattern);
    if (is_new && !is_named) return from_its_beginning;
    return *start_of(*by.from, name, by.opening->has_snapshot, 1);
}

inline void session_channels::match(watched& by, std::shared_ptr<channel> const& matching) {
    auto const name = matching->name();
    auto const& options = endpoint_.options();
    if (by.failure || cursors_.find(name) != nullptr) return;
    auto const id = identity_ ? std::string_view{identity_->id} : std::string_view{};
    if (options.hooks.subscribe && !options.hooks.subscribe(id, name))
        return endpoint_.errors().count(error::not_authorized);
    pattern_match found;
    found.pattern = by.pattern;
    if (cursors_.count() >= options.channels_per_session_max) {
        if (std::exchange(by.is_full, true)) return;
    } else {
        found.added =
            &cursors_.add(matching, format_, start_of_match(by, name), by.delivery, found.opened);
        if (found.opened.is_ahead) {
            cursors_.remove(*found.added);
            by.failure = {error::bad_cursor,
                          "the cursor is ahead of channel \"" + std::string{name} + '"'};
            return;
        }
        by_pattern_.insert(matching.get());
        enter(*matching);
    }
    if (by.matched != nullptr) by.matched->push_back(std::move(found));
    else on_match_(session_, found);
}

inline void session_channels::forget(channel const& which) {
    by_pattern_.erase(&which);
    leave(which);
    for (auto const& each : patterns_) {
        if (!matches_channel_pattern(each->pattern, which.name())) continue;
        if (auto const next = endpoint_.source().find(which.name())) match(*each, next);
    }
}

/// Channels that are not there now would come as new ones, and nobody would know that there had
/// been another life of them.
inline void session_channels::report_gone(watched const& by) const {
    auto const& options = endpoint_.options();
    auto const id = identity_ ? std::string_view{identity_->id} : std::string_view{};
    for (auto const& [name, at] : by.from->positions()) {
        if (!matches_channel_pattern(by.pattern, name) || endpoint_.source().find(name)) continue;
        if (options.hooks.subscribe && !options.hooks.subscribe(id, name)) continue;
        pattern_match lost;
        lost.pattern = by.pattern;
        lost.gone = name;
        by.matched->push_back(std::move(lost));
    }
}

inline bool session_channels::unsubscribe(std::string_view pattern, std::string& left) {
    auto const found = std::find_if(patterns_.begin(), patterns_.end(),
                                    [&](auto const& each) { return each->pattern == pattern; });
    if (found == patterns_.end()) return false;
    auto const ended = std::move(*found);
    patterns_.erase(found);
    for (auto i = cursors_.count(); i > 0; --i) {
        auto& each = cursors_.at(i - 1);
        auto const& source = each.source();
        if (!is_by_pattern(source) || !matches_channel_pattern(ended->pattern, source.name()))
            continue;
        append_named_position(left, source.name(), each.reached());
        if (covers(source.name())) continue;
        by_pattern_.erase(&source);
        leave(source);
        cursors_.remove(each);
    }
    return true;
}

} // namespace livetape
