// Design rows, baseline instruction set (SSE2, NEON): 2 doubles per vector.
#define LACEMAKER_ISA baseline
#define LACEMAKER_VECTOR_BYTES 16
#include "lacemaker/design_kernel.hpp"

namespace lacemaker {
using BaselineRows = design::DesignKernel<Vec<double, 2>>;
const DesignKernels design_kernels_baseline = {2, &BaselineRows::workspace_bytes, &BaselineRows::rows};
}  // namespace lacemaker
