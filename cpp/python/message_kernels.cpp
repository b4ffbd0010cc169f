// The chosen network kernels and the threads that run them.
#include "message_kernels.hpp"

#include <atomic>
#include <mutex>

#include "lacemaker/dispatch.hpp"
#include "lacemaker/threads.hpp"

namespace lacemaker {
extern const MessageKernels message_kernels_baseline;
#ifdef LACEMAKER_X86_KERNELS
extern const MessageKernels message_kernels_avx2;
extern const MessageKernels message_kernels_avx512;
#endif
}  // namespace lacemaker

namespace lacemaker::python {
namespace {

const MessageKernels& kernels_of(Isa isa) {
#ifdef LACEMAKER_X86_KERNELS
    if (isa == Isa::avx512) return message_kernels_avx512;
    if (isa == Isa::avx2) return message_kernels_avx2;
#endif
    return message_kernels_baseline;
}

std::atomic<const MessageKernels*>& chosen() {
    static std::atomic<const MessageKernels*> kernels{&kernels_of(choose_isa("auto"))};
    return kernels;
}

}  // namespace

const MessageKernels& message_kernels() { return *chosen().load(); }
void choose_message_kernels(const std::string& isa) { chosen() = &kernels_of(choose_isa(isa)); }

void run_together(int n_threads, const std::function<void(int)>& task) {
    static Team team;
    static std::mutex one_at_a_time;
    std::lock_guard<std::mutex> lock(one_at_a_time);
    team.run(n_threads, task);
}

}  // namespace lacemaker::python
