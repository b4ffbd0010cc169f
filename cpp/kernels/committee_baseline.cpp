#define LACEMAKER_ISA baseline
#define LACEMAKER_VECTOR_BYTES 16
#include "lacemaker/committee_kernel.hpp"

namespace lacemaker {
extern const CommitteeKernels committee_kernels_baseline;
const CommitteeKernels committee_kernels_baseline{committee_entry<double>(), committee_entry<float>()};
}  // namespace lacemaker
