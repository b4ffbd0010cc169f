#define LACEMAKER_ISA avx2
#define LACEMAKER_VECTOR_BYTES 32
#include "lacemaker/evaluate_kernel.hpp"

namespace lacemaker {
extern const EvaluateKernels evaluate_kernels_avx2;
const EvaluateKernels evaluate_kernels_avx2{longest_run<Vec<double, native_lanes<double>>>, evaluate_entry<double>(),
                                                    evaluate_entry<float>()};
}  // namespace lacemaker
