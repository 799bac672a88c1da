#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <string>
#include <string_view>

namespace trends {

/// Calls `visit(word)` for each word of a text, ASCII letters in lower case. A word is a run of
/// letters, digits, apostrophes and bytes above ASCII, with a `#` or `@` in front if it has one.
/// The view is valid during the call.
template <class Visit>
void for_each_word(std::string_view text, Visit visit) {
    auto const is_of_word = [](char c) {
        auto const byte = static_cast<unsigned char>(c);
        return byte >= 0x80 || std::isalnum(byte) != 0 || c == '\'';
    };
    std::string word;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        if (i < text.size() && is_of_word(text[i])) {
            word += static_cast<char>(std::tolower(static_cast<unsigned char>(text[i])));
            continue;
        }
        if (word.size() > 1 || (!word.empty() && is_of_word(word.front()))) visit(word);
        word.clear();
        if (i < text.size() && (text[i] == '#' || text[i] == '@')) word = text[i];
    }
}

/// Whether a word of three letters or more is in every text and says nothing of what it is about.
[[nodiscard]] inline bool is_common(std::string_view word) {
    static constexpr std::array words = std::to_array<std::string_view>(
        {"about", "after",  "all",  "and",   "are",   "around", "because", "been", "but",
         "can",   "could",  "did",  "don't", "even",  "for",    "from",    "get",  "got",
         "had",   "has",    "have", "her",   "here",  "his",    "how",     "i'm",  "into",
         "it's",  "its",    "just", "like",  "looks", "more",   "much",    "not",  "now",
         "once",  "one",    "only", "our",   "out",   "over",   "really",  "says", "seems",
         "she",   "should", "some", "than",  "that",  "the",    "their",   "them", "then",
         "there", "they",   "this", "today", "too",   "very",   "was",     "were", "what",
         "when",  "which",  "who",  "will",  "with",  "would",  "you",     "your"});
    static_assert(std::is_sorted(words.begin(), words.end()));
    return std::binary_search(words.begin(), words.end(), word);
}

/// What a word says of the mood of its text: from -2 to 2, 0 for most.
[[nodiscard]] inline int mood_of_word(std::string_view word) {
    struct entry {
        std::string_view word;
        int mood;
    };
    static constexpr std::array entries = std::to_array<entry>(
        {{"angry", -2},    {"awful", -2},    {"bad", -1},      {"beautiful", 2}, {"best", 2},
         {"boring", -1},   {"broken", -1},   {"calm", 1},      {"disaster", -2}, {"fail", -1},
         {"fails", -1},    {"fear", -2},     {"fine", 1},      {"fun", 1},       {"glad", 1},
         {"good", 1},      {"great", 2},     {"happy", 2},     {"hate", -2},     {"hope", 1},
         {"horrible", -2}, {"joy", 2},       {"late", -1},     {"like", 1},      {"lost", -1},
         {"love", 2},      {"nice", 1},      {"perfect", 2},   {"proud", 1},     {"sad", -1},
         {"slow", -1},     {"sorry", -1},    {"terrible", -2}, {"thanks", 1},    {"ugly", -1},
         {"win", 1},       {"wonderful", 2}, {"worst", -2},    {"wrong", -1}});
    auto const is_before = [](entry const& each, std::string_view wanted) {
        return each.word < wanted;
    };
    static_assert(std::is_sorted(entries.begin(), entries.end(),
                                 [](auto const& a, auto const& b) { return a.word < b.word; }));
    auto const found = std::lower_bound(entries.begin(), entries.end(), word, is_before);
    return found != entries.end() && found->word == word ? found->mood : 0;
}

/// The mood of a text, from -1 (all of its words that say anything are as bad as can be) to 1; 0
/// if none does. A "not" or "no" turns the word after it around.
[[nodiscard]] inline double mood_of(std::string_view text) {
    int sum = 0;
    int found = 0;
    bool is_turned = false;
    for_each_word(text, [&](std::string_view word) {
        if (auto const mood = mood_of_word(word); mood != 0) {
            sum += is_turned ? -mood : mood;
            ++found;
        }
        is_turned = word == "not" || word == "no" || word == "never" || word.ends_with("n't");
    });
    return found == 0 ? 0 : static_cast<double>(sum) / (2.0 * found);
}

} // namespace trends
