#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace livetape {

namespace detail {

/// Walks over JSON text without checking it; of malformed text it says so or answers anything, but
/// never reads beyond the end.
class json_walker {
public:
    explicit json_walker(std::string_view text) noexcept : text_{text} {}

    [[nodiscard]] bool take(char wanted) noexcept {
        skip_space();
        if (at_ == text_.size() || text_[at_] != wanted) return false;
        ++at_;
        return true;
    }

    /// The text of the next value, a string with its quotation marks; empty if there is none.
    [[nodiscard]] std::string_view value() noexcept {
        skip_space();
        auto const begin = at_;
        std::size_t depth = 0;
        while (at_ < text_.size()) {
            char const c = text_[at_];
            if (depth == 0 && (c == ',' || c == '}' || c == ']' || c == ':' || is_space(c))) break;
            if (c == '"') {
                skip_string();
            } else {
                if (c == '{' || c == '[') ++depth;
                if (c == '}' || c == ']') --depth;
                ++at_;
            }
            if (depth == 0 && (c == '"' || c == '}' || c == ']')) break;
        }
        return text_.substr(begin, at_ - begin);
    }

    [[nodiscard]] bool is_at_end() noexcept {
        skip_space();
        return at_ == text_.size();
    }

private:
    [[nodiscard]] static bool is_space(char c) noexcept {
        return c == ' ' || c == '\n' || c == '\r' || c == '\t';
    }
    void skip_space() noexcept {
        while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    }
    void skip_string() noexcept {
        for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_)
            if (text_[at_] == '\\') ++at_;
        at_ = at_ < text_.size() ? at_ + 1 : text_.size();
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

/// A field of an object as it was written, the name with its quotation marks.
struct json_field {
    std::string_view name;
    std::string_view value;
};

/// The fields of an object; false if the text is none.
[[nodiscard]] inline bool read_fields(std::string_view object, std::vector<json_field>& out) {
    json_walker walk{object};
    if (!walk.take('{')) return false;
    for (bool more = !walk.take('}'); more;) {
        json_field field;
        field.name = walk.value();
        if (!field.name.starts_with('"') || !walk.take(':')) return false;
        field.value = walk.value();
        if (field.value.empty()) return false;
        out.push_back(field);
        more = walk.take(',');
        if (!more && !walk.take('}')) return false;
    }
    return walk.is_at_end();
}

// Objects nested deeper replace each other instead: a stack must not depend on what was published.
inline constexpr int json_merge_depth_max = 64;

/// Appends the older value with the newer's fields in it, or the newer if either is no object.
inline void append_merged(std::string& out, std::string_view older, std::string_view newer,
                          int depth) {
    std::vector<json_field> into;
    std::vector<json_field> from;
    if (depth == json_merge_depth_max || !read_fields(older, into) || !read_fields(newer, from)) {
        out += newer;
        return;
    }
    struct change {
        std::string_view value;
        bool is_new = true; ///< a field that the older value does not have
    };
    std::unordered_map<std::string_view, change> changes;
    for (auto const& field : from) changes[field.name].value = field.value;
    char separator = '{';
    for (auto const& field : into) {
        out += std::exchange(separator, ',');
        out.append(field.name).append(1, ':');
        auto const found = changes.find(field.name);
        if (found == changes.end()) {
            out += field.value;
            continue;
        }
        // Not forgotten yet: a name that stands twice has the last value for those who read it.
        found->second.is_new = false;
        append_merged(out, field.value, found->second.value, depth + 1);
    }
    for (auto const& field : from) {
        auto& found = changes.find(field.name)->second;
        if (!std::exchange(found.is_new, false)) continue;
        out += std::exchange(separator, ',');
        out.append(field.name).append(1, ':').append(found.value);
    }
    out += separator == '{' ? "{}" : "}";
}

} // namespace detail

/// Merges a newer JSON payload into an older one, for `channel_options::merge`: the fields of
/// objects one by one, objects within them likewise; anything else is replaced. The shape is that
/// of a merge patch (RFC 7396 §2), but null is a value and removes nothing: what a later update
/// says about a field is kept, whatever it is.
///
/// Values stand as they were published, digits included. Names are compared as they are written,
/// so a name that is escaped in one event and not in the other stands twice, the newer last. Text
/// that is no JSON object is replaced; nothing is checked. O(size), but for objects within objects
/// O(size × depth), at most 64 deep.
inline void merge_json_fields(std::string& into, std::string_view newer) {
    std::string merged;
    merged.reserve(into.size() + newer.size());
    detail::append_merged(merged, into, newer, 0);
    into.swap(merged);
}

} // namespace livetape
