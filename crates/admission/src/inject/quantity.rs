//! Quantities of CPU and memory, as far as injection compares them.

use std::{cmp::Ordering, fmt, str::FromStr};

/// Longest text of a quantity, in bytes.
const MAX_LEN: usize = 16;

/// An amount of CPU (in cores) or memory (in bytes) above 0, as Kubernetes writes it: `5m`, `16Mi`, `0.5`.
/// <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity {
    text: String,
    value: f64,
}

/// The text is no quantity that a container can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a quantity such as 5m, 0.5, 16Mi or 1G, of at most {MAX_LEN} characters")]
pub struct InvalidQuantity(String);

impl FromStr for Quantity {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let invalid = || InvalidQuantity(text.chars().take(64).collect());
        if text.len() > MAX_LEN || !text.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(invalid());
        }
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let suffix = text.get(number.len()..).unwrap_or_default();
        // An exponent or a suffix.
        if !suffix.is_empty() && number.contains(['e', 'E']) {
            return Err(invalid());
        }
        // A number below 1 is divided into, so that 300m and 0.3 are the same value.
        let (factor, divisor) = match suffix {
            "" => (1.0, 1.0),
            "n" => (1.0, 1e9),
            "u" => (1.0, 1e6),
            "m" => (1.0, 1e3),
            "k" => (1e3, 1.0),
            "M" => (1e6, 1.0),
            "G" => (1e9, 1.0),
            "T" => (1e12, 1.0),
            "P" => (1e15, 1.0),
            "E" => (1e18, 1.0),
            "Ki" => (f64::from(1_u32 << 10), 1.0),
            "Mi" => (f64::from(1_u32 << 20), 1.0),
            "Gi" => (f64::from(1_u32 << 30), 1.0),
            "Ti" => (1_099_511_627_776.0, 1.0),
            "Pi" => (1_125_899_906_842_624.0, 1.0),
            "Ei" => (1_152_921_504_606_846_976.0, 1.0),
            _ => return Err(invalid()),
        };
        let value = number
            .parse::<f64>()
            .ok()
            .map(|n| n * factor / divisor)
            .filter(|n| n.is_finite() && *n > 0.0)
            .ok_or_else(invalid)?;
        Ok(Self {
            text: text.to_owned(),
            value,
        })
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl Quantity {
    /// Whether both are the same amount, however they are written.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.value.total_cmp(&other.value).is_eq()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn q(text: &str) -> Quantity {
        text.parse().unwrap()
    }

    #[test]
    fn amounts_are_compared_however_they_are_written() {
        for (a, b) in [
            ("100m", "0.1"),
            ("300m", "0.3"),
            ("1Gi", "1024Mi"),
            ("1G", "1000M"),
            ("2", "2000m"),
            ("2", "2000000u"),
            ("2", "2000000000n"),
            ("1Ti", "1024Gi"),
            ("1Pi", "1024Ti"),
            ("1Ei", "1024Pi"),
            ("1T", "1e12"),
            ("1P", "1E15"),
            ("1E", "1000P"),
        ] {
            assert!(q(a).same(&q(b)), "{a} {b}");
        }
        for (less, more) in [
            ("5m", "0.1"),
            ("16Mi", "64Mi"),
            ("1G", "1Gi"),
            ("999M", "1G"),
            ("64M", "64Mi"),
        ] {
            assert!(q(less) < q(more), "{less} {more}");
        }
    }

    #[test]
    fn what_no_container_can_have_is_no_quantity() {
        for text in [
            "",
            "lots",
            "-1Mi",
            "+1",
            "0",
            "0Mi",
            "1e3x",
            "1e3Mi",
            "1e",
            "NaN",
            "inf",
            "1 Mi",
            "Mi",
            "1Zi",
            ".5",
            "12345678901234567",
        ] {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
    }
}
