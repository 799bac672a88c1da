#include "arguments.hpp"

#include <CLI/CLI.hpp>

#include <system_error>

namespace dashboard {

namespace {

/// This example's folder in the source tree: seen from the program's folder, from the working
/// directory, or from those above them.
std::filesystem::path find_example() {
    std::error_code ec;
    std::filesystem::path const example = "examples/live_dashboard";
    for (auto const& from : {std::filesystem::read_symlink("/proc/self/exe", ec).parent_path(),
                             std::filesystem::current_path(ec)})
        for (auto at = from; !at.empty(); at = at.parent_path()) {
            if (std::filesystem::exists(at / example / "page/index.html", ec)) return at / example;
            if (at == at.root_path()) break;
        }
    return example;
}

} // namespace

std::optional<arguments> arguments::parse(int argc, char const* const* argv, int& status) {
    arguments read;
    auto const example = find_example();
    read.assets = example / "page";
    read.vendor = example / "node_modules/uplot/dist";

    CLI::App app{
        "Serves a live dashboard of this machine and of a market, over four transports at once."};
    app.add_option("--address", read.address,
                   "Address to listen on; 0.0.0.0 lets other machines in")
        ->capture_default_str();
    app.add_option("--port", read.port, "Port to listen on; 0 lets the system choose")
        ->capture_default_str();
    app.add_option("--assets", read.assets, "Folder of the page");
    app.add_option("--vendor", read.vendor, "Folder of uPlot.esm.js and uPlot.min.css");
    auto* const replay = app.add_option(
        "--replay", read.replay, "Quotes to replay: lines YYYYMMDD HHMMSSmmm,bid,ask,volume");
    app.add_option("--speed", read.speed, "Seconds of the market that pass in one")
        ->check(CLI::Range(0.001, 1e6))
        ->capture_default_str();
    app.add_flag("--loop", read.is_endless, "Start the replay over when it ends")->needs(replay);
    app.add_option("--seed", read.seed, "Seed of the simulated market")->capture_default_str();
    app.add_option("--seconds", read.seconds, "Ends by itself after so long; 0: on Ctrl-C")
        ->check(CLI::Range(0.0, 1e9))
        ->capture_default_str();
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
        status = app.exit(error);
        return std::nullopt;
    }
    return read;
}

} // namespace dashboard
