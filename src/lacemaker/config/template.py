"""The commented configuration that ``lace init`` writes."""

from __future__ import annotations

__all__ = ["data_lines", "template"]

_TEMPLATE = """\
# lacemaker configuration. Units: eV, Å. Relative paths start from the folder of this file.
# Fit with   lace fit {name}        (--dry-run shows size, time and memory first)

data:
{data}
  # keys: {{energy: REF_energy, forces: REF_forces, stress: REF_stress}}   # otherwise found by themselves
  # prefix: dft_                  # or: all labels begin with this
  require: [energy, forces]       # stop if no frame has these; virial or stress is used where present

basis:
  preset: {preset}                 # fast, default or accurate: 122, 319 or 1041 functions for one element
  # max_degree: [20, 16, 12]      # instead of the preset's, one per correlation order: more is dearer, better
  # cutoff: 6.0                   # Å; default 2.5 times the largest bond length; the cost grows as its cube
  # r0: 2.35                      # Å; bond length (tabulated by default), or by pair: {{Si-O: 1.6}}
  # elements: [Si]                # default: those of the data
  # purified: true                # or pair: many-body functions without self-interactions

# What keeps atoms apart where the data end: auto (ZBL core and weak restraint), zbl (core alone) or none.
repulsion: auto

# Energies of the isolated atoms. auto: those of one-atom frames, fitted where there are none.
# Also: isolated_atoms, cohesive, least_squares, average, zero, fit, or a table such as {{Si: -3.2}}
e0: auto

# By config_type, multiplying residuals (energies and virials are divided by √N as well).
weights:
  default: {{energy: 30, forces: 1, virial: 1}}
  # liquid: {{energy: 10}}         # other values for one config_type
  # phonons: {{force_constants: 0.15}}
  # vacancy: {{energy: 10, energy_scaling: total}}   # energies of defects are not divided by √N

# sigmas: {{crystal: {{energy: 0.001, forces: 0.05}}}}   # or expected errors, eV and eV/Å: weight = 1/sigma

prior:                            # how smooth the potential is expected to be
  kind: evidence                  # the data choose; or algebraic (p: 4), exponential, gaussian, soap, none

solver:
  kind: blr                       # Bayesian linear regression: regularisation from the data, nothing to set

output: {output}                  # folder for potential.lace, summary.json, report.html
# export: yace                    # also potential.yace for LAMMPS' ML-PACE; refused now where impossible
# threads: 4                      # default: OMP_NUM_THREADS, or all cores
"""


_HELD_OUT = """\
  test_fraction: 0.1              # held out of the training file; or  test: test.xyz
  seed: 0"""


def template(name: str, train: str, test: str | None, preset: str, output: str = "lace-fit") -> str:
    """The YAML text, with answers filled in."""
    return _TEMPLATE.format(name=name, data=data_lines(train, test), preset=preset, output=_quoted(output))


def data_lines(train: str, test: str | None) -> str:
    """Where structures come from; without a test file some are held out."""
    return f"  train: {_quoted(train)}\n" + (f"  test: {_quoted(test)}" if test else _HELD_OUT)


def _quoted(text: str) -> str:
    """A YAML string, quoted where plain text would be misread."""
    plain = (
        text
        and all(c.isalnum() or c in "._-/~" for c in text)
        and text[0] not in "-~"
        and not text[0].isdigit()
    )
    return text if plain else "'" + text.replace("'", "''") + "'"
