#pragma once

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace benchmarks {

/// The text of a JSON object, built field by field. Names and strings are plain ASCII without
/// quotes or backslashes.
class json_object {
public:
    json_object& add(std::string_view name, std::string_view value) {
        begin(name) += '"';
        text_.append(value) += '"';
        return *this;
    }
    json_object& add(std::string_view name, char const* value) {
        return add(name, std::string_view{value});
    }
    template <class Number>
    requires std::is_arithmetic_v<Number> json_object& add(std::string_view name, Number value) {
        begin(name);
        if constexpr (std::is_integral_v<Number>) {
            text_ += std::to_string(value);
        } else {
            std::array<char, 32> digits{};
            std::snprintf(digits.data(), digits.size(), "%.6g",
                          std::isfinite(value) ? static_cast<double>(value) : 0.0);
            text_ += digits.data();
        }
        return *this;
    }
    json_object& add(std::string_view name, json_object const& value) {
        begin(name) += value.text();
        return *this;
    }
    json_object& add(std::string_view name, std::vector<json_object> const& values) {
        begin(name) += '[';
        for (auto const& each : values)
            text_.append(&each == values.data() ? "\n" : ",\n") += each.text();
        text_ += ']';
        return *this;
    }

    [[nodiscard]] std::string text() const { return '{' + text_ + '}'; }

private:
    std::string& begin(std::string_view name) {
        if (!text_.empty()) text_ += ',';
        text_ += '"';
        return text_.append(name).append("\":");
    }

    std::string text_;
};

/// Writes a report, making the folder it goes to; false if that fails.
inline bool write_json(std::filesystem::path const& to, json_object const& report) {
    std::error_code ignored;
    if (to.has_parent_path()) std::filesystem::create_directories(to.parent_path(), ignored);
    std::ofstream out{to};
    out << report.text() << '\n';
    return out.good();
}

namespace detail {

/// The first line that a command prints; empty if it fails.
[[nodiscard]] inline std::string first_line_of(char const* command) {
    std::string line;
    if (auto* const pipe = popen(command, "r")) {
        std::array<char, 256> buffer{};
        if (std::fgets(buffer.data(), static_cast<int>(buffer.size()), pipe) != nullptr)
            line = buffer.data();
        pclose(pipe);
    }
    if (!line.empty() && line.back() == '\n') line.pop_back();
    return line;
}

[[nodiscard]] inline std::string processor_name() {
    std::ifstream cpuinfo{"/proc/cpuinfo"};
    for (std::string line; std::getline(cpuinfo, line);)
        if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
    return "unknown";
}

} // namespace detail

/// What a figure depends on besides the code: processor, system, compiler, flags, commit, and how
/// busy the machine was; a benchmark alone makes a load average of about 2.
[[nodiscard]] inline json_object environment() {
    utsname system{};
    uname(&system);
    auto cores = 0;
    std::ifstream cpuinfo{"/proc/cpuinfo"};
    for (std::string line; std::getline(cpuinfo, line);)
        cores += line.starts_with("processor") ? 1 : 0;
    double load_average = 0;
    getloadavg(&load_average, 1);
    json_object found;
    found.add("cpu", detail::processor_name())
        .add("cores", cores)
        .add("system", std::string{system.sysname} + ' ' + system.release + ' ' + system.machine)
        .add("compiler", BENCHMARK_COMPILER)
        .add("flags", BENCHMARK_FLAGS)
        .add("load_average", load_average)
        .add("commit", detail::first_line_of("git describe --always --dirty 2>/dev/null"));
    return found;
}

/// The value below which a share of the samples lies; 0 without samples. Reorders them.
[[nodiscard]] inline double quantile(std::vector<std::int64_t>& samples, double share) {
    if (samples.empty()) return 0;
    auto const index = static_cast<std::size_t>(share * static_cast<double>(samples.size() - 1));
    auto const at = samples.begin() + static_cast<std::ptrdiff_t>(index);
    std::nth_element(samples.begin(), at, samples.end());
    return static_cast<double>(*at);
}

} // namespace benchmarks
