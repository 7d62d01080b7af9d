//! What a permissions boundary cuts off from a managed policy. For people: no decision rests on it.

use deputy_policy::{Candidate, Containment, Document, PolicyKind, contains, impossible};

/// What becomes of a managed policy under a boundary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capping {
    /// All that it allows is within the boundary.
    Whole,
    /// This request, and maybe more, is allowed by the policy and not by the boundary: an action, a resource and a context.
    CutOff(String),
    /// Neither is known; why.
    Undecided(String),
}

/// Compares the text of a managed policy with the document of a boundary. Requests that AWS can't make are left out, by its service
/// reference.
#[must_use]
pub fn capping(boundary: &Document, policy: &str) -> Capping {
    let policy = match Document::parse(policy, PolicyKind::Identity) {
        Ok(policy) => policy,
        Err(problems) => return Capping::Undecided(format!("it is not understood: {problems}")),
    };
    let mut answer = contains(&Candidate::new(&[&policy]), boundary);
    if !answer.is_contained()
        && let Some(impossible) = impossible(&[&policy])
    {
        answer = contains(&Candidate::new(&[&policy, &impossible]), boundary);
    }
    match answer {
        Containment::Contained(_) => Capping::Whole,
        Containment::Exceeds(witness) => Capping::CutOff(witness.to_string()),
        Containment::Unknown(reason) => Capping::Undecided(format!("{} can't be compared", reason.construct)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boundary() -> Document {
        let text = r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":["s3:GetObject","s3:ListAllMyBuckets"],"Resource":"*"},
            {"Effect":"Deny","NotAction":["s3:GetObject","s3:ListAllMyBuckets"],"Resource":"*"}]}"#;
        Document::parse(text, PolicyKind::Boundary).unwrap()
    }

    #[test]
    fn what_a_boundary_cuts_off_is_shown_by_a_request() {
        let of = |statement: &str| {
            let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
            capping(&boundary(), &text)
        };
        assert_eq!(
            of(r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}"#),
            Capping::Whole
        );
        let Capping::CutOff(witness) = of(r#"{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}"#) else {
            panic!("not cut off")
        };
        assert!(witness.starts_with("s3:Get"), "{witness}");
        // AWS lists all buckets or none: nobody can ask for one bucket alone.
        assert_eq!(
            of(r#"{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"arn:aws:s3:::b"}"#),
            Capping::Whole
        );
        assert!(matches!(of(r#"{"Effect":"Maybe"}"#), Capping::Undecided(_)));
        assert!(matches!(capping(&boundary(), "not json"), Capping::Undecided(_)));
    }
}
