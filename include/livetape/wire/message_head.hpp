#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace livetape::http {

/// Compares two field names or tokens without regard to ASCII case (RFC 9110 §5.1).
[[nodiscard]] constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (a[i] == b[i]) continue;
        char const x = a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] + 32) : a[i];
        char const y = b[i] >= 'A' && b[i] <= 'Z' ? static_cast<char>(b[i] + 32) : b[i];
        if (x != y) return false;
    }
    return true;
}

/// One header field: views into the head that gave it, valid while that head lives unchanged.
struct header_field {
    std::string_view name;
    std::string_view value;
};

/// What the heads of requests and responses have in common: the version and the fields (RFC 9112
/// §2.1). It owns their bytes. Views are valid until the head is changed, moved from or destroyed.
/// Thread safety: distinct objects safe; shared objects unsafe.
class message_head {
public:
    /// Makes room for a head of that size, so that filling it allocates twice at most.
    void reserve(std::size_t bytes, std::size_t fields) {
        bytes_.reserve(bytes);
        fields_.reserve(fields);
    }

    /// Appends one field; checks nothing. The value has no white space around it.
    void add_field(std::string_view name, std::string_view value) {
        fields_.emplace_back(append(name), append(value));
    }

    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    [[nodiscard]] int minor_version() const noexcept { return minor_version_; }

    /// Fields in the order in which they came; `index` is less than `field_count`.
    [[nodiscard]] std::size_t field_count() const noexcept { return fields_.size(); }
    [[nodiscard]] header_field field_at(std::size_t index) const noexcept {
        return {view(fields_[index].first), view(fields_[index].second)};
    }

    /// The value of the first field of that name, in any case; nothing if there is none. O(fields).
    [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept {
        for (auto const& [field_name, value] : fields_)
            if (is_named(field_name, name)) return view(value);
        return std::nullopt;
    }

    /// How many fields have that name, in any case. O(fields).
    [[nodiscard]] std::size_t count(std::string_view name) const noexcept {
        std::size_t found = 0;
        for (auto const& [field_name, value] : fields_)
            found += is_named(field_name, name) ? 1u : 0u;
        return found;
    }

protected:
    struct range {
        std::uint32_t position = 0;
        std::uint32_t length = 0;
    };

    message_head() = default;

    range append(std::string_view text) {
        range const at{static_cast<std::uint32_t>(bytes_.size()),
                       static_cast<std::uint32_t>(text.size())};
        bytes_.append(text);
        return at;
    }

    [[nodiscard]] std::string_view view(range at) const noexcept {
        return {bytes_.data() + at.position, at.length};
    }

    void set_minor_version(int minor_version) noexcept {
        minor_version_ = static_cast<std::uint8_t>(minor_version);
    }

private:
    /// Lengths first: a handshake is asked for a dozen names, and hardly two have the same.
    [[nodiscard]] bool is_named(range field_name, std::string_view name) const noexcept {
        return field_name.length == name.size() && equals_ignoring_case(view(field_name), name);
    }

    std::string bytes_;
    std::vector<std::pair<range, range>> fields_;
    std::uint8_t minor_version_ = 1;
};

} // namespace livetape::http
