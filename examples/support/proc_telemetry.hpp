#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace examples {

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

namespace inner {

// Places in reading::totals and the names of what they become.
enum total : std::size_t { switches, received, sent, loopback, disk_read, disk_written };

inline constexpr std::array<std::string_view, 6> total_names{"context_switches", "network.received",
                                                             "network.sent",     "network.loopback",
                                                             "disk.read",        "disk.written"};

inline constexpr double sector_bytes = 512; // in /proc/diskstats, whatever the disk says

/// Devices that only pass on what another one does, or that are memory.
inline bool is_real_disk(std::string const& name) {
    constexpr std::array<std::string_view, 6> others{"loop", "ram", "zram", "dm-", "md", "sr"};
    return std::none_of(others.begin(), others.end(),
                        [&](std::string_view prefix) { return name.starts_with(prefix); });
}

} // namespace inner

inline std::optional<std::vector<metric>> proc_telemetry::read(double seconds) {
    reading now;
    now.seconds = seconds;
    if (!read_stat(now)) return std::nullopt;
    read_network(now);
    read_disks(now);

    std::vector<metric> metrics;
    // A core that is switched on or off makes earlier readings incomparable.
    if (!readings_.empty() && readings_.back().cores.size() != now.cores.size()) readings_.clear();
    if (!readings_.empty()) append_rates(readings_.front(), now, metrics);
    append_levels(metrics);
    if (readings_.size() == readings_max) readings_.erase(readings_.begin());
    readings_.push_back(std::move(now));
    return metrics;
}

/// /proc/stat: `cpu3 user nice system idle iowait irq softirq steal …` in ticks, and `ctxt`.
inline bool proc_telemetry::read_stat(reading& into) const {
    std::ifstream in{proc_ / "stat"};
    std::string line;
    while (std::getline(in, line)) {
        std::istringstream fields{line};
        std::string name;
        fields >> name;
        if (name == "ctxt") fields >> into.totals[inner::switches];
        if (!name.starts_with("cpu")) continue;
        core_time core;
        double ticks = 0;
        // What guests use, in the fields after these eight, is counted in `user` already.
        for (int field = 0; field < 8 && fields >> ticks; ++field) {
            core.all += ticks;
            bool const is_idle = field == 3 || field == 4;
            if (!is_idle) core.busy += ticks;
        }
        into.cores.push_back(core);
    }
    return !into.cores.empty();
}

/// /proc/net/dev: two lines of headings, then `name: bytes` and 7 more received, `bytes` sent, …
inline void proc_telemetry::read_network(reading& into) const {
    std::ifstream in{proc_ / "net/dev"};
    std::string line;
    while (std::getline(in, line)) {
        auto const colon = line.find(':');
        if (colon == std::string::npos) continue;
        line[colon] = ' ';
        std::istringstream fields{line};
        std::string name;
        double bytes_in = 0, other = 0, bytes_out = 0;
        fields >> name >> bytes_in;
        for (int field = 0; field < 7; ++field) fields >> other;
        fields >> bytes_out;
        // What is sent over the loopback is received there too.
        if (name == "lo") {
            into.totals[inner::loopback] += bytes_out;
        } else {
            into.totals[inner::received] += bytes_in;
            into.totals[inner::sent] += bytes_out;
        }
    }
}

/// /proc/diskstats: `major minor name reads merged sectors ms writes merged sectors …`.
inline void proc_telemetry::read_disks(reading& into) const {
    std::ifstream in{proc_ / "diskstats"};
    std::string line;
    while (std::getline(in, line)) {
        std::istringstream fields{line};
        std::string name;
        double other = 0, read = 0, written = 0;
        fields >> other >> other >> name >> other >> other >> read >> other >> other >> other >>
            written;
        std::error_code ec;
        if (!fields || !inner::is_real_disk(name) ||
            !std::filesystem::exists(sys_ / "block" / name, ec))
            continue;
        into.totals[inner::disk_read] += read * inner::sector_bytes;
        into.totals[inner::disk_written] += written * inner::sector_bytes;
    }
}

inline void proc_telemetry::append_rates(reading const& before, reading const& now,
                                         std::vector<metric>& metrics) const {
    for (std::size_t i = 0; i < now.cores.size(); ++i) {
        double const busy = now.cores[i].busy - before.cores[i].busy;
        double const all = now.cores[i].all - before.cores[i].all;
        auto name = i == 0 ? std::string{"cpu"} : "cpu." + std::to_string(i - 1);
        metrics.push_back({std::move(name), all > 0 ? std::clamp(busy / all, 0.0, 1.0) * 100 : 0});
    }
    double const seconds = now.seconds - before.seconds;
    for (std::size_t i = 0; i < inner::total_names.size() && seconds > 0; ++i) {
        // A device that went away takes its counters with it.
        double const grown = std::max(0.0, now.totals[i] - before.totals[i]);
        metrics.push_back({std::string{inner::total_names[i]}, grown / seconds});
    }
}

/// What is known from one reading: /proc/meminfo and /proc/loadavg.
inline void proc_telemetry::append_levels(std::vector<metric>& metrics) const {
    std::ifstream memory{proc_ / "meminfo"};
    std::string name, unit;
    double kilobytes = 0, total = 0, available = 0;
    while (memory >> name >> kilobytes) {
        if (name == "MemTotal:") total = kilobytes;
        if (name == "MemAvailable:") available = kilobytes;
        std::getline(memory, unit);
    }
    if (total > 0) metrics.push_back({"memory", (total - available) / total * 100});

    double load = 0;
    if (std::ifstream{proc_ / "loadavg"} >> load) metrics.push_back({"load", load});
}

} // namespace examples
