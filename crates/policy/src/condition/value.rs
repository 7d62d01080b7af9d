//! Values of the typed operators: exact decimals, instants, address ranges, bytes.

use std::net::IpAddr;

/// Digits after the point, and digits before it, that a number may have.
const DIGITS: usize = 18;
/// A decimal number in units of 10⁻¹⁸; no rounding anywhere.
pub(crate) fn decimal(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let pointless = !digits.contains('.');
    if whole.is_empty() || whole.len() > DIGITS || !all_digits(whole) {
        return None;
    }
    if fraction.len() > DIGITS || !all_digits(fraction) || (fraction.is_empty() && !pointless) {
        return None;
    }
    let padded = format!("{whole}{fraction:0<DIGITS$}");
    let value: i128 = padded.parse().ok()?;
    Some(if negative { -value } else { value })
}

/// The decimal as text, the way [`decimal`] reads it.
pub(crate) fn decimal_text(value: i128) -> String {
    let unit = 10_u128.pow(18);
    let size = value.unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    let fraction = format!("{:018}", size % unit);
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{}", size / unit),
        fraction => format!("{sign}{}.{fraction}", size / unit),
    }
}

/// Nanoseconds since 1970 of a date in the W3C profile of ISO 8601 (`2020-01`, `2020-01-01`, `2020-01-01T00:00Z`, with seconds, fractions and
/// offsets), or of whole seconds since 1970. Four digits are neither: AWS documents both notations, and no rule by which they are a year or seconds.
pub(crate) fn instant(text: &str) -> Option<i128> {
    if is_year_or_seconds(text) {
        return None;
    }
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    if digits(unsigned) && unsigned.len() <= 12 {
        return text.parse::<i128>().ok()?.checked_mul(NANOS);
    }
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut fields = date.split('-');
    let number = |field: &str, length: usize| -> Option<i64> {
        if field.len() == length && digits(field) {
            field.parse().ok()
        } else {
            None
        }
    };
    let year = number(fields.next()?, 4)?;
    let month = fields.next().map_or(Some(1), |f| number(f, 2))?;
    let day = match fields.next() {
        Some(field) => number(field, 2)?,
        None if time.is_some() => return None,
        None => 1,
    };
    if fields.next().is_some() || !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    let midnight = i128::from(days_since_epoch(year, month, day)) * 86_400 * NANOS;
    let Some(time) = time else { return Some(midnight) };
    let (clock, offset) = match time.strip_suffix('Z') {
        Some(clock) => (clock, 0),
        None => {
            let sign = time.rfind(['+', '-'])?;
            let (clock, zone) = time.split_at_checked(sign)?;
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let size = hours * 3600 + minutes * 60;
            (clock, if zone.starts_with('-') { -size } else { size })
        }
    };
    let mut fields = clock.split(':');
    let hour = number(fields.next()?, 2)?;
    let minute = number(fields.next()?, 2)?;
    let (second, fraction) = match fields.next() {
        None => (0, 0),
        Some(field) => match field.split_once('.') {
            None => (number(field, 2)?, 0),
            Some((whole, part)) if digits(part) && part.len() <= 9 => {
                (number(whole, 2)?, format!("{part:0<9}").parse::<i128>().ok()?)
            }
            Some(_) => return None,
        },
    };
    if fields.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(midnight + i128::from(hour * 3600 + minute * 60 + second - offset) * NANOS + fraction)
}

/// Whether a text is four digits.
pub(crate) fn is_year_or_seconds(text: &str) -> bool {
    text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit())
}

const NANOS: i128 = 1_000_000_000;

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days between 1970-01-01 and a date of the Gregorian calendar. Years begin in March, so that the leap day is last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

/// An instant as text, the way [`instant`] reads it: whole seconds since 1970, or a date with a fraction.
pub(crate) fn instant_text(nanos: i128) -> String {
    let seconds = nanos.div_euclid(NANOS);
    let fraction = nanos.rem_euclid(NANOS);
    // Four digits would be a year.
    if fraction == 0 && !(1000..=9999).contains(&seconds) && !(-999..=-100).contains(&seconds) {
        return seconds.to_string();
    }
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date_of(days);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:09}Z")
}

/// Year, month and day of a number of days since 1970: the inverse of [`days_since_epoch`].
fn date_of(days: i128) -> (i128, i128, i128) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + i128::from(month <= 2);
    (year, month, day)
}

/// A range of addresses of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Cidr {
    v6: bool,
    bits: u128,
    prefix: u32,
}

impl Cidr {
    /// Reads `address` or `address/prefix`; bits after the prefix are ignored.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let (v6, bits, width) = match address.parse().ok()? {
            IpAddr::V4(v4) => (false, u128::from(v4.to_bits()), 32),
            IpAddr::V6(v6) => (true, v6.to_bits(), 128),
        };
        let prefix = match prefix {
            None => width,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok()?
            }
            Some(_) => return None,
        };
        if prefix > width {
            return None;
        }
        let host = width - prefix;
        let bits = bits.checked_shr(host).unwrap_or(0).checked_shl(host).unwrap_or(0);
        Some(Self { v6, bits, prefix })
    }

    /// Whether `other` lies in `self`.
    pub(crate) fn includes(&self, other: &Self) -> bool {
        let width = if self.v6 { 128 } else { 32 };
        let host = width - self.prefix;
        self.v6 == other.v6
            && self.prefix <= other.prefix
            && self.bits.checked_shr(host).unwrap_or(0) == other.bits.checked_shr(host).unwrap_or(0)
    }

    /// The first address, as text.
    pub(crate) fn first(&self) -> String {
        self.text(self.bits)
    }

    /// The address after the last one, as text; `None` when there is none in the family.
    pub(crate) fn after(&self) -> Option<String> {
        let width = if self.v6 { 128 } else { 32 };
        let size = 1_u128.checked_shl(width - self.prefix)?;
        let after = self.bits.checked_add(size)?;
        (self.v6 || after <= u128::from(u32::MAX)).then(|| self.text(after))
    }

    fn text(&self, bits: u128) -> String {
        if self.v6 {
            std::net::Ipv6Addr::from_bits(bits).to_string()
        } else {
            std::net::Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(0)).to_string()
        }
    }
}

/// Bytes of standard base64 with padding.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| -> Option<u32> {
        Some(u32::from(match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        }))
    };
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(4) {
        return None;
    }
    let body = text.trim_end_matches('=').as_bytes();
    if bytes.len() - body.len() > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(body.len());
    for chunk in body.chunks(4) {
        let mut word = 0;
        for b in chunk {
            word = word << 6 | digit(*b)?;
        }
        word <<= 6 * (4 - chunk.len());
        let [_, a, b, c] = word.to_be_bytes();
        out.extend([a, b, c].into_iter().take(chunk.len().saturating_sub(1)));
    }
    Some(out)
}

/// Standard base64 with padding.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4_usize {
            let digit = usize::try_from(word >> (18 - 6 * i) & 63).unwrap_or(0);
            let letter = DIGITS.get(digit).copied().unwrap_or(b'A');
            text.push(if i <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        assert_eq!(decimal("1.5"), Some(1_500_000_000_000_000_000));
        assert_eq!(decimal("-0.000000000000000001"), Some(-1));
        assert_eq!(decimal("+7"), decimal("07.0"));
        for bad in [
            "",
            "-",
            ".5",
            "5.",
            "1e3",
            "1,5",
            "0x1",
            "1.0000000000000000001",
            "1234567890123456789",
            "1 ",
        ] {
            assert_eq!(decimal(bad), None, "{bad}");
        }
        for text in ["0", "-1.25", "123456789012345678.000000000000000001"] {
            assert_eq!(decimal(text).map(decimal_text).as_deref(), Some(text));
        }
    }

    #[test]
    fn instants_follow_the_calendar() {
        let seconds = |text: &str| instant(text).map(|nanos| nanos / NANOS);
        assert_eq!(seconds("1970-01-01"), Some(0));
        assert_eq!(seconds("2000-03-01T00:00:00Z"), Some(951_868_800));
        assert_eq!(seconds("2024-02-29T23:59:59+00:00"), Some(1_709_251_199));
        assert_eq!(seconds("1969-12-31T23:59Z"), Some(-60));
        assert_eq!(seconds("1700000000"), Some(1_700_000_000));
        assert_eq!(
            instant("2020-01-01T00:00:00.5Z"),
            instant("2020-01-01").map(|n| n + NANOS / 2)
        );
        for bad in [
            "",
            "2020",
            "0000",
            "2020-00",
            "2020-13",
            "2020-1-1",
            "2020-02-30",
            "1900-02-29",
            "2020-01-01T24:00Z",
            "2020-01-01T00:60Z",
            "2020-01-01T00:00",
            "2020-01T00:00Z",
            "2020-01-01T00:00:00+1:00",
            "2020-01-01T00:00:00.Z",
            "abcd",
            "99999999999999999999",
        ] {
            assert_eq!(instant(bad), None, "{bad}");
        }
    }

    #[test]
    fn instants_are_written_as_they_are_read() {
        let day = 86_400 * NANOS;
        for nanos in [
            0,
            1,
            -1,
            1234 * NANOS,
            -500 * NANOS,
            951_782_400 * NANOS + 5,
            30_000 * day + 7,
            -30_000 * day,
        ] {
            assert_eq!(instant(&instant_text(nanos)), Some(nanos), "{nanos}");
        }
    }

    #[test]
    fn ranges_nest() {
        let cidr = |text: &str| Cidr::parse(text).unwrap();
        assert!(cidr("10.0.0.0/8").includes(&cidr("10.255.0.0/16")));
        assert!(!cidr("10.255.0.0/16").includes(&cidr("10.0.0.0/8")));
        assert!(cidr("0.0.0.0/0").includes(&cidr("255.255.255.255")));
        assert!(!cidr("::/0").includes(&cidr("1.2.3.4")));
        assert_eq!(cidr("10.1.2.3/8"), cidr("10.0.0.0/8"));
        assert_eq!(cidr("2001:db8::/32").first(), "2001:db8::");
        for bad in [
            "",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/+8",
            "10.0.0",
            "10.0.0.0/8/8",
        ] {
            assert_eq!(Cidr::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn base64_goes_there_and_back() {
        for bytes in [&b""[..], b"a", b"ab", b"abc", b"\xff\xfe\x00\x01"] {
            assert_eq!(base64(&to_base64(bytes)).as_deref(), Some(bytes));
        }
        for bad in ["a", "ab=", "====", "a===", "ab?d"] {
            assert_eq!(base64(bad), None, "{bad}");
        }
    }
}
