// A test framework of one page: CHECK counts failures, finish() reports them.
#pragma once

#include <cmath>
#include <cstdio>

namespace check {

inline int failures = 0, checks = 0;

inline void that(bool ok, const char* what, const char* file, int line) {
    ++checks;
    if (ok) return;
    ++failures;
    std::printf("%s:%d: failed: %s\n", file, line, what);
}

inline bool close(double a, double b, double tolerance) {
    return std::fabs(a - b) <= tolerance * (1.0 + std::fabs(a) + std::fabs(b));
}

inline int finish() {
    std::printf("%d checks, %d failures\n", checks, failures);
    return failures == 0 ? 0 : 1;
}

}  // namespace check

#define CHECK(condition) check::that((condition), #condition, __FILE__, __LINE__)
