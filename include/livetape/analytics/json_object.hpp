#pragma once

#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/value_text.hpp>
#include <livetape/json_text.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

namespace livetape {

/// Writes a JSON object (RFC 8259) to publish, member by member, in the order in which they are
/// named:
///
///     feed.publish(json_object{}.text("id", "a").number("value", 42.5).finish());
///
/// The pipelines and boards of this folder write their results with it. Names and texts are
/// escaped; texts must be UTF-8. What JSON cannot say, NaN and infinities, is `null`. O(bytes). One
/// object can write many payloads: `clear` keeps its memory.
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class json_object {
public:
    json_object& text(std::string_view name, std::string_view utf8) {
        begin(name);
        put_string(utf8);
        return *this;
    }

    /// As few digits as give the number back.
    json_object& number(std::string_view name, double number) {
        begin(name);
        char* const to = room(detail::number_bytes_max);
        put_upto(detail::write_number(to, number));
        return *this;
    }

    /// The number rounded to so many decimals, at most 20: what people read.
    json_object& rounded(std::string_view name, double number, int decimals) {
        return formatted(name, number, std::chars_format::fixed, decimals);
    }

    /// The number rounded to so many significant digits, at most 20: what prices have.
    json_object& significant(std::string_view name, double number, int digits) {
        return formatted(name, number, std::chars_format::general, digits);
    }

    /// In milliseconds since the time's epoch, as browsers count.
    json_object& time(std::string_view name, event_time time) {
        begin(name);
        char* const to = room(detail::time_bytes_max);
        put_upto(detail::write_time(to, time));
        return *this;
    }

    json_object& boolean(std::string_view name, bool is_true) {
        begin(name);
        put(is_true ? "true" : "false");
        return *this;
    }

    /// Whatever `append_value` has an overload for: counts, bars, lists, a type of the host's own.
    template <class Value>
    json_object& value(std::string_view name, Value const& value) {
        if constexpr (std::is_same_v<Value, double>) return number(name, value);
        begin(name);
        append_value(settled(), value);
        return *this;
    }

    /// The finished object, valid until `clear` or the end of this one; nothing can be added to it.
    [[nodiscard]] std::string_view finish() {
        put("}");
        return settled();
    }

    /// What there is so far, as a finished object of its own.
    [[nodiscard]] std::string copy() const {
        std::string made = text_;
        made.append(recent_.data(), recent_bytes_) += '}';
        return made;
    }

    /// Begins a new object.
    json_object& clear() noexcept {
        text_.clear();
        recent_[0] = '{';
        recent_bytes_ = 1;
        return *this;
    }

private:
    /// A place for at most so many characters; `put_upto` says how many they were.
    /// Precondition: `bytes_max` is at most the size of the array.
    char* room(std::size_t bytes_max) {
        if (recent_bytes_ + bytes_max > recent_.size()) settled();
        return recent_.data() + recent_bytes_;
    }
    void put_upto(char const* end) noexcept {
        recent_bytes_ = static_cast<std::size_t>(end - recent_.data());
    }

    void put(std::string_view text) {
        if (text.size() > recent_.size()) {
            settled() += text;
            return;
        }
        char* const to = room(text.size());
        put_upto(std::copy_n(text.data(), text.size(), to));
    }

    void put_string(std::string_view utf8) {
        if (utf8.size() > short_bytes_max || !is_plain_json(utf8)) {
            append_json_string(settled(), utf8);
            return;
        }
        char* to = room(short_bytes_max + 2);
        *to++ = '"';
        to = std::copy_n(utf8.data(), utf8.size(), to);
        *to++ = '"';
        put_upto(to);
    }

    void begin(std::string_view name) {
        if (recent_bytes_ != 1 || !text_.empty()) put(",");
        put_string(name);
        put(":");
    }

    /// All that there is so far.
    std::string& settled() {
        text_.append(recent_.data(), recent_bytes_);
        recent_bytes_ = 0;
        return text_;
    }

    json_object& formatted(std::string_view name, double number, std::chars_format format,
                           int precision) {
        begin(name);
        if (!detail::is_finite(number)) {
            put("null");
            return *this;
        }
        std::array<char, 340> digits; // of the largest double, a sign, a point and 20 decimals
        auto const end =
            std::to_chars(digits.data(), digits.data() + digits.size(), number, format, precision);
        put({digits.data(), static_cast<std::size_t>(end.ptr - digits.data())});
        return *this;
    }

    static constexpr std::size_t short_bytes_max = 32;

    // What was written last is gathered and goes into the text as one piece: most objects have
    // members of a few characters, and each append to a string costs more than those.
    std::string text_;
    std::array<char, 160> recent_{'{'};
    std::size_t recent_bytes_ = 1;
};

} // namespace livetape
