#define LACEMAKER_ISA avx2
#define LACEMAKER_VECTOR_BYTES 32
#include "lacemaker/committee_kernel.hpp"

namespace lacemaker {
extern const CommitteeKernels committee_kernels_avx2;
const CommitteeKernels committee_kernels_avx2{committee_entry<double>(), committee_entry<float>()};
}  // namespace lacemaker
