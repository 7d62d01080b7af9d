//! What the tests, the benchmarks, the fuzz targets and the long run of `deputy-policy` share. It is for them alone: no crate
//! depends on it but for its tests.
//!
//! Where to look:
//!
//! | module | what it is |
//! |---|---|
//! | [`naive`] | the second evaluator: the rules of the IAM User Guide on plain JSON, without any code of the first |
//! | [`situations`] | whole decisions (accounts, organisation, resource policy, boundary, session), and a second opinion on them |
//! | [`sessions`] | the five ways to a temporary credential: random calls, and a second opinion on them |
//! | [`generate`] | random policies of the whole language, pairs that are near to each other, requests near their edge |
//! | [`choices`] | where a generator's decisions come from: a seed, the numbers of proptest, the bytes of a fuzzer |
//! | [`engine`] | the crate's answers in the words of the second evaluator; whether that one confirms a witness |
//! | [`possible`] | whether a witness could be a request at all |
//! | [`expect`] | pairs with the answers that are right |
//! | [`small_worlds`] | so few statements and requests that every question is asked |
//! | [`forge`] | certificates with something wrong in them |
//! | [`hostile`] | documents and texts made to take long |
//! | [`targets`] | what the fuzz targets do with their bytes |
//! | [`soak`] | what the long run checks, and counts |

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test ends where one of these does"
)]
#![expect(
    missing_docs,
    reason = "fields and variants of what tests share are named by what they are"
)]

pub mod choices;
pub mod engine;
pub mod expect;
pub mod forge;
pub mod generate;
pub mod hostile;
pub mod naive;
pub mod possible;
pub mod sessions;
pub mod situations;
pub mod small_worlds;
pub mod soak;
pub mod targets;
