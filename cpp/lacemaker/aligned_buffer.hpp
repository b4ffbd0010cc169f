// Memory for vectors. Host code.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace lacemaker {

// Memory on a cache line boundary that only ever grows.
class AlignedBuffer {
public:
    void* reserve(std::size_t bytes) {
        if (bytes > size_) {
            memory_.reset(::operator new(bytes, std::align_val_t(64)));
            size_ = bytes;
        }
        return memory_.get();
    }

private:
    struct Free {
        void operator()(void* p) const { ::operator delete(p, std::align_val_t(64)); }
    };
    std::unique_ptr<void, Free> memory_;
    std::size_t size_ = 0;
};

}  // namespace lacemaker
