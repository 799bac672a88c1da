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
#include <string_view>

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

/// The values of `livetape::error` that no test has named yet: what no test produces may be gone.
class untested_errors {
public:
    untested_errors() {
        for (std::size_t i = 1; i < livetape::error_count; ++i)
            names_.insert(livetape::describe(static_cast<livetape::error>(i)).name);
    }

    void look_at(std::string_view path, std::string_view text) {
        has_tests_ = has_tests_ || path.starts_with("tests/");
        std::erase_if(names_, [&](auto name) { return hygiene::names_error(path, text, name); });
    }

    /// Prints the names that are left, if the tree has tests at all; returns their number.
    std::size_t report() const {
        if (!has_tests_) return 0;
        for (auto const name : names_)
            std::printf("tests: no test names error::%s\n", std::string{name}.c_str());
        return names_.size();
    }

private:
    std::set<std::string_view> names_;
    bool has_tests_ = false;
};

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
    untested_errors untested;
    for (auto const& file : files) {
        std::ifstream in{file, std::ios::binary};
        std::string const text{std::istreambuf_iterator<char>{in}, {}};
        if (!is_text(text)) continue;
        auto const path = file.lexically_relative(root).generic_string();
        untested.look_at(path, text);
        for (auto const& found : hygiene::check(path, text)) {
            ++findings;
            std::printf("%s:%zu: %s\n", path.c_str(), found.line, found.text.c_str());
        }
    }
    findings += untested.report();
    std::printf("%zu files, %zu findings\n", files.size(), findings);
    return findings == 0 && !files.empty() ? 0 : 1;
}
