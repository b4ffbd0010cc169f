// Dual numbers: second derivatives as the first ones in a direction.
#pragma once

#include "isa.hpp"

LACEMAKER_KERNEL_BEGIN

namespace rows {

// a + b eps; V is a register or a number
template <class V>
struct Dual {
    V a, b;
};
template <class V>
LACEMAKER_INLINE Dual<V> operator+(const Dual<V>& x, const Dual<V>& y) {
    return {V(x.a + y.a), V(x.b + y.b)};
}
template <class V>
LACEMAKER_INLINE Dual<V> operator-(const Dual<V>& x, const Dual<V>& y) {
    return {V(x.a - y.a), V(x.b - y.b)};
}
template <class V>
LACEMAKER_INLINE Dual<V> operator*(const Dual<V>& x, const Dual<V>& y) {
    return {V(x.a * y.a), V(x.a * y.b + x.b * y.a)};
}

}  // namespace rows

LACEMAKER_KERNEL_END
