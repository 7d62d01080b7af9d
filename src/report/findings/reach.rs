//! How far a statement reaches by its wording: patterns for actions and resources, however they are spelled.

use deputy_policy::{ActionElement, Effect, ResourceElement, Statement, reference};

use crate::report::model::FindingWeight;

/// How far a statement reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementReach {
    EverythingOnEverything,
    EverythingOnSome,
    ServiceOnEverything,
    ServiceOnSome,
    WildcardOnEverything,
    /// Actions that are spelled out, on resources that are not though they could be.
    ListedOnEverything,
}

/// How much of all actions a text of `Action` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Breadth {
    One,
    Wildcard,
    Service,
    All,
}

impl StatementReach {
    /// `None`: it is a Deny, or spells out what it is about.
    pub fn of(statement: &Statement) -> Option<Self> {
        if statement.effect != Effect::Allow {
            return None;
        }
        let breadth = match &statement.action {
            ActionElement::NotAction(_) => Breadth::All,
            ActionElement::Action(listed) => listed
                .iter()
                .map(|action| breadth(action))
                .max()
                .unwrap_or(Breadth::One),
        };
        match (breadth, is_everywhere(statement.resource.as_ref())) {
            (Breadth::All, true) => Some(Self::EverythingOnEverything),
            (Breadth::All, false) => Some(Self::EverythingOnSome),
            (Breadth::Service, true) => Some(Self::ServiceOnEverything),
            (Breadth::Service, false) => Some(Self::ServiceOnSome),
            (Breadth::Wildcard, true) => Some(Self::WildcardOnEverything),
            (Breadth::One, true) if takes_resources(&statement.action) => Some(Self::ListedOnEverything),
            (Breadth::Wildcard | Breadth::One, _) => None,
        }
    }

    pub fn reason(self) -> &'static str {
        match self {
            Self::EverythingOnEverything => "AnyActionOnAnyResource",
            Self::EverythingOnSome => "AnyAction",
            Self::ServiceOnEverything => "WholeServiceOnAnyResource",
            Self::ServiceOnSome => "WholeService",
            Self::WildcardOnEverything => "WildcardOnAnyResource",
            Self::ListedOnEverything => "ActionsOnAnyResource",
        }
    }

    pub fn weight(self) -> FindingWeight {
        match self {
            Self::EverythingOnEverything => FindingWeight::High,
            Self::EverythingOnSome | Self::ServiceOnEverything => FindingWeight::Medium,
            Self::ServiceOnSome | Self::WildcardOnEverything | Self::ListedOnEverything => FindingWeight::Low,
        }
    }
}

/// Whether a text stands for every text, or for all but a few short ones: `*`, `**`, `?*`.
fn is_any(text: &str) -> bool {
    text.contains('*') && text.chars().all(|c| matches!(c, '*' | '?'))
}

fn breadth(action: &str) -> Breadth {
    if is_any(action) {
        return Breadth::All;
    }
    // `s3*` is every service that begins so.
    let (service, name) = action.split_once(':').unwrap_or((action, "*"));
    match (is_any(service), is_any(name)) {
        (true, true) => Breadth::All,
        (false, true) => Breadth::Service,
        (_, false) if action.contains(['*', '?']) => Breadth::Wildcard,
        (_, false) => Breadth::One,
    }
}

/// Whether resources are not told apart by their names: `*`, `arn:aws:s3:::*`, `arn:aws:s3:::*/*`. A statement without the element is about
/// one resource, whose policy has it.
fn is_everywhere(resources: Option<&ResourceElement>) -> bool {
    let is_open = |text: &str| {
        let name = text.splitn(6, ':').last().unwrap_or_default();
        name.contains('*') && name.chars().all(|c| matches!(c, '*' | '?' | '/' | ':'))
    };
    match resources {
        Some(ResourceElement::Resource(listed)) => listed.iter().any(|resource| is_open(resource)),
        Some(ResourceElement::NotResource(_)) => true,
        None => false,
    }
}

/// Whether one of these actions is on resources that a policy can name. AWS's service reference says of some that they are on none, such as
/// `ec2:DescribeInstances`; of an action that it does not have, nothing.
fn takes_resources(actions: &ActionElement) -> bool {
    match actions {
        ActionElement::Action(listed) => !listed.iter().all(|action| reference::takes_no_resource(action)),
        ActionElement::NotAction(_) => true,
    }
}
