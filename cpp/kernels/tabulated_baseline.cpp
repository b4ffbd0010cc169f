#define LACEMAKER_ISA baseline
#define LACEMAKER_VECTOR_BYTES 16
#include "lacemaker/tabulated_kernel.hpp"

namespace lacemaker {
extern const TabulatedKernels tabulated_kernels_baseline;
const TabulatedKernels tabulated_kernels_baseline = tabulated_kernels();
}  // namespace lacemaker
