//! The commands that pages show with their answers (blocks `console`), run as they stand there.

use crate::run::{Done, deputy};

/// A command of a page, the exit code that it says, and the lines that follow it.
struct Shown {
    command: String,
    code: i32,
    lines: Vec<String>,
}

fn shown(page: &str) -> Vec<Shown> {
    let text = std::fs::read_to_string(page).unwrap();
    let mut found: Vec<Shown> = Vec::new();
    let mut is_console = false;
    for line in text.lines() {
        if line.starts_with("```") {
            is_console = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| is_console) {
            let (command, comment) = command.split_once('#').unwrap_or((command, ""));
            let code = comment
                .trim()
                .strip_prefix("exit code ")
                .map_or(0, |code| code.parse().unwrap());
            found.push(Shown {
                command: command.trim().to_owned(),
                code,
                lines: Vec::new(),
            });
        } else if is_console {
            found.last_mut().unwrap().lines.push(line.to_owned());
        }
    }
    found
}

#[test]
fn the_commands_of_the_pages_answer_as_they_say() {
    let pages = [
        "docs/check.md",
        "docs/faq.md",
        "docs/questions.md",
        "docs/report.md",
        "docs/suggest.md",
        "docs/tutorial-application.md",
        "docs/tutorial-platform.md",
        "docs/tutorial-security.md",
        "docs/what-if.md",
    ];
    let commands: Vec<Shown> = pages.into_iter().flat_map(shown).collect();
    assert!(commands.len() >= 20);
    for Shown { command, code, lines } in commands {
        let arguments: Vec<&str> = command.strip_prefix("deputy ").unwrap().split(' ').collect();
        let done: Done = deputy(&arguments, "");
        assert_eq!(done.code, code, "{command}: {}{}", done.out, done.err);
        if !lines.is_empty() {
            let answered: Vec<&str> = done.out.lines().collect();
            assert_eq!(answered, lines, "{command}");
        }
    }
}
