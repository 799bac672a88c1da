#pragma once

#include <livetape/algorithm.hpp>
#include <livetape/channel/agenda.hpp>
#include <livetape/channel/channel.hpp>
#include <livetape/channel/keyed_list.hpp>
#include <livetape/intrusive_list.hpp>
#include <livetape/json_text.hpp>
#include <livetape/short_lock.hpp>
#include <livetape/time.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace livetape {

/// What the name of a companion channel begins with.
inline constexpr std::string_view presence_prefix = "@presence/";

/// How many are on a channel.
struct presence_counts {
    std::size_t members = 0;     ///< identities, those who linger between two polls included
    std::size_t connections = 0; ///< all that are open, the anonymous ones included
    std::size_t anonymous = 0;   ///< connections without an identity, or beyond the limits
};

/// One who is on a channel.
struct presence_member {
    std::string id;
    std::string info; ///< JSON, or empty
    std::size_t connections = 0;
};

class presence_handle;

/// Who is on a channel: members by identity, each with any number of connections.
///
/// Who comes and goes is published into the companion channel `@presence/<name>`, keyed by
/// identity: `{"join":"alice","info":{…}}` with a member's first connection and when its info
/// changes, `{"leave":"alice"}` with the end of its last. One who polls leaves when it has not
/// polled again for the window that its handle was released with.
/// Thread safety: every member function is safe from any thread.
class presence : public std::enable_shared_from_this<presence> {
public:
    /// @param companion  where joins and leaves are published
    presence(channel_options const& options, std::shared_ptr<channel> companion,
             std::shared_ptr<agenda> due)
        : members_max_{options.presence_members_max}, id_bytes_max_{options.key_bytes_max},
          info_bytes_max_{options.presence_info_bytes_max},
          companion_{std::move(companion)}, agenda_{std::move(due)} {}
    presence(presence const&) = delete;
    presence& operator=(presence const&) = delete;

    /// Counts one more connection, until the handle is released.
    ///
    /// @param id    UTF-8; empty: anonymous. One over `key_bytes_max`, one whose info is over
    ///              `presence_info_bytes_max`, and one who would be a member too many count as
    ///              anonymous too.
    /// @param info  one JSON value that everybody may see, or empty
    [[nodiscard]] inline presence_handle join(std::string_view id, std::string_view info = {});

    /// The channel is closed: all members leave, at once, and nobody becomes one any more. Their
    /// handles may be released later.
    void close() {
        short_lock_guard const lock{lock_};
        is_closed_ = true;
        while (auto* const first = members_.front()) remove(first->value);
    }

    [[nodiscard]] presence_counts counts() const {
        short_lock_guard const lock{lock_};
        return {members_.size(), connections_, anonymous_};
    }

    /// At most so many of the members, in no particular order. O(count_max).
    [[nodiscard]] std::vector<presence_member> members(std::size_t count_max) const {
        short_lock_guard const lock{lock_};
        std::vector<presence_member> some;
        some.reserve(std::min(count_max, members_.size()));
        auto const* each = members_.front();
        for (; each != nullptr && some.size() < count_max; each = each->next())
            some.push_back({std::string{each->key()}, each->value.info, each->value.connections});
        return some;
    }

    /// The channel of joins and leaves.
    [[nodiscard]] std::shared_ptr<channel> const& companion() const noexcept { return companion_; }

private:
    friend class presence_handle;

    struct member : list_hook<member> {
        std::string_view id; // the list's key
        std::string info;
        std::size_t connections = 0;
        time_point stays_until{}; // when there is no connection
    };

    [[nodiscard]] member* find_or_add(std::string_view id, std::string_view info) {
        if (auto* const found = members_.find(id)) {
            auto& known = found->value;
            if (known.info != info) {
                known.info = info;
                publish_join(known);
            }
            return &known;
        }
        if (members_.size() >= members_max_) return nullptr;
        auto& added = members_.find_or_add(id);
        members_.move_to_back(added);
        added.value.id = added.key();
        added.value.info = info;
        publish_join(added.value);
        return &added.value;
    }

    void leave(member* which, time_point stays_until) {
        short_lock_guard const lock{lock_};
        --connections_;
        if (is_closed_) return;
        if (which == nullptr) {
            --anonymous_;
            return;
        }
        which->stays_until = std::max(which->stays_until, stays_until);
        if (--which->connections > 0) return;
        if (which->stays_until == time_point{}) return remove(*which);
        lingering_.push_back(*which);
        expect(which->stays_until);
    }

    void remove(member& gone) {
        std::string text = R"({"leave":)";
        append_json_string(text, gone.id);
        text.push_back('}');
        companion_->publish(text, {gone.id});
        members_.erase(*members_.find(gone.id));
    }

    void publish_join(member const& who) {
        std::string text = R"({"join":)";
        append_json_string(text, who.id);
        if (!who.info.empty()) {
            text += R"(,"info":)";
            text += who.info;
        }
        text.push_back('}');
        companion_->publish(text, {who.id});
    }

    /// Makes sure that `expire` runs soon after `due`. Those who leave about the same time share a
    /// run, so that a crowd of pollers costs one look a second.
    void expect(time_point due) {
        auto const at = next_aligned(due, std::chrono::seconds{1});
        if (at >= expected_) return;
        expected_ = at;
        agenda_->add(at, weak_from_this(),
                     [](void* self, time_point now) { static_cast<presence*>(self)->expire(now); });
    }

    void expire(time_point now) {
        short_lock_guard const lock{lock_};
        if (now < expected_) return;
        expected_ = never;
        auto next = never;
        lingering_.for_each([&](member& each) {
            if (each.stays_until <= now) remove(each);
            else next = std::min(next, each.stays_until);
        });
        if (next != never) expect(next);
    }

    std::size_t members_max_;
    std::size_t id_bytes_max_;
    std::size_t info_bytes_max_;
    std::shared_ptr<channel> companion_;
    std::shared_ptr<agenda> agenda_;
    mutable short_lock lock_;
    keyed_list<member> members_;       // in the order in which they came
    intrusive_list<member> lingering_; // members without a connection
    std::size_t connections_ = 0;
    std::size_t anonymous_ = 0;
    time_point expected_ = never; // when `expire` will run
    bool is_closed_ = false;
};

/// One connection's share in a channel's presence; releasing it, or destroying it, ends that.
/// Thread safety: distinct objects safe.
class presence_handle {
public:
    presence_handle() = default;
    presence_handle(presence_handle&& other) noexcept
        : of_{std::move(other.of_)}, member_{std::exchange(other.member_, nullptr)} {}
    presence_handle& operator=(presence_handle&& other) {
        if (this == &other) return *this;
        release();
        of_ = std::move(other.of_);
        member_ = std::exchange(other.member_, nullptr);
        return *this;
    }
    ~presence_handle() { release(); }

    /// The connection has ended, and with a member's last one the member leaves.
    void release() { release(time_point{}); }

    /// The same, but the member stays until then: one who polls and has until then to poll again.
    /// (There is no telling whether one who is anonymous does.)
    void release(time_point stays_until) {
        if (auto const of = std::exchange(of_, nullptr))
            of->leave(std::exchange(member_, nullptr), stays_until);
    }

    /// Whether the connection is a listed member's.
    [[nodiscard]] bool is_member() const noexcept { return member_ != nullptr; }

    [[nodiscard]] explicit operator bool() const noexcept { return of_ != nullptr; }

private:
    friend class presence;

    presence_handle(std::shared_ptr<presence> of, presence::member* which) noexcept
        : of_{std::move(of)}, member_{which} {}

    std::shared_ptr<presence> of_;
    presence::member* member_ = nullptr;
};

inline presence_handle presence::join(std::string_view id, std::string_view info) {
    short_lock_guard const lock{lock_};
    bool const is_listed =
        !is_closed_ && !id.empty() && id.size() <= id_bytes_max_ && info.size() <= info_bytes_max_;
    auto* const who = is_listed ? find_or_add(id, info) : nullptr;
    ++connections_;
    if (who == nullptr) {
        ++anonymous_;
    } else {
        ++who->connections;
        who->unlink();
    }
    return {shared_from_this(), who};
}

} // namespace livetape
