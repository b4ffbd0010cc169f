#define LACEMAKER_ISA avx512
#define LACEMAKER_VECTOR_BYTES 64
#include "lacemaker/committee_kernel.hpp"

namespace lacemaker {
extern const CommitteeKernels committee_kernels_avx512;
const CommitteeKernels committee_kernels_avx512{committee_entry<double>(), committee_entry<float>()};
}  // namespace lacemaker
