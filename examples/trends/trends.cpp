// What people write about now, in which mood, how many they are and who of them is read most:
// posts, simulated or from a text file, become ranked boards that anybody can follow. Start it and
// open the address that it prints:
//
//   trends --port 8080 --rate 50 --half-life 10
//   trends --file posts.txt        with lines of author, followers and text, separated by tabs
//   curl -N 'http://127.0.0.1:8080/live/sse?channel=words&mode=latest&rate=1&snapshot=1'

#include "../support/page_host.hpp"
#include "../support/repeat.hpp"
#include "post_file.hpp"
#include "simulated_posts.hpp"
#include "trend_watch.hpp"

#include <livetape/livetape.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <iostream>
#include <string>

int main(int argc, char** argv) {
    page_host host{"trends", "Shows what a stream of posts is about."};
    std::string file;
    double rate = 50;
    double half_life = 10;
    std::uint64_t seed = 1;
    host.arguments.add_option("--file", file, "Posts, one a line; simulated without it");
    host.arguments.add_option("--rate", rate, "Posts per second")
        ->check(CLI::Range(0.1, 10'000.0))
        ->capture_default_str();
    host.arguments.add_option("--half-life", half_life, "Seconds in which a post's weight halves")
        ->check(CLI::Range(0.1, 86'400.0))
        ->capture_default_str();
    host.arguments.add_option("--seed", seed, "What the simulated posts are drawn from")
        ->capture_default_str();
    if (auto const status = host.parse(argc, argv)) return *status;

    std::function<trends::post()> next;
    try {
        if (file.empty())
            next = [from = trends::simulated_posts{seed, rate}]() mutable { return from.next(); };
        else next = [from = trends::post_file{file, rate}]() mutable { return from.next(); };
    } catch (std::exception const& failure) {
        std::cerr << "trends: " << failure.what() << '\n';
        return 1;
    }

    livetape::hub hub;
    livetape::server server{host.io.get_executor(), hub};
    server.live("/live");
    trends::trend_watch watch{hub,
                              livetape::event_time{static_cast<std::int64_t>(half_life * 1e9)}};

    double due = 0;
    repeat const posting{host.io, std::chrono::milliseconds{20}, [&] {
                             for (due += rate * 0.02; due >= 1; --due) watch.take(next());
                         }};
    repeat const showing{host.io, std::chrono::milliseconds{250}, [&] { watch.show(); }};
    return host.run(server);
}
