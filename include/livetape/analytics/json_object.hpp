#pragma once

#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/value_text.hpp>
#include <livetape/json_text.hpp>

#include <array>
#include <charconv>
#include <string>
#include <string_view>

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
        append_json_string(text_, utf8);
        return *this;
    }

    /// As few digits as give the number back.
    json_object& number(std::string_view name, double number) {
        begin(name);
        append_value(text_, number);
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
        append_time(text_, time);
        return *this;
    }

    json_object& boolean(std::string_view name, bool is_true) {
        begin(name);
        text_ += is_true ? "true" : "false";
        return *this;
    }

    /// Whatever `append_value` has an overload for: counts, bars, lists, a type of the host's own.
    template <class Value>
    json_object& value(std::string_view name, Value const& value) {
        begin(name);
        append_value(text_, value);
        return *this;
    }

    /// The finished object, valid until `clear` or the end of this one; nothing can be added to it.
    [[nodiscard]] std::string_view finish() {
        text_ += '}';
        return text_;
    }

    /// What there is so far, as a finished object of its own.
    [[nodiscard]] std::string copy() const { return text_ + '}'; }

    /// Begins a new object.
    json_object& clear() noexcept {
        text_.resize(1);
        return *this;
    }

private:
    void begin(std::string_view name) {
        if (text_.size() > 1) text_ += ',';
        append_json_string(text_, name);
        text_ += ':';
    }

    json_object& formatted(std::string_view name, double number, std::chars_format format,
                           int precision) {
        begin(name);
        if (!detail::is_finite(number)) {
            text_ += "null";
            return *this;
        }
        std::array<char, 340> digits; // of the largest double, a sign, a point and 20 decimals
        auto const end =
            std::to_chars(digits.data(), digits.data() + digits.size(), number, format, precision);
        text_.append(digits.data(), end.ptr);
        return *this;
    }

    std::string text_ = "{";
};

} // namespace livetape
