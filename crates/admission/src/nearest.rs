//! What was probably meant by a name that nobody knows.

/// A name shorter than this is near with one slip, a longer one with two.
const SHORT: usize = 6;
/// So much of a name's beginning says which one is meant.
const BEGINNING: usize = 4;

/// The one of `names` that is nearest to `text`, whatever their case, if one is near enough: one or two slips away, or the only one
/// that begins with it.
#[must_use]
pub fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_lowercase();
    let limit = if text.len() < SHORT { 1 } else { 2 };
    let (mut best, mut begins, mut least) = (None, Vec::new(), limit + 1);
    for name in names {
        let known = name.to_lowercase();
        if text.len() >= BEGINNING && known.starts_with(&text) {
            begins.push(name);
        }
        // Texts come from anybody: what can't be near is not measured.
        if known.len().abs_diff(text.len()) > limit {
            continue;
        }
        let slips = strsim::osa_distance(&text, &known);
        if slips < least {
            (best, least) = (Some(name), slips);
        }
    }
    best.or(match begins.as_slice() {
        [one] => Some(one),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_that_was_meant() {
        let names = ["accountRef", "policies", "existing", "maxSessionDuration", "path"];
        for (text, meant) in [
            ("acountRef", Some("accountRef")),
            ("accountref", Some("accountRef")),
            ("account", Some("accountRef")),
            ("polices", Some("policies")),
            ("exisitng", Some("existing")),
            ("paht", Some("path")),
            ("p", None),
            ("pa", None),
            ("nothing", None),
            ("", None),
        ] {
            assert_eq!(nearest(text, names), meant, "{text}");
        }
    }
}
