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

/// Seconds and nanoseconds since 1970.
fn instant(text: &str) -> Option<(i64, u32)> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    if text.len() != 4 && unsigned.len() <= 12 && unsigned.chars().all(|c| c.is_ascii_digit()) {
        return Some((text.parse().ok()?, 0));
    }
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00:00Z"));
    let fields: Vec<i64> = date.split('-').map(|f| f.parse().ok()).collect::<Option<_>>()?;
    let (year, month, day) = (
        *fields.first()?,
        *fields.get(1).unwrap_or(&1),
        *fields.get(2).unwrap_or(&1),
    );
    let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length_of_year = |year: i64| if leap(year) { 366 } else { 365 };
    let mut days = day - 1;
    for earlier in 1..month {
        days += match earlier {
            2 if leap(year) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
    }
    days += (1970..year).map(length_of_year).sum::<i64>();
    days -= (year..1970).map(length_of_year).sum::<i64>();
    let (clock, east) = if let Some(clock) = time.strip_suffix('Z') {
        (clock, 0)
    } else {
        let (clock, zone) = time.split_at(time.len().checked_sub(6)?);
        let minutes = zone[1..3].parse::<i64>().ok()? * 60 + zone[4..6].parse::<i64>().ok()?;
        (clock, if zone.starts_with('-') { -minutes } else { minutes })
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut seconds = 0;
    for (i, field) in clock.split(':').enumerate() {
        seconds += field.parse::<i64>().ok()? * [3600, 60, 1].get(i)?;
    }
    let nanos: u32 = format!("{fraction:0<9}").parse().ok()?;
    Some((days * 86_400 + seconds - east * 60, nanos))
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

/// Bytes of base64.
pub fn bytes_of_base64(text: &str) -> Option<Vec<u8>> {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = Vec::new();
    for letter in text.trim_end_matches('=').chars() {
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
