#!/bin/sh
# Build and run the C++ tests of the kernels, and the fuzzer of potential files, under the address and
# undefined-behaviour sanitisers.
#   cpp/tests/sanitize.sh BUILD_FOLDER
# Baseline kernels only: the other instruction sets run the same templates. `cmake -DLACEMAKER_SANITIZE=ON` builds
# everything that way, which takes minutes.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:?usage: sanitize.sh BUILD_FOLDER}
mkdir -p "$folder"
compile() {
    ${CXX:-c++} -std=c++17 -O1 -g1 -Wall -Wextra -Wno-psabi -ffp-contract=fast -fno-math-errno \
        -fsanitize=address,undefined -fno-sanitize-recover=all -I"$root/cpp" "$@" -pthread
}
for family in committee evaluate grade messages rates tabulated; do
    compile -c "$root/cpp/kernels/${family}_baseline.cpp" -o "$folder/${family}_baseline.o"
done
for name in evaluator hessian messages program tabulated threads; do
    compile "$root/cpp/tests/test_$name.cpp" "$folder"/*_baseline.o -o "$folder/test_$name"
    "$folder/test_$name"
done
compile "$root/cpp/tests/fuzz_lace_file.cpp" "$folder"/*_baseline.o -o "$folder/fuzz_lace_file"
for file in "$root"/tests/potential/released/*.lace "$root"/cpp/tests/*.lace; do
    "$folder/fuzz_lace_file" "$file" 2000
done
