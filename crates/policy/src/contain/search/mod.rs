//! The exact search: dimension by dimension ([`solve`]), with a walk over the product of all patterns ([`words`]) and a
//! theory for each condition key ([`keys`]). What it finds out leaves as a certificate.

pub(in crate::contain) mod callers;
pub(in crate::contain) mod cells;
pub(in crate::contain) mod combinations;
pub(in crate::contain) mod facts;
pub(in crate::contain) mod keys;
pub(in crate::contain) mod part;
pub(in crate::contain) mod query;
pub(in crate::contain) mod question;
pub(in crate::contain) mod solve;
mod words;
