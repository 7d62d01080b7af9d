//! Parts of roles and bindings that are as they must be once they are there: policies, a session policy.

use std::{collections::BTreeSet, ops::Deref};

use deputy_policy::{Document, ParseErrors, PolicyKind};

use crate::{
    names::{ManagedPolicyArn, RolePolicyName},
    quota,
};

/// One named policy of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPolicy {
    /// Unique in the role. AWS does not see it.
    pub name: RolePolicyName,
    /// A [`PolicyKind::Identity`].
    pub document: Document,
}

/// The policies of a role, at least one. Up to [`quota::POLICIES_OF_ROLE`] identity policies, each with a name of its own, and the one
/// inline policy that they become; and up to [`quota::MANAGED_POLICIES_OF_ROLE`] managed ones, of which only the ARNs are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolePolicies {
    named: Vec<NamedPolicy>,
    inline: Option<Document>,
    managed: BTreeSet<ManagedPolicyArn>,
}

/// Why policies can't be those of a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RolePoliciesError {
    /// Neither of one kind nor of the other.
    #[error("there is no policy, neither an own nor a managed one")]
    Empty,
    /// Too many.
    #[error("{0} policies; it must be 1 to {max}", max = quota::POLICIES_OF_ROLE)]
    Count(usize),
    /// Too many managed ones.
    #[error("{0} managed policies; AWS takes {max}", max = quota::MANAGED_POLICIES_OF_ROLE)]
    ManagedCount(usize),
    /// Two have the same name.
    #[error("there is another policy named {:?}", .0.as_str())]
    Repeated(RolePolicyName),
    /// A document of another kind.
    #[error(transparent)]
    Kind(#[from] PolicyKindError),
    /// They can't be one document, such as when their versions differ.
    #[error("can't become one inline policy: {0}")]
    Merge(#[source] ParseErrors),
}

impl RolePolicies {
    /// Takes lists that were gathered elsewhere.
    ///
    /// # Errors
    /// The first rule that they break.
    pub fn new(
        policies: impl IntoIterator<Item = NamedPolicy>,
        managed: impl IntoIterator<Item = ManagedPolicyArn>,
    ) -> Result<Self, RolePoliciesError> {
        let mut list = PolicyList::default();
        for policy in policies {
            list.push(policy)?;
        }
        list.finish(managed.into_iter().collect())
    }

    /// All that are its own as the one inline policy that is written, under the name [`crate::naming::INLINE_POLICY`]. `None` when it
    /// has managed policies alone.
    #[must_use]
    pub fn inline(&self) -> Option<&Document> {
        self.inline.as_ref()
    }

    /// The managed policies that are attached.
    #[must_use]
    pub fn managed(&self) -> &BTreeSet<ManagedPolicyArn> {
        &self.managed
    }
}

impl Deref for RolePolicies {
    type Target = [NamedPolicy];
    fn deref(&self) -> &[NamedPolicy] {
        &self.named
    }
}

/// Policies on their way to become [`RolePolicies`]: for who wants to say of each what is wrong with it.
#[derive(Debug, Default)]
pub struct PolicyList(Vec<NamedPolicy>);

impl PolicyList {
    /// The next one.
    ///
    /// # Errors
    /// When its name is taken, or its document is of another kind; it is left out then.
    pub fn push(&mut self, policy: NamedPolicy) -> Result<(), RolePoliciesError> {
        if self.0.iter().any(|other| other.name == policy.name) {
            return Err(RolePoliciesError::Repeated(policy.name));
        }
        PolicyKindError::unless(&policy.document, PolicyKind::Identity)?;
        self.0.push(policy);
        Ok(())
    }

    /// That was the last one; the role has these managed policies beside them.
    ///
    /// # Errors
    /// When there are too many of a kind or none of both, or they can't be merged.
    pub fn finish(self, managed: BTreeSet<ManagedPolicyArn>) -> Result<RolePolicies, RolePoliciesError> {
        let named = self.0;
        if named.is_empty() && managed.is_empty() {
            return Err(RolePoliciesError::Empty);
        }
        if named.len() > quota::POLICIES_OF_ROLE {
            return Err(RolePoliciesError::Count(named.len()));
        }
        if managed.len() > quota::MANAGED_POLICIES_OF_ROLE {
            return Err(RolePoliciesError::ManagedCount(managed.len()));
        }
        let documents = named.iter().map(|policy| &policy.document);
        let merged = (!named.is_empty()).then(|| Document::merge(documents));
        Ok(RolePolicies {
            inline: merged.transpose().map_err(RolePoliciesError::Merge)?,
            named,
            managed,
        })
    }
}

/// A document of another kind than is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is a policy of kind {is:?}; {wanted:?} is needed")]
pub struct PolicyKindError {
    is: PolicyKind,
    wanted: PolicyKind,
}

impl PolicyKindError {
    pub(super) fn unless(document: &Document, wanted: PolicyKind) -> Result<(), Self> {
        let is = document.kind();
        if is == wanted {
            Ok(())
        } else {
            Err(Self { is, wanted })
        }
    }
}

/// The policy of a session: a [`PolicyKind::Session`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPolicy(Document);

impl SessionPolicy {
    /// This document.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn new(document: Document) -> Result<Self, PolicyKindError> {
        PolicyKindError::unless(&document, PolicyKind::Session).map(|()| Self(document))
    }
}

impl Deref for SessionPolicy {
    type Target = Document;
    fn deref(&self) -> &Document {
        &self.0
    }
}
