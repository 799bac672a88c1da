#pragma once

#include <livetape/channel/cursor.hpp>
#include <livetape/channel/pattern_feed.hpp>
#include <livetape/channel/presence.hpp>
#include <livetape/channel/subscriber.hpp>
#include <livetape/channel_pattern.hpp>
#include <livetape/error.hpp>
#include <livetape/time.hpp>
#include <livetape/transport/client_request.hpp>
#include <livetape/transport/delivery_choice.hpp>
#include <livetape/transport/refusal_reason.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace livetape {

/// What a client asks for when it subscribes to all channels that match a pattern.
struct pattern_request {
    std::string_view pattern;
    std::string_view cursor_text; ///< parsed again, because it is kept no longer than the call
    bool has_snapshot = false;
    delivery_choice const& delivery;
};

/// A channel that a pattern of the session covers from now on, or did cover.
struct pattern_match {
    std::string_view pattern;
    subscription* added = nullptr; ///< null: the session has as many channels as it may have
    opened_cursor opened{};

    /// If not empty: nothing was added, but the cursor names a channel that is no more. When it
    /// comes again it is another life, which begins with its first event, and what the client was
    /// to get of this one is lost.
    std::string_view gone{};

    [[nodiscard]] bool is_beyond_limit() const noexcept { return added == nullptr && gone.empty(); }

    [[nodiscard]] std::string_view name() const noexcept {
        return added == nullptr ? gone : added->source().name();
    }

    /// What the client must be told that it misses.
    [[nodiscard]] std::optional<gap> missed() const noexcept {
        return gone.empty() ? opened.missed : gap{1, 0, gap_reason::epoch};
    }
};

/// What a session has besides subscriptions to channels that it named: patterns, the subscriptions
/// that they bring, and a place in the presence of channels. Most sessions have none of it.
///
/// A channel is subscribed to once, whoever covers it: the client by its name, or any number of
/// patterns. It is left when nobody covers it any more.
/// Thread safety: shared objects unsafe; the shard's thread owns it.
class session_channels {
public:
    /// Called for each channel that is created and matches later.
    using match_function = void (*)(void* session, pattern_match const& match);

    /// @param cursors   the session's; like the other arguments they outlive this
    /// @param identity  who is present; null for nobody in particular
    session_channels(live_endpoint& endpoint, subscriber& cursors, dispatcher& wakes,
                     encoding const& format, client_identity const* identity,
                     match_function on_match, void* session) noexcept
        : endpoint_{endpoint}, cursors_{cursors}, wakes_{wakes}, format_{format},
          identity_{identity}, on_match_{on_match}, session_{session} {}
    session_channels(session_channels const&) = delete;
    session_channels& operator=(session_channels const&) = delete;
    ~session_channels() {
        for (auto& [of, place] : places_) place.release(stays_until_);
    }

    /// Subscribes to a pattern: to the channels that match now, which `matched` tells, and to those
    /// that are created later, which begin with their first event. A matching channel that a cursor
    /// over several does not name is new to the client and begins so, too. Those that the host's
    /// hook refuses are left out.
    [[nodiscard]] refusal_reason subscribe(pattern_request const& wanted,
                                           std::vector<pattern_match>& matched);

    /// Ends a pattern, and the subscriptions that nobody else covers; false if there is none.
    /// @param left  the places that were reached, as a cursor over several channels
    [[nodiscard]] bool unsubscribe(std::string_view pattern, std::string& left);

    [[nodiscard]] bool has_patterns() const noexcept { return !patterns_.empty(); }

    /// Whether only patterns cover that channel.
    [[nodiscard]] bool is_by_pattern(channel const& which) const {
        return by_pattern_.contains(&which);
    }

    /// Whether a pattern, other than `but`, covers channels of that name. One that is covered and
    /// not subscribed to has just been created: its events are due from the first one on.
    [[nodiscard]] bool covers(std::string_view name, std::string_view but = {}) const {
        for (auto const& each : patterns_)
            if (each->pattern != but && matches_channel_pattern(each->pattern, name)) return true;
        return false;
    }

    /// The client names a channel that patterns covered alone.
    void name(channel const& which) { by_pattern_.erase(&which); }

    /// The client lets go of a channel that it named; true if a pattern goes on covering it.
    [[nodiscard]] bool keeps(channel const& which) {
        if (!covers(which.name())) return false;
        by_pattern_.insert(&which);
        return true;
    }

    /// The session is on a channel from now on, if that says who is; and no more.
    void enter(channel const& which) {
        if (auto* const there = which.members())
            places_.emplace_back(&which,
                                 there->join(identity_ ? identity_->id : std::string_view{},
                                             identity_ ? identity_->info : std::string_view{}));
    }
    void leave(channel const& which) noexcept {
        std::erase_if(places_, [&](auto const& place) { return place.first == &which; });
    }

    /// A channel was closed, and its subscription has just been removed: the session is on it no
    /// more, whoever covered it. Patterns cover a new life that has begun meanwhile from here on;
    /// it was passed over as long as the name had a subscription.
    void forget(channel const& which);

    /// Who polls stays on its channels until then, although this ends sooner.
    void stay_until(time_point then) noexcept { stays_until_ = then; }

private:
    struct watched {
        session_channels* owner;
        std::string pattern;
        delivery_options delivery;
        bool is_full = false;                          ///< the client was told
        pattern_request const* opening = nullptr;      ///< while the channels that exist are added
        cursor const* from = nullptr;                  ///< as long
        std::vector<pattern_match>* matched = nullptr; ///< as long
        refusal_reason failure{};
        std::unique_ptr<pattern_subscription> watch{};
    };

    [[nodiscard]] refusal_reason check(pattern_request const& wanted, cursor const& from,
                                       delivery_options& delivery) const;
    [[nodiscard]] start_position start_of_match(watched const& by, std::string_view name) const;
    void match(watched& by, std::shared_ptr<channel> const& matching);
    void report_gone(watched const& by) const;

    live_endpoint& endpoint_;
    subscriber& cursors_;
    dispatcher& wakes_;
    encoding const& format_;
    client_identity const* identity_;
    match_function on_match_;
    void* session_;
    std::vector<std::unique_ptr<watched>> patterns_;
    std::unordered_set<channel const*> by_pattern_; ///< channels that the client did not name
    std::vector<std::pair<channel const*, presence_handle>> places_;
    time_point stays_until_{};
};

} // namespace livetape

#include <livetape/transport/impl/session_channels.ipp>
