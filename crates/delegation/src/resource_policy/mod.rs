//! Somebody's policy of a bucket, queue or topic, with one statement of Deputy's in it.
//!
//! AWS takes such a policy whole and knows no version of it to write against. So whoever writes it reads it right before, and of what is
//! there changes the one statement: all others keep the text that they have, to the character.

mod text;

use deputy_policy::{Document, PolicyKind, ResourceElement};
use serde_json::json;

pub use self::text::PolicyTextError;
use self::text::{PolicyText, Standing};
use crate::{
    model::StatementGrant,
    names::{FederatedUserArn, PolicyResource, PolicyResourceKind, RoleArn, StatementSid},
};

/// Whom a statement names in AWS.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GranteeArn {
    /// A role: every session of it.
    Role(RoleArn),
    /// A federated user: every session of that name.
    FederatedUser(FederatedUserArn),
}

impl std::fmt::Display for GranteeArn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Role(arn) => arn.fmt(f),
            Self::FederatedUser(arn) => arn.fmt(f),
        }
    }
}

/// The statement as it is to be in AWS: an Allow of a grant for some principals, known by its Sid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedStatement {
    sid: StatementSid,
    /// A [`PolicyKind::Resource`] of this one statement.
    document: Document,
}

impl WantedStatement {
    /// The statement; `None` when it would name nobody.
    ///
    /// # Errors
    /// When it can't be written, which no grant that was read does.
    pub fn new(
        sid: &StatementSid,
        grant: &StatementGrant,
        principals: &[GranteeArn],
    ) -> Result<Option<Self>, deputy_policy::ParseErrors> {
        if principals.is_empty() {
            return Ok(None);
        }
        let mut document = grant.to_value();
        if let Some(statement) = document.pointer_mut("/Statement/0") {
            let arns: Vec<String> = principals.iter().map(ToString::to_string).collect();
            statement["Sid"] = sid.as_str().into();
            statement["Principal"] = json!({ "AWS": arns });
        }
        Document::from_value(&document, PolicyKind::Resource).map(|document| {
            Some(Self {
                sid: sid.clone(),
                document,
            })
        })
    }

    /// The text of the statement alone.
    fn text(&self) -> String {
        let document = self.document.to_value();
        document
            .pointer("/Statement/0")
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    /// Whether it says something else in the language of 2008, which has no policy variables.
    fn has_variables(&self) -> bool {
        self.document.statements().iter().any(|statement| {
            let resources = match &statement.resource {
                Some(ResourceElement::Resource(texts) | ResourceElement::NotResource(texts)) => {
                    texts.as_slice()
                }
                None => &[],
            };
            let values = statement
                .conditions
                .iter()
                .flat_map(|condition| &condition.values);
            resources.iter().chain(values).any(|text| text.contains("${"))
        })
    }
}

/// What has to be written, that a policy has a statement or has it no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyEdit {
    /// Nothing.
    Nothing,
    /// This policy in the place of the one that is there.
    Put {
        /// The whole policy.
        policy: String,
        /// What the policy had under the Sid, when that was something else than is wanted.
        found: Option<String>,
    },
    /// No policy: the statement was all that there was.
    Delete,
}

/// Why a policy can't have a statement, or can't lose it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyEditError {
    /// The policy that is there can't be read, so nothing in it is touched.
    #[error("the policy that is there can't be read, and is left as it is: {0}")]
    Unreadable(#[from] PolicyTextError),
    /// Somebody else has a statement of that Sid.
    #[error(
        "the policy has a statement with Sid {0} that Deputy did not write, and it is left as it is: remove it there, or give this object another \
         name"
    )]
    Taken(StatementSid),
    /// The policy is in the language of 2008, in which variables are plain text.
    #[error(
        "the policy that is there is in the language of {version}, in which ${{…}} is plain text: its owner has to set Version to 2012-10-17, or \
         the statement has to do without variables"
    )]
    Variables {
        /// `2008-10-17`, or that it says none.
        version: String,
    },
    /// More than the service takes.
    #[error(
        "with the statement the policy would have {size} bytes; AWS takes {max} in the policy of a {noun}"
    )]
    TooLarge {
        /// What it would have.
        size: usize,
        /// What it may have.
        max: usize,
        /// Bucket, queue or topic.
        noun: &'static str,
    },
    /// Without the statement nothing is left, which SNS does not take.
    #[error(
        "without the statement the topic would have no policy at all, which SNS does not take: give it another statement, as that of its owner, \
         which SNS made with it"
    )]
    LastOfTopic,
}

/// What has to be written, that the policy `there` of `resource` has the statement `wanted` under `sid`; or nothing under it, where none is
/// wanted. `is_owned`: what is there under the Sid is Deputy's; else it is somebody's, and stays.
///
/// # Errors
/// [`PolicyEditError`]: nothing is to be written.
pub fn edit(
    there: Option<&str>,
    resource: &PolicyResource,
    sid: &StatementSid,
    wanted: Option<&WantedStatement>,
    is_owned: bool,
) -> Result<PolicyEdit, PolicyEditError> {
    let text = match there {
        Some(there) => PolicyText::parse(there)?,
        None => PolicyText::default(),
    };
    let standing = text.standing(sid, wanted.map(|wanted| &wanted.document));
    match (wanted, standing) {
        (Some(_), Standing::AsWanted) | (None, Standing::Absent) => Ok(PolicyEdit::Nothing),
        // Somebody else's: not Deputy's to take away.
        (None, _) if !is_owned => Ok(PolicyEdit::Nothing),
        (None, _) => match text.without(sid) {
            Some(policy) => Ok(PolicyEdit::Put { policy, found: None }),
            None if resource.kind() == PolicyResourceKind::Topic => Err(PolicyEditError::LastOfTopic),
            None => Ok(PolicyEdit::Delete),
        },
        (Some(wanted), Standing::Absent) => put(&text, resource, wanted, None),
        (Some(wanted), Standing::Other(_)) if !is_owned => Err(PolicyEditError::Taken(wanted.sid.clone())),
        (Some(wanted), Standing::Other(found)) => put(&text, resource, wanted, Some(found)),
    }
}

fn put(
    text: &PolicyText<'_>,
    resource: &PolicyResource,
    wanted: &WantedStatement,
    found: Option<String>,
) -> Result<PolicyEdit, PolicyEditError> {
    if let Some(version) = text.old_version()
        && wanted.has_variables()
    {
        return Err(PolicyEditError::Variables { version });
    }
    let policy = text.with(&wanted.sid, &wanted.text());
    let (size, max) = (policy.len(), resource.kind().policy_size());
    if size > max {
        return Err(PolicyEditError::TooLarge {
            size,
            max,
            noun: resource.kind().noun(),
        });
    }
    Ok(PolicyEdit::Put { policy, found })
}
