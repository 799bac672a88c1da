#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <cstddef>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>

namespace benchmarks {

/// What a process has used since it began.
struct process_usage {
    double cpu_seconds = 0;  ///< exact
    double user_seconds = 0; ///< in ticks of 10 ms, as system_seconds is
    double system_seconds = 0;
    std::size_t resident_bytes = 0;

    [[nodiscard]] double user_share() const noexcept {
        auto const both = user_seconds + system_seconds;
        return both > 0 ? user_seconds / both : 0;
    }

    /// Adds the time; the memory becomes that of `more`.
    process_usage& operator+=(process_usage const& more) {
        cpu_seconds += more.cpu_seconds;
        user_seconds += more.user_seconds;
        system_seconds += more.system_seconds;
        resident_bytes = more.resident_bytes;
        return *this;
    }

    /// The difference in time; the memory stays that of `later`.
    friend process_usage operator-(process_usage const& later, process_usage const& earlier) {
        return {later.cpu_seconds - earlier.cpu_seconds, later.user_seconds - earlier.user_seconds,
                later.system_seconds - earlier.system_seconds, later.resident_bytes};
    }
};

/// Reads the usage of a process; all zero if there is none of that id.
[[nodiscard]] inline process_usage usage_of(pid_t process) {
    auto const folder = "/proc/" + std::to_string(process);
    process_usage usage;
    clockid_t own_clock{};
    timespec cpu{};
    if (process == 0 || ::clock_getcpuclockid(process, &own_clock) != 0) return usage;
    if (::clock_gettime(own_clock, &cpu) == 0)
        usage.cpu_seconds =
            static_cast<double>(cpu.tv_sec) + static_cast<double>(cpu.tv_nsec) / 1e9;
    std::string stat;
    std::getline(std::ifstream{folder + "/stat"}, stat);
    // The name in parentheses may hold spaces; user and system time are fields 14 and 15.
    auto const name_end = stat.rfind(')');
    if (name_end == std::string::npos) return usage;
    std::istringstream fields{stat.substr(name_end + 2)};
    std::string skipped;
    for (int field = 3; field < 14; ++field) fields >> skipped;
    double user_ticks = 0;
    double system_ticks = 0;
    fields >> user_ticks >> system_ticks;
    auto const ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
    usage.user_seconds = user_ticks / ticks_per_second;
    usage.system_seconds = system_ticks / ticks_per_second;

    std::size_t size_pages = 0;
    std::size_t resident_pages = 0;
    std::ifstream{folder + "/statm"} >> size_pages >> resident_pages;
    usage.resident_bytes = resident_pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return usage;
}

} // namespace benchmarks
