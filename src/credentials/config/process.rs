//! The command of a `credential_process`, in words that all of AWS's SDKs read alike: some split it themselves, others have a shell do it.

use std::path::Path;

use crate::exit::Failure;

/// Characters that a word may have without quotes, beside letters and digits.
const PLAIN: &str = "_-./:@%+,=~";

/// The line.
///
/// # Errors
/// When a word can't be written so that each SDK reads it as it is.
pub fn line(words: &[String]) -> Result<String, Failure> {
    let words: Result<Vec<_>, _> = words.iter().map(|word| written(word)).collect();
    Ok(words?.join(" "))
}

fn written(word: &str) -> Result<String, Failure> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || PLAIN.contains(c);
    if !word.is_empty() && !word.starts_with('~') && word.chars().all(is_plain) {
        return Ok(word.to_owned());
    }
    // In quotes too these mean something to a shell, or begin a comment of the file.
    let means_something = |c: char| c.is_control() || "\"\\$`!#;".contains(c);
    if word.is_empty() || word.chars().any(means_something) {
        return Err(Failure::input(format!(
            "{word:?} can't stand in a credential_process so that each of AWS's tools reads it alike: rename it"
        )));
    }
    Ok(format!("\"{word}\""))
}

/// By what this program is called: as it was called, where that was by its name alone; else its place.
///
/// # Errors
/// When its place is not known or is no text.
pub fn program() -> Result<String, Failure> {
    let called = std::env::args_os().next().unwrap_or_default();
    if called == "deputy" {
        return Ok("deputy".to_owned());
    }
    let place = std::env::current_exe().map_err(Failure::error)?;
    text(&place)
}

/// A path as text.
///
/// # Errors
/// When it is none.
pub fn text(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Failure::input(format!("{} is no UTF-8", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_only_where_they_must_be() {
        let of = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            line(&words).map_err(|failure| failure.to_string())
        };
        for (words, expected) in [
            (
                &["deputy", "payments/reports", "--context", "alice@prod"][..],
                "deputy payments/reports --context alice@prod",
            ),
            (
                &["arn:aws:eks:eu-west-1:111122223333:cluster/x"],
                "arn:aws:eks:eu-west-1:111122223333:cluster/x",
            ),
            (&["/home/a b/deputy"], "\"/home/a b/deputy\""),
            (&["it's"], "\"it's\""),
            (&["é"], "\"é\""),
            (&["~x"], "\"~x\""),
        ] {
            assert_eq!(of(words).as_deref(), Ok(expected));
        }
        for word in [
            "", "a\"b", "a\\b", "$HOME", "`id`", "a\nb", "a # b", "a;b", "hey!",
        ] {
            assert!(of(&[word]).unwrap_err().contains("credential_process"), "{word}");
        }
    }
}
