//! The dialect: what a document of each kind may say. Patterns and values are parsed on the way, so that nothing later
//! can fail on them.

use std::collections::HashSet;

use super::{
    code::Code,
    error::{ElementPath, ParseError, ParseErrorKind as Kind, ParseErrors, Problems},
    principal::check_principal,
    syntax::{self, Refusal},
};
use crate::{
    ast::{
        ActionElement, Effect, PolicyKind, Principal, PrincipalElement, ResourceElement, Statement, Version,
    },
    compiled::{Compiled, CompiledStatement},
    condition::atom::{Atom, Predicate},
    pattern::{
        arn::{ArnPattern, ResourcePattern},
        elements::Elements,
        glob::Pattern,
    },
    principal::naming::PrincipalList,
    text::quote,
};

/// Checks and compiles; `positions` are the statements' indices in the source.
pub(super) fn compile(
    kind: PolicyKind,
    version: Version,
    id: Option<&str>,
    statements: &[Statement],
    positions: &[usize],
    mut problems: Problems,
) -> Result<Compiled, ParseErrors> {
    let mut checker = Checker {
        kind,
        version,
        problems: &mut problems,
    };
    if kind.is_language_of_2012() && version != Version::V2012 {
        checker.problem(
            Kind::Version,
            Code::VersionUnsupported,
            format_args!("Version"),
            "the Version must be \"2012-10-17\"",
        );
    }
    if let Some(id) = id {
        checker.characters(id, || "Id".to_owned());
    }
    let mut sids = HashSet::new();
    let mut compiled = Vec::with_capacity(statements.len());
    for (statement, i) in statements.iter().zip(positions) {
        let path = format_args!("Statement[{i}]");
        if let Some(sid) = statement.sid.as_deref() {
            checker.sid(sid, format_args!("{path}.Sid"));
            if !sid.is_empty() && !sids.insert(sid) {
                checker.problem(
                    Kind::Sid,
                    Code::DuplicateSid,
                    format_args!("{path}.Sid"),
                    format!("the Sid {} is used more than once", quote(sid)),
                );
            }
        }
        compiled.extend(checker.statement(statement, path));
    }
    if statements.is_empty() && problems.len() == 0 {
        problems.push(ParseError::new(
            Kind::Empty,
            Code::EmptyElement,
            "Statement",
            "the list of statements is empty",
        ));
    }
    ParseErrors::check(problems)?;
    Ok(Compiled::new(compiled))
}

pub(super) struct Checker<'a> {
    kind: PolicyKind,
    pub(super) version: Version,
    problems: &'a mut Problems,
}

impl Checker<'_> {
    pub(super) fn problem(
        &mut self,
        kind: Kind,
        code: Code,
        path: ElementPath<'_>,
        message: impl Into<String>,
    ) {
        self.problems
            .push(ParseError::new(kind, code, path.to_string(), message));
    }

    pub(super) fn refuse(&mut self, kind: Kind, path: ElementPath<'_>, refusal: Refusal) {
        let problem = ParseError::new(kind, refusal.code, path.to_string(), refusal.message);
        self.problems.push(problem.suggest(refusal.suggestion));
    }

    /// Whether something was said about this element already: a list that is empty because its items could not be read
    /// is not reported again. When no more are listed nobody asks.
    pub(super) fn reported(&self, path: ElementPath<'_>) -> bool {
        if self.problems.is_full() {
            return true;
        }
        let path = path.to_string();
        self.problems
            .iter()
            .any(|problem| problem.path().starts_with(&path))
    }

    /// IAM takes tab, line feed, carriage return and U+0020 to U+00FF; what else there is may be invisible.
    pub(super) fn characters(&mut self, text: &str, path: impl FnOnce() -> String) {
        let accepted = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}');
        if let Some(c) = text.chars().find(|c| !accepted(*c)) {
            self.problem(
                Kind::Character,
                Code::ForbiddenCharacter,
                format_args!("{}", path()),
                format!("the character U+{:04X} is not accepted by IAM (only U+0009, U+000A, U+000D, U+0020 to U+00FF)", u32::from(c)),
            );
        }
    }

    fn sid(&mut self, sid: &str, path: ElementPath<'_>) {
        self.characters(sid, || path.to_string());
        if self.kind != PolicyKind::Resource && !sid.bytes().all(|b| b.is_ascii_alphanumeric()) {
            self.problem(
                Kind::Sid,
                Code::SidCharacters,
                path,
                format!("the Sid {} may have letters and digits only", quote(sid)),
            );
        }
    }

    fn statement(&mut self, statement: &Statement, path: ElementPath<'_>) -> Option<CompiledStatement> {
        let before = self.problems.len();
        let principal = self.principal(statement.principal.as_ref(), statement.effect, path);
        if self.kind == PolicyKind::ResourceControl {
            self.resource_control(statement, path);
        }
        let actions = self.actions(&statement.action, path);
        let resources = self.resources(statement.resource.as_ref(), path);
        let mut atoms = self.conditions(&statement.conditions, format_args!("{path}.Condition"));
        if self.kind == PolicyKind::Resource && statement.resource.is_none() {
            atoms.push(Atom::attached());
        }
        let excluded = resources.iter().filter(|resources| resources.negated);
        let arns = excluded
            .flat_map(|resources| &resources.items)
            .filter_map(ResourcePattern::arn);
        for variable in arns
            .flat_map(ArnPattern::variables)
            .filter(|v| v.default.is_none())
        {
            if !atoms
                .iter()
                .any(|atom| atom.predicate == Predicate::Resolved && atom.key == variable.key)
            {
                atoms.push(Atom::resolved(variable));
            }
        }
        (self.problems.len() == before).then(|| CompiledStatement {
            effect: statement.effect,
            sid: statement.sid.clone(),
            principal,
            actions,
            resources,
            atoms,
        })
    }

    fn principal(
        &mut self,
        element: Option<&PrincipalElement>,
        effect: Effect,
        path: ElementPath<'_>,
    ) -> Option<PrincipalList> {
        let (name, principal) = match element {
            Some(PrincipalElement::NotPrincipal(principal)) => ("NotPrincipal", Some(principal)),
            Some(PrincipalElement::Principal(principal)) => ("Principal", Some(principal)),
            None => ("Principal", None),
        };
        let path = format_args!("{path}.{name}");
        let wanted = self.kind.has_principal();
        if wanted && name == "NotPrincipal" {
            self.not_principal(effect, path);
        }
        match principal {
            Some(_) if !wanted => self.problem(
                Kind::ForbiddenElement,
                Code::PrincipalNotAllowed,
                path,
                "only resource and trust policies have a Principal; here it is whoever the policy is attached to",
            ),
            None if wanted && !self.reported(path) => {
                self.problem(Kind::MissingElement, Code::MissingElement, path, "a Principal is required");
            }
            Some(Principal::Listed { aws, service, federated, canonical_user }) => {
                let none = aws.len() + service.len() + federated.len() + canonical_user.len() == 0;
                if none && !self.reported(path) {
                    self.problem(Kind::Empty, Code::EmptyElement, path, "no principal is listed");
                }
                for (name, list) in
                    [("AWS", aws), ("Service", service), ("Federated", federated), ("CanonicalUser", canonical_user)]
                {
                    for (i, text) in list.iter().enumerate() {
                        let at = || format!("{path}.{name}[{i}]");
                        self.characters(text, at);
                        if let Err((code, message)) = check_principal(name, text) {
                            self.problem(Kind::Principal, code, format_args!("{}", at()), message);
                        }
                    }
                }
            }
            Some(Principal::Anyone) | None => {}
        }
        match PrincipalList::new(element?) {
            Ok(principals) => Some(principals),
            Err(text) => {
                if !self.reported(path) {
                    let message = format!("{} is no AWS principal", quote(&text));
                    self.problem(Kind::Principal, Code::InvalidPrincipal, path, message);
                }
                None
            }
        }
    }

    /// IAM User Guide, "NotPrincipal": with Deny only, and not in trust policies; Organizations User Guide, "RCP syntax".
    fn not_principal(&mut self, effect: Effect, path: ElementPath<'_>) {
        if matches!(self.kind, PolicyKind::Trust | PolicyKind::ResourceControl) {
            let message = "AWS has no NotPrincipal in trust policies and resource control policies; deny \"*\" with a \
                           condition on aws:PrincipalArn";
            self.problem(
                Kind::ForbiddenElement,
                Code::NotPrincipalNotAllowed,
                path,
                message,
            );
        } else if effect == Effect::Allow {
            let message = "NotPrincipal with Allow would let in everybody else, anonymous callers included; use Principal \
                           with a condition on aws:PrincipalArn";
            self.problem(Kind::ForbiddenElement, Code::NotPrincipalWithAllow, path, message);
        }
    }

    /// Organizations User Guide, "RCP syntax": everybody is the principal, there is no NotAction, and only AWS's own
    /// policy allows.
    fn resource_control(&mut self, statement: &Statement, path: ElementPath<'_>) {
        if matches!(
            &statement.principal,
            Some(PrincipalElement::Principal(Principal::Listed { .. }))
        ) {
            let message = "the Principal of a resource control policy is \"*\"; say who in a condition";
            self.problem(
                Kind::Principal,
                Code::InvalidPrincipal,
                format_args!("{path}.Principal"),
                message,
            );
        }
        if matches!(statement.action, ActionElement::NotAction(_)) {
            let message = "a resource control policy has no NotAction";
            let path = format_args!("{path}.NotAction");
            self.problem(Kind::ForbiddenElement, Code::NotActionNotAllowed, path, message);
        }
        let everything = |list: &[String]| list == ["*"];
        let of_aws = matches!(&statement.action, ActionElement::Action(list) if everything(list))
            && matches!(&statement.resource, Some(ResourceElement::Resource(list)) if everything(list))
            && statement.conditions.is_empty();
        if statement.effect == Effect::Allow && !of_aws {
            let message =
                "a resource control policy denies; only RCPFullAWSAccess allows, and it allows everything";
            self.problem(
                Kind::ForbiddenElement,
                Code::RcpAllow,
                format_args!("{path}.Effect"),
                message,
            );
        }
    }

    fn actions(&mut self, element: &ActionElement, path: ElementPath<'_>) -> Elements<Pattern> {
        let (negated, name, texts) = match element {
            ActionElement::Action(texts) => (false, "Action", texts),
            ActionElement::NotAction(texts) => (true, "NotAction", texts),
        };
        let items = self.each(texts, format_args!("{path}.{name}"), Kind::Action, syntax::action);
        Elements::new(negated, items)
    }

    fn resources(
        &mut self,
        element: Option<&ResourceElement>,
        path: ElementPath<'_>,
    ) -> Option<Elements<ResourcePattern>> {
        let (negated, name, texts) = match element {
            Some(ResourceElement::Resource(texts)) => (false, "Resource", texts),
            Some(ResourceElement::NotResource(texts)) => (true, "NotResource", texts),
            // About what the policy is attached to, whatever that is.
            None if self.kind == PolicyKind::Resource => {
                return Some(Elements::new(false, vec![ResourcePattern::Any]));
            }
            None => {
                let exclusive = self.problems.len() > 0 && {
                    let path = path.to_string();
                    self.problems.iter().any(|problem| problem.path() == path)
                };
                let path = format_args!("{path}.Resource");
                if self.kind != PolicyKind::Trust && !exclusive && !self.reported(path) {
                    self.problem(
                        Kind::MissingElement,
                        Code::MissingElement,
                        path,
                        "a statement has Resource or NotResource",
                    );
                }
                return None;
            }
        };
        let path = format_args!("{path}.{name}");
        if self.kind == PolicyKind::Trust {
            self.problem(
                Kind::ForbiddenElement,
                Code::ResourceNotAllowed,
                path,
                "a trust policy has no resources: it is about its own role",
            );
            return None;
        }
        let version = self.version;
        let items = self.each(texts, path, Kind::Resource, |text| {
            syntax::resource(text, version, negated)
        });
        Some(Elements::new(negated, items))
    }

    /// Parses every text of a list that may not be empty.
    fn each<T>(
        &mut self,
        texts: &[String],
        path: ElementPath<'_>,
        kind: Kind,
        parse: impl Fn(&str) -> Result<T, Refusal>,
    ) -> Vec<T> {
        if texts.is_empty() {
            // A parsed document has reported this; one made from statements has not.
            if !self.reported(path) {
                self.problem(Kind::Empty, Code::EmptyElement, path, "the list is empty");
            }
        }
        let mut items = Vec::with_capacity(texts.len());
        for (i, text) in texts.iter().enumerate() {
            let at = || format!("{path}[{i}]");
            self.characters(text, at);
            match parse(text) {
                Ok(item) => items.push(item),
                Err(mut refusal) => {
                    refusal.message = format!("{}: {}", quote(text), refusal.message);
                    self.refuse(kind, format_args!("{}", at()), refusal);
                }
            }
        }
        items
    }
}
