"""No kernel object may define a symbol that the linker could merge with another instruction set's.

Usage: check_symbols.py NM OBJECT...   Every weak (mergeable) symbol of kernels_<isa> must lie in
lacemaker::<isa>.
"""

import re
import subprocess
import sys


def stray_symbols(nm: str, path: str) -> list[str]:
    isa = re.search(r"kernels_(\w+)\.dir", path)
    if isa is None:
        raise SystemExit(f"{path}: not a kernel object")
    command = [nm, "-C", "--defined-only", path]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    weak = re.findall(r"^\w* *[WVuU] (.*)$", listing, flags=re.MULTILINE)
    return [name for name in weak if f"lacemaker::{isa[1]}::" not in name]


def main() -> int:
    nm, *objects = sys.argv[1:]
    stray = {path: found for path in objects if (found := stray_symbols(nm, path))}
    for path, names in stray.items():
        print(f"{path} defines symbols without an instruction set in their names:", *names, sep="\n    ")
    print(f"{len(objects)} objects, {len(stray)} with stray symbols")
    return 1 if stray else 0


if __name__ == "__main__":
    sys.exit(main())
