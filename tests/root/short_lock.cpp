#include <livetape/short_lock.hpp>

#include <doctest/doctest.h>

#include <thread>
#include <vector>

TEST_CASE("root/short_lock: lets one thread in at a time, and wakes those that wait") {
    constexpr int thread_count = 4;
    constexpr int rounds = 20'000;
    livetape::short_lock lock;
    int counted = 0; // not atomic: a lock that lets two in loses some
    std::vector<std::thread> threads;
    for (int i = 0; i < thread_count; ++i)
        threads.emplace_back([&] {
            for (int round = 0; round < rounds; ++round) {
                livetape::short_lock_guard const guard{lock};
                counted = counted + 1;
                // Gives the others a reason to wait while it is held.
                if (round % 100 == 0) std::this_thread::yield();
            }
        });
    for (auto& each : threads) each.join();
    CHECK(counted == thread_count * rounds);
}
