"""The scratch directory is empty again after every trial."""

import os
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stratlab_runner.scratch import empty_directory

NAMES = st.sampled_from(["0", "1", "2", "a", "b"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.lists(NAMES, min_size=1, max_size=4), st.sampled_from("fdl"))))
def test_empty_directory_any_tree_is_gone(
    tmp_path: Path, entries: list[tuple[list[str], str]]
) -> None:
    for parts, kind in entries:
        path = tmp_path.joinpath(*parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "d":
                path.mkdir()
            elif kind == "l":
                path.symlink_to("nowhere")
            else:
                path.write_text("x")
        except OSError:  # something else has that name already
            continue
    empty_directory(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_empty_directory_follows_no_link(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    empty_directory(inside)
    assert (outside / "kept").exists()
    assert list(inside.iterdir()) == []


def test_empty_directory_path_longer_than_the_kernel_allows_is_gone(tmp_path: Path) -> None:
    home = Path.cwd()
    os.chdir(tmp_path)
    try:
        for _ in range(100):
            Path("d" * 100).mkdir()
            os.chdir("d" * 100)
    finally:
        os.chdir(home)
    empty_directory(tmp_path)
    assert list(tmp_path.iterdir()) == []
