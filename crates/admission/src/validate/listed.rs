//! Names of other objects in a warning: some of them, and how many more there are.

/// What names take of a warning at most, in characters. The first one is there however long it is.
const MAX_CHARS: usize = 100;

/// `a, b and 3 more`: the first of `count` names, as far as there is room.
pub(super) fn listed<N: ToString>(names: impl IntoIterator<Item = N>, count: usize) -> String {
    let mut text = String::new();
    let mut shown = 0;
    for name in names {
        let name = name.to_string();
        let chars = text.chars().count() + name.chars().count();
        if shown > 0 && chars > MAX_CHARS {
            break;
        }
        if shown > 0 {
            text.push_str(", ");
        }
        text.push_str(&name);
        shown += 1;
    }
    match count.saturating_sub(shown) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn names_are_listed_as_far_as_there_is_room_and_the_others_counted() {
        assert_eq!(listed(["a", "b"], 2), "a, b");
        assert_eq!(listed(["a", "b"], 5), "a, b and 3 more");
        let long = "n".repeat(253);
        assert_eq!(listed([&long, &long], 2), format!("{long} and 1 more"));
        let many = (0..1000).map(|n| format!("binding-{n}"));
        let text = listed(many, 1000);
        assert!(text.chars().count() < 120 && text.ends_with(" more"), "{text}");
    }
}
