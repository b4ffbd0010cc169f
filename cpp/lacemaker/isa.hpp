// Instruction sets: how one source becomes several kernels in one library.
//
// Code is of two kinds.
//
//   * Host code (namespace lacemaker): containers, compilation of models, threads. Compiled once, for the
//     baseline instruction set. May use the standard library freely.
//   * Kernel code (LACEMAKER_KERNEL_BEGIN ... LACEMAKER_KERNEL_END): the arithmetic. Compiled once per instruction
//     set, each time into another inline namespace, so that the linker can never merge an AVX-512 copy of a
//     function with the copy an older processor would call. Kernel units therefore hold no std:: containers or
//     algorithms (their instantiations carry no instruction set in their names) and see the host's data only
//     through plain structs of pointers. cpp/tests/check_symbols.py proves it on the object files.
//
// A kernel unit (cpp/kernels/*_avx2.cpp, ...) defines LACEMAKER_ISA and LACEMAKER_VECTOR_BYTES, includes kernel headers
// and exports plain function pointers. Host code that wants the scalar functions (one lane, e.g. to tabulate
// y(rcut)) includes the same headers without these macros and gets the namespace `host`.
#pragma once

#ifndef LACEMAKER_ISA
#define LACEMAKER_ISA host
#endif

#define LACEMAKER_KERNEL_BEGIN \
    namespace lacemaker {      \
    inline namespace LACEMAKER_ISA {
#define LACEMAKER_KERNEL_END \
    }                        \
    }

#define LACEMAKER_INLINE inline __attribute__((always_inline))
#define LACEMAKER_NOINLINE __attribute__((noinline))

// Small fixed-count loops over register arrays must be unrolled completely, or GCC keeps the arrays in memory.
#if defined(__clang__)
#define LACEMAKER_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LACEMAKER_UNROLL _Pragma("GCC unroll 32")
#endif

// Keeps a vector in a register. GCC otherwise replaces a loaded value that is used twice by two memory operands, and
// loads, not multiplications, become the limit.
#if defined(__x86_64__) && defined(__AVX512F__)
#define LACEMAKER_PIN(value) __asm__("" : "+v"(value))
#elif defined(__x86_64__)
#define LACEMAKER_PIN(value) __asm__("" : "+x"(value))
#elif defined(__aarch64__)
#define LACEMAKER_PIN(value) __asm__("" : "+w"(value))
#else
#define LACEMAKER_PIN(value) (void)(value)
#endif
