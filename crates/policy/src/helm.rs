//! Numbers as Helm prints them. Helm reads values as floating-point numbers: an account id without quotes in `values.yaml`
//! leaves a template as `1.23456789012e+11`, alone or within an ARN, and a leading zero is lost.

use std::ops::Range;

/// A whole number in a text, as Go prints a floating-point number of a million and more.
pub(crate) struct Printed {
    /// Its bytes in the text.
    pub(crate) at: Range<usize>,
    /// Its decimal digits.
    pub(crate) digits: String,
}

impl Printed {
    /// What is said of it, and how it is mended.
    pub(crate) fn message(&self, text: &str) -> String {
        let written = text.get(self.at.clone()).unwrap_or_default();
        format!(
            "{written} is how Helm prints the number {} that a value without quotes is; put it in quotes where it is set",
            self.digits
        )
    }

    /// The text with the digits in its place. Only of an account id that has lost none.
    pub(crate) fn repaired(&self, text: &str) -> Option<String> {
        let (before, after) = (text.get(..self.at.start)?, text.get(self.at.end..)?);
        (self.digits.len() == 12).then(|| format!("{before}{}{after}", self.digits))
    }
}

/// The first such number of a text.
pub(crate) fn printed(text: &str) -> Option<Printed> {
    text.match_indices("e+").find_map(|(at, _)| around(text, at))
}

/// The number whose exponent begins at `at`.
fn around(text: &str, at: usize) -> Option<Printed> {
    let (before, after) = text.split_at_checked(at)?;
    let is_of_mantissa = |c: char| c.is_ascii_digit() || c == '.';
    let start = before.trim_end_matches(is_of_mantissa).len();
    let mantissa = before.get(start..)?;
    let exponent: String = after.chars().skip(2).take_while(char::is_ascii_digit).collect();
    let end = at + 2 + exponent.len();
    let joined = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    if joined(text.get(..start)?.chars().next_back()) || joined(text.get(end..)?.chars().next()) {
        return None;
    }
    // One digit before the point, as Go prints it; a whole number below the largest that it prints so.
    let (first, rest) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    let power: usize = exponent.parse().ok()?;
    let whole = first.len() == 1 && first != "0" && !rest.contains('.') && rest.len() <= power;
    if !whole || exponent.len() != 2 || !(6..21).contains(&power) {
        return None;
    }
    let digits = format!("{first}{rest:0<power$}");
    Some(Printed {
        at: start..end,
        digits,
    })
}

#[cfg(test)]
mod tests {
    use super::printed;

    #[test]
    fn what_helm_prints_is_known() {
        for (text, digits) in [
            ("1.23456789012e+11", Some("123456789012")),
            ("1e+11", Some("100000000000")),
            ("1.2e+06", Some("1200000")),
            ("\"1.2345678901e+10\"", Some("12345678901")),
            ("arn:aws:iam::1.23456789012e+11:root", Some("123456789012")),
            ("a e+ 1.5e+07", Some("15000000")),
            ("123456789012", None),
            ("1.23456789012e11", None),
            ("1.2e+5", None),
            ("1.5e+00", None),
            ("12.5e+11", None),
            ("0e+11", None),
            ("1.e+11", None),
            ("1.2.3e+11", None),
            ("1.23456789012e+05", None),
            ("a1e+11", None),
            ("1e+11b", None),
            ("1e+110", None),
            ("1e+99", None),
            ("e+11", None),
            ("e+", None),
            ("é1e+11é", None),
            ("", None),
        ] {
            let found = printed(text);
            assert_eq!(found.as_ref().map(|p| p.digits.as_str()), digits, "{text}");
        }
        let arn = "arn:aws:iam::1.23456789012e+11:root";
        let found = printed(arn).unwrap();
        assert_eq!(
            found.repaired(arn).as_deref(),
            Some("arn:aws:iam::123456789012:root")
        );
        assert!(
            found
                .message(arn)
                .starts_with("1.23456789012e+11 is how Helm prints the number 123456789012 ")
        );
        assert_eq!(
            printed("1.2e+10").unwrap().repaired("1.2e+10"),
            None,
            "it may have lost a zero"
        );
    }
}
