#define LACEMAKER_ISA baseline
#define LACEMAKER_VECTOR_BYTES 16
#include "lacemaker/grade_kernel.hpp"

namespace lacemaker {
extern const GradeKernels grade_kernels_baseline;
const GradeKernels grade_kernels_baseline = grade_entry();
}  // namespace lacemaker
