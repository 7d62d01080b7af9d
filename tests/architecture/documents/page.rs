//! The documents: every Markdown file that git tracks.

use std::{fs, path::Path, process::Command, sync::OnceLock};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use crate::files::root;

/// A Markdown file.
pub struct Page {
    /// Its path from the root of the repository.
    pub path: String,
    pub text: String,
    /// Code in running text and tables.
    pub spans: Vec<Span>,
    pub blocks: Vec<Block>,
    /// Where links lead.
    pub links: Vec<String>,
    /// The names by which links reach its headings, as GitHub makes them.
    pub anchors: Vec<String>,
}

pub struct Span {
    pub code: String,
    /// The folder of the crate with which its heading, paragraph or row begins, such as `crates/policy`; else empty.
    pub of_crate: String,
}

pub struct Block {
    /// `sh`, `yaml`, …; empty where none is named.
    pub language: String,
    pub code: String,
}

/// All documents, read once.
pub fn pages() -> &'static [Page] {
    static PAGES: OnceLock<Vec<Page>> = OnceLock::new();
    PAGES.get_or_init(|| {
        let pages: Vec<_> = tracked()
            .iter()
            .filter(|path| path.ends_with(".md"))
            // A file that is moved, and the move not yet committed.
            .filter(|path| root().join(path).exists())
            .map(|path| Page::parse(path, &fs::read_to_string(root().join(path)).unwrap()))
            .collect();
        assert!(pages.len() > 15, "git lists {} documents", pages.len());
        pages
    })
}

/// The document at a path.
pub fn page(path: &str) -> &'static Page {
    pages()
        .iter()
        .find(|p| p.path == path)
        .unwrap_or_else(|| panic!("there is no {path}"))
}

/// Paths of all files that git tracks, or would if they were added. Without git, as in an unpacked archive: of all that are there.
pub fn tracked() -> &'static [String] {
    static FILES: OnceLock<Vec<String>> = OnceLock::new();
    FILES.get_or_init(|| {
        let done = Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
            .current_dir(root())
            .output();
        match done {
            Ok(done) if done.status.success() && !done.stdout.is_empty() => {
                let listed = String::from_utf8(done.stdout).unwrap();
                listed
                    .split('\0')
                    .filter(|p| !p.is_empty())
                    .map(str::to_owned)
                    .collect()
            }
            _ => found_below(root()),
        }
    })
}

/// Files below a folder, but for what is built and what is hidden.
fn found_below(folder: &Path) -> Vec<String> {
    let (mut open, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_hidden = name.starts_with('.') && ![".ci", ".gitignore"].contains(&name.as_str());
            if is_hidden || name == "target" {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(root()).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn without_git_the_same_documents_are_found() {
    let all = found_below(root());
    let missed: Vec<_> = tracked()
        .iter()
        .filter(|p| p.ends_with(".md") && !all.contains(p))
        .collect();
    assert!(missed.is_empty(), "{missed:?}");
}

impl Page {
    pub fn parse(path: &str, text: &str) -> Self {
        let mut page = Self {
            path: path.to_owned(),
            text: text.to_owned(),
            spans: Vec::new(),
            blocks: Vec::new(),
            links: Vec::new(),
            anchors: Vec::new(),
        };
        let (mut block, mut heading): (Option<Block>, Option<String>) = (None, None);
        let (mut of_heading, mut of_crate, mut begins) = (String::new(), String::new(), false);
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Paragraph | Tag::TableRow | Tag::TableHead | Tag::Item) => {
                    of_crate.clone_from(&of_heading);
                    begins = true;
                }
                Event::Start(Tag::CodeBlock(kind)) => {
                    let language = match kind {
                        CodeBlockKind::Fenced(info) => info.split([',', ' ']).next().unwrap().to_owned(),
                        CodeBlockKind::Indented => String::new(),
                    };
                    block = Some(Block {
                        language,
                        code: String::new(),
                    });
                }
                Event::End(TagEnd::CodeBlock) => page.blocks.extend(block.take()),
                Event::Start(Tag::Heading { .. }) => {
                    heading = Some(String::new());
                    of_heading.clear();
                    begins = true;
                }
                Event::End(TagEnd::Heading(_)) => {
                    let name = anchor(&heading.take().unwrap());
                    let same = page.anchors.iter().filter(|a| **a == name).count();
                    page.anchors
                        .push(if same == 0 { name } else { format!("{name}-{same}") });
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.into_string());
                }
                Event::Text(said) => {
                    if let Some(block) = &mut block {
                        block.code.push_str(&said);
                    }
                    if let Some(heading) = &mut heading {
                        heading.push_str(&said);
                    }
                    begins = false;
                }
                Event::Code(code) => {
                    if heading.is_some() {
                        of_crate.clear();
                    }
                    if begins && code.starts_with("crates/") {
                        of_crate = code.trim_end_matches('/').to_owned();
                    }
                    begins = false;
                    if let Some(heading) = &mut heading {
                        heading.push_str(&code);
                        of_heading.clone_from(&of_crate);
                    }
                    page.spans.push(Span {
                        code: code.into_string(),
                        of_crate: of_crate.clone(),
                    });
                }
                _ => {}
            }
        }
        page
    }

    /// The text below the heading `## TITLE`, up to the next one.
    pub fn section(&self, title: &str) -> &str {
        let (_, rest) = self
            .text
            .split_once(&format!("\n## {title}\n"))
            .unwrap_or_else(|| panic!("{} has no section {title}", self.path));
        rest.split("\n## ").next().unwrap()
    }

    /// All code, of blocks line by line.
    pub fn code(&self) -> impl Iterator<Item = &str> {
        let lines = self.blocks.iter().flat_map(|b| b.code.lines());
        self.spans.iter().map(|s| s.code.as_str()).chain(lines)
    }
}

/// The name of a heading in links, by GitHub's rule: small letters, spaces as dashes, and of punctuation only dashes.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            '-' | '_' => Some(c),
            c if c.is_alphanumeric() => Some(c),
            _ => None,
        })
        .collect()
}

#[test]
fn a_page_is_read_as_people_see_it() {
    let page = Page::parse(
        "docs/x.md",
        "# A `b` c: d\n\n**`crates/policy`**: `glob.rs`, [see](y.md#z)\n\n| `a\\|b` | c |\n|---|---|\n\n```sh\nmake x\n```\n\n# a b c d\n\n### `crates/aws`\n\n- `x.rs`\n\n## C\n\n`y.rs`\n",
    );
    assert_eq!(page.anchors, ["a-b-c-d", "a-b-c-d-1", "cratesaws", "c"]);
    let spans: Vec<_> = page
        .spans
        .iter()
        .map(|s| (s.code.as_str(), s.of_crate.as_str()))
        .collect();
    assert_eq!(
        spans,
        [
            ("b", ""),
            ("crates/policy", "crates/policy"),
            ("glob.rs", "crates/policy"),
            ("a|b", ""),
            ("crates/aws", "crates/aws"),
            ("x.rs", "crates/aws"),
            ("y.rs", "")
        ]
    );
    assert_eq!(page.links, ["y.md#z"]);
    let block = page.blocks.first().unwrap();
    assert_eq!((block.language.as_str(), block.code.as_str()), ("sh", "make x\n"));
}
