//! A ServiceAccount token that the kubelet projects into a pod: taken apart, verified by the keys that the API server publishes, and read.
//!
//! The broker asks whose a token is, and so does the agent of a node. Both ask here, so that both believe the same.
//!
//! # Invariants
//!
//! - It knows nothing of Kubernetes' API, of AWS, or of an async runtime, and asks no clock: `the_crates_are_in_layers`.
//! - What a token says is read as [`PodTokenClaims`], and believed only of one whose signature is right:
//!   `whatever_is_changed_in_a_token_makes_it_worthless`.
//! - The algorithm is that of the key, whatever the token says: `a_key_verifies_by_its_own_algorithm_alone`.
//! - Keys that were handed on are the keys that were read: `keys_that_are_handed_on_verify_the_same_tokens`.

mod invalid;
mod jws;
mod keys;
mod node;
mod share;

/// The audience of the tokens in pods; a contract.
pub const AUDIENCE: &str = "deputy";

pub use self::{
    invalid::{InvalidToken, MAX_TOKEN_BYTES, check_shape},
    jws::{BoundPod, MAX_KEY_ID_BYTES, PodTokenClaims, SignedToken},
    keys::{KeysError, MAX_KEY_DOCUMENT_BYTES, PublishedKeys, Signature},
    node::{InvalidNodeName, NodeName},
    share::{PeerShare, PeerShares},
};

#[cfg(test)]
mod tests;
