"""What is heavy is imported when needed, not before."""

import subprocess
import sys


def test_importing_the_room_imports_nothing_heavy():
    code = (
        "import sys, lacemaker.structures;"
        "loaded = {m.split('.')[0] for m in sys.modules};"
        "heavy = {'ase', 'vesin', 'scipy', 'matplotlib', 'torch', 'sklearn'} & loaded;"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
