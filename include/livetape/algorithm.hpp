#pragma once

// The classic algorithms alone, where the standard library keeps them apart: since C++17 and C++20
// <algorithm> also has the parallel ones and those of ranges, which cost every file more:
// `benchmarks/include_cost` prints it.
#if __has_include(<bits/stl_algo.h>)
#include <bits/stl_algo.h>
#else
#include <algorithm>
#endif
