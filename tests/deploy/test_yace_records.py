"""Large ``.yace`` files are read all records at once: the same numbers, the same errors, no slow detours."""

import numpy as np
import pytest
from yace_cases import random_model

from lacemaker.deploy.yace import Embedding, parse_yace, reading, text, yace_text
from lacemaker.errors import FileFormatError

TWO_DENSITIES = Embedding("FinnisSinclair", np.array([1.0, 0.3]), np.array([1.0, 0.5]))


@pytest.fixture(scope="module")
def model():
    return random_model(np.random.default_rng(16), embedding=TWO_DENSITIES)


def slow(*_):
    pytest.fail("the slow way")


def test_records_mean_the_same_one_by_one(model, monkeypatch):
    """Ranks mixed, integers for numbers, a key that no reader needs."""
    head, records = yace_text(model).split("functions:\n")
    lines = records.splitlines()
    second = lines.index("  1:")
    mixed = np.random.default_rng(17).permutation(lines[1:second]).tolist()
    ranks = [line.split("rank: ")[1][0] for line in mixed]
    assert ranks != sorted(ranks)
    odd = "\n".join([lines[0], *mixed, *lines[second:]]).replace("{mu0: 1,", "{remark: kept, mu0: 1,")
    start = odd.index("ctildes: [") + len("ctildes: [")
    odd = f"{head}functions:\n{odd[:start]}3{odd[odd.index(',', start) :]}\n"
    at_once = parse_yace(odd)
    with monkeypatch.context() as patch:
        patch.setattr(reading, "quick_terms", lambda *_: None)
        one_by_one = parse_yace(odd)
    assert yace_text(at_once) == yace_text(one_by_one)
    assert at_once.n_terms == model.n_terms
    assert any(3.0 in terms.weights for terms in at_once.terms[0])


def test_files_as_they_are_written_take_no_detour(model, monkeypatch):
    monkeypatch.setattr(reading, "_function", slow)
    monkeypatch.setattr(text, "_by_yaml", slow)
    assert yace_text(parse_yace(yace_text(model))) == yace_text(model)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rank", "99999999999999999999"), ("rank", "true"), ("rank", "1.0"), ("rank", "[1]"),
        ("num_ms_combs", "0"), ("ndensity", "1"), ("mus", "[0.0]"), ("mus", "[-1]"), ("mus", "[2]"),
        ("mus", "0"), ("ns", "[0]"), ("ns", "[true]"), ("ns", "[]"), ("ls", "[1]"), ("ls", "[-1]"),
        ("ms_combs", "[x]"), ("ctildes", "[1.0]"), ("ctildes", "[1.0, [2.0]]"),
        ("ctildes", "[1.0, .nan]"), ("ctildes", "[1.0, 1e999]"), ("ctildes", "zz"),
    ],
)  # fmt: skip
def test_the_record_that_is_wrong_is_named(model, field, value):
    """The last record of rank 1 of the second element, so that many good ones come before."""
    whole = yace_text(model)
    start = whole.rindex("    - {mu0: 1, rank: 1")
    end = whole.index("\n", start)
    record = whole[start:end]
    value_at = record.index(f" {field}: ") + len(f" {field}: ")
    value_end = record.index("]", value_at) + 1 if record[value_at] == "[" else record.index(",", value_at)
    number = whole[whole.index("  1:\n    -") : start].count("    - ")
    with pytest.raises(FileFormatError, match=f"function {number} of element 1"):
        parse_yace(whole[:start] + record[:value_at] + value + record[value_end:] + whole[end:])


def test_a_copy_that_stopped_is_told_at_once(model, monkeypatch):
    whole = yace_text(model)
    monkeypatch.setattr(text, "_by_yaml", slow)
    for n in (whole.index("ctildes: [") + 15, whole.index("radcoefficients") + 30, len(whole) - 3):
        with pytest.raises(FileFormatError, match="ends within a line"):
            parse_yace(whole[:n])
