#pragma once

#include "../support/rank_board.hpp"

#include <livetape/analytics/combine.hpp>
#include <livetape/analytics/count.hpp>
#include <livetape/analytics/diagnostics.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/key_ranking.hpp>
#include <livetape/analytics/pipeline.hpp>
#include <livetape/analytics/sum.hpp>
#include <livetape/channel/channel.hpp>
#include <livetape/channel/hub.hpp>
#include <livetape/channel_name.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include <simdjson.h>

namespace leaderboard {

struct play {
    livetape::event_time time;
    std::string_view player;
    std::uint32_t points;
};

inline constexpr std::size_t players_max = 5000;
inline constexpr std::uint64_t points_max = 1'000'000; ///< of one play

/// Plays in, sessions out: what each player did between two pauses of `gap`, as `[plays, points]`,
/// after each play and once more when the session is over. And, of all players, who has the most
/// points: the ten that are on the board.
inline auto sessions_of_plays(livetape::event_time gap, livetape::channel& sessions,
                              livetape::channel& problems, rank_board& board) {
    return livetape::from<play>()
        .time(&play::time)
        .number(&play::points)
        .key(&play::player, {.keys_max = players_max})
        .window(livetape::sessions{gap})
        .apply<livetape::combine<livetape::count, livetape::sum>>()
        .to(sessions, livetape::emission::on_update)
        .whole()
        .window(livetape::running{})
        .apply(livetape::top_keys{{.count = 10, .counters = players_max}})
        .to(
            [&board](auto const& so_far) {
                auto const top = so_far.value();
                board.show(top, top.size());
            },
            livetape::emission::on_tick)
        .report(problems);
}

/// Turns the channel `plays`, `{"player":"ann","points":30}`, into
///
///   sessions        what the pipeline says, keyed by player
///   player.<name>   the same of one player, for whoever follows that one
///   board           the ten who have the most points in all, keyed by rank
///   problems        what could not be read, counted by kind, with an example
class league {
public:
    league(livetape::hub& hub, livetape::event_time gap)
        : hub_{hub}, plays_{hub.open("plays")}, sessions_{hub.open("sessions")},
          problems_channel_{hub.open("problems")}, board_{hub.open("board")},
          pipeline_{sessions_of_plays(gap, sessions_, problems_channel_, board_)} {}

    /// Takes over the plays since the last call. @param now  ends sessions of who has gone silent
    void look(livetape::event_time now) {
        for_each_new(plays_, plays_read_, [&](auto const& event) { take(event); });
        pipeline_.advance(now);
        for_each_new(sessions_, sessions_read_, [&](auto const& event) {
            hub_.publish("player." + std::string{event.key}, event.payload);
        });
        pipeline_.tick();
        problems_.report(problems_channel_);
    }

private:
    /// Calls `visit(event)` for what a channel has had since `read_to`, which moves on.
    template <class Visit>
    void for_each_new(livetape::channel const& from, std::uint64_t& read_to, Visit visit) {
        while (read_to < from.last_offset()) {
            for (auto const& event : from.read(read_to)) {
                auto const missed = event.offset - read_to - 1;
                if (missed > 0) problems_.note(livetape::problem::missed, from.name(), {}, missed);
                read_to = event.offset;
                visit(event);
            }
        }
    }

    void take(livetape::event_view const& event) {
        simdjson::dom::object fields;
        std::string_view player;
        std::uint64_t points = 0;
        auto const refuse = [&](livetape::problem why, std::string_view field) {
            problems_.note(why, field, event.payload);
        };
        if (event.payload.empty() ||
            parser_.parse(event.payload.data(), event.payload.size()).get(fields) !=
                simdjson::SUCCESS)
            return refuse(livetape::problem::unparsable, {});
        if (fields["player"].get(player) != simdjson::SUCCESS || player.size() > 32 ||
            !livetape::is_channel_name(player))
            return refuse(livetape::problem::wrong_type, "player");
        if (fields["points"].get(points) != simdjson::SUCCESS || points > points_max)
            return refuse(livetape::problem::wrong_type, "points");
        pipeline_.take(
            {livetape::to_event_time(event.time), player, static_cast<std::uint32_t>(points)});
    }

    livetape::hub& hub_;
    livetape::channel& plays_;
    livetape::channel& sessions_;
    livetape::channel& problems_channel_;
    rank_board board_;
    std::invoke_result_t<decltype(sessions_of_plays), livetape::event_time, livetape::channel&,
                         livetape::channel&, rank_board&>
        pipeline_;
    livetape::diagnostics problems_;
    simdjson::dom::parser parser_;
    std::uint64_t plays_read_ = 0;
    std::uint64_t sessions_read_ = 0;
};

} // namespace leaderboard
