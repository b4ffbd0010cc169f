"""The fused kernels agree with their plain twins, to second derivatives, for all widths and degrees."""

import pytest

torch = pytest.importorskip("torch")

from molecules import batch, ethanol, small_crystal, structure  # noqa: E402
from test_networks_symmetry import KINDS, network  # noqa: E402

from lacemaker import _core  # noqa: E402
from lacemaker.networks import fused, fused_layers  # noqa: E402
from lacemaker.networks import messages as messages_module  # noqa: E402
from lacemaker.networks.interactions import plain_group_norm  # noqa: E402
from lacemaker.networks.invariants import plain_invariants  # noqa: E402
from lacemaker.networks.messages import chunked_messages, plain_messages  # noqa: E402
from lacemaker.networks.sensitivity import plain_sensitivities  # noqa: E402
from lacemaker.networks.tensors import plain_pair_tensors  # noqa: E402

needs_kernels = pytest.mark.skipif(
    not fused.usable(torch.zeros(1)), reason="the core was built without these kernels"
)
pytestmark = needs_kernels

WIDTHS = [1, 3, 5, 8, 20, 37, 64, 131]
TOLERANCE = {torch.float64: 1e-12, torch.float32: 3e-5}


def derivatives(function, inputs):
    """Value, first derivatives along a random direction, and the derivatives of their random sum."""
    generator = torch.Generator().manual_seed(7)

    def random(x):
        return torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x.dtype)

    inputs = [x.detach().clone().requires_grad_() for x in inputs]
    value = function(*inputs)
    g = random(value).requires_grad_()
    first = torch.autograd.grad(value, inputs, g, create_graph=True)
    total = sum((a * random(a)).sum() for a in first)
    second = torch.autograd.grad(total, [*inputs, g], materialize_grads=True)
    return [value, *first, *second]


def agree(a, b, tolerance):
    for x, y in zip(a, b, strict=True):
        x, y = x.detach(), y.detach()
        assert float((x - y).abs().max()) <= tolerance * max(1.0, float(y.abs().max()))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("n_c", [1, 4, 9, 16])
def test_messages_and_their_derivatives(width, n_c, dtype):
    data = batch(ethanol(), structure([8], [[0, 0, 0]]), small_crystal(), dtype=dtype)
    generator = torch.Generator().manual_seed(width)
    n_pairs = len(data.centre)
    inputs = [
        torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
        for shape in ((n_pairs, 6), (n_pairs, n_c), (data.n_atoms, 6, width))
    ]
    ours = derivatives(lambda s, t, y: fused.messages(s, t, y, data.first, data.neighbour), inputs)
    theirs = derivatives(lambda s, t, y: plain_messages(s, t, y, data), inputs)
    agree(ours, theirs, TOLERANCE[dtype] * 10)


@pytest.mark.parametrize("largest", [1, 16 * 8 * 7, 1 << 24])
@pytest.mark.parametrize("fixed", [(), (2,), (0, 1)], ids=["all", "no y", "y alone"])
def test_messages_in_chunks_and_their_derivatives(largest, fixed, monkeypatch):
    monkeypatch.setattr(messages_module, "LARGEST", largest)
    data = batch(ethanol(), structure([8], [[0, 0, 0]]), small_crystal())
    generator = torch.Generator().manual_seed(5)
    shapes = ((len(data.centre), 6), (len(data.centre), 16), (data.n_atoms, 6, 8))
    inputs = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    moving = [x for k, x in enumerate(inputs) if k not in fixed]

    def of_moving(function):
        def called(*given):
            rest = iter(given)
            return function(*[x if k in fixed else next(rest) for k, x in enumerate(inputs)], data)

        return called

    ours, theirs = (derivatives(of_moving(f), moving) for f in (chunked_messages, plain_messages))
    agree(ours, theirs, 1e-11)


def test_chunks_never_store_all_pairs():
    """Of a training step autograd keeps nothing of size pairs × n_ν × F or pairs × C × F."""
    data = batch(*[small_crystal(k) for k in range(4)])
    shapes = ((len(data.centre), 6), (len(data.centre), 16), (data.n_atoms, 6, 8))
    largest = {}
    for function in (chunked_messages, plain_messages):
        inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
        sizes = [0]

        def note(x, sizes=sizes):
            sizes.append(x.numel())
            return x

        with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
            first = torch.autograd.grad(function(*inputs, data).square().sum(), inputs, create_graph=True)
            sum(x.square().sum() for x in first).backward()
        largest[function.__name__] = max(sizes)
    assert largest["chunked_messages"] <= max(16 * len(data.centre), 16 * 8 * data.n_atoms)
    assert largest["plain_messages"] >= 6 * 8 * len(data.centre)


def test_messages_of_features_in_any_memory_order():
    data = batch(ethanol(), small_crystal())
    generator = torch.Generator().manual_seed(2)
    shapes = ((len(data.centre), 6), (len(data.centre), 4), (data.n_atoms, 6, 8))
    inputs = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    turned = [x.movedim(0, -1).contiguous().movedim(-1, 0) for x in inputs]
    assert not any(x.is_contiguous() for x in turned)
    functions = (lambda s, t, y: fused.messages(s, t, y, data.first, data.neighbour),
                 lambda s, t, y: chunked_messages(s, t, y, data))  # fmt: skip
    theirs = derivatives(lambda s, t, y: plain_messages(s, t, y, data), inputs)
    for function in functions:
        agree(derivatives(function, turned), theirs, 1e-11)


def test_a_kernel_never_writes_into_a_copy():
    with pytest.raises(ValueError, match="contiguous"):
        fused.outputs(torch.zeros(3, 4).T)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("l_max", "n_max"), [(2, 2), (2, 3), (2, 4), (3, 2), (3, 3), (3, 4)])
def test_invariants_and_their_derivatives(width, l_max, n_max, dtype):
    shape = (5, (l_max + 1) ** 2, width)
    m = torch.randn(shape, generator=torch.Generator().manual_seed(width), dtype=torch.float64).to(dtype)
    ours = derivatives(lambda x: fused.invariants(x, l_max, n_max), [m])
    theirs = derivatives(lambda x: plain_invariants(x, l_max, n_max), [m])
    agree(ours, theirs, TOLERANCE[dtype] * 10)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("width", [w for w in WIDTHS if w > 1])
@pytest.mark.parametrize("n_x", [1, 13])
def test_group_norm_and_its_derivatives(width, n_x, dtype):
    generator = torch.Generator().manual_seed(width)
    shapes = ((7, n_x, width), (n_x, width), (n_x, width))
    inputs = [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]
    ours = derivatives(lambda x, w, b: fused_layers.group_norm(x, w, b, 1e-2), inputs)
    theirs = derivatives(lambda x, w, b: plain_group_norm(x, w, b, 1e-2), inputs)
    agree(ours, theirs, TOLERANCE[dtype] * 10)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("width", WIDTHS)
def test_sensitivities_and_their_derivatives(width, dtype):
    generator = torch.Generator().manual_seed(width)
    r, f = torch.rand((2, 700), generator=generator, dtype=torch.float64) + 0.8
    mu, sigma = torch.rand((2, width), generator=generator, dtype=torch.float64) + 0.9
    inputs = [x.to(dtype) for x in (r, f, mu, 30 * sigma)]  # exponents from 0 to -500
    ours = derivatives(fused_layers.sensitivities, inputs)
    theirs = derivatives(plain_sensitivities, inputs)
    agree(ours, theirs, TOLERANCE[dtype] * 10)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("l_max", [1, 2, 3])
def test_tensors_of_pairs_and_their_derivatives(l_max, dtype):
    x = torch.randn((50, 3), generator=torch.Generator().manual_seed(l_max), dtype=torch.float64).to(dtype)

    def of_vectors(tensors):  # the two differ off the unit sphere
        return lambda v: tensors(v / torch.linalg.vector_norm(v, dim=1, keepdim=True), l_max)

    ours = derivatives(of_vectors(fused_layers.pair_tensors), [x])
    theirs = derivatives(of_vectors(plain_pair_tensors), [x])
    agree(ours, theirs, TOLERANCE[dtype] * 10)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_decay_is_exact_to_rounding_and_ends_in_zero(dtype):
    r = 1 / torch.linspace(1, 60, 5001, dtype=dtype)
    one = torch.ones(16, dtype=dtype)
    found = fused_layers.sensitivities(r, torch.ones_like(r), one, one)[:, 5]
    exact = torch.exp(-0.5 * (1 / r - 1).double().square())
    normal = exact > (1e-260 if dtype == torch.float64 else 1e-26)
    assert float((found.double() / exact - 1)[normal].abs().max()) < 6000 * torch.finfo(dtype).eps
    assert (found[~normal] < 1e-25).all()
    assert found[-1] == 0
    assert found[0] == 1


def test_derivatives_of_layers_by_finite_differences():
    generator = torch.Generator().manual_seed(3)
    x, w, b = (torch.randn(s, generator=generator, dtype=torch.float64) for s in ((3, 2, 6), (2, 6), (2, 6)))
    r, f, mu, sigma = (torch.rand(n, generator=generator, dtype=torch.float64) + 1.0 for n in (9, 9, 5, 5))
    for function, inputs in (
        (lambda *a: fused_layers.group_norm(*a, 1e-5), (x, w, b)),
        (fused_layers.sensitivities, (r, f, mu, sigma)),
    ):
        inputs = [x.requires_grad_() for x in inputs]
        assert torch.autograd.gradcheck(function, inputs)
        assert torch.autograd.gradgradcheck(function, inputs)


def training_gradient(net, data):
    result = net.evaluate(data, training=True)
    total = result.energy.square().sum() + result.forces().square().sum() + result.virial().abs().sum()
    return [
        result.energy,
        result.forces(),
        *torch.autograd.grad(total, list(net.parameters()), allow_unused=True),
    ]


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_networks_train_alike_with_and_without_kernels(options, monkeypatch):
    net, data = network(**options), batch(ethanol(), small_crystal(), structure([6], [[0, 0, 0]]))
    ours = training_gradient(net, data)
    monkeypatch.setenv("LACEMAKER_NETWORK_KERNELS", "plain")
    assert not fused.usable(data.vectors)
    theirs = training_gradient(net, data)
    assert [x is None for x in ours] == [x is None for x in theirs]
    agree([x for x in ours if x is not None], [x for x in theirs if x is not None], 1e-10)


@pytest.mark.parametrize("isa", _core.isas())
def test_every_instruction_set_agrees_with_the_plain_twins(isa):
    _core.choose_message_isa(isa)
    try:
        for dtype in TOLERANCE:
            test_messages_and_their_derivatives(37, 16, dtype)
            test_invariants_and_their_derivatives(37, 3, 4, dtype)
            test_group_norm_and_its_derivatives(37, 13, dtype)
            test_sensitivities_and_their_derivatives(37, dtype)
            test_tensors_of_pairs_and_their_derivatives(3, dtype)
    finally:
        _core.choose_message_isa("auto")


def test_threads_change_nothing_but_rounding():
    net, data = network(features=33), batch(*[small_crystal(k) for k in range(30)])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = training_gradient(net, data)
        torch.set_num_threads(3)
        three = training_gradient(net, data)
        again = training_gradient(net, data)
    finally:
        torch.set_num_threads(before)
    agree(three, one, 1e-11)
    assert [a is None for a in three] == [b is None for b in again]
    assert all(a is None or torch.equal(a, b) for a, b in zip(three, again, strict=True))


def test_wrong_shapes_are_refused():
    data = batch(ethanol())
    s, t = torch.zeros(len(data.centre), 6), torch.zeros(len(data.centre), 4)
    y = torch.zeros(9, 6, 8)
    fused.messages(s, t, y, data.first, data.neighbour)
    with pytest.raises(ValueError, match="as many sensitivities"):
        fused.messages(s, t, y[:, :5].contiguous(), data.first, data.neighbour)
    with pytest.raises(ValueError, match="neighbour outside"):
        fused.messages(s, t, y, data.first, data.neighbour + 5)
    with pytest.raises(ValueError, match="one row per pair"):
        fused.messages(s[:-1].contiguous(), t, y, data.first, data.neighbour)
