"""The site of the documents: which pages it has, where their links lead, and that one which leads nowhere is found."""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest
from rig.tools import ROOT


@pytest.fixture(scope="module")
def docs() -> ModuleType:
    """hack/docs as a module."""
    loader = SourceFileLoader("hack_docs", str(ROOT / "hack/docs"))
    made = module_from_spec(spec_from_loader("hack_docs", loader))
    loader.exec_module(made)
    return made


def test_pages_have_their_paths_from_the_root(docs: ModuleType) -> None:
    summary, pages = docs.contents()
    assert {"README.md", "SECURITY.md", "docs/README.md", "docs/faq.md", "docs/reference/awsrole.md"} <= set(pages)
    assert "](docs/faq.md)" in summary and "](../" not in summary
    assert [page for page in pages if not (ROOT / page).is_file()] == []


def test_a_link_to_what_is_no_page_leads_to_the_repository(docs: ModuleType) -> None:
    pages = ["README.md", "docs/faq.md", "docs/questions.md"]
    for link, expected in [
        ("questions.md#x", "questions.md#x"),
        ("../README.md", "../README.md"),
        ("#here", "#here"),
        ("https://aws.amazon.com/iam/", "https://aws.amazon.com/iam/"),
        ("../examples/productionapp", f"{docs.SOURCE}/tree/main/examples/productionapp"),
        ("../tests/rig/README.md#x", f"{docs.SOURCE}/blob/main/tests/rig/README.md#x"),
    ]:
        assert docs.with_links("docs/faq.md", f"see [it]({link}).", pages) == f"see [it]({expected})."


def test_a_link_that_leads_nowhere_is_found(docs: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/b.html").write_text('<h2 id="there">b</h2><a href="../a.html">a</a>')
    (tmp_path / "a.html").write_text(
        '<h1 id="top">a</h1><a href="#top"></a><a href="docs/b.html#there"></a><a href="https://example.com/x"></a>'
        '<a href="docs/b.html#gone"></a><a href="c.html"></a><img src="d.png">'
    )
    assert docs.dead(tmp_path) == [
        "a.html: docs/b.html#gone: there is no such heading",
        "a.html: c.html: there is no such file",
        "a.html: d.png: there is no such file",
    ]
