#pragma once

#include "../support/rank_board.hpp"
#include "post.hpp"
#include "word_list.hpp"

#include <livetape/analytics/ewma.hpp>
#include <livetape/analytics/json_object.hpp>
#include <livetape/analytics/key_ranking.hpp>
#include <livetape/analytics/pipeline.hpp>
#include <livetape/channel/hub.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace trends {

/// That somebody wrote a word.
struct word_use {
    livetape::event_time time;
    std::string_view word;
};

/// Words in, the ten that trend out: one operator over the whole stream, which sees its keys.
inline auto trending_words(livetape::event_time half_life, rank_board& board) {
    auto const show = [&board](auto const& so_far) {
        auto top = so_far.value();
        // To a tenth: a board on which every count falls all the time would be all noise.
        for (auto& each : top) each.count = std::round(each.count * 10) / 10;
        board.show(top, top.size());
    };
    return livetape::from<word_use>()
        .time(&word_use::time, {.jump_max = livetape::event_time{0}}) // the program's own
        .key(&word_use::word)
        .whole()
        .window(livetape::running{})
        .apply(livetape::trending_keys{{.count = 10, .sketch = {.half_life = half_life}}})
        .to(show, livetape::emission::on_tick);
}

/// Posts in; out come the ten authors who reach the most readers, and how many authors there are.
inline auto author_ranking(rank_board& board, double& authors) {
    auto const show = [&board](auto const& so_far) {
        auto const top = so_far.value();
        board.show(top, top.size());
    };
    return livetape::from<post>()
        .time(&post::time, {.jump_max = livetape::event_time{0}})
        .number(&post::followers)
        .key(&post::author)
        .whole()
        .window(livetape::running{})
        .apply<livetape::top_keys>()
        .to(show, livetape::emission::on_tick)
        .whole()
        .window(livetape::running{})
        .apply<livetape::distinct_keys>()
        .to([&authors](auto const& so_far) { authors = so_far.value(); },
            livetape::emission::on_tick);
}

/// Turns a stream of posts into channels:
///
///   words        what is written about now: counts of posts that halve with every half-life, the
///                ten heaviest, keyed by rank
///   influencers  who reaches the most readers: the sum of followers over an author's posts, the
///                ten heaviest, keyed by rank
///   mood         `{"time":…,"posts":…,"authors":…,"mood":…}`: how many posts, of about how many
///                authors, and the exponentially weighted mean of their moods, from -1 to 1; the
///                log keeps the last minute, for whoever draws it
///   posts        each post with its mood
///
/// A word counts once per post, so that nobody trends by repeating himself in one.
/// Memory is bounded whatever is written: the sketches keep a thousand words and authors each.
/// A board is said anew only when posts have come, so counts do not fall in a silence.
class trend_watch {
public:
    trend_watch(livetape::hub& hub, livetape::event_time half_life)
        : posts_{hub.open("posts")}, mood_channel_{hub.open(
                                         "mood", {.log_age_max = std::chrono::minutes{1}})},
          words_board_{hub.open("words")}, influencers_board_{hub.open("influencers")},
          words_{trending_words(half_life, words_board_)},
          authors_{author_ranking(influencers_board_, author_count_)}, mood_{half_life} {}
    trend_watch(trend_watch const&) = delete; // its pipelines refer to its parts
    trend_watch& operator=(trend_watch const&) = delete;

    void take(post const& read) {
        now_ = std::max(now_, read.time);
        ++count_;
        std::set<std::string, std::less<>> distinct;
        for_each_word(read.text, [&](std::string_view word) {
            if (is_topic(word)) distinct.emplace(word);
        });
        for (auto const& word : distinct) words_.take({read.time, word});
        if (!read.author.empty()) authors_.take(read);
        auto const mood = mood_of(read.text);
        mood_.add(read.time, mood);
        publish(read, mood);
    }

    /// Publishes where things stand.
    void show() {
        words_.tick();
        authors_.tick();
        mood_channel_.publish(livetape::json_object{}
                                  .time("time", now_)
                                  .value("posts", count_)
                                  .rounded("authors", author_count_, 0)
                                  .number("mood", mood_.value())
                                  .finish());
    }

private:
    static bool is_topic(std::string_view word) {
        return word.size() > 2 && word.front() != '@' && !is_common(word) &&
               mood_of_word(word) == 0;
    }

    void publish(post const& read, double mood) {
        posts_.publish(livetape::json_object{}
                           .text("author", read.author)
                           .text("text", read.text)
                           .number("mood", mood)
                           .finish());
    }

    livetape::channel& posts_;
    livetape::channel& mood_channel_;
    rank_board words_board_;
    rank_board influencers_board_;
    double author_count_ = 0;
    decltype(trending_words({}, std::declval<rank_board&>())) words_;
    decltype(author_ranking(std::declval<rank_board&>(), std::declval<double&>())) authors_;
    livetape::ewma mood_;
    livetape::event_time now_{0};
    std::uint64_t count_ = 0;
};

} // namespace trends
