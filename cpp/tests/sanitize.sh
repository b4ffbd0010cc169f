#!/bin/sh
# Build and run the C++ tests of the kernels, and the fuzzer of potential files, under the address and
# undefined-behaviour sanitisers.
#   cpp/tests/sanitize.sh BUILD_FOLDER          (JOBS compilers at once; default 2)
# Baseline kernels only: the other instruction sets run the same templates. `cmake -DLACEMAKER_SANITIZE=ON` builds
# everything that way, which takes minutes.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:?usage: sanitize.sh BUILD_FOLDER}
mkdir -p "$folder"
export compile="${CXX:-c++} -std=c++17 -O1 -g1 -Wall -Wextra -Wno-psabi -ffp-contract=fast -fno-math-errno \
    -fsanitize=address,undefined -fno-sanitize-recover=all -pthread"
export root folder
for family in committee evaluate grade messages rates tabulated; do echo "$family"; done |
    xargs -P "${JOBS:-2}" -I{} sh -c '$compile -I"$root/cpp" -c "$root/cpp/kernels/{}_baseline.cpp" -o "$folder/{}_baseline.o"'
tests="evaluator hessian messages program tabulated threads"
{ for name in $tests; do echo "test_$name"; done; echo fuzz_lace_file; } |
    xargs -P "${JOBS:-2}" -I{} sh -c '$compile -I"$root/cpp" "$root/cpp/tests/{}.cpp" "$folder"/*_baseline.o -o "$folder/{}"'
for name in $tests; do
    "$folder/test_$name"
done
for file in "$root"/tests/potential/released/*.lace "$root"/cpp/tests/*.lace; do
    "$folder/fuzz_lace_file" "$file" 2000
done
