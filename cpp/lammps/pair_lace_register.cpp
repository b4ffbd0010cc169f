// SPDX-License-Identifier: GPL-2.0-only
// Registers pair style lace with the LAMMPS it was built for, and with no other.
#include <cstring>
#include <string>

#include "lammps.h"
#include "pair_lace.hpp"
#include "plugin_api.hpp"

using namespace LAMMPS_NS;

namespace {

void* create(void* lammps) { return new PairLace(static_cast<LAMMPS*>(lammps)); }

}  // namespace

// Null if all is well, else what was found instead. The release is compared, and its update where both are known.
extern "C" __attribute__((visibility("default"))) const char* lacemaker_register(void* lammps, void* handle,
                                                                                 void* register_function) {
    static std::string found;
    LAMMPS* lmp = static_cast<LAMMPS*>(lammps);
    if (std::strcmp(lmp->version, LACE_LAMMPS_VERSION) != 0) {
        found = std::string("LAMMPS ") + lmp->version;
        return found.c_str();
    }
#ifdef LACE_LAMMPS_GIT
    if (LAMMPS::has_git_info() && std::strcmp(LAMMPS::git_descriptor(), LACE_LAMMPS_GIT) != 0) {
        found = std::string("LAMMPS ") + lmp->version + " (" + LAMMPS::git_descriptor() + " instead of " LACE_LAMMPS_GIT ")";
        return found.c_str();
    }
#endif
    lacemaker_lammps::Plugin plugin{};
    plugin.version = LACE_LAMMPS_VERSION;
    plugin.style = "pair";
    plugin.name = "lace";
    plugin.info = "linear ACE potentials of lacemaker, pair style lace";
    plugin.author = "The lacemaker developers";
    plugin.creator.with_lammps = &create;
    plugin.handle = handle;
    reinterpret_cast<lacemaker_lammps::Register>(register_function)(&plugin, lammps);
    return nullptr;
}
