#define LACEMAKER_ISA avx2
#define LACEMAKER_VECTOR_BYTES 32
#include "lacemaker/grade_kernel.hpp"

namespace lacemaker {
extern const GradeKernels grade_kernels_avx2;
const GradeKernels grade_kernels_avx2 = grade_entry();
}  // namespace lacemaker
