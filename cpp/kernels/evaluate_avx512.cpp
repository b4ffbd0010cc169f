#define LACEMAKER_ISA avx512
#define LACEMAKER_VECTOR_BYTES 64
#include "lacemaker/evaluate_kernel.hpp"

namespace lacemaker {
extern const EvaluateKernels evaluate_kernels_avx512;
const EvaluateKernels evaluate_kernels_avx512{longest_run<Vec<double, native_lanes<double>>>, evaluate_entry<double>(),
                                                      evaluate_entry<float>()};
}  // namespace lacemaker
