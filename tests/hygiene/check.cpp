// Checks a tree against the rules: hygiene_check <folder>. Prints each finding as path:line: text;
// ends with 1 if there was one. Looks at what a checkout holds: not at build folders, hidden
// folders but those of CI, and installed modules.
#include "rules.hpp"

#include <livetape/error.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace {

bool is_skipped(std::filesystem::path const& folder) {
    auto const name = folder.filename().string();
    if (name == ".ci") return false;
    return name.starts_with('.') || name.starts_with("build") || name == "node_modules" ||
           std::filesystem::is_symlink(folder);
}

/// The files of a tree in the order of their names.
std::set<std::filesystem::path> files_of(std::filesystem::path const& root) {
    std::set<std::filesystem::path> files;
    for (auto entry = std::filesystem::recursive_directory_iterator{root}; entry != end(entry);
         ++entry) {
        if (entry->is_directory() && is_skipped(entry->path())) entry.disable_recursion_pending();
        if (entry->is_regular_file()) files.insert(entry->path());
    }
    return files;
}

/// Reports each value of `livetape::error` that no test names: what no test produces may be gone.
std::size_t report_untested_errors(std::string const& tests) {
    std::size_t findings = 0;
    for (std::size_t i = 1; i < livetape::error_count; ++i) {
        auto const name = livetape::describe(static_cast<livetape::error>(i)).name;
        if (hygiene::names_error(tests, name)) continue;
        ++findings;
        std::printf("tests: no test names error::%s\n", std::string{name}.c_str());
    }
    return findings;
}

bool is_text(std::string const& bytes) { return bytes.find('\0') == std::string::npos; }

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: hygiene_check <folder>\n", stderr);
        return 2;
    }
    std::filesystem::path const root{argv[1]};
    auto const files = files_of(root);
    std::size_t findings = 0;
    std::string tests;
    for (auto const& file : files) {
        std::ifstream in{file, std::ios::binary};
        std::string const text{std::istreambuf_iterator<char>{in}, {}};
        if (!is_text(text)) continue;
        auto const path = file.lexically_relative(root).generic_string();
        if (path.starts_with("tests/") && path.ends_with(".cpp")) tests += text;
        for (auto const& found : hygiene::check(path, text)) {
            ++findings;
            std::printf("%s:%zu: %s\n", path.c_str(), found.line, found.text.c_str());
        }
    }
    if (!tests.empty()) findings += report_untested_errors(tests);
    std::printf("%zu files, %zu findings\n", files.size(), findings);
    return findings == 0 && !files.empty() ? 0 : 1;
}
