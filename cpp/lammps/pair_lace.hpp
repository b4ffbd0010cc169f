// SPDX-License-Identifier: GPL-2.0-only
// Pair style lace: linear ACE potentials of lacemaker.
//
//     pair_style lace [isa auto|baseline|avx2|avx512]
//     pair_coeff * * potential.lace Si O NULL ...     one element (or NULL) per atom type
//
// Units metal, newton on, any cell, any number of ranks. Offers energy, forces, virial, per-atom energy and virial; the
// centroid virial (compute centroid/stress/atom, heat flux) is exact: site i's force on j times x_j - x_i belongs to j.
//
// Uncertainties per atom, made only on the steps on which they are asked for:
//
//     fix ID group pair N lace gamma 0 energy_std 0 forces_std 0
//
// gamma (or extrapolation_grade), dimensionless; energy_std in eV, of the site energy; forces_std in eV/Å, the norm of
// the standard deviations of the three components. The triggers of fix pair are accepted and change nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pair.h"

namespace lacemaker {
class SiteCommittee;
class SiteEvaluator;
class SiteGrade;
struct EvaluateStatus;
struct HostAtoms;
struct LacePotential;
}  // namespace lacemaker

namespace LAMMPS_NS {

class PairLace : public Pair {
public:
    explicit PairLace(class LAMMPS* lammps);
    ~PairLace() override;

    void compute(int eflag, int vflag) override;
    void settings(int n, char** arguments) override;
    void coeff(int n, char** arguments) override;
    void init_style() override;
    double init_one(int i, int j) override;
    double memory_usage() override;
    void* extract(const char* name, int& dimension) override;
    void* extract_peratom(const char* name, int& columns) override;
    int pack_reverse_comm(int n, int first, double* buffer) override;
    void unpack_reverse_comm(int n, int* atoms, double* buffer) override;

private:
    std::string potential_bytes(const std::string& path);
    void map_types(int n, char** elements);
    void allocate();
    void echo(const std::string& path) const;
    double cutoff(int type_i, int type_j) const;
    lacemaker::HostAtoms gather();
    lacemaker::EvaluateStatus evaluate_pairs(const lacemaker::HostAtoms& atoms, double* total_virial);
    void tally(int i, int j, const double* d, const double* f);
    void require_grade();
    void require_committee();
    void compute_grades();
    void compute_spread();
    [[noreturn]] void complain(const lacemaker::EvaluateStatus& status);

    std::string isa_ = "auto";
    std::unique_ptr<lacemaker::LacePotential> potential_;
    std::unique_ptr<lacemaker::SiteEvaluator> evaluator_;
    std::vector<int> species_of_type_;     // (ntypes + 1,), -1: NULL
    std::vector<std::int32_t> species_;    // (nlocal + nghost,)
    std::vector<double> energies_;         // (nlocal + nghost,) eV, set at our sites
    std::vector<double> forces_;           // (nlocal + nghost + 1, 3) eV/Å
    std::string path_;

    // Uncertainties: compiled and made when asked for. `step_` counts calls of compute(), 0 before the first.
    std::unique_ptr<lacemaker::SiteGrade> grade_;
    std::unique_ptr<lacemaker::SiteCommittee> committee_;
    std::int64_t step_ = 0, grade_step_ = 0, spread_step_ = 0;
    int trigger_ = 0;
    std::vector<double> grades_;                    // (nlocal + nghost + 1,)
    std::vector<double> energy_std_, forces_std_;   // (nlocal + nghost + 1,)
    std::vector<double> member_energies_;           // (k, nlocal + nghost + 1)
    std::vector<double> member_forces_;             // (k, nlocal + nghost + 1, 3)
    double* travelling_ = nullptr;                  // the member whose ghost forces are on their way home
};

}  // namespace LAMMPS_NS
