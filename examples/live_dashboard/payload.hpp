#pragma once

#include <livetape/json_text.hpp>

#include <array>
#include <charconv>
#include <chrono>
#include <string>
#include <string_view>

namespace dashboard {

/// Milliseconds since the Unix epoch, as every payload carries them under `t`.
[[nodiscard]] inline double wall_clock_milliseconds() {
    using milliseconds = std::chrono::duration<double, std::milli>;
    return milliseconds{std::chrono::system_clock::now().time_since_epoch()}.count();
}

/// Builds the JSON object that is published: `{"t":1700000000000.1,"value":42.50}`. The time of
/// publishing is always in it, so that a page can tell how old what it shows is.
class payload {
public:
    payload() {
        text_ = R"({"t":)";
        append_fixed(wall_clock_milliseconds(), 1);
    }

    payload& number(std::string_view name, double value, int decimals) {
        append_name(name);
        append_fixed(value, decimals);
        return *this;
    }

    /// A price, to nine significant digits: enough for any, and none that rounding made up.
    payload& price(std::string_view name, double value) {
        append_name(name);
        std::array<char, 32> digits;
        auto const end = std::to_chars(digits.data(), digits.data() + digits.size(), value,
                                       std::chars_format::general, 9);
        text_.append(digits.data(), end.ptr);
        return *this;
    }

    payload& text(std::string_view name, std::string_view value) {
        append_name(name);
        livetape::append_json_string(text_, value);
        return *this;
    }

    /// The finished object; nothing can be added to it.
    [[nodiscard]] std::string_view finish() {
        text_ += '}';
        return text_;
    }

private:
    void append_name(std::string_view name) {
        text_ += ',';
        livetape::append_json_string(text_, name);
        text_ += ':';
    }

    void append_fixed(double value, int decimals) {
        std::array<char, 330> digits; // of the largest double
        auto const end = std::to_chars(digits.data(), digits.data() + digits.size(), value,
                                       std::chars_format::fixed, decimals);
        text_.append(digits.data(), end.ptr);
    }

    std::string text_;
};

} // namespace dashboard
