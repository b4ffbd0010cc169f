"""The dry run: exact sizes, memory within a fifth of what is then used."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from regression_helpers import SyntheticRows, labelled

from lacemaker.errors import DataError
from lacemaker.regression import assemble, estimate

SOURCE = SyntheticRows(30)
FRAMES = labelled(SOURCE, 25)

MEASURE = """
import json, sys
sys.path.insert(0, {helpers!r})
import numpy as np
from regression_helpers import SyntheticRows, make_frame
from lacemaker.regression import assemble, estimate, solve

source = SyntheticRows(600, elements=("H",))
rng = np.random.default_rng(0)
frames = []
for i in range(40):
    n = 60
    frames.append(make_frame(i, numbers=np.ones(n), positions=rng.random((n, 3)), energy=1.0,
                             forces=np.ones((n, 3)), virial=np.ones(6), config_type="ab"[i % 2]))
told = estimate(source, frames, n_threads={threads})
solve(assemble(source, frames, n_threads={threads}))
status = open("/proc/self/status").read()  # not ru_maxrss, which a child inherits from its parent
peak = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024
print(json.dumps([told.bytes_peak, peak]))
"""


def test_sizes_are_exact():
    told, system = estimate(SOURCE, FRAMES), assemble(SOURCE, FRAMES)
    assert told.n_rows == system.n_rows
    assert told.n_columns == system.n_columns
    assert told.bytes_system == system.nbytes
    assert told.rows == {"energy": 25, "forces": 3 * told.n_atoms, "virial": 150}
    assert told.n_atoms == sum(len(frame.numbers) for frame in FRAMES)
    assert min(told.seconds_rows, told.seconds_qr, told.seconds_solve) > 0


def test_an_estimate_reads_as_text_and_json():
    told = estimate(SOURCE, FRAMES, n_threads=2)
    assert f"{told.n_rows} rows (25 energy, " in str(told)
    assert "on 2 threads" in str(told)
    assert json.loads(json.dumps(told.to_dict()))["n_rows"] == told.n_rows
    with pytest.raises(DataError, match="Found 0 structures"):
        estimate(SOURCE, [])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="resident memory is read from /proc")
@pytest.mark.parametrize("threads", [1, 2])
def test_memory_is_within_a_fifth_of_the_measured_peak(threads):
    script = MEASURE.format(helpers=str(Path(__file__).parent), threads=threads)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    told, measured = json.loads(done.stdout)
    assert told == pytest.approx(measured, rel=0.2)
    assert np.isfinite(told)
