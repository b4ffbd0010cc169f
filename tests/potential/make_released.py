"""Write ``released/<version>.lace`` and its expected values: once per release; never change the files after.

    python tests/potential/make_released.py 0.1.0

Energies come from the independent reader `lace_reader`, not from the kernel that the files will test.
"""

import json
import sys
from pathlib import Path

import lace_reader
import numpy as np
from ase import Atoms

import lacemaker as lace
from lacemaker.basis import ZBL

FOLDER = Path(__file__).parent / "released"


def main(version):
    rng = np.random.default_rng(11)
    cutoffs = {"O-O": 3.5, "O-Si": 3.8, "Si-Si": 4.2}
    basis = lace.ACEBasis(["O", "Si"], 4, [5, 4, 4, 4], cutoff=cutoffs, repulsion=ZBL())
    path = FOLDER / f"{version}.lace"
    lace.Potential(basis, rng.normal(size=basis.n_functions), [-1.5, -3.0], {"licence": "CC0-1.0"}).save(path)
    atoms = Atoms("OSiO", [[0, 0, 0], [1.2, 0.9, 0.4], [0.1, 1.7, 2.0]], cell=[3, 3.4, 3.7], pbc=True)
    cell, pbc = atoms.cell.array, atoms.pbc
    energies = lace_reader.site_energies(lace_reader.read(path)[1], atoms.numbers, atoms.positions, cell, pbc)
    expected = {
        "numbers": atoms.numbers.tolist(),
        "positions": atoms.positions.tolist(),
        "cell": cell.tolist(),
        "pbc": pbc.tolist(),
        "energies": energies.tolist(),
    }
    path.with_suffix(".json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
