//! What is known of every request under a grant: the tags that Deputy sets have one value there.
//!
//! A session of a role carries the role's tags and its own, and of both nobody but Deputy sets those that begin with `deputy-`
//! ([`crate::naming`]): a role of namespace `payments` is never asked for with another `deputy-namespace`. So a limit for all
//! namespaces says `${aws:PrincipalTag/deputy-namespace}`, and a role of one of them its name.

use std::borrow::Cow;

use deputy_policy::{
    ActionElement, Condition, Document, Effect, PolicyKind, ResourceElement, Statement, Test, Version,
};

use crate::{
    model::RoleId,
    names::{ClusterName, NamespaceName},
    naming::{TAG_CLUSTER, TAG_NAME, TAG_NAMESPACE},
};

const PRINCIPAL_TAG: &str = "aws:PrincipalTag/";

/// Tags of the principal with their values.
#[derive(Debug, Clone)]
pub struct KnownTags<'a>(Vec<(&'static str, &'a str)>);

impl<'a> KnownTags<'a> {
    /// Of the sessions of a role that Deputy makes, and tags.
    #[must_use]
    pub fn of(cluster: &'a ClusterName, role: &'a RoleId) -> Self {
        let Self(mut tags) = Self::of_session(cluster, &role.namespace);
        tags.push((TAG_NAME, role.name.as_str()));
        Self(tags)
    }

    /// Of the sessions of a role that exists, or of a federated user: what the tags of that role or of the federation user say is their
    /// owner's affair, so only the tags of the session are known, which come before those.
    #[must_use]
    pub fn of_session(cluster: &'a ClusterName, namespace: &'a NamespaceName) -> Self {
        Self(vec![
            (TAG_CLUSTER, cluster.as_str()),
            (TAG_NAMESPACE, namespace.as_str()),
        ])
    }

    /// The document with the values in place of variables of these tags.
    #[must_use]
    pub fn put_in<'d>(&self, document: &'d Document) -> Cow<'d, Document> {
        if document.version() == Version::V2008 {
            // It has no variables.
            return Cow::Borrowed(document);
        }
        let mut changed = false;
        let mut statements = document.statements().to_vec();
        for statement in &mut statements {
            if let Some(ResourceElement::Resource(texts) | ResourceElement::NotResource(texts)) =
                &mut statement.resource
            {
                changed |= self.put_into(texts);
            }
            for condition in &mut statement.conditions {
                changed |= self.put_into(&mut condition.values);
            }
        }
        if !changed {
            return Cow::Borrowed(document);
        }
        // A value has no character that means something in a pattern; whatever could not be made is compared as it stands.
        Document::new(document.version(), statements, document.kind())
            .map_or(Cow::Borrowed(document), Cow::Owned)
    }

    fn put_into(&self, texts: &mut [String]) -> bool {
        let mut changed = false;
        for text in texts {
            if let Some(with) = self.replaced(text) {
                *text = with;
                changed = true;
            }
        }
        changed
    }

    fn replaced(&self, text: &str) -> Option<String> {
        let mut out = String::new();
        let mut rest = text;
        let mut changed = false;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, behind)) = after.split_once('}') else {
                break;
            };
            out.push_str(before);
            match self.value(name) {
                Some(value) => {
                    out.push_str(value);
                    changed = true;
                }
                None => {
                    out.push_str("${");
                    out.push_str(name);
                    out.push('}');
                }
            }
            rest = behind;
        }
        out.push_str(rest);
        changed.then_some(out)
    }

    /// The value of what stands between `${` and `}`, with or without a default: the tag is always there.
    fn value(&self, name: &str) -> Option<&'a str> {
        let name = name.split(',').next().unwrap_or_default().trim();
        let tag = strip_prefix_in_any_case(name, PRINCIPAL_TAG)?;
        let (_, value) = self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(tag))?;
        Some(value)
    }

    /// A layer that allows nothing but requests with these tags, when a condition of one of the documents looks at one of
    /// them.
    #[must_use]
    pub fn layer(&self, documents: &[&Document]) -> Option<Document> {
        let asked = |tag: &str| {
            let statements = documents.iter().flat_map(|document| document.statements());
            let mut keys = statements.flat_map(|s| &s.conditions).map(|c| c.key.as_str());
            keys.any(|key| {
                strip_prefix_in_any_case(key, PRINCIPAL_TAG).is_some_and(|of| of.eq_ignore_ascii_case(tag))
            })
        };
        let conditions: Vec<Condition> = self
            .0
            .iter()
            .filter(|(tag, _)| asked(tag))
            .map(|(tag, value)| Condition::new(Test::StringEquals, format!("{PRINCIPAL_TAG}{tag}"), [*value]))
            .collect();
        if conditions.is_empty() {
            return None;
        }
        let statement = Statement {
            sid: None,
            effect: Effect::Allow,
            principal: None,
            action: ActionElement::Action(vec!["*".to_owned()]),
            resource: Some(ResourceElement::Resource(vec!["*".to_owned()])),
            conditions,
        };
        Document::new(Version::V2012, vec![statement], PolicyKind::Identity).ok()
    }
}

fn strip_prefix_in_any_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (begin, rest) = text.split_at_checked(prefix.len())?;
    begin.eq_ignore_ascii_case(prefix).then_some(rest)
}
