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
#include "lacemaker/site_uncertainty.hpp"
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
    comm_reverse = 3;  // one member of the committee at a time
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
    path_ = path;
    grade_.reset();
    committee_.reset();
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
    if (potential_->has_grade()) text += "  extrapolation grade: fix pair ... lace gamma 0\n";
    if (potential_->has_committee())
        text += "  committee of " + std::to_string(potential_->committee_e0.size() / potential_->elements.size()) +
                ": fix pair ... lace energy_std 0 forces_std 0\n";
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
    ++step_;
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
    for (const std::vector<double>* v : {&grades_, &energy_std_, &forces_std_, &member_energies_, &member_forces_})
        bytes += 8.0 * double(v->capacity());
    if (grade_) bytes += double(grade_->bytes());
    if (committee_) bytes += double(committee_->bytes());
    return evaluator_ ? bytes + double(evaluator_->bytes()) : bytes;
}

// ---- uncertainties ----

// `fix pair` looks here for NAME_flag when it is given a trigger; values are made when they are fetched, so it is not read.
void* PairLace::extract(const char* name, int& dimension) {
    for (const char* known : {"gamma_flag", "extrapolation_grade_flag", "energy_std_flag", "forces_std_flag"})
        if (std::strcmp(name, known) == 0) {
            dimension = 0;
            return &trigger_;
        }
    return Pair::extract(name, dimension);
}

// `fix pair` fetches (nlocal,) values here at the end of a step on which it wants them, and once when it is made, between
// runs: atoms may have come or gone since the list was built, so there is nothing to compute, only to complain about what
// is missing.
void* PairLace::extract_peratom(const char* name, int& columns) {
    columns = 0;
    const bool grade = std::strcmp(name, "gamma") == 0 || std::strcmp(name, "extrapolation_grade") == 0;
    const bool energies = std::strcmp(name, "energy_std") == 0, forces = std::strcmp(name, "forces_std") == 0;
    if (!grade && !energies && !forces) return nullptr;
    if (!potential_)
        error->all(FLERR, std::string("pair style lace: ") + name +
                              " asked for too early; found: no potential; to do: give pair_coeff before fix pair");
    grade ? require_grade() : require_committee();
    std::vector<double>& values = grade ? grades_ : energies ? energy_std_ : forces_std_;
    if (step_ == 0 || !list || update->whichflag == 0)
        values.resize(std::size_t(atom->nlocal) + atom->nghost + 1, 0.0);
    else if (grade && grade_step_ != step_)
        compute_grades();
    else if (!grade && spread_step_ != step_)
        compute_spread();
    return values.data();
}

void PairLace::require_grade() {
    if (!potential_->has_grade())
        error->all(FLERR, "pair style lace: " + path_ +
                              " has no extrapolation grade; found: a potential without active sets; to do: fit with "
                              "extrapolation_grade: true, or lacemaker.uncertainty.attach_extrapolation_grade");
    if (!grade_)
        grade_ = std::make_unique<lacemaker::SiteGrade>(potential_->tables, potential_->functions, potential_->active_sets,
                                                        lacemaker::choose_isa(isa_));
}

void PairLace::require_committee() {
    if (!potential_->has_committee())
        error->all(FLERR, "pair style lace: " + path_ + " has no committee; found: " +
                              (potential_->committee.empty() ? "a potential without posterior samples"
                                                             : "samples without the table of functions, as older versions "
                                                               "of lacemaker wrote them") +
                              "; to do: fit with uncertainty: 8, or lacemaker.uncertainty.attach_committee");
    if (committee_) return;
    try {
        const lacemaker::LacePotential& p = *potential_;
        committee_ = std::make_unique<lacemaker::SiteCommittee>(
            p.tables, lacemaker::contract(p.tables, p.functions, p.committee, p.committee_e0), lacemaker::choose_isa(isa_));
    } catch (const std::exception& failure) {
        error->all(FLERR, std::string("pair style lace: the committee cannot be run; found: ") + failure.what() +
                              "; to do: attach it again with this version of lacemaker");
    }
}

void PairLace::compute_grades() {
    const lacemaker::HostAtoms atoms = gather();
    grades_.assign(std::size_t(atoms.n_atoms) + 1, 0.0);
    const EvaluateStatus status = grade_->evaluate(atoms, grades_.data());
    if (status.code != EvaluateStatus::ok) complain(status);
    grade_step_ = step_;
}

// Standard deviations from the members, which are deviations from a known mean: root mean squares. Ghosts' forces go home
// member by member.
void PairLace::compute_spread() {
    const lacemaker::HostAtoms atoms = gather();
    const std::size_t row = std::size_t(atoms.n_atoms) + 1, k = std::size_t(committee_->size());
    member_energies_.assign(k * row, 0.0);
    member_forces_.assign(3 * k * row, 0.0);
    const EvaluateStatus status = committee_->evaluate(atoms, member_energies_.data(), member_forces_.data());
    if (status.code != EvaluateStatus::ok) complain(status);
    energy_std_.assign(row, 0.0);
    forces_std_.assign(row, 0.0);
    for (std::size_t m = 0; m < k; ++m) {
        travelling_ = member_forces_.data() + 3 * m * row;
        comm->reverse_comm(this);
        const double* e = member_energies_.data() + m * row;
        for (int i = 0; i < atom->nlocal; ++i) {
            const double* f = travelling_ + 3 * std::size_t(i);
            energy_std_[i] += e[i] * e[i] / double(k);
            forces_std_[i] += (f[0] * f[0] + f[1] * f[1] + f[2] * f[2]) / double(k);
        }
    }
    for (std::vector<double>* values : {&energy_std_, &forces_std_})
        for (double& v : *values) v = std::sqrt(v);
    spread_step_ = step_;
}

int PairLace::pack_reverse_comm(int n, int first, double* buffer) {
    std::copy_n(travelling_ + 3 * std::size_t(first), 3 * std::size_t(n), buffer);
    return 3 * n;
}

void PairLace::unpack_reverse_comm(int n, int* atoms, double* buffer) {
    for (int k = 0; k < n; ++k)
        for (int axis = 0; axis < 3; ++axis) travelling_[3 * std::size_t(atoms[k]) + axis] += buffer[3 * k + axis];
}
