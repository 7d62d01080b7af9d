"""A tag is a claim of whoever could push it: what it publishes has to be what was reviewed."""

import subprocess
from pathlib import Path

import pytest
from releasing import tag


class Repository:
    """A clone, in which `main` is the remote's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch", "main")
        self.commit("reviewed")
        self.git("update-ref", tag.MAIN, "HEAD")

    def git(self, *words: str) -> str:
        """Runs git."""
        who = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"]
        done = subprocess.run(["git", "-C", self.folder, *who, *words], check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout.strip()

    def commit(self, name: str) -> str:
        """One more commit."""
        (self.folder / name).write_text(name)
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", name)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """With one commit on the main branch."""
    return Repository(tmp_path)


def test_a_commit_of_the_main_branch_may_be_published(repository: Repository) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.git("tag", "v1.2.3")
    assert tag.checked("v1.2.3", "1.2.3", repository.folder) == first
    # An annotated tag, too, and one that the main branch has left behind.
    repository.git("tag", "--annotate", "--message", "x", "v1.2.4")
    repository.commit("next")
    repository.git("update-ref", tag.MAIN, "HEAD")
    repository.git("checkout", "--quiet", "v1.2.4")
    assert tag.checked("v1.2.4", "1.2.4", repository.folder) == first


def refused(repository: Repository, name: str = "v1.2.3") -> str:
    """Why nothing is published."""
    with pytest.raises(SystemExit) as end:
        tag.checked(name, "1.2.3", repository.folder)
    return str(end.value)


def test_whatever_was_not_merged_is_not_published(repository: Repository) -> None:
    repository.commit("not reviewed")
    repository.git("tag", "v1.2.3")
    assert "is not on the main branch" in refused(repository)


def test_without_a_main_branch_to_look_at_nothing_is_published(repository: Repository) -> None:
    repository.git("tag", "v1.2.3")
    repository.git("update-ref", "-d", tag.MAIN)
    assert "git fetch origin main" in refused(repository)


def test_what_is_published_is_what_the_tag_names(repository: Repository) -> None:
    assert "is not v1.2.3, the version" in refused(repository, "v1.2.4")
    assert "rev-parse" in refused(repository)
    repository.git("tag", "v1.2.3")
    (repository.folder / "reviewed").write_text("changed")
    assert "files differ from the tag" in refused(repository)
    repository.git("checkout", "--quiet", ".")
    repository.commit("next")
    assert "checked out is" in refused(repository)
