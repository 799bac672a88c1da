#pragma once

#include "../support/rank_board.hpp"
#include "post.hpp"
#include "word_list.hpp"

#include <livetape/analytics/decayed_top_k.hpp>
#include <livetape/analytics/ewma.hpp>
#include <livetape/analytics/hyperloglog.hpp>
#include <livetape/analytics/json_object.hpp>
#include <livetape/analytics/space_saving.hpp>
#include <livetape/channel/hub.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>

namespace trends {

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
class trend_watch {
public:
    trend_watch(livetape::hub& hub, livetape::event_time half_life)
        : posts_{hub.open("posts")}, mood_channel_{hub.open(
                                         "mood", {.log_age_max = std::chrono::minutes{1}})},
          words_board_{hub.open("words")}, influencers_board_{hub.open("influencers")},
          words_{{.counters = counters, .half_life = half_life}}, mood_{half_life} {}

    void take(post const& read) {
        now_ = std::max(now_, read.time);
        ++count_;
        std::set<std::string, std::less<>> distinct;
        for_each_word(read.text, [&](std::string_view word) {
            if (is_topic(word)) distinct.emplace(word);
        });
        for (auto const& word : distinct) words_.add(read.time, word);
        if (!read.author.empty()) {
            authors_.add(read.author);
            if (read.followers > 0) influencers_.add(read.author, read.followers);
        }
        auto const mood = mood_of(read.text);
        mood_.add(read.time, mood);
        publish(read, mood);
    }

    /// Publishes where things stand.
    void show() {
        std::array<decltype(words_)::item, 10> words;
        auto const words_count = words_.top(words, now_);
        // To a tenth: a board on which every count falls all the time would be all noise.
        for (auto& each : words) each.count = std::round(each.count * 10) / 10;
        words_board_.show(words, words_count);
        std::array<decltype(influencers_)::item, 10> influencers;
        influencers_board_.show(influencers, influencers_.top(influencers));
        mood_channel_.publish(livetape::json_object{}
                                  .time("time", now_)
                                  .value("posts", count_)
                                  .rounded("authors", authors_.value(), 0)
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

    static constexpr std::size_t counters = 1000;

    livetape::channel& posts_;
    livetape::channel& mood_channel_;
    rank_board words_board_;
    rank_board influencers_board_;
    livetape::decayed_top_k<std::string> words_;
    livetape::space_saving<std::string> influencers_{counters};
    livetape::hyperloglog authors_;
    livetape::ewma mood_;
    livetape::event_time now_{0};
    std::uint64_t count_ = 0;
};

} // namespace trends
