#define LACEMAKER_ISA baseline
#define LACEMAKER_VECTOR_BYTES 16
#include "lacemaker/messages_functions.hpp"

namespace lacemaker {
extern const MessageKernels message_kernels_baseline;
const MessageKernels message_kernels_baseline{message_functions<double>(), message_functions<float>()};
}  // namespace lacemaker
