#define LACEMAKER_ISA avx512
#define LACEMAKER_VECTOR_BYTES 64
#include "lacemaker/grade_kernel.hpp"

namespace lacemaker {
extern const GradeKernels grade_kernels_avx512;
const GradeKernels grade_kernels_avx512 = grade_entry();
}  // namespace lacemaker
