//! The commands of docs/people.md that are a person's own: each runs as it stands there.

use super::Person;

#[test]
fn the_commands_of_the_page_run() {
    let alice = Person::new("page");
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/people.md")).unwrap();
    let blocks = page
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap());
    let text: String = blocks.collect::<String>().replace("\\\n", " ");
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.contains("deputy credentials"))
        .collect();
    assert!(lines.len() >= 5, "{lines:?}");
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_deputy"))
        .parent()
        .unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    for line in lines {
        let output = alice
            .command("sh")
            .args(["-c", line])
            .env("PATH", &path)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{line}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    // What config wrote is what the page shows.
    let shown = page
        .split("```ini\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    assert!(
        alice.reads(".aws/config").starts_with(shown),
        "{}",
        alice.reads(".aws/config")
    );
}
