"""Speed of HIP-NN networks against hippynn 0.1.3 with numba on one core: inference and training.

Same sizes as the reference figures: HCNO, cutoff 6.5 Å, 20 sensitivities, 2 interactions, 3 atom layers,
float32, pairs given. Median process CPU time; the two codes take turns.

    taskset -c 1 python benchmarks/networks.py          # everything stated in docs/networks.md
    taskset -c 1 python benchmarks/networks.py --nets hop34 --features 128 --systems water
    python benchmarks/networks.py --device cuda --systems water "64 water" "1024 ethanol"   # wall time, ours alone
"""

import argparse
import os
import statistics
import time
import warnings
from types import SimpleNamespace

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np
import torch
from ase.build import molecule

from lacemaker.networks.backend import choose_device
from lacemaker.networks.graphs import Batch, Graph
from lacemaker.networks.network import Network
from lacemaker.networks.options import NetworkOptions

ORDER = {1: 0, 6: 1, 7: 2, 8: 3}
NETS = {
    "hip-nn": {"kind": "hip-nn"},
    "ts1": {"kind": "hip-nn-ts", "l_max": 1},
    "ts2": {"kind": "hip-nn-ts", "l_max": 2},
    "hop23": {"l_max": 2, "n_max": 3},
    "hop24": {"l_max": 2, "n_max": 4},
    "hop34": {"l_max": 3, "n_max": 4},
}


def water() -> SimpleNamespace:
    """64 molecules at 1 g/cm³, randomly turned: 192 atoms, about 109 pairs per atom within 6.5 Å."""
    rng, one = np.random.default_rng(0), molecule("H2O")
    length = (64 * 18.015 / 0.6022) ** (1 / 3)
    positions, numbers = [], []
    for site in np.ndindex(4, 4, 4):
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        positions.append(one.positions @ turn + (np.array(site) + 0.5) * length / 4 + rng.normal(0, 0.1, 3))
        numbers += list(one.numbers)
    return SimpleNamespace(
        numbers=np.array(numbers),
        positions=np.vstack(positions),
        cell=np.eye(3) * length,
        pbc=np.ones(3, bool),
    )


def ethanol() -> SimpleNamespace:
    atoms = molecule("CH3CH2OH")
    return SimpleNamespace(
        numbers=atoms.numbers, positions=atoms.positions, cell=np.zeros((3, 3)), pbc=np.zeros(3, bool)
    )


def batch_of(structures, device: str) -> Batch:
    graphs = [Graph.of(s, np.array([ORDER[int(z)] for z in s.numbers]), 6.5) for s in structures]
    return Batch.of(graphs, torch.float32, device)


SYSTEMS = {
    "ethanol": lambda: [ethanol()],
    "water": lambda: [water()],
    "32 ethanol": lambda: [ethanol()] * 32,
    "64 water": lambda: [water()] * 64,
    "1024 ethanol": lambda: [ethanol()] * 1024,
}


def ours(net: str, features: int, batch: Batch):
    torch.manual_seed(0)
    network = Network(NetworkOptions(**NETS[net], features=features), 4).to(batch.vectors.device)

    def infer() -> None:
        network.evaluate(batch)

    def train() -> None:
        network.zero_grad(set_to_none=True)
        result = network.evaluate(batch, training=True)
        (result.energy.square().mean() + result.forces().square().mean()).backward()

    def frozen() -> None:
        network.requires_grad_(False)
        infer()
        network.requires_grad_(True)

    return frozen, train


def hippynn(net: str, features: int, batch: Batch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import hippynn as reference
        from hippynn.layers.targets import HEnergy
        from hippynn.networks.hiphop import HipHopNNModule
        from hippynn.networks.hipnn import Hipnn, HipnnQuad, HipnnVec

        reference.custom_kernels.set_custom_kernels("numba")
        torch.manual_seed(0)
        options = {"n_features": features, "n_sensitivities": 20, "dist_soft_min": 0.75, "dist_soft_max": 5.5,
                       "dist_hard_max": 6.5, "n_atom_layers": 3, "n_interaction_layers": 2,
                       "possible_species": [0, 1, 6, 7, 8]}  # fmt: skip
        classes = {"hip-nn": Hipnn, "ts1": HipnnVec, "ts2": HipnnQuad}
        if net in classes:
            made = classes[net](**options)
        else:
            made = HipHopNNModule(**options, l_max=NETS[net]["l_max"], n_max=NETS[net]["n_max"])
    heads = HEnergy(made.feature_sizes)
    one_hot = torch.eye(4)[batch.species]

    def energy_and_forces(create: bool):
        vectors = batch.vectors.detach().clone().requires_grad_()
        extra = () if net == "hip-nn" else (vectors,)
        features = made(one_hot, batch.centre, batch.neighbour, vectors.norm(dim=1), *extra)
        energy = heads(features, batch.structure, batch.n_structures)[0]
        (gradient,) = torch.autograd.grad(energy.sum(), vectors, create_graph=create)
        forces = torch.zeros(batch.n_atoms, 3).index_add(0, batch.centre, gradient)
        return energy, forces.index_add(0, batch.neighbour, -gradient)

    trainable = [p for m in (made, heads) for p in m.parameters() if p.requires_grad]

    def infer() -> None:
        for p in trainable:
            p.requires_grad_(False)
        energy_and_forces(False)
        for p in trainable:
            p.requires_grad_(True)

    def train() -> None:
        for p in trainable:
            p.grad = None
        energy, forces = energy_and_forces(True)
        (energy.square().mean() + forces.square().mean()).backward()

    return infer, train


def gpu_clock() -> float:
    torch.cuda.synchronize()
    return time.perf_counter()


def in_turn(functions, seconds: float, clock=time.process_time) -> list[float]:
    """Median seconds of each function, called in turn for `seconds` (at least 5 times each)."""
    for function in functions:
        function()
        function()
    times = [[] for _ in functions]
    start = time.perf_counter()
    while len(times[0]) < 5 or time.perf_counter() - start < seconds:
        for function, mine in zip(functions, times, strict=True):
            begin = clock()
            function()
            mine.append(clock() - begin)
    return [statistics.median(mine) for mine in times]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nets", nargs="+", default=list(NETS), choices=NETS)
    parser.add_argument("--features", nargs="+", type=int, default=[20, 128])
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS)[:3], choices=SYSTEMS)
    parser.add_argument("--seconds", type=float, default=4.0, help="per measurement")
    parser.add_argument("--alone", action="store_true", help="leave hippynn out")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda: then the plain PyTorch version, alone")
    options = parser.parse_args()
    torch.set_num_threads(1)
    alone, clock = options.alone, time.process_time
    if choose_device(options.device) != "cpu":
        alone, clock = True, gpu_clock
        print(torch.cuda.get_device_name(options.device))
    print(f"torch {torch.__version__}, {torch.get_num_threads()} thread; µs/atom: ours / hippynn = speed-up")
    for name in options.systems:
        batch = batch_of(SYSTEMS[name](), options.device)
        print(f"{name}: {batch.n_atoms} atoms, {len(batch.centre) / batch.n_atoms:.0f} pairs per atom")
        for features in options.features:
            for net in options.nets:
                mine = ours(net, features, batch)
                other = (None, None) if alone else hippynn(net, features, batch)
                cells = []
                for label, a, b in zip(("E+F", "training step"), mine, other, strict=True):
                    found = in_turn([a] if b is None else [a, b], options.seconds, clock)
                    shown = [f"{1e6 * x / batch.n_atoms:8.0f}" for x in found]
                    ratio = f" = {found[1] / found[0]:5.2f}" if b is not None else ""
                    cells.append(f"{label} {' / '.join(shown)}{ratio}")
                print(f"  F {features:3d} {net:7s} {';  '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
