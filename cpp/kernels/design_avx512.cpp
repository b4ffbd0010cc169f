// Design rows, AVX-512: 8 doubles per vector.
#define LACEMAKER_ISA avx512
#define LACEMAKER_VECTOR_BYTES 64
#include "lacemaker/design_kernel.hpp"

namespace lacemaker {
using Avx512Rows = design::DesignKernel<Vec<double, 8>>;
const DesignKernels design_kernels_avx512 = {8, &Avx512Rows::workspace_bytes, &Avx512Rows::rows};
}  // namespace lacemaker
