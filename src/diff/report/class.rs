//! A class of requests in words.

use crate::diff::compare::ChangedRequests;

/// `s3:PutObject on arn:aws:s3:::b/*, if StringEquals …`
pub fn class(requests: &ChangedRequests) -> String {
    let mut out = requests.actions.clone();
    if !requests.resources.is_empty() {
        out.push_str(" on ");
        out.push_str(&requests.resources);
    }
    if !requests.conditions.is_empty() {
        out.push_str(", if ");
        out.push_str(&requests.conditions.join(" and "));
    }
    if let Some(namespace) = &requests.namespace {
        out.push_str(&format!(", in namespace {namespace}"));
    }
    out
}
