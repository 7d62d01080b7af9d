//! Session policies, looked at before anything is sent: they parse, they are of a size that AWS takes, and none of their
//! statements pretends to add to the role.

use std::path::{Path, PathBuf};

use clap::Args;
use deputy_aws::NarrowedBy;
use deputy_delegation::{
    ManagedPolicyArn,
    quota::{SESSION_POLICY, SESSION_POLICY_ARNS},
};
use deputy_policy::{Candidate, Containment, Document, Effect, PolicyKind, contains};

use crate::{
    exit::{Failure, say},
    input::{named, once},
    policy::{report::place, select},
};

/// By what a session is to get less than its role has.
#[derive(Debug, Args)]
pub struct NarrowingArguments {
    /// Session policy: a policy, or a manifest with one AWSRoleBinding; JSON or YAML, - is standard input
    #[arg(long, value_name = "FILE")]
    session_policy: Option<PathBuf>,
    /// ARN of a managed policy that is a session policy, too; may be repeated
    #[arg(long, value_name = "ARN")]
    policy_arn: Vec<ManagedPolicyArn>,
    /// The policies of the role, all of them, against which the session policy is held: a statement of it that none of them allows
    /// is refused; may be repeated
    #[arg(long, value_name = "FILE", requires = "session_policy")]
    role_policy: Vec<PathBuf>,
}

/// What a statement of a session policy has beyond the role.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Beyond {
    /// The role allows nothing of it.
    All,
    /// The role does not allow all of it, such as this.
    Some(String),
    /// It can't be told, for this reason.
    Unknown(String),
}

/// What session policies add to the key of a session.
pub fn fields_of_narrowed(narrowed: &NarrowedBy) -> impl Iterator<Item = (&str, &str)> {
    let inline = narrowed.policy.iter().map(|policy| ("policy", policy.as_str()));
    let managed = narrowed
        .policy_arns
        .iter()
        .map(|arn| ("policy arn", arn.as_str()));
    inline.chain(managed)
}

impl NarrowingArguments {
    /// The flags that may read standard input.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Path)> {
        named("--session-policy", self.session_policy.as_slice())
            .chain(named("--role-policy", &self.role_policy))
    }

    /// What is sent. `others` are the other arguments that may read standard input.
    ///
    /// # Errors
    /// What AWS would not take, and what pretends to add.
    pub fn read<'a>(
        &'a self,
        others: impl IntoIterator<Item = (&'a str, &'a Path)>,
    ) -> Result<NarrowedBy, Failure> {
        once(self.files().chain(others))?;
        let policy = match &self.session_policy {
            Some(path) => Some(self.session_policy(path)?),
            None => None,
        };
        let arns: Vec<String> = self.policy_arn.iter().map(ToString::to_string).collect();
        sizes(policy.as_ref(), &arns)?;
        Ok(NarrowedBy {
            policy: policy.map(|document| document.to_json()),
            policy_arns: arns,
        })
    }

    fn session_policy(&self, path: &Path) -> Result<Document, Failure> {
        let (file, judged) = select::only(path, PolicyKind::Session)?;
        let ([policy], [document]) = (judged.policies.as_slice(), judged.documents.as_slice()) else {
            return Err(Failure::input(format!(
                "{}: one session policy is needed",
                file.name
            )));
        };
        let role = self
            .role_policy
            .iter()
            .map(|path| select::one(path, PolicyKind::Identity))
            .collect::<Result<Vec<_>, _>>()?
            .concat();
        if self.role_policy.is_empty() {
            return Ok(document.clone());
        }
        let mut pretended = Vec::new();
        for (at, beyond) in beyond(document, &role) {
            let element = format!("Statement[{at}]");
            let place = place(&file.source(), policy.find(&element).as_ref());
            let element = policy.path_of(&element);
            match beyond {
                Beyond::All => pretended.push(format!(
                    "{place}: {element} adds nothing: the role allows nothing of it, and a session policy never adds"
                )),
                Beyond::Some(request) => say(&format!(
                    "{place}: {element} allows what the role does not, and the session will not have it: {request}"
                )),
                Beyond::Unknown(reason) => say(&format!(
                    "{place}: {element} can't be compared with the role: {reason}"
                )),
            }
        }
        if pretended.is_empty() {
            Ok(document.clone())
        } else {
            Err(Failure::input(pretended.join("\n")))
        }
    }
}

/// The limits of STS (AssumeRole, `Policy` and `PolicyArns.member.N`).
fn sizes(policy: Option<&Document>, arns: &[String]) -> Result<(), Failure> {
    if arns.len() > SESSION_POLICY_ARNS {
        return Err(Failure::input(format!(
            "{} managed policies; AWS takes {SESSION_POLICY_ARNS} as session policies",
            arns.len()
        )));
    }
    let inline = policy.map_or(0, Document::size);
    let size = inline + arns.iter().map(String::len).sum::<usize>();
    if size > SESSION_POLICY {
        return Err(Failure::input(format!(
            "the session policy has {inline} characters without white space, with the ARNs of managed ones {size}; AWS takes \
             {SESSION_POLICY}"
        )));
    }
    Ok(())
}

/// The statements that allow what the role does not, by their number.
fn beyond(session: &Document, role: &[Document]) -> Vec<(usize, Beyond)> {
    let allows = session.statements().iter().enumerate();
    let allows = allows.filter(|(_, statement)| statement.effect == Effect::Allow);
    let role: Vec<&Document> = role.iter().collect();
    let found = |(at, statement): (usize, &deputy_policy::Statement)| {
        let unknown = |why: &dyn std::fmt::Display| Some((at, Beyond::Unknown(why.to_string())));
        let alone = match Document::new(session.version(), vec![statement.clone()], PolicyKind::Session) {
            Ok(alone) => alone,
            Err(errors) => return unknown(&errors),
        };
        let ceiling = match Document::merge(role.iter().copied()) {
            Ok(ceiling) => ceiling,
            Err(errors) => return unknown(&errors),
        };
        let witness = match contains(&Candidate::new(&[&alone]), &ceiling) {
            Containment::Contained(_) => return None,
            Containment::Exceeds(witness) => witness.to_string(),
            Containment::Unknown(reason) => return unknown(&reason),
        };
        let none = match nothing() {
            Ok(none) => none,
            Err(errors) => return unknown(&errors),
        };
        let of_both = Candidate::new(&[&alone]).layer(&role);
        Some((
            at,
            match contains(&of_both, &none) {
                Containment::Contained(_) => Beyond::All,
                // Of what both allow something is there, or it can't be told: the request above is beyond all the same.
                Containment::Exceeds(_) | Containment::Unknown(_) => Beyond::Some(witness),
            },
        ))
    };
    allows.filter_map(found).collect()
}

/// A policy that allows nothing: what is contained in it is nothing.
fn nothing() -> Result<Document, deputy_policy::ParseErrors> {
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;
    Document::parse(text, PolicyKind::Identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(kind: PolicyKind, statements: &str) -> Document {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        Document::parse(&text, kind).unwrap()
    }

    fn allow(action: &str, resource: &str) -> String {
        format!(r#"{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}"#)
    }

    #[test]
    fn what_the_role_does_not_allow_is_told_statement_by_statement() {
        let role = [
            document(PolicyKind::Identity, &allow("s3:Get*", "arn:aws:s3:::reports/*")),
            document(
                PolicyKind::Identity,
                r#"{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::reports/secret/*"}"#,
            ),
        ];
        let of = |statement: String| beyond(&document(PolicyKind::Session, &statement), &role);
        assert_eq!(of(allow("s3:GetObject", "arn:aws:s3:::reports/2026/*")), []);
        for nothing in [
            allow("s3:PutObject", "arn:aws:s3:::reports/*"),
            allow("s3:GetObject", "arn:aws:s3:::other/*"),
            allow("iam:*", "*"),
            allow("s3:GetObject", "arn:aws:s3:::reports/secret/*"),
        ] {
            assert_eq!(of(nothing), [(0, Beyond::All)]);
        }
        let wide = of([
            allow("s3:GetObject", "arn:aws:s3:::reports/a"),
            allow("s3:*", "*"),
        ]
        .join(","));
        assert!(matches!(wide.as_slice(), [(1, Beyond::Some(_))]), "{wide:?}");
        // A Deny takes away, and never pretends.
        let deny = r#"{"Effect":"Deny","Action":"iam:*","Resource":"*"}"#;
        assert_eq!(of(deny.to_owned()), []);
    }

    #[test]
    fn what_aws_has_no_room_for_is_refused_with_the_numbers() {
        let arn = || "arn:aws:iam::aws:policy/ReadOnlyAccess".to_owned();
        let small = document(
            PolicyKind::Session,
            &allow("s3:GetObject", "arn:aws:s3:::reports/*"),
        );
        assert!(sizes(Some(&small), &vec![arn(); 10]).is_ok());
        assert!(sizes(None, &[]).is_ok());
        let many = sizes(Some(&small), &vec![arn(); 11]).unwrap_err().to_string();
        assert!(many.contains("11 managed policies; AWS takes 10"), "{many}");
        let key = "x".repeat(2000);
        let large = document(
            PolicyKind::Session,
            &allow("s3:GetObject", &format!("arn:aws:s3:::reports/{key}")),
        );
        let said = sizes(Some(&large), &[]).unwrap_err().to_string();
        assert!(said.contains("AWS takes 2048"), "{said}");
    }
}
