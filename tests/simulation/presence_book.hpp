#pragma once

#include <livetape/channel/agenda.hpp>
#include <livetape/channel/retention.hpp>
#include <livetape/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <string>
#include <vector>

namespace livetape::simulation {

/// Who a client says that it is.
struct person {
    std::string id;   ///< empty: nobody in particular
    std::string info; ///< JSON, or empty
};

/// Who is on a channel, and what must be told of it.
class presence_book {
public:
    explicit presence_book(channel_options const& options)
        : members_max_{options.presence_members_max} {}

    struct member {
        person who;
        std::size_t connections = 0;
        time_point stays_until{};
    };

    /// What is published into the companion channel, keyed by identity.
    struct notice {
        std::string id;
        std::string payload;
    };

    /// @return whether the connection is a member's
    bool join(person const& who, std::vector<notice>& told) {
        ++connections_;
        auto known = find(who.id);
        bool const is_new = known == members_.end();
        if (is_closed_ || who.id.empty() || (is_new && members_.size() >= members_max_)) {
            ++anonymous_;
            return false;
        }
        if (is_new) known = members_.insert(members_.end(), {who});
        if (is_new || known->who.info != who.info) {
            known->who = who;
            told.push_back({who.id, "{\"join\":\"" + who.id + '"' +
                                        (who.info.empty() ? "" : ",\"info\":" + who.info) + '}'});
        }
        ++known->connections;
        std::erase(lingering_, who.id);
        return true;
    }

    /// @param stays_until  of one who polls
    void leave(std::string const& id, bool is_member, time_point stays_until,
               std::vector<notice>& told) {
        --connections_;
        if (is_closed_) return;
        if (!is_member) {
            --anonymous_;
            return;
        }
        auto const known = find(id);
        known->stays_until = std::max(known->stays_until, stays_until);
        if (--known->connections > 0) return;
        if (known->stays_until == time_point{}) return remove(id, told);
        lingering_.push_back(id);
        expect(known->stays_until);
    }

    /// Those whose stay is over leave when that is looked at: at the next whole second.
    void expire(time_point now, std::vector<notice>& told) {
        if (now < look_at_) return;
        look_at_ = never;
        for (auto const& id : std::deque<std::string>{lingering_})
            if (find(id)->stays_until <= now) remove(id, told);
            else expect(find(id)->stays_until);
    }

    void close() {
        is_closed_ = true;
        members_.clear();
        lingering_.clear();
    }

    [[nodiscard]] std::vector<member> const& members() const { return members_; }
    [[nodiscard]] std::size_t connections() const { return connections_; }
    [[nodiscard]] std::size_t anonymous() const { return anonymous_; }

    [[nodiscard]] static std::string text_of_leave(std::string const& id) {
        return "{\"leave\":\"" + id + "\"}";
    }

private:
    std::vector<member>::iterator find(std::string const& id) {
        return std::find_if(members_.begin(), members_.end(),
                            [&](auto const& each) { return each.who.id == id; });
    }

    void remove(std::string const& id, std::vector<notice>& told) {
        told.push_back({id, text_of_leave(id)});
        members_.erase(find(id));
        std::erase(lingering_, id);
    }

    void expect(time_point due) {
        look_at_ = std::min(look_at_, next_aligned(due, std::chrono::seconds{1}));
    }

    std::size_t members_max_;
    std::vector<member> members_;
    std::deque<std::string> lingering_; // without a connection, as they went
    std::size_t connections_ = 0, anonymous_ = 0;
    time_point look_at_ = never;
    bool is_closed_ = false;
};

} // namespace livetape::simulation
