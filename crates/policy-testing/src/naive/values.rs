//! Numbers, dates, addresses and bytes for the second evaluator.

use std::{cmp::Ordering, net::IpAddr};

/// Compares decimal numbers digit by digit.
pub fn compare_numbers(a: &str, b: &str) -> Option<Ordering> {
    let (a_negative, a_whole, a_fraction) = digits_of(a)?;
    let (b_negative, b_whole, b_fraction) = digits_of(b)?;
    let size = a_whole
        .len()
        .cmp(&b_whole.len())
        .then(a_whole.cmp(&b_whole))
        .then(a_fraction.cmp(&b_fraction));
    Some(match (a_negative, b_negative) {
        (false, false) => size,
        (true, true) => size.reverse(),
        (false, true) => Ordering::Greater,
        (true, false) => Ordering::Less,
    })
}

/// Sign, digits before the point without leading zeros, digits after it without trailing zeros.
fn digits_of(text: &str) -> Option<(bool, String, String)> {
    let (negative, digits) = match text.chars().next()? {
        '-' => (true, &text[1..]),
        '+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let numeric = |s: &str| !s.is_empty() && s.len() <= 18 && s.chars().all(|c| c.is_ascii_digit());
    if !numeric(whole) || !numeric(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0').to_owned();
    let fraction = fraction.trim_end_matches('0').to_owned();
    let zero = whole.is_empty() && fraction.is_empty();
    Some((negative && !zero, whole, fraction))
}

/// Compares instants: dates of ISO 8601, or seconds since 1970.
pub fn compare_dates(a: &str, b: &str) -> Option<Ordering> {
    Some(instant(a)?.cmp(&instant(b)?))
}

/// Seconds and nanoseconds since 1970. Dates are those of the W3C profile of ISO 8601: a month, a day, or a day
/// with a time of at least hours and minutes, and a zone. Everything else that is a whole number are seconds; four digits
/// may be either and are neither.
fn instant(text: &str) -> Option<(i64, u32)> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let digits = |s: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_digit());
    if text.len() == 4 && digits(text) {
        return None;
    }
    if unsigned.len() <= 12 && digits(unsigned) {
        return Some((text.parse().ok()?, 0));
    }
    let number = |text: &str, length: usize, most: i64| -> Option<i64> {
        let number = text.parse().ok()?;
        (text.len() == length && digits(text) && number <= most).then_some(number)
    };
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let fields: Vec<&str> = date.split('-').collect();
    if fields.len() > 3 || (time.is_some() && fields.len() < 3) {
        return None;
    }
    let year = number(fields[0], 4, 9999)?;
    let month = fields.get(1).map_or(Some(1), |month| number(month, 2, 12))?;
    let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length_of_year = |year: i64| if leap(year) { 366 } else { 365 };
    let length_of_month = |month: i64| match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let day = fields
        .get(2)
        .map_or(Some(1), |day| number(day, 2, length_of_month(month)))?;
    if month == 0 || day == 0 {
        return None;
    }
    let mut days = day - 1 + (1..month).map(length_of_month).sum::<i64>();
    days += (1970..year).map(length_of_year).sum::<i64>();
    days -= (year..1970).map(length_of_year).sum::<i64>();
    let (clock, east) = match time {
        None => ("00:00", 0),
        Some(time) => match time.strip_suffix('Z') {
            Some(clock) => (clock, 0),
            None => {
                let (clock, zone) = time.split_at_checked(time.len().checked_sub(6)?)?;
                let (hours, minutes) = zone.get(1..)?.split_once(':')?;
                let size = number(hours, 2, 23)? * 60 + number(minutes, 2, 59)?;
                match zone.chars().next()? {
                    '+' => (clock, size),
                    '-' => (clock, -size),
                    _ => return None,
                }
            }
        },
    };
    let mut fields = clock.split(':');
    let hours = number(fields.next()?, 2, 23)?;
    let minutes = number(fields.next()?, 2, 59)?;
    let (seconds, fraction) = match fields.next() {
        None => ("00", "0"),
        Some(field) => field.split_once('.').unwrap_or((field, "0")),
    };
    if fields.next().is_some() || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let of_day = hours * 3600 + minutes * 60 + number(seconds, 2, 59)?;
    let nanos: u32 = format!("{fraction:0<9}").parse().ok()?;
    Some((days * 86_400 + of_day - east * 60, nanos))
}

/// Whether the text is an IP address.
pub fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// Whether the text has the six parts of an ARN.
pub fn is_arn(text: &str) -> bool {
    text.starts_with("arn:") && text.splitn(6, ':').count() == 6
}

/// Whether an address lies in `address/prefix`, or is the address.
pub fn address_in_range(address: &str, range: &str) -> bool {
    let (network, prefix) = match range.split_once('/') {
        Some((network, prefix)) => (network, prefix.parse::<usize>().ok()),
        None => (range, None),
    };
    let bits = |text: &str| -> Option<Vec<bool>> {
        let bytes = match text.parse().ok()? {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        Some(
            bytes
                .iter()
                .flat_map(|byte| (0..8).map(move |i| byte >> (7 - i) & 1 == 1))
                .collect(),
        )
    };
    let (Some(address), Some(network)) = (bits(address), bits(network)) else {
        return false;
    };
    let prefix = prefix.unwrap_or(network.len());
    address.len() == network.len() && address[..prefix] == network[..prefix]
}

/// Bytes of base64, in groups of four letters, of which the last may end in one or two `=`.
pub fn bytes_of_base64(text: &str) -> Option<Vec<u8>> {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let body = text.strip_suffix("==").or(text.strip_suffix('=')).unwrap_or(text);
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let mut bits = Vec::new();
    for letter in body.chars() {
        let value = LETTERS.find(letter)?;
        bits.extend((0..6).map(|i| value >> (5 - i) & 1));
    }
    Some(
        bits.chunks_exact(8)
            .map(|byte| {
                byte.iter()
                    .fold(0, |sum, bit| sum << 1 | u8::try_from(*bit).unwrap())
            })
            .collect(),
    )
}
