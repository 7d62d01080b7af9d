//! The canonical JSON of a document, and equality of meaning.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    ast::{
        ActionElement, Condition, Effect, Operator, Principal, PrincipalElement, ResourceElement, Statement,
        Test, Version,
    },
    principal::account::is_account_id,
};

/// Compact JSON. Elements stand in the order of the AWS guide, whatever map `serde_json` was built with.
pub(super) fn to_json(version: Version, id: Option<&str>, statements: &[Statement]) -> String {
    let mut out = Writer::default();
    out.begin('{');
    let version = match version {
        Version::V2008 => "2008-10-17",
        Version::V2012 => "2012-10-17",
    };
    out.key("Version");
    out.string(version);
    if let Some(id) = id {
        out.key("Id");
        out.string(id);
    }
    out.key("Statement");
    out.begin('[');
    for statement in statements {
        out.item();
        write_statement(&mut out, statement);
    }
    out.end(']');
    out.end('}');
    out.text
}

fn write_statement(out: &mut Writer, statement: &Statement) {
    out.begin('{');
    if let Some(sid) = &statement.sid {
        out.key("Sid");
        out.string(sid);
    }
    out.key("Effect");
    out.string(match statement.effect {
        Effect::Allow => "Allow",
        Effect::Deny => "Deny",
    });
    if let Some(element) = &statement.principal {
        write_principal(out, element);
    }
    let (name, actions) = match &statement.action {
        ActionElement::Action(actions) => ("Action", actions),
        ActionElement::NotAction(actions) => ("NotAction", actions),
    };
    out.key(name);
    out.strings(actions);
    match &statement.resource {
        None => {}
        Some(ResourceElement::Resource(resources)) => {
            out.key("Resource");
            out.strings(resources);
        }
        Some(ResourceElement::NotResource(resources)) => {
            out.key("NotResource");
            out.strings(resources);
        }
    }
    if !statement.conditions.is_empty() {
        out.key("Condition");
        out.begin('{');
        for block in statement.conditions.chunk_by(|a, b| a.operator == b.operator) {
            let Some(first) = block.first() else { continue };
            out.key(&first.operator.to_string());
            out.begin('{');
            for condition in block {
                out.key(&condition.key);
                out.strings(&condition.values);
            }
            out.end('}');
        }
        out.end('}');
    }
    out.end('}');
}

fn write_principal(out: &mut Writer, element: &PrincipalElement) {
    let (name, principal) = match element {
        PrincipalElement::Principal(principal) => ("Principal", principal),
        PrincipalElement::NotPrincipal(principal) => ("NotPrincipal", principal),
    };
    out.key(name);
    out.begin('{');
    match principal {
        Principal::Anyone => {
            // Means the same as "*", which IAM refuses in a trust policy.
            out.key("AWS");
            out.string("*");
        }
        Principal::Listed {
            aws,
            service,
            federated,
            canonical_user,
        } => {
            for (name, list) in [
                ("AWS", aws),
                ("Service", service),
                ("Federated", federated),
                ("CanonicalUser", canonical_user),
            ] {
                if !list.is_empty() {
                    out.key(name);
                    out.strings(list);
                }
            }
        }
    }
    out.end('}');
}

#[derive(Default)]
struct Writer {
    text: String,
    comma: bool,
}

impl Writer {
    fn begin(&mut self, bracket: char) {
        self.text.push(bracket);
        self.comma = false;
    }

    fn end(&mut self, bracket: char) {
        self.text.push(bracket);
        self.comma = true;
    }

    fn item(&mut self) {
        if std::mem::replace(&mut self.comma, false) {
            self.text.push(',');
        }
    }

    fn key(&mut self, key: &str) {
        self.item();
        self.quoted(key);
        self.text.push(':');
    }

    fn string(&mut self, text: &str) {
        self.item();
        self.quoted(text);
        self.comma = true;
    }

    fn quoted(&mut self, text: &str) {
        self.text.push_str(&Value::from(text).to_string());
    }

    /// One string alone, several as a list.
    fn strings(&mut self, texts: &[String]) {
        if let [one] = texts {
            return self.string(one);
        }
        self.begin('[');
        for text in texts {
            self.string(text);
        }
        self.end(']');
    }
}

/// What a statement means, without its spelling.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Meaning<'a> {
    effect: Effect,
    principal: Option<(bool, BTreeSet<(u8, &'a str)>)>,
    not_action: bool,
    actions: BTreeSet<String>,
    not_resource: Option<bool>,
    resources: BTreeSet<&'a str>,
    conditions: BTreeSet<(Operator, String, BTreeSet<String>)>,
}

impl<'a> Meaning<'a> {
    fn of(statement: &'a Statement) -> Self {
        let (not_action, actions) = match &statement.action {
            ActionElement::Action(actions) => (false, actions),
            ActionElement::NotAction(actions) => (true, actions),
        };
        let (not_resource, resources) = match &statement.resource {
            None => (None, &[][..]),
            Some(ResourceElement::Resource(resources)) => (Some(false), resources.as_slice()),
            Some(ResourceElement::NotResource(resources)) => (Some(true), resources.as_slice()),
        };
        Self {
            effect: statement.effect,
            principal: statement.principal.as_ref().map(principal_meaning),
            not_action,
            actions: actions.iter().map(|action| action.to_lowercase()).collect(),
            not_resource,
            resources: resources.iter().map(String::as_str).collect(),
            conditions: statement.conditions.iter().map(condition_meaning).collect(),
        }
    }
}

fn principal_meaning(element: &PrincipalElement) -> (bool, BTreeSet<(u8, &str)>) {
    let (negated, principal) = match element {
        PrincipalElement::Principal(principal) => (false, principal),
        PrincipalElement::NotPrincipal(principal) => (true, principal),
    };
    let Principal::Listed {
        aws,
        service,
        federated,
        canonical_user,
    } = principal
    else {
        return (negated, BTreeSet::from([(0, "*")]));
    };
    let accounts = aws.iter().map(|text| (0, account_of_root(text).unwrap_or(text)));
    let others = [(1, service), (2, federated), (3, canonical_user)];
    let others = others
        .into_iter()
        .flat_map(|(tag, list)| list.iter().map(move |text| (tag, text.as_str())));
    (negated, accounts.chain(others).collect())
}

/// The account id of `arn:<partition>:iam::<account id>:root`.
fn account_of_root(text: &str) -> Option<&str> {
    let (_, rest) = text.strip_prefix("arn:")?.split_once(":iam::")?;
    rest.strip_suffix(":root")
        .filter(|account| is_account_id(account))
}

fn condition_meaning(condition: &Condition) -> (Operator, String, BTreeSet<String>) {
    let lower = matches!(condition.operator.test, Test::Bool | Test::Null);
    let value = |text: &String| if lower { text.to_lowercase() } else { text.clone() };
    let values = condition.values.iter().map(value).collect();
    (condition.operator, condition.key.to_lowercase(), values)
}

/// Whether both have the same statements in meaning.
pub(super) fn mean_the_same(a: &[Statement], b: &[Statement]) -> bool {
    let left: BTreeSet<Meaning<'_>> = a.iter().map(Meaning::of).collect();
    let right: BTreeSet<Meaning<'_>> = b.iter().map(Meaning::of).collect();
    left == right
}
