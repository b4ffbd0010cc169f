#define LACEMAKER_ISA baseline
#define LACEMAKER_VECTOR_BYTES 16
#include "lacemaker/committee_kernel.hpp"

namespace lacemaker {
}  // namespace lacemaker
