#define LACEMAKER_ISA avx2
#define LACEMAKER_VECTOR_BYTES 32
#include "lacemaker/messages_functions.hpp"

namespace lacemaker {
extern const MessageKernels message_kernels_avx2;
const MessageKernels message_kernels_avx2{message_functions<double>(), message_functions<float>()};
}  // namespace lacemaker
