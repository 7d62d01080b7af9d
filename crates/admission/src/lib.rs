//! Admission: the review server, validation of Deputy's kinds, and pod injection.
//!
//! It writes nothing and calls no AWS (invariant 4): a review is answered from the index and, on a miss, one live read.

pub mod inject;
