// Which kernel to run on this processor. Host code.
//
// A kernel family (evaluate, design) is one struct of function pointers per instruction set, exported by
// cpp/kernels/<family>_<isa>.cpp as `extern const <Family>Kernels <family>_kernels_<isa>;` in namespace lacemaker.
// LACEMAKER_X86_KERNELS is defined (by CMake) where the AVX2 and AVX-512 units are built.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace lacemaker {

enum class Isa : int { baseline = 0, avx2 = 1, avx512 = 2 };

inline const char* isa_name(Isa isa) {
    static const char* const names[] = {"baseline", "avx2", "avx512"};
    return names[int(isa)];
}

inline bool isa_usable(Isa isa) {
    if (isa == Isa::baseline) return true;
#ifdef LACEMAKER_X86_KERNELS
    __builtin_cpu_init();
    const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                    __builtin_cpu_supports("bmi2");
    if (isa == Isa::avx2) return v3;
    return v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512cd");
#else
    return false;
#endif
}

// Usable on this machine, best last.
inline std::vector<Isa> usable_isas() {
    std::vector<Isa> out;
    for (Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512})
        if (isa_usable(isa)) out.push_back(isa);
    return out;
}

// "auto" (the best) or a name of usable_isas(); throws std::invalid_argument otherwise.
inline Isa choose_isa(const std::string& name) {
    const std::vector<Isa> usable = usable_isas();
    if (name == "auto") return usable.back();
    std::string known;
    for (Isa isa : usable) {
        if (name == isa_name(isa)) return isa;
        known += std::string(known.empty() ? "" : ", ") + isa_name(isa);
    }
    throw std::invalid_argument("instruction set '" + name + "' cannot be used here; choose one of: auto, " + known);
}

}  // namespace lacemaker
