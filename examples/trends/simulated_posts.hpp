#pragma once

#include "post.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>

namespace trends {

/// A stream of posts by 2,000 authors, of whom few have many followers, about a dozen topics, of
/// which one after the other becomes the talk of the day. The same posts for the same seed.
class simulated_posts {
public:
    /// @param rate  posts per second of the stream's own time
    simulated_posts(std::uint64_t seed, double rate)
        : random_{seed}, step_{static_cast<std::int64_t>(1e9 / rate)} {}

    post next() {
        time_ += step_;
        auto const author = random_() % authors;
        auto const& about = topics[topic()];
        std::string text{about.words[random_() % about.words.size()]};
        text.append(" ").append(fillers[random_() % fillers.size()]).append(" ");
        bool const is_glad = random_() % 100 < about.gladness;
        auto const& moods = is_glad ? glad : sad;
        text.append(moods[random_() % moods.size()]);
        if (random_() % 3 == 0) text.append(" ").append(about.tag);
        // Zipf: the author of rank r has 1/r of the followers of the first.
        return {time_, "user" + std::to_string(author), 200'000 / (author + 1), std::move(text)};
    }

private:
    struct topic_words {
        std::string_view tag;
        std::array<std::string_view, 4> words;
        unsigned gladness; // of a hundred posts, those that are glad
    };

    /// The topic of the day has every other post; the day lasts twenty seconds.
    std::size_t topic() {
        auto const day = static_cast<std::uint64_t>(time_ / std::chrono::seconds{20});
        return random_() % 2 == 0 ? (day * 5) % topics.size() : random_() % topics.size();
    }

    static constexpr std::uint64_t authors = 2000;
    static constexpr std::array<topic_words, 12> topics{
        {{"#rain", {"the storm", "this rain", "the flood", "my umbrella"}, 15},
         {"#derby", {"the derby", "our goalkeeper", "that penalty", "the stadium"}, 60},
         {"#harvest", {"the harvest", "our orchard", "the cider", "these apples"}, 85},
         {"#trains", {"the train", "platform nine", "the timetable", "the railway"}, 10},
         {"#comet", {"the comet", "the telescope", "the night sky", "that meteor"}, 90},
         {"#rent", {"the rent", "my landlord", "the apartment", "the heating"}, 15},
         {"#festival", {"the festival", "the drummer", "the encore", "the lineup"}, 85},
         {"#outage", {"the outage", "the router", "the download", "the hotline"}, 5},
         {"#recipe", {"the dumplings", "this recipe", "the sourdough", "the pepper"}, 80},
         {"#election", {"the election", "the debate", "the ballot", "the turnout"}, 45},
         {"#puppy", {"the puppy", "our kitten", "the shelter", "the parrot"}, 95},
         {"#traffic", {"the traffic", "the roundabout", "the cyclist", "the tunnel"}, 20}}};
    static constexpr std::array<std::string_view, 5> fillers{"is really", "looks", "was once more",
                                                             "around here is", "seems"};
    static constexpr std::array<std::string_view, 6> glad{"wonderful", "great",   "so much fun",
                                                          "nice",      "perfect", "not bad"};
    static constexpr std::array<std::string_view, 6> sad{"awful",    "terrible",  "not good",
                                                         "too slow", "the worst", "a disaster"};

    std::mt19937_64 random_;
    livetape::event_time step_;
    livetape::event_time time_{0};
};

} // namespace trends
