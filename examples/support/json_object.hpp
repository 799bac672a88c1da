#pragma once

#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/value_text.hpp>
#include <livetape/json_text.hpp>

#include <string>
#include <string_view>

namespace examples {

/// Builds a JSON object to publish: `json_object{}.text("id", "a").number("value", 1).finish()`.
class json_object {
public:
    /// As many digits as give the number back; `null` for what JSON cannot say.
    json_object& number(std::string_view name, double value) {
        append_name(name);
        livetape::append_value(text_, value);
        return *this;
    }

    json_object& text(std::string_view name, std::string_view value) {
        append_name(name);
        livetape::append_json_string(text_, value);
        return *this;
    }

    /// In milliseconds, as browsers count.
    json_object& time(std::string_view name, livetape::event_time value) {
        append_name(name);
        livetape::append_time(text_, value);
        return *this;
    }

    /// The finished object; nothing can be added to it.
    [[nodiscard]] std::string_view finish() {
        text_ += '}';
        return text_;
    }

private:
    void append_name(std::string_view name) {
        if (text_.size() > 1) text_ += ',';
        livetape::append_json_string(text_, name);
        text_ += ':';
    }

    std::string text_ = "{";
};

} // namespace examples
