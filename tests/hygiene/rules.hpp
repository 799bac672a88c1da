#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The rules of the tree that a program can check, as functions of a path and a text.
namespace hygiene {

struct finding {
    std::size_t line;
    std::string text;
};

/// The files of a folder that may include one library more, by how their names begin.
struct exception {
    std::string_view prefix;
    std::string_view library;
};

/// What a folder of the library may include beside the standard library, the root headers and
/// itself.
struct layer {
    std::string_view name;
    std::vector<std::string_view> layers;
    std::vector<std::string_view> libraries;
    std::vector<exception> exceptions;

    [[nodiscard]] bool allows(std::string_view file, std::string_view library) const {
        for (auto const& each : libraries)
            if (each == library) return true;
        for (auto const& each : exceptions)
            if (file.starts_with(each.prefix) && each.library == library) return true;
        return false;
    }
};

inline std::span<layer const> layers() {
    static std::vector<layer> const table{
        {"",
         {},
         {},
         {{"random_seed.", "posix"},
          {"algorithm.", "libstdc++"},
          {"time.", "libstdc++"}}}, // the headers at the root
        {"wire", {}, {}, {{"deflate", "zlib"}}},
        {"channel", {}, {}, {}},
        {"transport", {"wire", "channel"}, {"simdjson"}, {}},
        {"net",
         {"transport", "channel", "wire"},
         {"asio"},
         {{"tls", "openssl"}, {"static_files.", "posix"}, {"accept_queue.", "posix"}}},
        {"client", {"wire"}, {"asio"}, {{"tls", "openssl"}, {"feed_parser.", "simdjson"}}},
        {"analytics", {"channel", "wire"}, {}, {{"json_fields.", "simdjson"}}},
        {"cluster", {"channel", "wire"}, {"asio"}, {}},
    };
    return table;
}

/// Every line of a text without its end; a text that does not end with a line end has its rest
/// last.
inline std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        auto const end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

inline std::string_view without_leading_blanks(std::string_view line) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    return line;
}

/// The name in an `#include` line without its brackets or quotes; empty for any other line.
inline std::string_view included_by(std::string_view line) {
    constexpr std::string_view directive = "#include";
    line = without_leading_blanks(line);
    if (!line.starts_with(directive)) return {};
    line = without_leading_blanks(line.substr(directive.size()));
    if (line.empty() || (line.front() != '<' && line.front() != '"')) return {};
    auto const end = line.find(line.front() == '<' ? '>' : '"', 1);
    return end == std::string_view::npos ? std::string_view{} : line.substr(1, end - 1);
}

/// The library that a header name belongs to: "std", "livetape", "asio", …; "?" for an unknown one.
inline std::string_view library_of(std::string_view header) {
    if (header.find_first_of("./") == std::string_view::npos) return "std";
    // The compiler's own: functions for single instructions of the processor.
    if (header == "tmmintrin.h" || header == "arm_neon.h") return "std";
    if (header.starts_with("livetape/")) return "livetape";
    if (header.starts_with("asio/ssl")) return "openssl";
    if (header.starts_with("asio/")) return "asio";
    if (header.starts_with("openssl/")) return "openssl";
    if (header == "simdjson.h") return "simdjson";
    if (header == "zlib.h") return "zlib";
    if (header == "fcntl.h" || header == "poll.h" || header == "sys/stat.h" || header == "unistd.h")
        return "posix";
    if (header.starts_with("bits/")) return "libstdc++";
    return "?";
}

inline bool contains(std::span<std::string_view const> list, std::string_view value) {
    return std::find(list.begin(), list.end(), value) != list.end();
}

/// The layer table of the library: which folder may include what. Root headers may include the
/// standard library and each other; nobody includes the umbrella.
inline std::vector<finding> check_includes(std::string_view path, std::string_view text) {
    constexpr std::string_view root = "include/livetape/";
    std::vector<finding> found;
    if (!path.starts_with(root) || path == "include/livetape/livetape.hpp") return found;

    auto const inner = path.substr(root.size());
    auto const slash = inner.find('/');
    auto const folder =
        slash == std::string_view::npos ? std::string_view{} : inner.substr(0, slash);
    auto const file = inner.substr(inner.rfind('/') + 1);
    auto const own = std::find_if(layers().begin(), layers().end(),
                                  [&](layer const& each) { return each.name == folder; });
    if (own == layers().end()) {
        found.push_back({1, "no layer is called " + std::string{folder}});
        return found;
    }

    std::size_t number = 0;
    for (auto const line : lines_of(text)) {
        ++number;
        auto const header = included_by(line);
        if (header.empty()) continue;
        auto const library = library_of(header);
        auto const refuse = [&](std::string_view what) {
            found.push_back({number, (folder.empty() ? "a root header" : std::string{folder}) +
                                         " may not include " + std::string{what}});
        };
        if (library == "std") continue;
        if (library == "livetape") {
            auto const target = header.substr(std::string_view{"livetape/"}.size());
            auto const target_slash = target.find('/');
            if (target == "livetape.hpp") {
                refuse("the umbrella header");
            } else if (target_slash != std::string_view::npos) {
                auto const target_folder = target.substr(0, target_slash);
                bool const is_allowed = !folder.empty() && (target_folder == folder ||
                                                            contains(own->layers, target_folder));
                if (!is_allowed) refuse(target_folder);
            }
        } else if (library == "?") {
            refuse("<" + std::string{header} + ">: write livetape headers as <livetape/...>, " +
                   "and other libraries by their narrow headers");
        } else if (!own->allows(file, library)) {
            refuse(library);
        }
    }
    return found;
}

inline bool has_extension(std::string_view path, std::span<std::string_view const> extensions) {
    return std::any_of(extensions.begin(), extensions.end(),
                       [&](std::string_view extension) { return path.ends_with(extension); });
}

inline bool is_cpp(std::string_view path) {
    static constexpr std::array<std::string_view, 4> extensions{".hpp", ".ipp", ".cpp", ".h"};
    return has_extension(path, extensions);
}

/// Columns of a line of UTF-8, one per code point.
inline std::size_t columns_of(std::string_view line) {
    return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u;
    }));
}

/// Rules for any text: no tab, no blank at a line's end, a final line end, nothing that is true on
/// one machine only; and at most 100 columns in C++, save where clang-format is switched off.
/// Drawings are written by programs: only what they say about a machine matters.
inline std::vector<finding> check_text(std::string_view path, std::string_view text) {
    // In two parts, so that this file does not find itself.
    static std::vector<std::string> const machine_paths{
        std::string{"/wo"} + "rk/", std::string{"/ho"} + "me/", std::string{"/ro"} + "ot/",
        std::string{"/Us"} + "ers/"};
    static std::vector<std::string> const registries{std::string{"//regi"} + "stry.",
                                                     std::string{"//de"} + "b.",
                                                     std::string{"\"resol"} + "ved\": \"http"};
    std::vector<finding> found;
    bool const is_drawing = path.ends_with(".svg");
    bool is_formatted = true;
    std::size_t number = 0;
    for (auto const line : lines_of(text)) {
        ++number;
        auto const report = [&](std::string what) { found.push_back({number, std::move(what)}); };
        if (line.find("// clang-format off") != std::string_view::npos) is_formatted = false;
        if (line.find("// clang-format on") != std::string_view::npos) is_formatted = true;
        if (line.find('\t') != std::string_view::npos) report("tab");
        if (line.find('\r') != std::string_view::npos) report("carriage return");
        if (line.ends_with(' ') && !is_drawing) report("blank at the end of the line");
        if (is_cpp(path) && is_formatted && columns_of(line) > 100) report("over 100 columns");
        for (auto const& machine_path : machine_paths)
            if (line.find(machine_path) != std::string_view::npos)
                report("path of one machine: " + machine_path);
        for (auto const& registry : registries)
            if (line.find(registry) != std::string_view::npos)
                report("address of a package registry: " + registry);
    }
    if (!text.empty() && !text.ends_with('\n')) found.push_back({number, "no line end at the end"});
    return found;
}

/// What a header of the library must have.
inline std::vector<finding> check_header(std::string_view path, std::string_view text) {
    std::vector<finding> found;
    if (!path.ends_with(".hpp")) return found;
    auto const all = lines_of(text);
    if (std::find(all.begin(), all.end(), "#pragma once") == all.end())
        found.push_back({1, "no #pragma once"});
    if (!path.starts_with("include/")) return found;
    for (std::size_t i = 0; i < all.size(); ++i)
        if (without_leading_blanks(all[i]).starts_with("using namespace"))
            found.push_back({i + 1, "using namespace in a header"});
    return found;
}

/// Examples show the public interface only.
inline std::vector<finding> check_example(std::string_view path, std::string_view text) {
    std::vector<finding> found;
    if (!path.starts_with("examples/") || !is_cpp(path)) return found;
    auto const all = lines_of(text);
    for (std::size_t i = 0; i < all.size(); ++i)
        if (all[i].find("detail::") != std::string_view::npos)
            found.push_back({i + 1, "an example may not use detail"});
    return found;
}

/// Whether a text has a word; a longer one that begins or ends so is another.
inline bool has_word(std::string_view text, std::string_view word) {
    auto const goes_on = [](std::string_view neighbour) {
        return !neighbour.empty() &&
               (neighbour[0] == '_' || std::isalnum(static_cast<unsigned char>(neighbour[0])) != 0);
    };
    for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
        auto const before = at == 0 ? std::string_view{} : text.substr(at - 1, 1);
        if (!goes_on(before) && !goes_on(text.substr(at + word.size(), 1))) return true;
    }
    return false;
}

/// Whether a test names an error: as C++ does, or as clients see it.
inline bool names_error(std::string_view path, std::string_view text, std::string_view name) {
    if (!path.starts_with("tests/")) return false;
    if (path.ends_with(".cpp")) return has_word(text, "error::" + std::string{name});
    return path.ends_with(".mjs") && has_word(text, name);
}

/// All rules at once.
inline std::vector<finding> check(std::string_view path, std::string_view text) {
    std::vector<finding> found;
    for (auto const rule : {check_includes, check_text, check_header, check_example})
        for (auto& each : rule(path, text)) found.push_back(std::move(each));
    return found;
}

} // namespace hygiene
