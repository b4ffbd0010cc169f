// Chemical symbols and atomic numbers. Host code.
#pragma once

#include <cstring>

namespace lacemaker {

inline constexpr int n_elements = 118;

// Symbol of an atomic number 1 .. 118, "?" for others.
inline const char* symbol(int number) {
    static const char* const symbols[n_elements + 1] = {
        "?",  "H",  "He", "Li", "Be", "B",  "C",  "N",  "O",  "F",  "Ne", "Na", "Mg", "Al", "Si", "P",  "S",  "Cl", "Ar", "K",
        "Ca", "Sc", "Ti", "V",  "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br", "Kr", "Rb", "Sr", "Y",
        "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I",  "Xe", "Cs", "Ba", "La", "Ce", "Pr",
        "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W",  "Re", "Os", "Ir", "Pt", "Au",
        "Hg", "Tl", "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa", "U",  "Np", "Pu", "Am", "Cm", "Bk", "Cf", "Es",
        "Fm", "Md", "No", "Lr", "Rf", "Db", "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn", "Nh", "Fl", "Mc", "Lv", "Ts", "Og"};
    return number >= 1 && number <= n_elements ? symbols[number] : symbols[0];
}

// Atomic number of a symbol, 0 if there is none.
inline int atomic_number(const char* text) {
    for (int z = 1; z <= n_elements; ++z)
        if (std::strcmp(text, symbol(z)) == 0) return z;
    return 0;
}

}  // namespace lacemaker
