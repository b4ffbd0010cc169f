#define LACEMAKER_ISA avx2
#define LACEMAKER_VECTOR_BYTES 32
#include "lacemaker/tabulated_kernel.hpp"

namespace lacemaker {
extern const TabulatedKernels tabulated_kernels_avx2;
const TabulatedKernels tabulated_kernels_avx2 = tabulated_kernels();
}  // namespace lacemaker
