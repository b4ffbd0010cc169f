#define LACEMAKER_ISA baseline
#define LACEMAKER_VECTOR_BYTES 16
#include "lacemaker/evaluate_kernel.hpp"

namespace lacemaker {
extern const EvaluateKernels evaluate_kernels_baseline;
const EvaluateKernels evaluate_kernels_baseline{longest_run<Vec<double, native_lanes<double>>>, evaluate_entry<double>(),
                                                        evaluate_entry<float>()};
}  // namespace lacemaker
