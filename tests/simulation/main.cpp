#include "exploration.hpp"
#include "simulation.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Runs of the simulation, each with a seed of its own, until the steps are used up. A failure is
// cut down to the steps that it needs and printed with the command that repeats it.
//
//   simulation                                 a million steps
//   simulation --steps 10000000 --seed 7       more of them, from another seed on
//   simulation --seed 7 --only 3,17,40         exactly these steps of one run, told one by one
//   simulation --explore 6                     every sequence of six actions on a small world

namespace {

using namespace livetape::simulation;

constexpr std::uint64_t steps_per_run = 2000;

struct arguments {
    std::uint64_t seed = 1;
    std::uint64_t steps = 1'000'000;
    std::vector<std::uint64_t> only;
    std::uint64_t explore = 0;
};

struct failure {
    std::uint64_t step;
    std::string what;
};

/// Where the program is, for what a failed assertion must still say.
std::uint64_t current_seed = 0;
std::uint64_t current_step = 0;

void tell_where() {
    std::fprintf(stderr, "simulation: at --seed %llu, step %llu\n",
                 static_cast<unsigned long long>(current_seed),
                 static_cast<unsigned long long>(current_step));
}

void tell_where_on_signal(int signal) {
    tell_where();
    std::signal(signal, SIG_DFL);
    std::raise(signal);
}

/// Makes the given steps of a run, until one fails.
std::optional<failure> run_steps(std::uint64_t seed, std::vector<std::uint64_t> const& steps,
                                 coverage& seen, bool is_told = false) {
    simulation run{seed, seen};
    current_seed = seed;
    for (auto const step : steps) {
        current_step = step;
        run.step(step, is_told);
        if (!run.judge().is_right()) return failure{step, run.judge().failure()};
    }
    return std::nullopt;
}

std::vector<std::uint64_t> first_steps(std::uint64_t count) {
    std::vector<std::uint64_t> steps(count);
    std::iota(steps.begin(), steps.end(), std::uint64_t{0});
    return steps;
}

/// What kind of failure it is: the text without what differs from one to another.
std::string kind_of(failure const& found) {
    auto const line = found.what.substr(0, found.what.find('\n'));
    std::string kind;
    for (auto const c : line.substr(0, 80))
        if (c < '0' || c > '9') kind += c;
    return kind.substr(kind.find(':') + 1, 11);
}

/// Leaves out halves, quarters, eighths … of the steps, as long as it still fails in that way.
std::vector<std::uint64_t> shrink(std::uint64_t seed, std::vector<std::uint64_t> steps,
                                  std::string const& kind) {
    coverage ignored;
    for (auto piece = steps.size() / 2; piece > 0; piece /= 2) {
        for (std::size_t at = 0; at < steps.size();) {
            auto fewer = steps;
            auto const begin = fewer.begin() + static_cast<std::ptrdiff_t>(at);
            auto const size = static_cast<std::ptrdiff_t>(std::min(piece, steps.size() - at));
            fewer.erase(begin, begin + size);
            auto const found = run_steps(seed, fewer, ignored);
            if (found && kind_of(*found) == kind) {
                while (fewer.back() != found->step) fewer.pop_back();
                steps = std::move(fewer);
            } else {
                at += piece;
            }
        }
    }
    return steps;
}

int report(std::uint64_t seed, failure const& found) {
    std::printf("FAILED: --seed %llu, step %llu\n%s\n", static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(found.step), found.what.c_str());
    auto const steps = shrink(seed, first_steps(found.step + 1), kind_of(found));
    std::string list;
    for (auto const step : steps) list += (list.empty() ? "" : ",") + std::to_string(step);
    std::printf("%zu steps are enough; they are repeated by\n  simulation --seed %llu --only %s\n",
                steps.size(), static_cast<unsigned long long>(seed), list.c_str());
    coverage ignored;
    if (auto const again = run_steps(seed, steps, ignored, true))
        std::printf("%s\n", again->what.c_str());
    return 1;
}

int run_all(arguments const& asked) {
    coverage seen;
    auto const begin = std::chrono::steady_clock::now();
    std::uint64_t done = 0;
    for (auto seed = asked.seed; done < asked.steps; ++seed) {
        auto const count = std::min(steps_per_run, asked.steps - done);
        if (auto const found = run_steps(seed, first_steps(count), seen))
            return report(seed, *found);
        done += count;
    }
    std::chrono::duration<double> const took = std::chrono::steady_clock::now() - begin;
    std::printf("%llu steps from --seed %llu on, in %.1f s: %.1f million a minute\n",
                static_cast<unsigned long long>(done), static_cast<unsigned long long>(asked.seed),
                took.count(), static_cast<double>(done) / took.count() * 60e-6);
    bool is_complete = true;
    seen.for_each([&](char const* what, std::uint64_t count) {
        std::printf("%12llu %s\n", static_cast<unsigned long long>(count), what);
        is_complete = is_complete && count > 0;
    });
    // Shorter runs cannot be expected to meet everything.
    if (done < 100'000 || is_complete) return 0;
    std::printf("FAILED: something was never met\n");
    return 1;
}

int explore_all(std::uint64_t length) {
    auto const result = explore(length);
    std::printf("%llu sequences of %llu actions: %s\n",
                static_cast<unsigned long long>(result.sequences),
                static_cast<unsigned long long>(length),
                result.failure.empty() ? "nothing is lost" : result.failure.c_str());
    return result.failure.empty() ? 0 : 1;
}

bool read_arguments(int count, char** values, arguments& asked) {
    for (int i = 1; i < count; i += 2) {
        std::string_view const name{values[i]};
        if (i + 1 == count) return false;
        if (name == "--seed") asked.seed = std::strtoull(values[i + 1], nullptr, 10);
        else if (name == "--steps") asked.steps = std::strtoull(values[i + 1], nullptr, 10);
        else if (name == "--explore") asked.explore = std::strtoull(values[i + 1], nullptr, 10);
        else if (name == "--only")
            for (char* at = values[i + 1]; *at != '\0'; at += *at == ',')
                asked.only.push_back(std::strtoull(at, &at, 10));
        else return false;
    }
    return true;
}

} // namespace

int main(int count, char** values) {
    arguments asked;
    if (!read_arguments(count, values, asked)) {
        std::fprintf(stderr, "simulation [--seed N] [--steps N | --only N,N,…] | --explore N\n");
        return 2;
    }
    std::signal(SIGABRT, &tell_where_on_signal);
    std::signal(SIGSEGV, &tell_where_on_signal);
    std::signal(SIGFPE, &tell_where_on_signal);
    if (asked.explore > 0) return explore_all(asked.explore);
    if (!asked.only.empty()) {
        coverage seen;
        auto const found = run_steps(asked.seed, asked.only, seen, true);
        std::printf("%s\n", found ? found->what.c_str() : "no failure");
        return found ? 1 : 0;
    }
    return run_all(asked);
}
