// SPDX-License-Identifier: GPL-2.0-only
#include "pair_lace.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "lacemaker/lace_file.hpp"
#include "lacemaker/site_evaluator.hpp"
#include "lacemaker/symbols.hpp"
#include "memory.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "update.h"
#include "utils.h"

#pragma weak MPI_Bcast  // a serial LAMMPS may not have it; see potential_bytes

#ifndef FLERR
#define FLERR __FILE__, __LINE__
#endif

using namespace LAMMPS_NS;
using lacemaker::EvaluateStatus;

PairLace::PairLace(LAMMPS* lammps) : Pair(lammps) {
    single_enable = 0;
    restartinfo = 0;
    one_coeff = 1;
    manybody_flag = 1;
    no_virial_fdotr_compute = 1;  // the kernel gives the virial, free of charge
    centroidstressflag = CENTROID_AVAIL;
}

PairLace::~PairLace() {
    if (!allocated) return;
    memory->destroy(setflag);
    memory->destroy(cutsq);
}

// ---- setting up ----

void PairLace::settings(int n, char** arguments) {
    if (n == 0) return;
    if (n != 2 || std::strcmp(arguments[0], "isa") != 0)
        error->all(FLERR, std::string("pair_style lace: unknown arguments; found: ") + arguments[0] +
                              "; to do: give none, or `isa` and an instruction set");
    isa_ = arguments[1];
}

void PairLace::coeff(int n, char** arguments) {
    if (n < 4 || std::strcmp(arguments[0], "*") != 0 || std::strcmp(arguments[1], "*") != 0)
        error->all(FLERR, "pair_coeff of pair style lace: wrong arguments; found: " + std::to_string(n) +
                              " of them; to do: pair_coeff * * potential.lace and an element (or NULL) for each atom type");
    const std::string path = arguments[2];
    try {
        const std::string bytes = potential_bytes(path);
        potential_ = std::make_unique<lacemaker::LacePotential>(lacemaker::parse_lace(bytes.data(), bytes.size(), path));
        evaluator_ = std::make_unique<lacemaker::SiteEvaluator>(potential_->tables, potential_->terms,
                                                               lacemaker::choose_isa(isa_));
    } catch (const std::exception& failure) {  // the same on every rank
        error->all(FLERR, std::string("pair style lace: ") + failure.what());
    }
    if (!allocated) allocate();
    map_types(n - 3, arguments + 3);
    if (comm->me == 0) echo(path);
}

// Rank 0 reads; the others receive, so that a thousand ranks do not open one file and all fail or succeed together.
std::string PairLace::potential_bytes(const std::string& path) {
    const auto read = [&path] {
        const std::string found = utils::get_potential_file_path(path);  // here or in LAMMPS_POTENTIALS
        return lacemaker::read_bytes(found.empty() ? path : found);
    };
    if (comm->nprocs == 1 || !MPI_Bcast) return read();
    std::string text;
    int size[2] = {0, 1};  // bytes; whether they are the file (1) or say why there is none (0)
    if (comm->me == 0) {
        try {
            text = read();
        } catch (const std::exception& failure) {
            text = failure.what();
            size[1] = 0;
        }
        size[0] = int(text.size());
    }
    MPI_Bcast(size, int(sizeof(size)), MPI_BYTE, 0, world);
    text.resize(size[0]);
    MPI_Bcast(&text[0], size[0], MPI_BYTE, 0, world);
    if (!size[1]) throw std::runtime_error(text);
    return text;
}

void PairLace::allocate() {
    const int n = atom->ntypes + 1;
    memory->create(setflag, n, n, "pair:setflag");
    memory->create(cutsq, n, n, "pair:cutsq");
    allocated = 1;
}

void PairLace::map_types(int n, char** elements) {
    if (n != atom->ntypes)
        error->all(FLERR, "pair_coeff of pair style lace: wrong number of elements; found: " + std::to_string(n) + " for " +
                              std::to_string(atom->ntypes) + " atom types; to do: give one element or NULL per type");
    const std::vector<std::int32_t>& known = potential_->elements;
    species_of_type_.assign(n + 1, -1);
    for (int type = 1; type <= n; ++type) {
        const char* symbol = elements[type - 1];
        if (std::strcmp(symbol, "NULL") == 0) continue;
        const auto at = std::find(known.begin(), known.end(), lacemaker::atomic_number(symbol));
        if (at == known.end()) {
            std::string offered;
            for (std::int32_t z : known) offered += std::string(" ") + lacemaker::symbol(z);
            error->all(FLERR, std::string("pair_coeff of pair style lace: the potential has no element ") + symbol +
                                  "; found:" + offered + "; to do: name these, or NULL for types of other pair styles");
        }
        species_of_type_[type] = int(at - known.begin());
    }
    for (int i = 1; i <= n; ++i)
        for (int j = 1; j <= n; ++j) setflag[i][j] = species_of_type_[i] >= 0 && species_of_type_[j] >= 0;
}

void PairLace::echo(const std::string& path) const {
    char line[128];
    std::snprintf(line, sizeof line, "cutoff %g Å, kernels %s (%d lanes, float64)", potential_->cutoff,
                  lacemaker::isa_name(evaluator_->isa()), evaluator_->lanes());
    std::string text = "pair style lace: " + path + ": " + line + "\n";
    for (int type = 1; type <= atom->ntypes; ++type) {
        const int z = species_of_type_[type];
        const char* name = z < 0 ? "NULL" : lacemaker::symbol(potential_->elements[z]);
        text += "  atom type " + std::to_string(type) + " is " + name + "\n";
    }
    utils::logmesg(lmp, text);
}

void PairLace::init_style() {
    if (std::strcmp(update->unit_style, "metal") != 0)
        error->all(FLERR, std::string("pair style lace works in eV and Å; found: units ") + update->unit_style +
                              "; to do: use units metal");
    if (force->newton_pair == 0)
        error->all(FLERR, "pair style lace sends forces to ghost atoms; found: newton off; to do: use newton on");
    neighbor->add_request(this, NeighConst::REQ_FULL);
}

double PairLace::cutoff(int type_i, int type_j) const {
    const int a = species_of_type_[type_i], b = species_of_type_[type_j], n = potential_->n_species();
    return std::max({potential_->cutoffs[a * n + b], potential_->cutoffs[b * n + a], 0.1});
}

double PairLace::init_one(int i, int j) {
    if (setflag[i][j] == 0)
        error->all(FLERR, "pair style lace: types " + std::to_string(i) + " and " + std::to_string(j) +
                              " are not both mapped to elements; found: NULL; to do: name elements, or cover the pair with "
                              "pair_style hybrid/overlay lace ... and another style");
    return cutoff(i, j);
}

// ---- each step ----

lacemaker::HostAtoms PairLace::gather() {
    const int n_all = atom->nlocal + atom->nghost;
    species_.resize(n_all);
    energies_.resize(n_all);
    for (int i = 0; i < n_all; ++i) species_[i] = species_of_type_[atom->type[i]];
    return {n_all,          n_all ? &atom->x[0][0] : nullptr, species_.data(), list->inum, list->ilist,
            list->numneigh, list->firstneigh,                 NEIGHMASK};
}

void PairLace::compute(int eflag, int vflag) {
    ev_init(eflag, vflag);
    const lacemaker::HostAtoms atoms = gather();
    double w[6] = {0, 0, 0, 0, 0, 0};  // xx yy zz yz xz xy
    EvaluateStatus status;
    if (vflag_atom || cvflag_atom) {
        status = evaluate_pairs(atoms, w);
    } else {
        forces_.assign(3 * (std::size_t(atoms.n_atoms) + 1), 0.0);
        status = evaluator_->evaluate(atoms, energies_.data(), forces_.data(), w);
        if (atoms.n_atoms > 0) {
            double* f = &atom->f[0][0];
            for (std::size_t k = 0; k < 3 * std::size_t(atoms.n_atoms); ++k) f[k] += forces_[k];
        }
    }
    if (status.code != EvaluateStatus::ok) complain(status);
    if (eflag_either)
        for (int k = 0; k < atoms.n_sites; ++k) {
            const int i = atoms.sites[k];
            if (species_[i] < 0) continue;
            if (eflag_global) eng_vdwl += energies_[i];
            if (eflag_atom) eatom[i] += energies_[i];
        }
    if (vflag_global) {
        static const int order[6] = {0, 1, 2, 5, 4, 3};  // xx yy zz xy xz yz
        for (int k = 0; k < 6; ++k) virial[k] += w[order[k]];
    }
}

EvaluateStatus PairLace::evaluate_pairs(const lacemaker::HostAtoms& atoms, double* total_virial) {
    return evaluator_->evaluate_pairs(atoms, energies_.data(), total_virial,
                                      [this](int i, int j, const double* d, const double* f) { tally(i, j, d, f); });
}

// Site i's force f on j at d = x_j - x_i: half of its virial to each atom, or all of d f to j in the centroid form, which
// makes the heat flux exact: d/dt sum_i x_i E_i = sum_i v_i E_i + sum_j W_j v_j, W_j = sum_i d f (first index d).
void PairLace::tally(int i, int j, const double* d, const double* f) {
    double **force_on = atom->f;
    for (int k = 0; k < 3; ++k) force_on[i][k] -= f[k], force_on[j][k] += f[k];
    if (vflag_atom) {
        const double v[6] = {d[0] * f[0], d[1] * f[1], d[2] * f[2], 0.5 * (d[0] * f[1] + d[1] * f[0]),
                             0.5 * (d[0] * f[2] + d[2] * f[0]), 0.5 * (d[1] * f[2] + d[2] * f[1])};
        for (int k = 0; k < 6; ++k) vatom[i][k] += 0.5 * v[k], vatom[j][k] += 0.5 * v[k];
    }
    if (cvflag_atom) {
        const double v[9] = {d[0] * f[0], d[1] * f[1], d[2] * f[2], d[0] * f[1], d[0] * f[2],
                             d[1] * f[2], d[1] * f[0], d[2] * f[0], d[2] * f[1]};
        for (int k = 0; k < 9; ++k) cvatom[j][k] += v[k];
    }
}

void PairLace::complain(const EvaluateStatus& s) {
    const auto name = [this](int i) {
        return i >= 0 && atom->tag_enable ? std::to_string(atom->tag[i]) : "with local number " + std::to_string(i);
    };
    if (s.code == EvaluateStatus::coincident)
        error->one(FLERR, "pair style lace: two atoms lie on top of each other; found: atoms " + name(s.i) + " and " +
                              name(s.j) + " " + std::to_string(s.distance) +
                              " Å apart; to do: remove one of them, check the cell, or use a smaller time step");
    error->one(FLERR, "pair style lace: no finite energy; found: atom " + name(s.i) +
                          " has a site energy that is not a number; to do: look for atoms that are far too close, or use a "
                          "smaller time step");
}

double PairLace::memory_usage() {
    double bytes = Pair::memory_usage() + 4.0 * species_.capacity() + 8.0 * (energies_.capacity() + forces_.capacity());
    return evaluator_ ? bytes + double(evaluator_->bytes()) : bytes;
}

// The hook for per-atom uncertainties: `fix ID group pair N lace NAME 1` asks here for an array (nlocal,) or (nlocal,
// columns). Potential files hold no committee and no extrapolation data yet, so there is nothing to hand out.
void* PairLace::extract_peratom(const char* /*name*/, int& columns) {
    columns = 0;
    return nullptr;
}
