// Rates of energies and forces along a direction (Hessian-vector products): the evaluation on Jets.
#define LACEMAKER_ISA baseline
#define LACEMAKER_VECTOR_BYTES 16
#include "lacemaker/evaluate_kernel.hpp"

namespace lacemaker {
extern const EvaluateKernels rates_kernels_baseline;
const EvaluateKernels rates_kernels_baseline{longest_run<Jet<Vec<double, native_lanes<double>>>>, rates_entry<double>(), {}};
}  // namespace lacemaker
