#pragma once

#include <livetape/net/server.hpp>

#include <CLI/CLI.hpp>
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

/// What the examples with a page have in common, so that each can show its one idea: the options
/// `--port`, `--seconds` and `--assets`, the page of the folder `examples/<name>/page`, and running
/// until Ctrl-C or until the seconds are over.
class page_host {
public:
    page_host(std::string name, std::string const& description)
        : arguments{description}, name_{std::move(name)}, examples_{find_examples()} {
        arguments.add_option("--port", port_, "Port to listen on; 0 lets the system choose")
            ->capture_default_str();
        arguments.add_option("--seconds", seconds_, "Ends by itself after so long; 0: on Ctrl-C")
            ->check(CLI::NonNegativeNumber)
            ->capture_default_str();
        arguments.add_option("--examples", examples_, "Folder of the examples, for their pages");
    }

    CLI::App arguments; ///< an example adds its own
    asio::io_context io{1};

    /// The folder of all examples, for what several of them share.
    [[nodiscard]] std::filesystem::path const& examples() const noexcept { return examples_; }

    /// What to end with, if it is not to go on.
    [[nodiscard]] std::optional<int> parse(int argc, char const* const* argv) {
        try {
            arguments.parse(argc, argv);
        } catch (CLI::ParseError const& error) {
            return arguments.exit(error);
        }
        if (std::filesystem::is_regular_file(page() / "index.html")) return std::nullopt;
        std::cerr << name_ << ": there is no page in " << page().string()
                  << "; name the folder of the examples with --examples\n";
        return 1;
    }

    /// Serves the page beside what `server` serves already, and returns what to end with.
    template <class Server>
    int run(Server& server) {
        server.files("/", page());
        server.files("/support/", examples_ / "support" / "page");
        std::error_code ec;
        auto const at = server.listen({asio::ip::tcp::v4(), port_}, {}, ec);
        if (ec) {
            std::cerr << name_ << ": cannot listen on port " << port_ << ": " << ec.message()
                      << '\n';
            return 1;
        }
        std::cout << name_ << ": http://127.0.0.1:" << at.port() << '/' << std::endl;

        asio::signal_set signals{io, SIGINT, SIGTERM};
        asio::steady_timer end{io};
        auto const stop = [&](std::error_code, int = 0) {
            server.stop();
            io.stop();
        };
        signals.async_wait(stop);
        if (seconds_ > 0) {
            end.expires_after(std::chrono::milliseconds{static_cast<long>(seconds_ * 1000)});
            end.async_wait(stop);
        }
        io.run();
        return 0;
    }

private:
    [[nodiscard]] std::filesystem::path page() const { return examples_ / name_ / "page"; }

    /// The folder `examples` of the checkout that the program or the current folder lies in.
    static std::filesystem::path find_examples() {
        std::error_code ec;
        for (auto const& from : {std::filesystem::read_symlink("/proc/self/exe", ec).parent_path(),
                                 std::filesystem::current_path(ec)})
            for (auto at = from; !at.empty(); at = at.parent_path()) {
                if (std::filesystem::exists(at / "examples/support/page_host.hpp", ec))
                    return at / "examples";
                if (at == at.root_path()) break;
            }
        return "examples";
    }

    std::string name_;
    std::filesystem::path examples_;
    std::uint16_t port_ = 8080;
    double seconds_ = 0;
};
