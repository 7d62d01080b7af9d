//! Numbers, dates, addresses and bytes: a few texts that stand for all there are.
//!
//! The values of conditions cut each of these types into pieces on which all conditions are constant. One text out of
//! each piece is enough.

use crate::{
    condition::{
        value::{self, Cidr},
        values::Values,
    },
    reference::condition_key::KeyType,
};

/// A type with an order or without patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Numbers,
    Dates,
    Binary,
    Addresses,
}

pub(super) const CLASSES: &[Class] = &[Class::Numbers, Class::Dates, Class::Binary, Class::Addresses];

/// The type of a value set; `None` for texts, which have patterns.
pub(super) fn class(set: &Values) -> Option<Class> {
    match set {
        Values::Numbers(..) => Some(Class::Numbers),
        Values::Dates(..) => Some(Class::Dates),
        Values::Binary(_) => Some(Class::Binary),
        Values::Addresses(_) => Some(Class::Addresses),
        Values::Strings(_) | Values::Folded(_) | Values::Arns(_) | Values::Bool { .. } => None,
    }
}

/// Whether all values of a key of this type are of the class.
pub(super) fn is_of_type(class: Class, of: KeyType) -> bool {
    matches!(
        (class, of),
        (Class::Numbers, KeyType::Numeric)
            | (Class::Dates, KeyType::Date)
            | (Class::Addresses, KeyType::IpAddress)
    )
}

/// A value that stands for a piece of its type.
pub(super) enum Point {
    Number(i128),
    Date(i128),
    Bytes(Vec<u8>),
    Address(Cidr),
}

impl Point {
    /// Whether it is among the values of a set of its type.
    pub(super) fn is_in(&self, set: &Values) -> bool {
        match (self, set) {
            (Self::Number(n), Values::Numbers(compare, values))
            | (Self::Date(n), Values::Dates(compare, values)) => values.iter().any(|v| compare.holds(*n, *v)),
            (Self::Bytes(bytes), Values::Binary(values)) => values.contains(bytes),
            (Self::Address(address), Values::Addresses(ranges)) => {
                ranges.iter().any(|range| range.includes(address))
            }
            _ => false,
        }
    }

    /// The value as a request has it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Number(n) => value::decimal_text(*n),
            Self::Date(n) => value::instant_text(*n),
            Self::Bytes(bytes) => value::to_base64(bytes),
            Self::Address(address) => address.first(),
        }
    }
}

/// Values for all pieces.
pub(super) fn points(class: Class, sets: &[&Values]) -> Vec<Point> {
    match class {
        Class::Numbers => ordered(sets, 10_i128.pow(18))
            .into_iter()
            .map(Point::Number)
            .collect(),
        Class::Dates => ordered(sets, 1_000_000_000)
            .into_iter()
            .map(Point::Date)
            .collect(),
        Class::Binary => binaries(sets).into_iter().map(Point::Bytes).collect(),
        Class::Addresses => addresses(sets).into_iter().map(Point::Address).collect(),
    }
}

/// Every threshold, one value between any two, one below and one above; `unit` is the distance that reads best.
fn ordered(sets: &[&Values], unit: i128) -> Vec<i128> {
    let mut thresholds: Vec<i128> = sets
        .iter()
        .flat_map(|set| match set {
            Values::Numbers(_, values) | Values::Dates(_, values) => values.as_slice(),
            _ => &[],
        })
        .copied()
        .collect();
    thresholds.sort_unstable();
    thresholds.dedup();
    let mut points = Vec::with_capacity(2 * thresholds.len() + 1);
    points.extend(thresholds.first().map(|first| first - unit));
    for (i, threshold) in thresholds.iter().enumerate() {
        points.push(*threshold);
        points.push(match thresholds.get(i + 1) {
            Some(next) if next - threshold > unit => threshold + unit,
            Some(next) => threshold + (next - threshold) / 2,
            None => threshold + unit,
        });
    }
    points
}

/// Every value, and one that is none of them.
fn binaries(sets: &[&Values]) -> Vec<Vec<u8>> {
    let mut values: Vec<&Vec<u8>> = sets
        .iter()
        .flat_map(|set| match set {
            Values::Binary(values) => values.as_slice(),
            _ => &[],
        })
        .collect();
    values.sort_unstable();
    values.dedup();
    let longest = values.iter().map(|value| value.len()).max().unwrap_or(0);
    let other = vec![b'x'; longest + 1];
    values.into_iter().cloned().chain([other]).collect()
}

/// The first address of every range, the one after every range, and the first of each family.
fn addresses(sets: &[&Values]) -> Vec<Cidr> {
    let mut texts = vec!["198.51.100.7".to_owned(), "2001:db8::7".to_owned()];
    for set in sets {
        let Values::Addresses(ranges) = set else { continue };
        texts.extend(ranges.iter().map(Cidr::first));
        texts.extend(ranges.iter().filter_map(Cidr::after));
    }
    texts.extend(["0.0.0.0".to_owned(), "::".to_owned()]);
    texts.iter().filter_map(|text| Cidr::parse(text)).collect()
}
