"""Every folder of `examples/` on real parts: applied, used with boto3, its excess refused, deleted. `make demo` tells the same."""

import re

import pytest

from demo.stage import EXAMPLES, Stage
from demo.stories import STORIES
from rig.cluster import load_manifests


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """One cluster and one AWS for all stories; each takes away what it made."""
    stage = Stage(tmp_path_factory.mktemp("stories"))
    try:
        yield stage.start()
    finally:
        stage.stop()


@pytest.mark.parametrize("example", STORIES)
def test_an_example_is_as_told(stage, example):
    STORIES[example](stage).run()


def test_every_example_has_a_story_and_a_row_in_the_table():
    # What the main job refuses is in a folder of its own, because the README shows it.
    folders = {f.name for f in EXAMPLES.iterdir() if f.is_dir()} - {"refused"}
    assert folders == set(STORIES)
    rows = re.findall(r"^\| \[(\S+)\]\(\1\) \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(STORIES)


def test_every_refused_example_says_why_and_would_be_another_object():
    for folder in EXAMPLES.glob("*/refused"):
        names = {m["metadata"]["name"] for f in folder.parent.glob("*.yaml") for m in load_manifests(f.read_text())}
        for file in folder.glob("*.yaml"):
            assert file.read_text().startswith("# "), file
            for manifest in load_manifests(file.read_text()):
                assert manifest["metadata"]["name"] not in names, f"{file} would change what is there"
