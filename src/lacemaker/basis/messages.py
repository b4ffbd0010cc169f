"""Three-part error messages of the basis room."""

from lacemaker.errors import BasisError, problem


def basis_error(wrong: str, found: object, todo: str) -> BasisError:
    """A `BasisError` that says what is wrong, what was found and what to do."""
    return problem(BasisError, wrong, found, todo)


def check_integer(name: str, value: object, low: int, high: int) -> None:
    """Raise a `BasisError` unless `value` is an integer in [low, high]."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise basis_error(f"{name} must be an integer from {low} to {high}", repr(value), "correct it")


def check_number(name: str, value: object, low: float, high: float) -> None:
    """Raise a `BasisError` unless `value` is a number in (low, high]."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not low < value <= high:
        raise basis_error(f"{name} must be a number above {low:g}, up to {high:g}", repr(value), "correct it")
