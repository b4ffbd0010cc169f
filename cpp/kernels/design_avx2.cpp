// Design rows, AVX2 + FMA: 4 doubles per vector.
#define LACEMAKER_ISA avx2
#define LACEMAKER_VECTOR_BYTES 32
#include "lacemaker/design_kernel.hpp"

namespace lacemaker {
using Avx2Rows = design::DesignKernel<Vec<double, 4>>;
const DesignKernels design_kernels_avx2 = {4, &Avx2Rows::workspace_bytes, &Avx2Rows::rows};
}  // namespace lacemaker
