#define LACEMAKER_ISA avx512
#define LACEMAKER_VECTOR_BYTES 64
#include "lacemaker/messages_functions.hpp"

namespace lacemaker {
extern const MessageKernels message_kernels_avx512;
const MessageKernels message_kernels_avx512{message_functions<double>(), message_functions<float>()};
}  // namespace lacemaker
