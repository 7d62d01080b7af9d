"""What may be published under a tag: what the tag names, and only what the main branch has."""

from pathlib import Path

from releasing.common import ROOT, fail, run

MAIN = "refs/remotes/origin/main"
"""Whoever may push a tag may push any commit with it; what is on this branch was reviewed."""


def checked(tag: str, number: str, root: Path = ROOT) -> str:
    """The commit of `tag`. Ends where the tag is not that of version `number`, is not what is checked out, or is not on the main branch."""

    def git(*words: str) -> str:
        return run("git", "-C", root, *words).strip()

    if tag != f"v{number}":
        fail(f"the tag {tag} is not v{number}, the version in Cargo.toml")
    commit, tagged = git("rev-parse", "HEAD"), git("rev-parse", "--verify", f"refs/tags/{tag}^{{commit}}")
    if tagged != commit:
        fail(f"the tag {tag} is {tagged}, checked out is {commit}")
    changed = git("status", "--porcelain")
    if changed:
        fail(f"files differ from the tag {tag}; what is published has to be what the tag names:\n{changed}")
    if not git("for-each-ref", MAIN):
        fail(f"there is no {MAIN} to see whether the tag {tag} is on the main branch: git fetch origin main")
    if git("rev-list", "--max-count=1", commit, f"^{MAIN}"):
        fail(f"the tag {tag} is {commit}, which is not on the main branch ({MAIN}): only what was merged there is published")
    return commit
