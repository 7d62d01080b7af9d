//! Names for things in a document, of the characters that names there may have.

/// `names` of `allowed` characters: each its own, also where two differ in other characters alone.
pub fn distinct(names: &[&str], allowed: fn(&str) -> String) -> Vec<String> {
    let mut taken: Vec<String> = Vec::new();
    for name in names {
        let name = allowed(name);
        let mut free = (1_usize..).map(|n| match n {
            1 => name.clone(),
            _ => format!("{name}{n}"),
        });
        let first = free.find(|free| !taken.contains(free));
        taken.extend(first);
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_what_is_left_out_stay_apart() {
        let letters = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect();
        assert_eq!(
            distinct(&["a-b", "a.b", "c", "a+b"], letters),
            ["ab", "ab2", "c", "ab3"]
        );
    }
}
