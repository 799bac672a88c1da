#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>

namespace examples {

/// The folder with uPlot, which draws the charts of the pages; it is shared with the dashboard.
/// @param examples  the folder of all examples
/// @throws std::runtime_error  with one sentence that says how to get it
inline std::string find_uplot(std::filesystem::path const& examples) {
    auto const folder = examples / "live_dashboard/node_modules/uplot/dist";
    if (std::filesystem::is_regular_file(folder / "uPlot.esm.js")) return folder.string();
    throw std::runtime_error{"there is no uPlot in " + folder.string() +
                             "; run scripts/install_dependencies node"};
}

} // namespace examples
