//! The dialect: what a document of each kind may say. Patterns and values are parsed on the way, so that nothing later
//! can fail on them.

use std::collections::HashSet;

use super::{
    ActionElement, Effect, ParseError, ParseErrorKind as Kind, ParseErrors, PolicyKind, Principal,
    PrincipalElement, ResourceElement, Statement, Version, error::quote, principal::check_principal,
};
use crate::{
    arn::ResourcePattern,
    compiled::{Compiled, CompiledStatement},
    condition::{Condition, SetOperator, Test, atom::Atom},
    elements::Elements,
    glob::{Pattern, Syntax},
};

/// Checks and compiles; `positions` are the statements' indices in the source.
pub(super) fn compile(
    kind: PolicyKind,
    version: Version,
    id: Option<&str>,
    statements: &[Statement],
    positions: &[usize],
    mut problems: Vec<ParseError>,
) -> Result<Compiled, ParseErrors> {
    let mut checker = Checker {
        kind,
        version,
        problems: &mut problems,
    };
    if !matches!(kind, PolicyKind::Resource | PolicyKind::ResourceControl) && version != Version::V2012 {
        checker.problem(Kind::Version, "Version", "the Version must be \"2012-10-17\"");
    }
    if let Some(id) = id {
        checker.characters(id, "Id");
    }
    let mut sids = HashSet::new();
    let mut compiled = Vec::with_capacity(statements.len());
    for (statement, i) in statements.iter().zip(positions) {
        let path = format!("Statement[{i}]");
        if let Some(sid) = statement.sid.as_deref() {
            checker.sid(sid, &format!("{path}.Sid"));
            if !sid.is_empty() && !sids.insert(sid) {
                checker.problem(
                    Kind::Sid,
                    &format!("{path}.Sid"),
                    format!("the Sid {} is used more than once", quote(sid)),
                );
            }
        }
        compiled.extend(checker.statement(statement, &path));
    }
    if statements.is_empty() && problems.is_empty() {
        problems.push(ParseError::new(
            Kind::Empty,
            "Statement",
            "the list of statements is empty",
        ));
    }
    ParseErrors::check(problems)?;
    Ok(Compiled { statements: compiled })
}

struct Checker<'a> {
    kind: PolicyKind,
    version: Version,
    problems: &'a mut Vec<ParseError>,
}

impl Checker<'_> {
    fn problem(&mut self, kind: Kind, path: &str, message: impl Into<String>) {
        self.problems.push(ParseError::new(kind, path, message));
    }

    /// Whether something was said about this element already: a list that is empty because its items could not be read
    /// is not reported again. Past a thousand problems nobody counts.
    fn reported(&self, path: &str) -> bool {
        self.problems.len() > 1000
            || self
                .problems
                .iter()
                .any(|problem| problem.path().starts_with(path))
    }

    /// IAM takes tab, line feed, carriage return and U+0020 to U+00FF; what else there is may be invisible.
    fn characters(&mut self, text: &str, path: &str) {
        let accepted = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}');
        if let Some(c) = text.chars().find(|c| !accepted(*c)) {
            self.problem(
                Kind::Character,
                path,
                format!("the character U+{:04X} is not accepted by IAM (only U+0009, U+000A, U+000D, U+0020 to U+00FF)", u32::from(c)),
            );
        }
    }

    fn sid(&mut self, sid: &str, path: &str) {
        self.characters(sid, path);
        if self.kind != PolicyKind::Resource && !sid.bytes().all(|b| b.is_ascii_alphanumeric()) {
            self.problem(
                Kind::Sid,
                path,
                format!("the Sid {} may have letters and digits only", quote(sid)),
            );
        }
    }

    fn statement(&mut self, statement: &Statement, path: &str) -> Option<CompiledStatement> {
        let before = self.problems.len();
        self.principal(statement.principal.as_ref(), statement.effect, path);
        let actions = self.actions(&statement.action, path);
        let resources = self.resources(statement.resource.as_ref(), path);
        let atoms = self.conditions(&statement.conditions, &format!("{path}.Condition"));
        (self.problems.len() == before).then(|| CompiledStatement {
            effect: statement.effect,
            sid: statement.sid.clone(),
            principal: statement.principal.clone(),
            actions,
            resources,
            atoms,
        })
    }

    fn principal(&mut self, element: Option<&PrincipalElement>, effect: Effect, path: &str) {
        let (name, principal) = match element {
            Some(PrincipalElement::NotPrincipal(principal)) => ("NotPrincipal", Some(principal)),
            Some(PrincipalElement::Principal(principal)) => ("Principal", Some(principal)),
            None => ("Principal", None),
        };
        let path = format!("{path}.{name}");
        let wanted = self.kind.has_principal();
        if name == "NotPrincipal" && effect == Effect::Allow {
            self.problem(
                Kind::ForbiddenElement,
                &path,
                "NotPrincipal with Allow would let in everybody else, anonymous callers included; use Principal with a \
                 condition on aws:PrincipalArn",
            );
        }
        match principal {
            Some(_) if !wanted => self.problem(
                Kind::ForbiddenElement,
                &path,
                "only resource and trust policies have a Principal; here it is whoever the policy is attached to",
            ),
            None if wanted && !self.reported(&path) => self.problem(Kind::MissingElement, &path, "a Principal is required"),
            Some(Principal::Listed { aws, service, federated, canonical_user }) => {
                let none = aws.len() + service.len() + federated.len() + canonical_user.len() == 0;
                if none && !self.reported(&path) {
                    self.problem(Kind::Empty, &path, "no principal is listed");
                }
                for (name, list) in
                    [("AWS", aws), ("Service", service), ("Federated", federated), ("CanonicalUser", canonical_user)]
                {
                    for (i, text) in list.iter().enumerate() {
                        let path = format!("{path}.{name}[{i}]");
                        self.characters(text, &path);
                        if let Err(message) = check_principal(name, text) {
                            self.problem(Kind::Principal, &path, message);
                        }
                    }
                }
            }
            Some(Principal::Anyone) | None => {}
        }
    }

    fn actions(&mut self, element: &ActionElement, path: &str) -> Elements<Pattern> {
        let (negated, name, texts) = match element {
            ActionElement::Action(texts) => (false, "Action", texts),
            ActionElement::NotAction(texts) => (true, "NotAction", texts),
        };
        let syntax = Syntax {
            wildcards: true,
            variables: false,
            fold: true,
        };
        let items = self.each(texts, &format!("{path}.{name}"), Kind::Action, |text| {
            check_action(text)?;
            Pattern::parse(text, syntax)
        });
        Elements::new(negated, items)
    }

    fn resources(
        &mut self,
        element: Option<&ResourceElement>,
        path: &str,
    ) -> Option<Elements<ResourcePattern>> {
        let (negated, name, texts) = match element {
            Some(ResourceElement::Resource(texts)) => (false, "Resource", texts),
            Some(ResourceElement::NotResource(texts)) => (true, "NotResource", texts),
            None => {
                let exclusive = self
                    .problems
                    .iter()
                    .take(1000)
                    .any(|problem| problem.path() == path);
                let path = format!("{path}.Resource");
                if self.kind != PolicyKind::Trust && !exclusive && !self.reported(&path) {
                    self.problem(
                        Kind::MissingElement,
                        &path,
                        "a statement has Resource or NotResource",
                    );
                }
                return None;
            }
        };
        let path = format!("{path}.{name}");
        if self.kind == PolicyKind::Trust {
            self.problem(
                Kind::ForbiddenElement,
                &path,
                "a trust policy has no resources: it is about its own role",
            );
            return None;
        }
        let version = self.version;
        let items = self.each(texts, &path, Kind::Resource, |text| {
            let pattern = ResourcePattern::parse(text, version)?;
            let unresolved =
                |arn: &crate::arn::ArnPattern| arn.rest.variables().iter().any(|v| v.default.is_none());
            if negated && pattern.arn().is_some_and(unresolved) {
                return Err(
                    "a variable without default in NotResource: AWS does not say what holds when it has no \
                            value; give it a default, as in ${aws:username, 'none'}"
                        .to_owned(),
                );
            }
            Ok(pattern)
        });
        Some(Elements::new(negated, items))
    }

    /// Parses every text of a list that may not be empty.
    fn each<T>(
        &mut self,
        texts: &[String],
        path: &str,
        kind: Kind,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        if texts.is_empty() {
            // A parsed document has reported this; one made from statements has not.
            if !self.reported(path) {
                self.problem(Kind::Empty, path, "the list is empty");
            }
        }
        let mut items = Vec::with_capacity(texts.len());
        for (i, text) in texts.iter().enumerate() {
            let path = format!("{path}[{i}]");
            self.characters(text, &path);
            match parse(text) {
                Ok(item) => items.push(item),
                Err(message) => self.problem(kind, &path, format!("{}: {message}", quote(text))),
            }
        }
        items
    }

    fn conditions(&mut self, conditions: &[Condition], path: &str) -> Vec<Atom> {
        let mut seen = HashSet::new();
        let mut atoms = Vec::with_capacity(conditions.len());
        for condition in conditions {
            let path = format!("{path}.{}.{}", condition.operator, condition.key);
            self.condition_key(condition, &path);
            if !seen.insert((condition.operator, condition.key.to_lowercase())) {
                self.problem(
                    Kind::DuplicateKey,
                    &path,
                    format!(
                        "the key {} is there twice (case does not matter)",
                        quote(&condition.key)
                    ),
                );
            }
            if condition.values.is_empty() {
                if !self.reported(&path) {
                    self.problem(Kind::Empty, &path, "the list of values is empty");
                }
                continue;
            }
            for (i, value) in condition.values.iter().enumerate() {
                self.characters(value, &format!("{path}[{i}]"));
            }
            match Atom::compile(condition, self.version) {
                Ok(atom) => atoms.push(atom),
                Err((index, message)) => {
                    let path = index.map_or_else(|| path.clone(), |i| format!("{path}[{i}]"));
                    self.problem(Kind::ConditionValue, &path, message);
                }
            }
        }
        atoms
    }

    fn condition_key(&mut self, condition: &Condition, path: &str) {
        let key = condition.key.as_str();
        self.characters(key, path);
        let malformed =
            !key.contains(':') || key.trim() != key || key.contains(['*', '?', '$', '{', '}', '"']);
        if malformed {
            let message = format!(
                "{} is not a condition key (prefix:name, no wildcards or variables)",
                quote(key)
            );
            self.problem(Kind::ConditionKey, path, message);
        }
        let operator = condition.operator;
        if operator.test == Test::Null && (operator.set.is_some() || operator.if_exists) {
            self.problem(Kind::Operator, path, "Null takes neither prefix nor suffix");
        }
        let list = crate::variable::is_multi_valued(key);
        if list && operator.set.is_none() && operator.test != Test::Null {
            self.problem(
                Kind::Operator,
                path,
                format!(
                    "{key} can have several values, for which {operator} is undefined; \
                     write {}:{operator} or {}:{operator}",
                    set_name(SetOperator::ForAllValues),
                    set_name(SetOperator::ForAnyValue)
                ),
            );
        }
    }
}

fn set_name(set: SetOperator) -> &'static str {
    match set {
        SetOperator::ForAllValues => "ForAllValues",
        SetOperator::ForAnyValue => "ForAnyValue",
    }
}

/// `*`, or `service:Name` with wildcards in the name only.
fn check_action(text: &str) -> Result<(), String> {
    if text == "*" {
        return Ok(());
    }
    let Some((service, name)) = text.split_once(':') else {
        return Err("an action is * or service:Name".to_owned());
    };
    if service.contains(['*', '?']) {
        return Err(
            "a wildcard in the service of an action; spell the service out, or write a lone *".to_owned(),
        );
    }
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if service.is_empty() || !service.chars().all(word) {
        return Err("the service of an action has letters, digits and hyphens".to_owned());
    }
    if name.is_empty() || !name.chars().all(|c| word(c) || matches!(c, '*' | '?' | '.')) {
        return Err("the name of an action has letters, digits and the wildcards * and ?".to_owned());
    }
    Ok(())
}
