// Rates of energies and forces along a direction (Hessian-vector products): the evaluation on Jets.
#define LACEMAKER_ISA avx2
#define LACEMAKER_VECTOR_BYTES 32
#include "lacemaker/evaluate_kernel.hpp"

namespace lacemaker {
extern const EvaluateKernels rates_kernels_avx2;
const EvaluateKernels rates_kernels_avx2{longest_run<Jet<Vec<double, native_lanes<double>>>>, rates_entry<double>(), {}};
}  // namespace lacemaker
