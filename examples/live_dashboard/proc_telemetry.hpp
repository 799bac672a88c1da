#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dashboard {

/// One measured value: `cpu` or `cpu.3` in percent, `memory` in percent, `load`, and per second
/// `context_switches`, `network.received`, `network.sent`, `network.loopback`, `disk.read` and
/// `disk.written`, the last five in bytes.
struct metric {
    std::string name;
    double value = 0;
};

/// Reads how a Linux machine does from /proc (proc(5)).
///
/// The kernel counts CPU time in ticks of 10 ms, so over a tenth of a second a core is busy in
/// steps of 10 %. Therefore each reading is compared with the one a second before, however often
/// it is taken: values move at every reading and are still exact to a percent.
class proc_telemetry {
public:
    /// @param proc  where /proc is
    /// @param sys   where /sys is, which tells disks from their partitions
    explicit proc_telemetry(std::filesystem::path proc = "/proc",
                            std::filesystem::path sys = "/sys")
        : proc_{std::move(proc)}, sys_{std::move(sys)} {}

    /// Reads all of it, ten times a second.
    /// @param seconds  the time of the reading on a clock that is never set back
    /// @return values over the last second; those that need an earlier reading from the second
    ///         call on. Nothing if there is no /proc/stat.
    [[nodiscard]] std::optional<std::vector<metric>> read(double seconds);

private:
    struct core_time {
        double busy = 0;
        double all = 0;
    };

    /// What the kernel has counted since it was started.
    struct reading {
        double seconds = 0;
        std::vector<core_time> cores; // the first stands for all of them
        std::array<double, 6> totals{};
    };

    bool read_stat(reading& into) const;
    void read_network(reading& into) const;
    void read_disks(reading& into) const;
    void append_rates(reading const& before, reading const& now,
                      std::vector<metric>& metrics) const;
    void append_levels(std::vector<metric>& metrics) const;

    static constexpr std::size_t readings_max = 10; // a second of them

    std::filesystem::path proc_;
    std::filesystem::path sys_;
    std::vector<reading> readings_; // oldest first
};

} // namespace dashboard
