// SPDX-License-Identifier: GPL-2.0-only
// What LAMMPS and a plugin exchange; LAMMPS' own lammpsplugin.h is not part of its installed headers.
#pragma once

namespace lacemaker_lammps {

struct Plugin {
    const char* version;  // of LAMMPS, the one the plugin was built for
    const char* style;    // "pair"
    const char* name;
    const char* info;
    const char* author;
    union {
        void* (*with_lammps)(void*);
        void* (*with_arguments)(void*, int, char**);
    } creator;
    void* handle;
};

using Register = void (*)(Plugin*, void* lammps);

// Messages of a plugin that will not be loaded: once per run, not once per rank.
bool speaks_for_all_ranks();

}  // namespace lacemaker_lammps
