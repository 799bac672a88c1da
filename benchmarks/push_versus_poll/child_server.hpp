#pragma once

#include "support/client_socket.hpp"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace benchmarks {

/// Keeps the calling process on one core; does nothing for a negative one.
inline void pin_to_core(int core) noexcept {
    if (core < 0) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(core), &set);
    sched_setaffinity(0, sizeof set, &set);
}

/// A feed_server of our own, on a port that the system chose; it is stopped by the destructor.
class child_server {
public:
    /// Starts the program that lies beside this one.
    child_server(std::vector<std::string> arguments, int core) {
        auto const program =
            std::filesystem::read_symlink("/proc/self/exe").parent_path() / "feed_server";
        arguments.insert(arguments.begin(), program.string());
        arguments.insert(arguments.end(), {"--port", "0"});
        int ends[2];
        if (::pipe(ends) != 0) fail("pipe");
        descriptor const output{ends[0]};
        descriptor input{ends[1]};
        process_ = ::fork();
        if (process_ < 0) fail("fork");
        if (process_ == 0) {
            pin_to_core(core);
            ::dup2(input.get(), STDOUT_FILENO);
            ::close(output.get());
            std::vector<char*> words;
            for (auto& argument : arguments) words.push_back(argument.data());
            words.push_back(nullptr);
            ::execv(program.c_str(), words.data());
            ::_exit(127);
        }
        input.reset();
        port_ = read_port(output.get());
    }
    child_server(child_server const&) = delete;
    child_server& operator=(child_server const&) = delete;
    ~child_server() { stop(); }

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] pid_t process() const noexcept { return process_; }

private:
    /// Reads the port out of the line that says where the server listens.
    std::uint16_t read_port(int output) {
        std::string line;
        for (char c = 0; ::read(output, &c, 1) == 1 && c != '\n';) line += c;
        auto const colon = line.rfind(':');
        std::uint16_t port = 0;
        if (colon != std::string::npos)
            std::from_chars(line.data() + colon + 1, line.data() + line.size(), port);
        if (port == 0) {
            stop();
            throw std::runtime_error{"feed_server beside this program did not start"};
        }
        return port;
    }

    void stop() noexcept {
        ::kill(process_, SIGTERM);
        ::waitpid(process_, nullptr, 0);
    }

    pid_t process_ = -1;
    std::uint16_t port_ = 0;
};

} // namespace benchmarks
