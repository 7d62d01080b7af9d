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
    names::{FederatedUserArn, PolicyResource, PolicyResourceKind, ResourceHome, RoleArn, StatementSid},
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
        Document::from_value(&document, PolicyKind::Resource).map(|document| Some(Self { document }))
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
}

/// A statement of a policy of somebody's, and what is known around it.
pub struct StatementEdit<'a> {
    /// The resource.
    pub resource: &'a PolicyResource,
    /// What the statement is known by.
    pub sid: &'a StatementSid,
    /// The statement; `None` where there is to be none.
    pub wanted: Option<&'a WantedStatement>,
    /// Whether what is there under the Sid is Deputy's; else it is somebody's, and stays.
    pub is_owned: bool,
    /// Whether a statement of this Sid is another one of Deputy's.
    pub is_own: &'a dyn Fn(&str) -> bool,
}

impl StatementEdit<'_> {
    /// What has to be written, that the policy `there` has the statement under its Sid, or nothing.
    ///
    /// # Errors
    /// [`PolicyEditError`]: the policy can't have it. What it has under the Sid may be too much by now: [`Self::without`] takes it out.
    pub fn of(&self, there: Option<&str>) -> Result<PolicyEdit, PolicyEditError> {
        let Some(wanted) = self.wanted else {
            return self.without(there);
        };
        let text = read(there)?;
        if let Some(version) = text.old_version()
            && wanted.has_variables()
        {
            return Err(PolicyEditError::Variables { version });
        }
        match text.standing(self.sid, Some(&wanted.document)) {
            Standing::AsWanted => Ok(PolicyEdit::Nothing),
            Standing::Absent => self.put(&text, wanted, None),
            Standing::Other(_) if !self.is_owned => Err(PolicyEditError::Taken(self.sid.clone())),
            Standing::Other(found) => self.put(&text, wanted, Some(found)),
        }
    }

    /// What has to be written, that the policy `there` has nothing of Deputy's under the Sid.
    ///
    /// # Errors
    /// [`PolicyEditError::Unreadable`].
    pub fn without(&self, there: Option<&str>) -> Result<PolicyEdit, PolicyEditError> {
        let text = read(there)?;
        // What is somebody else's is not Deputy's to take away.
        if !self.is_owned || text.standing(self.sid, None) == Standing::Absent {
            return Ok(PolicyEdit::Nothing);
        }
        let others = text.without_the_gone(self.is_own);
        let policy = match (text.of(&others).without(self.sid), self.resource.home()) {
            (Some(policy), _) => policy,
            // SNS takes no topic without a policy.
            (None, Some(home)) if self.resource.kind() == PolicyResourceKind::Topic => {
                text.with_alone(&owner_only(self.resource, home))
            }
            (None, _) => return Ok(PolicyEdit::Delete),
        };
        Ok(PolicyEdit::Put { policy, found: None })
    }

    fn put(
        &self,
        text: &PolicyText<'_>,
        wanted: &WantedStatement,
        found: Option<String>,
    ) -> Result<PolicyEdit, PolicyEditError> {
        let others = text.without_the_gone(self.is_own);
        let policy = text.of(&others).with(self.sid, &wanted.text());
        let (size, max) = (policy.len(), self.resource.kind().policy_size());
        if size > max {
            return Err(PolicyEditError::TooLarge {
                size,
                max,
                noun: self.resource.kind().noun(),
            });
        }
        Ok(PolicyEdit::Put { policy, found })
    }
}

fn read(there: Option<&str>) -> Result<PolicyText<'_>, PolicyTextError> {
    there.map_or_else(|| Ok(PolicyText::default()), PolicyText::parse)
}

/// A statement that grants nobody anything: that of an account's own root user leaves its identities what their own policies say.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-accounts>
fn owner_only(topic: &PolicyResource, home: &ResourceHome) -> String {
    let root = format!("arn:{}:iam::{}:root", topic.partition(), home.account);
    json!({
        "Sid": "OwnerOnly", "Effect": "Allow", "Principal": {"AWS": root},
        "Action": "SNS:GetTopicAttributes", "Resource": topic.to_string(),
    })
    .to_string()
}
