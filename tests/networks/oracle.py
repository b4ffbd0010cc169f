"""hippynn 0.1.3 as an oracle: networks in float64 with its own initial weights."""

import contextlib
import sys
import warnings

import numpy as np
import pytest
import torch

COMMON = {
    "n_features": 12,
    "n_sensitivities": 6,
    "dist_soft_min": 0.75,
    "dist_soft_max": 5.0,
    "dist_hard_max": 6.0,
    "n_atom_layers": 2,
    "n_interaction_layers": 2,
    "possible_species": [0, 1, 6, 7, 8],
}


@contextlib.contextmanager
def quiet_float64():
    """hippynn warns on import and builds its tensors in the default precision at that moment."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_default_dtype(before)


def load():
    with quiet_float64():
        if "hippynn" not in sys.modules:
            pytest.importorskip("hippynn")
        import hippynn

        hippynn.settings.PROGRESS = None
        hippynn.custom_kernels.set_custom_kernels(False)
    return hippynn


def network(kind, *, l_max=None, n_max=None, seed=0, first_is_interacting=False, **changes):
    """(network, heads) of hippynn, with group norm and biases away from their initial values."""
    load()
    from hippynn.layers.targets import HEnergy
    from hippynn.networks.hiphop import HipHopNNModule
    from hippynn.networks.hipnn import Hipnn, HipnnQuad, HipnnVec

    classes = {("hip-nn", None): Hipnn, ("hip-nn-ts", 1): HipnnVec, ("hip-nn-ts", 2): HipnnQuad}
    options = {**COMMON, **changes}
    with quiet_float64():
        torch.manual_seed(seed)
        if kind == "hip-hop-nn":
            made = HipHopNNModule(**options, l_max=l_max, n_max=n_max)
            for block in made.blocks:
                layer = block[0].base_layer if made.resnet else block[0]
                if layer.group_norm is not None:
                    torch.nn.init.normal_(layer.group_norm.weight, 1.0, 0.1)
                    torch.nn.init.normal_(layer.group_norm.bias, 0.0, 0.1)
        else:
            made = classes[kind, l_max](**options)
        heads = HEnergy(made.feature_sizes, first_is_interacting=first_is_interacting)
    return made.double(), heads.double()


def evaluate(made, heads, batch):
    """Energies, forces, and hierarchicality (per atom, molecule, batch) of hippynn on one of our batches."""
    vectors = batch.vectors.detach().clone().requires_grad_()
    distance = vectors.norm(dim=1)
    one_hot = torch.eye(4, dtype=torch.float64)[batch.species]
    with quiet_float64():
        extra = () if type(made).__name__ == "Hipnn" else (vectors,)
        features = made(one_hot, batch.centre, batch.neighbour, distance, *extra)
        out = heads(features, batch.structure, batch.n_structures)
        energy, hier_atom, hier_structure, hier_batch = out[0][:, 0], out[3], out[5], out[6]
        (gradient,) = torch.autograd.grad(energy.sum(), vectors)
    forces = torch.zeros(batch.n_atoms, 3, dtype=torch.float64)
    forces.index_add_(0, batch.centre, gradient)
    forces.index_add_(0, batch.neighbour, -gradient)
    if hier_atom.ndim == 2:
        hier_atom, hier_structure = hier_atom[:, 0], hier_structure[:, 0]
    values = (energy, forces, hier_atom, hier_structure, hier_batch.sum())
    return [np.asarray(x.detach()) for x in values]
