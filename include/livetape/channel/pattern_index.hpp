#pragma once

#include <livetape/channel/keyed_list.hpp>
#include <livetape/channel_pattern.hpp>
#include <livetape/compact_vector.hpp>
#include <livetape/owned_ptr.hpp>

#include <cstddef>
#include <string_view>
#include <utility>

namespace livetape {

/// Patterns of channel names with a value each, found by the names they match: a trie of tokens.
///
/// Matching a name visits one branch for its token and one for `*` at each level, whatever the
/// number of patterns. Equal patterns may be added with different values.
/// Thread safety: shared objects unsafe.
template <class T>
class pattern_index {
public:
    /// Precondition: `is_channel_pattern(pattern)`. O(length).
    void add(std::string_view pattern, T value) {
        auto* at = &root_;
        for (auto rest = pattern; !rest.empty();) {
            auto const token = detail::take_token(rest);
            if (token == ">") {
                at->tails.push_back(std::move(value));
                return;
            }
            at = &at->child(token);
        }
        at->values.push_back(std::move(value));
    }

    /// Takes out a value that was added with that pattern, and the branches that only it needed.
    /// O(length + values of the pattern).
    void remove(std::string_view pattern, T const& value) { remove_below(root_, pattern, value); }

    /// Calls `f(value)` for each pattern that matches, in no particular order; `f` must not change
    /// the index. Precondition: `is_channel_name(name)`.
    template <class F>
    void match(std::string_view name, F&& f) const {
        if (!name.starts_with('@')) return match_below(root_, name, f);
        auto rest = name;
        if (auto const* const child = root_.find(detail::take_token(rest)))
            match_below(*child, rest, f);
    }

    [[nodiscard]] bool empty() const noexcept { return root_.is_bare(); }

private:
    struct node {
        [[nodiscard]] node& child(std::string_view wanted) {
            if (wanted == "*") {
                if (!any) any = make_owned<node>();
                return *any;
            }
            return by_token.find_or_add(wanted).value;
        }

        [[nodiscard]] node* find(std::string_view wanted) const noexcept {
            auto* const found = by_token.find(wanted);
            return found == nullptr ? nullptr : &found->value;
        }

        [[nodiscard]] bool is_bare() const noexcept {
            return !any && by_token.size() == 0 && values.empty() && tails.empty();
        }

        keyed_list<node> by_token;
        owned_ptr<node> any;
        compact_vector<T> values; // of patterns that end here
        compact_vector<T> tails;  // of patterns that go on with `>`
    };

    template <class F>
    static void match_below(node const& at, std::string_view rest, F& f) {
        if (rest.empty()) {
            for (auto const& each : at.values) f(each);
            return;
        }
        for (auto const& each : at.tails) f(each);
        auto const token = detail::take_token(rest);
        if (auto const* const child = at.find(token)) match_below(*child, rest, f);
        if (at.any) match_below(*at.any, rest, f);
    }

    static void remove_below(node& at, std::string_view rest, T const& value) {
        if (rest.empty()) return at.values.erase_unordered(value);
        auto const token = detail::take_token(rest);
        if (token == ">") return at.tails.erase_unordered(value);
        auto* const child = token == "*" ? at.any.get() : at.find(token);
        if (child == nullptr) return;
        remove_below(*child, rest, value);
        if (!child->is_bare()) return;
        if (token == "*") at.any.reset();
        else at.by_token.erase(*at.by_token.find(token));
    }

    node root_;
};

} // namespace livetape
