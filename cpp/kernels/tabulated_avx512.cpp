#define LACEMAKER_ISA avx512
#define LACEMAKER_VECTOR_BYTES 64
#include "lacemaker/tabulated_kernel.hpp"

namespace lacemaker {
extern const TabulatedKernels tabulated_kernels_avx512;
const TabulatedKernels tabulated_kernels_avx512 = tabulated_kernels();
}  // namespace lacemaker
