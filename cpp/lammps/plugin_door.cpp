// SPDX-License-Identifier: GPL-2.0-only
// The shared object that LAMMPS loads. C++ classes of LAMMPS differ between releases: a style built for another one may fail
// to load for want of a symbol, or load and call the wrong virtual function. So this part uses no symbol of LAMMPS; it
// compares versions and only then opens the style itself, which lies in a file beside this one (LACE_STYLE_FILE).
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "plugin_api.hpp"

#define LACE_EXPORT extern "C" __attribute__((visibility("default")))

extern "C" int lammps_version(void*) __attribute__((weak));  // of LAMMPS' C interface: the same in every release

namespace {

void* style_library = nullptr;

__attribute__((destructor)) void close_style() {  // `plugin unload` closes this file and with it the style
    if (style_library) dlclose(style_library);
}

std::string folder_of_this_file() {
    Dl_info info;
    if (!dladdr(reinterpret_cast<void*>(&close_style), &info) || !info.dli_fname) return "./";
    const std::string path = info.dli_fname;
    return path.substr(0, path.find_last_of('/') + 1);
}

void refuse(const std::string& found) {
    if (!lacemaker_lammps::speaks_for_all_ranks()) return;
    std::fprintf(stderr,
                 "ERROR: the plugin with pair style lace is not registered: it was built for LAMMPS %s; found: %s; "
                 "to do: run `lace lammps build` for this LAMMPS and load the plugin it names.\n",
                 LACE_LAMMPS_VERSION, found.c_str());
}

}  // namespace

bool lacemaker_lammps::speaks_for_all_ranks() {
    for (const char* name : {"PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID"})
        if (const char* rank = std::getenv(name)) return std::atoi(rank) == 0;
    return true;
}

LACE_EXPORT void lammpsplugin_init(void* lammps, void* handle, void* register_function) {
    if (lammps_version && lammps_version(lammps) != LACE_LAMMPS_NUMBER)
        return refuse("a LAMMPS of version " + std::to_string(lammps_version(lammps)));
    const std::string path = folder_of_this_file() + LACE_STYLE_FILE;
    if (!style_library) style_library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!style_library) return refuse(dlerror());
    using Entry = const char* (*)(void*, void*, void*);
    const Entry entry = reinterpret_cast<Entry>(dlsym(style_library, "lacemaker_register"));
    if (!entry) return refuse(path + ", which is no lacemaker pair style");
    if (const char* other = entry(lammps, handle, register_function)) refuse(other);
}
