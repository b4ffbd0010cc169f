"""The commented configuration that ``lace init --network`` writes; no PyTorch here."""

from __future__ import annotations

from lacemaker.config.template import data_lines

__all__ = ["template"]

_TEMPLATE = """\
# lacemaker network. Units: eV, Å. Relative paths start from the folder of this file.
# Train with   lace train {name}      (--dry-run shows parameters, time and memory first)

preset: {preset}                 # materials, qm7, ani1x or methane; whatever is given below wins

data:
{data}
  # validation: valid.xyz         # tells when to stop; default: validation_fraction of the training file
  # keys: {{energy: REF_energy, forces: REF_forces, stress: REF_stress}}   # otherwise found by themselves
  # prefix: dft_                  # or: all labels begin with this

# validation_fraction: 0.1

network:
  kind: hip-hop-nn                # or hip-nn (distances), hip-nn-ts (and norms of vectors and quadrupoles)
  # l_max: 3                      # hip-hop-nn: highest multipole, 0 to 3; hip-nn-ts: 1 or 2
  # n_max: 4                      # hip-hop-nn: most factors of an invariant, 1 to 4
  # features: 48                  # width of every layer; the cost grows as its square
  # sensitivities: 8              # radial functions; many of them overfit small data sets
  # interactions: 2               # an atom feels others this many cutoffs away
  # cutoff: 5.5                   # Å; of one interaction
  # group_norm: gated             # on, off, or gated: calm forces where an atom is nearly alone
  # lone_atoms: e0                # an atom without neighbours has exactly the E0 of its element
  # repulsion: none               # zbl: screened nuclear repulsion where no data reach
  # cutoff_function: smooth       # two continuous derivatives at the cutoff instead of one

# Energies of the isolated atoms. auto: those of one-atom frames, fitted where there are none.
# Also: isolated_atoms, least_squares, average, zero, or a table such as {{Si: -3.2}}
e0: auto

# loss: {{energy: 10, forces: 1, virial: 1, energy_per_atom: true}}   # virial: stress
# weights: {{liquid: {{energy: 0.5}}}}   # by config_type, multiplying residuals

# schedule: {{learning_rate: 2e-3, batch_size: 4, max_batch_size: 32, patience: 15, max_epochs: 500}}

seed: 0
# device: auto                    # auto, cpu, cuda or cuda:1
# dtype: float32                  # or float64
# threads: 4                      # default: OMP_NUM_THREADS, or all cores
output: lace-train                # folder for network.lace, summary.json and report.html
"""


def template(name: str, train: str, test: str | None, preset: str) -> str:
    """The YAML text, with answers filled in."""
    return _TEMPLATE.format(name=name, data=data_lines(train, test), preset=preset)
