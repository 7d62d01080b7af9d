//! Sessions for people: an API of the cluster (`credentials.deputy.dev`), behind the API server, which says who asks.
//!
//! - [`http`]: requests, in order: who asks, whether the cluster lets them, what is granted.
//! - [`access`]: whether RBAC lets them; [`wire`] the bodies; [`discovery`] what the API says of itself.
//!
//! # Invariants
//!
//! - Nobody but the API server is heard, by the certificate of its connection (`deputy_runtime::front_proxy`).
//! - RBAC and the binding both have to allow, and every limit: `a_person_gets_a_session_by_rbac_binding_and_limits_alone`.
//! - Whatever else is sent makes no session: `whatever_else_is_sent_makes_no_session_of_a_person`.

mod access;
mod discovery;
mod http;
mod wire;

pub use self::http::{PeopleServer, QUESTIONS, router};
