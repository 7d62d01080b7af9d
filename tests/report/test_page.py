"""`deputy report` in a browser: it asks nothing of the network, needs no script to be read, and takes no text for markup."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from rig.tools import ROOT, deputy

from .browser import Browser, program
from .estate import estate

pytestmark = pytest.mark.skipif(program() is None, reason="SKIPPED: no Chromium is installed (Debian package chromium)")

# In attributes, in text, in a style, in a script, and what templates would take for theirs.
HOSTILE = """'"></title></style></script><script>window.taken = 1</script><img src=x onerror="window.taken = 1">&lt;${7*7}{{7*7}}"""


def report(*arguments: str, stdin: str = "") -> str:
    done = deputy("report", *arguments, cwd=ROOT, input=stdin, timeout=600)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    one = Browser()
    yield one
    one.close()


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of several examples side by side."""
    page = tmp_path_factory.mktemp("report") / "report.html"
    files = ["examples/productionapp", "examples/data-team/21-ingest.yaml", "examples/partner"]
    page.write_text(report(*files, "--cluster-name", "production-1"))
    return page


def manifests(files: str) -> list[dict]:
    found = []
    for path in sorted((ROOT / files).glob("*.yaml")):
        found.extend(one for one in yaml.safe_load_all(path.read_text()) if one)
    return [one for one in found if one["apiVersion"].startswith("deputy.dev/")]


def test_nothing_is_asked_and_nothing_complains(browser: Browser, example: Path) -> None:
    browser.open(example, 1366)
    assert browser.ask("document.querySelectorAll('svg.map g').length") > 3
    assert browser.requests() == [example.as_uri()]
    assert browser.complaints() == []


def test_a_page_that_loads_something_would_be_noticed(browser: Browser, example: Path) -> None:
    """The two questions above answer otherwise where they should."""
    other = example.with_name("other.html")
    other.write_text(example.read_text().replace("</h1>", "</h1><img src='https://192.0.2.1/x.png'>", 1))
    browser.open(other, 1366)
    time.sleep(0.2)
    browser.ask("1")
    assert any("Content Security Policy" in json.dumps(one) for one in browser.complaints())


def visible(browser: Browser, rows: str = "tr[data-k]") -> list[str]:
    return browser.ask(
        f"Array.from(document.querySelectorAll({json.dumps(rows)})).filter(r => !r.hidden && !r.closest('details[hidden]'))"
        ".map(r => r.textContent)"
    )


def choose(browser: Browser, **fields: str) -> None:
    browser.ask("document.getElementById('filter').reset()")
    for name, value in fields.items():
        browser.ask(f"document.getElementById('filter').elements[{json.dumps(name)}].value = {json.dumps(value)}")
    browser.ask("document.getElementById('filter').dispatchEvent(new Event('input'))")
    browser.ask("new Promise(done => setTimeout(done, 250))")


def test_search_and_filters_leave_what_matches(browser: Browser, example: Path) -> None:
    browser.open(example, 1366)
    everything = visible(browser)
    choose(browser, text="uploader putobject")
    found = visible(browser)
    assert found and len(found) < len(everything)
    assert all("uploader" in row.lower() and "putobject" in row.lower() for row in found)
    choose(browser, text="no such word anywhere")
    assert visible(browser) == []
    choose(browser, namespace="payments")
    spaces = browser.ask("Array.from(document.querySelectorAll('tr[data-k]')).filter(r => !r.hidden).map(r => r.dataset.n)")
    assert spaces and all("payments" in space.split() for space in spaces)
    choose(browser, kind="ServiceAccount")
    kinds = browser.ask("Array.from(document.querySelectorAll('tr[data-k]')).filter(r => !r.hidden).map(r => r.dataset.k)")
    assert kinds and all("ServiceAccount" in kind.split() for kind in kinds)
    choose(browser)
    assert visible(browser) == everything
    assert browser.complaints() == []


def test_a_limit_that_cannot_be_read_is_seen_and_found(browser: Browser, tmp_path: Path) -> None:
    objects = manifests("examples/productionapp")
    limit = next(one for one in objects if one["kind"] == "DelegationLimit")
    limit["spec"]["ceiling"]["Statement"][0]["Effect"] = "Perhaps"
    page = tmp_path / "report.html"
    page.write_text(report("-", stdin=yaml.safe_dump_all(objects)))
    browser.open(page, 1366)

    def seen() -> bool:
        return any("unreadable" in row and "Perhaps" in row for row in visible(browser, "#limits ~ details tr[data-k]"))

    assert browser.ask("document.querySelectorAll('details[hidden]').length") == 0
    assert seen() and "unreadable" in browser.ask("document.body.innerText")
    for fields in ({"kind": "DelegationLimit"}, {"text": "perhaps"}, {"namespace": "payments"}):
        choose(browser, **fields)
        assert seen(), fields
    choose(browser, text="no such word anywhere")
    assert not seen()
    assert browser.complaints() == []


def test_what_does_not_match_is_dim_in_the_picture(browser: Browser, example: Path) -> None:
    browser.open(example, 1366)
    count = "document.querySelectorAll('svg.map .dim').length"
    assert browser.ask(count) == 0
    choose(browser, text="productionapp/*")
    assert browser.ask("document.querySelectorAll('svg.map g:not(.dim)').length") > 0
    assert browser.ask(count) > 0


def test_without_a_script_the_tables_are_there(browser: Browser, example: Path) -> None:
    browser.open(example, 1366, scripts=False)
    assert browser.ask("document.getElementById('filter').hidden") is True
    text = browser.ask("document.body.innerText")
    for expected in ("Findings", "payments/uploader", "s3:PutObject on arn:aws:s3:::productionapp/*", "Its ceiling"):
        assert expected in text, expected
    assert browser.ask("document.querySelectorAll('svg.map').length") > 0


@pytest.mark.parametrize("width", [1366, 768, 390, 320])
def test_the_page_has_no_horizontal_scroll(browser: Browser, example: Path, width: int) -> None:
    browser.open(example, width)
    assert browser.ask("document.documentElement.scrollWidth") <= width
    widest = browser.ask(
        "Array.from(document.querySelectorAll('body *')).filter(e => !e.closest('.scroll') && !e.closest('thead') && !e.closest('.skip')"
        f" && e.getBoundingClientRect().right > {width} + 1).map(e => e.outerHTML.slice(0, 120))"
    )
    assert widest == []


@pytest.mark.parametrize("width", [1366, 1024])
def test_no_part_of_a_field_is_cut_in_two(browser: Browser, tmp_path: Path, width: int) -> None:
    page = tmp_path / "report.html"
    page.write_text(report("examples/productionapp", "examples/refused/another-bucket.yaml"))
    browser.open(page, width)
    cut = browser.ask(
        """(() => {
          const found = { cut: [], all: 0 };
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          for (let n = walker.nextNode(); n; n = walker.nextNode())
            for (const m of n.data.matchAll(/Statement\\[\\d+\\]/g)) {
              const range = document.createRange();
              range.setStart(n, m.index); range.setEnd(n, m.index + m[0].length);
              if (!range.getClientRects().length) continue;
              found.all += 1;
              if (range.getClientRects().length > 1) found.cut.push(n.data);
            }
          return found;
        })()"""
    )
    assert cut["all"] > 0 and cut["cut"] == [], cut


def test_a_picture_that_is_wider_than_the_page_scrolls_in_its_own_box(browser: Browser, example: Path) -> None:
    browser.open(example, 390)
    boxes = browser.ask(
        """Array.from(document.querySelectorAll('details.ns[open] svg.map')).map((svg) => {
          const box = svg.closest('.scroll');
          box.scrollLeft = 1e6;
          const [picture, seen] = [svg.getBoundingClientRect(), box.getBoundingClientRect()];
          return { overflow: getComputedStyle(box).overflowX, end: Math.abs(picture.right - seen.right) < 2, hidden: box.scrollLeft > 0,
                   within: seen.right <= innerWidth, focus: box.tabIndex === 0 };
        })"""
    )
    assert boxes
    assert all(box == {"overflow": "auto", "end": True, "hidden": True, "within": True, "focus": True} for box in boxes), boxes


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_contrast(browser: Browser, example: Path, dark: bool) -> None:
    """4.5:1 at least, as WCAG AA asks of text."""
    browser.open(example, 1366, dark=dark)
    poor = browser.ask(
        """(() => {
          const parts = (c) => c.match(/[\\d.]+/g).map(Number);
          const light = (c) => { const [r, g, b] = parts(c).map((v) => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
            return .2126 * r + .7152 * g + .0722 * b; };
          const ground = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; const p = parts(c);
            if (p.length < 4 || p[3] === 1) return c; } return 'rgb(255,255,255)'; };
          const found = new Set();
          for (const e of document.querySelectorAll('main *, header *, footer')) {
            if (e.closest('svg') || !Array.from(e.childNodes).some((n) => n.nodeType === 3 && n.data.trim())) continue;
            const [a, b] = [light(getComputedStyle(e).color), light(ground(e))];
            const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
            if (ratio < 4.5) found.add(`${e.tagName}.${e.className} ${ratio.toFixed(2)}`);
          }
          return Array.from(found);
        })()"""
    )
    assert poor == []


def test_tables_have_heads_and_fields_have_names(browser: Browser, example: Path) -> None:
    browser.open(example, 1366)
    assert browser.ask("Array.from(document.querySelectorAll('table')).every(t => t.caption && t.querySelector('thead th[scope=col]'))")
    assert browser.ask("Array.from(document.querySelectorAll('tbody tr')).every(r => r.querySelector('th[scope=row]'))")
    assert browser.ask("Array.from(document.querySelectorAll('input, select')).every(f => f.labels.length === 1)")
    levels = browser.ask("Array.from(document.querySelectorAll('h1, h2, h3')).map(h => Number(h.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False)), levels


def places(value: object, path: tuple = ()) -> Iterator[tuple]:
    """Where texts are in an object, but for what makes it an object of its kind."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from places(inner, (*path, i))
    elif isinstance(value, str) and path[0] not in ("apiVersion", "kind"):
        yield path


def put(value: dict, path: tuple, text: str) -> None:
    for step in path[:-1]:
        value = value[step]
    value[path[-1]] = text


def test_no_text_of_any_field_is_taken_for_markup(browser: Browser, tmp_path: Path) -> None:
    """Each text of each object of an example in turn holds markup; and what status says."""
    objects = manifests("examples/productionapp")
    tried = 0
    for number, one in enumerate(objects):
        one["status"] = {
            "conditions": [{"type": "Ready", "status": "False", "reason": "Conflict", "message": "m"}],
            "boundaries": [{"account": "a", "problem": {"reason": "AWSError", "message": "m"}}],
            "instances": [{"namespace": "n", "account": "a", "ready": False, "reason": "Conflict", "message": "m"}],
        }
        for path in list(places(one)):
            changed = json.loads(json.dumps(objects))
            put(changed[number], path, HOSTILE)
            text = yaml.safe_dump_all(changed)
            done = deputy("report", "-", cwd=ROOT, input=text, timeout=60)
            # A name that can't be one, or a policy that is none, may be refused whole.
            if done.returncode:
                assert done.returncode == 2, (path, done.stderr)
                continue
            assert "<img" not in done.stdout and "<script>window" not in done.stdout, path
            if HOSTILE[:9].replace("'", "&#39;").replace('"', "&quot;").replace(">", "&gt;").replace("<", "&lt;") in done.stdout:
                tried += 1
                if tried % 8 == 1:
                    page = tmp_path / f"{tried}.html"
                    page.write_text(done.stdout)
                    browser.open(page, 1366)
                    assert browser.ask("window.taken") is None, path
                    assert browser.complaints() == [], path
                    assert browser.requests() == [page.as_uri()], path
    assert tried > 15


def test_a_thousand_roles_stay_usable(browser: Browser, tmp_path: Path) -> None:
    """Bounds that are far above what is measured (docs/report.md), and far below what nobody waits for."""
    files = tmp_path / "estate"
    files.mkdir()
    for part, text in enumerate(parts_of(estate(1000))):
        (files / f"{part}.yaml").write_text(text)
    began = time.monotonic()
    html = report(str(files), "--cluster-name", "production-1")
    made = time.monotonic() - began
    page = tmp_path / "report.html"
    page.write_text(html)
    assert len(html) < 16 * 1024 * 1024
    began = time.monotonic()
    browser.open(page, 1366)
    opened = time.monotonic() - began
    taken = browser.ask(
        "(() => { const form = document.getElementById('filter'); form.text.value = 'application-77 '; const begin = performance.now();"
        " form.dispatchEvent(new Event('input')); return new Promise((done) => setTimeout(() => requestAnimationFrame(() =>"
        " done(performance.now() - begin - 80)), 81)); })()"
    )
    print(f"1,000 roles: {len(html)} bytes, made in {made:.1f} s, opened in {opened:.1f} s, searched in {taken:.0f} ms")
    assert opened < 30 and taken < 3000
    assert 0 < len(visible(browser)) < 40
    assert browser.ask("document.documentElement.scrollWidth") <= 1366
    assert browser.complaints() == []


def parts_of(text: str) -> Iterator[str]:
    """A file has at most 1,024 documents."""
    documents = text.split("\n---\n")
    for begin in range(0, len(documents), 500):
        yield "\n---\n".join(documents[begin : begin + 500])
