"""Helpers shared by the tests of the command line."""


def config_with(folder, old, new):
    """Replace text in a job's configuration."""
    path = folder / "config.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
