#define DOCTEST_CONFIG_IMPLEMENT
#include <support/fuzz.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

// What libFuzzer calls, the same for every target.

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    static doctest::Context context;
    context.setAsDefaultForAssertsOutOfTestCases();
    context.setAssertHandler([](doctest::AssertData const& failed) {
        std::fprintf(stderr, "%s:%d: not true: %s\n  is: %s\n", failed.m_file, failed.m_line,
                     failed.m_expr, failed.m_decomp.c_str());
        std::abort();
    });
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* bytes, std::size_t size) {
    livetape::fuzz::run({reinterpret_cast<char const*>(bytes), size});
    return 0;
}
