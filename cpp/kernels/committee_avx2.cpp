#define LACEMAKER_ISA avx2
#define LACEMAKER_VECTOR_BYTES 32
#include "lacemaker/committee_kernel.hpp"

namespace lacemaker {
}  // namespace lacemaker
