#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace dashboard {

/// What the command line says.
struct arguments {
    std::string address = "127.0.0.1"; ///< this machine alone, unless it is asked for more
    std::uint16_t port = 8080;
    std::filesystem::path assets; ///< the page
    std::filesystem::path vendor; ///< uPlot's dist folder
    std::filesystem::path replay; ///< empty: simulate
    double speed = 1;
    bool is_endless = false;
    std::uint64_t seed = 7;
    double seconds = 0; ///< after which it ends by itself; 0: on Ctrl-C

    /// Reads the command line; for what it leaves out, looks for the page and for uPlot beside the
    /// program and above it, so that it runs from a build folder and from anywhere else.
    /// @param status  the program's exit status if it should end: help was asked for, or the
    ///                command line is wrong
    static std::optional<arguments> parse(int argc, char const* const* argv, int& status);
};

} // namespace dashboard
