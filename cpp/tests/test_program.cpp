// Compiled programs: the sums they stand for, and what pruning does to them.
#include "check.hpp"
#include "lacemaker/program.hpp"
#include "random_model.hpp"

using namespace lacemaker;
using namespace testing;

namespace {

// The energy a program stands for, by walking its arrays.
double run_plainly(const Program& p, std::vector<double> X) {
    for (const StoredProduct& k : p.products) X.push_back(X[k.first] * X[k.second]);
    double energy = 0;
    for (int r = 0; r < p.n_rows(); ++r) energy += p.linear[r] * X[r];
    X.push_back(1.0);
    for (const BlockClass& c : p.classes) {
        const std::int32_t* index = p.index.data() + c.index;
        const double* w = p.weights.data() + c.weight;
        for (int block = 0; block < c.n_blocks; ++block, index += 2 + c.n_gamma, w += c.run * (1 + c.n_gamma))
            for (int k = 0; k < c.run; ++k) {
                double s = w[k];
                for (int g = 0; g < c.n_gamma; ++g) s += w[c.run * (1 + g) + k] * X[index[2 + g]];
                energy += X[index[0]] * X[index[1] + k] * s;
            }
    }
    return energy;
}

FlatTerms terms_of(const ModelTerms& m, int centre) {
    const int begin = m.term_centre[centre];
    return {m.term_centre[centre + 1] - begin, m.term_first.data() + begin, m.term_index.data(),
            m.term_weight.data() + begin};
}

void program_equals_its_terms(const Tables& t, const ModelTerms& m, int max_run, std::mt19937& rng) {
    std::uniform_real_distribution<double> u(-1.0, 1.0);
    for (int centre = 0; centre < t.n_species; ++centre) {
        const FlatTerms flat = terms_of(m, centre);
        const Program p = compile_program(t, centre, flat, max_run);
        RowLayout layout;
        const std::vector<Monomial> monomials = normalise_terms(t, centre, flat, layout);
        std::vector<double> X(layout.n_a);
        for (double& x : X) x = u(rng);
        double energy = 0;
        for (const Monomial& k : monomials) {
            double product = k.weight;
            for (std::int32_t r : k) product *= X[r];
            energy += product;
        }
        CHECK(check::close(run_plainly(p, X), energy, 1e-12));
        CHECK(p.n_terms == monomials.size());
    }
}

}  // namespace

int main() {
    std::mt19937 rng(5);
    for (int trial = 0; trial < 6; ++trial) {
        const Tables t = random_tables(rng, 1 + trial % 3, 1 + trial % 5, trial % 4);
        ModelTerms m = random_terms(rng, t, 6, trial == 0 ? 3 : 80);
        for (int max_run : {1, 3, 6}) program_equals_its_terms(t, m, max_run, rng);
        const Program full = compile_program(t, 0, terms_of(m, 0), 6);
        for (std::size_t k = 0; k < m.term_weight.size(); ++k)
            if (k % 5) m.term_weight[k] = 0;
        const Program pruned = compile_program(t, 0, terms_of(m, 0), 6);
        CHECK(pruned.n_terms <= full.n_terms && pruned.layout.n_a <= full.layout.n_a);
        program_equals_its_terms(t, m, 6, rng);
    }
    return check::finish();
}
