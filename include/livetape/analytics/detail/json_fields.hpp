#pragma once

#include <livetape/analytics/detail/record.hpp>
#include <livetape/analytics/detail/same_text.hpp>
#include <livetape/analytics/event_time.hpp>

#include <array>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <simdjson.h>

namespace livetape::detail {

/// Reads time, key and numbers from payloads that are JSON objects, each parsed once.
///
/// A number may also be written as a string, as exchanges do, and a key as an integer. An owner has
/// its own parser, whose buffers are kept: no allocation once the largest payload was seen.
template <std::size_t Numbers>
class json_fields {
public:
    using input = std::string_view;
    static constexpr std::size_t number_count = Numbers;

    std::array<std::string, Numbers> numbers;
    std::string key;             ///< empty: all events have the key ""
    std::string time;            ///< empty: the time of publishing
    double seconds_per_unit = 1; ///< of `time`

    /// @return nothing if `into` has been read; its key is valid until the next call
    ///
    /// Flattened: simdjson's results are handed over in memory where their calls are not inlined,
    /// which compilers decide by the size of the program; it makes a fifth of the time.
    [[gnu::flatten]] std::optional<read_failure> read(std::string_view payload,
                                                      event_time published, record<Numbers>& into) {
        simdjson::dom::object object;
        if (payload.empty() ||
            parser_.parse(payload.data(), payload.size()).get(object) != simdjson::SUCCESS)
            return read_failure{problem::unparsable, {}};
        find(object);
        into.time = published;
        if (!time.empty()) {
            double value = 0;
            if (!is_found(Numbers)) return read_failure{problem::missing_field, time};
            if (!read_number(found_[Numbers], value))
                return read_failure{problem::wrong_type, time};
            auto const converted = seconds_to_event_time(value * seconds_per_unit);
            if (!converted) return read_failure{problem::bad_time, time};
            into.time = *converted;
        }
        for (std::size_t i = 0; i < Numbers; ++i) {
            if (!is_found(i)) return read_failure{problem::missing_field, numbers[i]};
            if (!read_number(found_[i], into.numbers[i]))
                return read_failure{problem::wrong_type, numbers[i]};
        }
        into.key = {};
        if (key.empty()) return std::nullopt;
        if (!is_found(Numbers + 1)) return read_failure{problem::missing_field, key};
        if (!read_key(found_[Numbers + 1], into.key)) return read_failure{problem::wrong_type, key};
        return std::nullopt;
    }

    /// Whether events say when they happened.
    [[nodiscard]] bool names_time() const noexcept { return !time.empty(); }

    [[nodiscard]] static std::optional<input> decode(std::string_view payload) noexcept {
        return payload;
    }
    [[nodiscard]] static std::string_view example(std::string_view payload) noexcept {
        return payload;
    }

private:
    /// Finds what is wanted in one pass over the object, the first field of each name.
    void find(simdjson::dom::object object) noexcept {
        missing_ = bit(Numbers) - 1;
        if (!time.empty()) missing_ |= bit(Numbers);
        if (!key.empty()) missing_ |= bit(Numbers + 1);
        for (auto field = object.begin(); missing_ != 0 && field != object.end(); ++field) {
            auto const name = field.key();
            for (auto left = missing_; left != 0; left &= left - 1) {
                auto const which = static_cast<std::size_t>(std::countr_zero(left));
                if (!same_text(name, name_of(which))) continue;
                found_[which] = field.value();
                missing_ &= ~bit(which);
            }
        }
    }

    /// What is wanted is numbered: the numbers, then the time, then the key.
    [[nodiscard]] std::string const& name_of(std::size_t which) const noexcept {
        if (which < Numbers) return numbers[which];
        return which == Numbers ? time : key;
    }
    [[nodiscard]] bool is_found(std::size_t which) const noexcept {
        return (missing_ & bit(which)) == 0;
    }
    static constexpr std::uint64_t bit(std::size_t which) noexcept {
        static_assert(Numbers <= 62, "a pipeline reads at most 62 numbers of an event");
        return std::uint64_t{1} << which;
    }

    static bool read_number(simdjson::dom::element from, double& into) noexcept {
        if (from.get_double().get(into) == simdjson::SUCCESS) return true;
        std::string_view text;
        if (from.get_string().get(text) != simdjson::SUCCESS) return false;
        auto const result = std::from_chars(text.data(), text.data() + text.size(), into);
        return result.ec == std::errc{} && result.ptr == text.data() + text.size();
    }

    bool read_key(simdjson::dom::element from, std::string_view& into) noexcept {
        if (from.get_string().get(into) == simdjson::SUCCESS) return true;
        std::int64_t number = 0;
        if (from.get_int64().get(number) != simdjson::SUCCESS) return false;
        auto const end = std::to_chars(digits_.data(), digits_.data() + digits_.size(), number).ptr;
        into = {digits_.data(), static_cast<std::size_t>(end - digits_.data())};
        return true;
    }

    simdjson::dom::parser parser_;
    std::array<simdjson::dom::element, Numbers + 2> found_; // in the object read last
    std::uint64_t missing_ = 0;                             // of it, a bit each
    std::array<char, 24> digits_{};
};

/// Reads texts from payloads that are JSON objects.
class json_texts {
public:
    struct wanted {
        std::string_view name;
        std::string_view* into; ///< valid until the next call
    };

    /// @return nothing if all of them have been read
    std::optional<read_failure> read(std::string_view payload,
                                     std::initializer_list<wanted> fields) {
        simdjson::dom::object object;
        if (payload.empty() ||
            parser_.parse(payload.data(), payload.size()).get(object) != simdjson::SUCCESS)
            return read_failure{problem::unparsable, {}};
        for (auto const& each : fields) {
            simdjson::dom::element field;
            if (object[each.name].get(field) != simdjson::SUCCESS)
                return read_failure{problem::missing_field, each.name};
            if (field.get_string().get(*each.into) != simdjson::SUCCESS)
                return read_failure{problem::wrong_type, each.name};
        }
        return std::nullopt;
    }

private:
    simdjson::dom::parser parser_;
};

} // namespace livetape::detail
