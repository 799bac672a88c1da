#pragma once

#include "post.hpp"

#include <livetape/wire/utf8.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace trends {

/// Posts from a text file, one a line, over and over: `author<TAB>followers<TAB>text`, or the text
/// alone.
class post_file {
public:
    /// @param rate  posts per second of the stream's own time
    /// @throws std::runtime_error  with a sentence, if the file cannot be read or says nothing
    post_file(std::string const& path, double rate) : step_{static_cast<std::int64_t>(1e9 / rate)} {
        std::ifstream in{path, std::ios::binary};
        if (!in) throw std::runtime_error{"cannot open " + path};
        std::size_t number = 0;
        for (std::string line; std::getline(in, line);) {
            ++number;
            if (!line.empty() && line.back() == '\r') line.pop_back();
            if (line.empty()) continue;
            auto read = parse(line);
            if (!read)
                throw std::runtime_error{path + ", line " + std::to_string(number) +
                                         ": expected author, followers and text with tabs between "
                                         "them, or a text without tabs, in UTF-8"};
            posts_.push_back(std::move(*read));
        }
        if (in.bad() || !in.eof()) throw std::runtime_error{"cannot read " + path};
        if (posts_.empty()) throw std::runtime_error{path + " holds no posts"};
    }

    post next() {
        auto made = posts_[next_++ % posts_.size()];
        made.time = time_ += step_;
        return made;
    }

    static constexpr std::uint64_t followers_max = 10'000'000'000; ///< more than there are people

    static std::optional<post> parse(std::string_view line) {
        if (!livetape::is_utf8(line)) return std::nullopt;
        auto const first = line.find('\t');
        if (first == std::string_view::npos) return post{{}, {}, 0, std::string{line}};
        auto const second = line.find('\t', first + 1);
        if (second == std::string_view::npos) return std::nullopt;
        post made{{}, std::string{line.substr(0, first)}, 0, std::string{line.substr(second + 1)}};
        auto const* const end = line.data() + second;
        auto const result = std::from_chars(line.data() + first + 1, end, made.followers);
        if (made.author.empty() || result.ec != std::errc{} || result.ptr != end ||
            made.followers > followers_max)
            return std::nullopt;
        return made;
    }

private:
    std::vector<post> posts_;
    std::size_t next_ = 0;
    livetape::event_time step_;
    livetape::event_time time_{0};
};

} // namespace trends
