#define LACEMAKER_ISA avx512
#define LACEMAKER_VECTOR_BYTES 64
#include "lacemaker/committee_kernel.hpp"

namespace lacemaker {
}  // namespace lacemaker
