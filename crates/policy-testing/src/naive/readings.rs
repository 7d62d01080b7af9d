//! What AWS leaves open, and the ways in which it may be meant.

use serde_json::Value;

use super::text::{statements, texts};
use crate::choices::Choices;

/// What a comparison without set operator makes of a key with several values (IAM User Guide, "Multivalued context keys":
/// such a condition needs a set operator; what holds without one is not said).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListReading {
    /// It never holds.
    Never,
    /// It never holds, and its negation always does.
    NeverEqual,
    /// It holds when some value passes; its negation, when none does.
    Some,
}

/// Whether something is meant of which AWS does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    Yes,
    No,
    /// In a Deny, and not in an Allow. No world is so; it is what an evaluator has to take that must not allow too much.
    Refused,
}

impl Meaning {
    /// Whether it is meant in a statement.
    pub fn by(self, statement: &Value) -> bool {
        match self {
            Self::Yes => true,
            Self::No => false,
            Self::Refused => statement["Effect"] == "Deny",
        }
    }
}

/// Operators that compare values of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparisonClass {
    Number,
    Date,
    Address,
    Arn,
}

/// How one world reads it all. A request is decided in one world, so both policies are read alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readings {
    pub lists: ListReading,
    /// Whether `ForAnyValue:…IfExists` holds when the key is absent.
    pub any_if_exists: bool,
    /// Whether a negated comparison holds for a text that is not of the operator's type, for each [`ComparisonClass`].
    pub negated: [bool; 4],
    /// Whether `*` and `?` in the value of a variable are wildcards where the pattern may have some.
    pub wildcards: bool,
    /// Whether the names of roles in the ARNs of sessions are compared without case.
    pub session_case: bool,
    /// Whether statements without `Resource` are about anything.
    pub attached: bool,
    /// Whether a lone `*` under an ARN operator matches texts that are no ARNs.
    pub star_is_any_text: bool,
    /// Whether `NotResource` with a variable without value excludes nothing by it; else the statement matches nothing.
    pub unresolved: bool,
    /// Whether a variable for the region or account of a resource is expanded; else the pattern matches nothing.
    pub in_head: Meaning,
    /// Whether conditions without values hold: those of one half of all texts, and those of the other half.
    pub unsaid: [Meaning; 2],
    /// Whether a colon in the value of a variable of an ARN comparison begins another part.
    pub colons: bool,
    pub sparing: Sparing,
}

/// Whom `NotPrincipal` spares when not everybody is listed whom the guide asks for ("AWS might validate the account first,
/// then the role, and then the assumed-role user").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sparing {
    /// The account is validated, so it must be listed.
    pub account_first: bool,
    /// The role of a session is validated, so it must be listed.
    pub role_first: bool,
    /// A role of which no session is listed stands for its sessions, and a user for its federated sessions.
    pub parent_stands: bool,
}

impl Readings {
    /// That of the crate's evaluator, which has to take one.
    pub const EVALUATOR: Self = Self {
        lists: ListReading::Never,
        any_if_exists: true,
        negated: [true; 4],
        wildcards: false,
        session_case: false,
        attached: true,
        star_is_any_text: false,
        unresolved: true,
        in_head: Meaning::Refused,
        unsaid: [Meaning::Refused; 2],
        colons: false,
        sparing: Sparing {
            account_first: true,
            role_first: true,
            parent_stands: false,
        },
    };

    pub fn negated(&self, class: ComparisonClass) -> bool {
        self.negated[class as usize]
    }

    /// One of the worlds in which the documents may be read differently.
    pub fn draw(c: &mut Choices<'_>, open: &OpenQuestions) -> Self {
        let mut readings = Self::EVALUATOR;
        for (i, question) in QUESTIONS.iter().enumerate() {
            if open.0[i] {
                let ways = question.ways;
                (question.set)(&mut readings, c.below(ways));
            }
        }
        readings
    }

    /// All worlds in which the documents may be read differently.
    pub fn all(open: &OpenQuestions) -> Vec<Self> {
        let mut all = vec![Self::EVALUATOR];
        for (i, question) in QUESTIONS.iter().enumerate() {
            if open.0[i] {
                all = all
                    .iter()
                    .flat_map(|readings| {
                        (0..question.ways).map(|way| {
                            let mut readings = *readings;
                            (question.set)(&mut readings, way);
                            readings
                        })
                    })
                    .collect();
            }
        }
        all
    }
}

/// One thing that AWS leaves open: in how many ways it may be read, and what may stand in a document for it to matter.
struct Question {
    ways: usize,
    set: fn(&mut Readings, usize),
    asked_by: fn(&Seen) -> bool,
    /// The first way is what AWS says in general; the others are what some service may do.
    documented: bool,
}

/// Whether a negated comparison of this class holds for what has no value of its type.
const fn negated<const CLASS: usize>() -> Question {
    Question {
        ways: 2,
        set: |r, way| r.negated[CLASS] = way == 0,
        asked_by: |seen| seen.negated[CLASS],
        documented: false,
    }
}

const QUESTIONS: &[Question] = &[
    Question {
        ways: 3,
        set: |r, way| r.lists = [ListReading::Never, ListReading::NeverEqual, ListReading::Some][way],
        asked_by: |seen| seen.plain && seen.set,
        documented: false,
    },
    Question {
        ways: 2,
        set: |r, way| r.any_if_exists = way == 0,
        asked_by: |seen| seen.any_if_exists,
        documented: false,
    },
    negated::<{ ComparisonClass::Number as usize }>(),
    negated::<{ ComparisonClass::Date as usize }>(),
    negated::<{ ComparisonClass::Address as usize }>(),
    negated::<{ ComparisonClass::Arn as usize }>(),
    Question {
        ways: 2,
        set: |r, way| r.wildcards = way == 1,
        asked_by: |seen| seen.variables,
        documented: false,
    },
    Question {
        ways: 2,
        set: |r, way| r.session_case = way == 1,
        asked_by: |seen| seen.sessions,
        documented: false,
    },
    Question {
        ways: 2,
        set: |r, way| r.attached = way == 0,
        asked_by: |seen| seen.with_resource && seen.without_resource,
        documented: true,
    },
    Question {
        ways: 2,
        set: |r, way| r.unresolved = way == 0,
        asked_by: |seen| seen.not_resource_variable,
        documented: true,
    },
    Question {
        ways: 2,
        set: |r, way| r.in_head = [Meaning::Yes, Meaning::No][way],
        asked_by: |seen| seen.head_variable,
        documented: false,
    },
    Question {
        ways: 4,
        set: |r, way| r.unsaid = [way & 1, way >> 1].map(|bit| [Meaning::Yes, Meaning::No][bit]),
        asked_by: |seen| seen.without_values,
        documented: false,
    },
    Question {
        ways: 2,
        set: |r, way| r.colons = way == 1,
        asked_by: |seen| seen.head_variable,
        documented: false,
    },
    Question {
        ways: 2,
        set: |r, way| r.star_is_any_text = way == 1,
        asked_by: |seen| seen.lone_star,
        documented: true,
    },
    Question {
        ways: 2,
        set: |r, way| r.sparing.account_first = way == 0,
        asked_by: |seen| seen.not_principal,
        documented: false,
    },
    Question {
        ways: 2,
        set: |r, way| r.sparing.role_first = way == 0,
        asked_by: |seen| seen.not_principal,
        documented: false,
    },
    Question {
        ways: 2,
        set: |r, way| r.sparing.parent_stands = way == 1,
        asked_by: |seen| seen.not_principal,
        documented: false,
    },
];

/// The questions that some documents ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenQuestions([bool; QUESTIONS.len()]);

/// What stands in the documents.
#[derive(Default)]
struct Seen {
    plain: bool,
    set: bool,
    any_if_exists: bool,
    negated: [bool; 4],
    variables: bool,
    sessions: bool,
    not_principal: bool,
    with_resource: bool,
    without_resource: bool,
    lone_star: bool,
    not_resource_variable: bool,
    /// A variable before the fifth colon of an ARN.
    head_variable: bool,
    without_values: bool,
}

impl OpenQuestions {
    /// The questions that the documents may ask of some request.
    pub fn of<'a>(documents: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut seen = Seen::default();
        for document in documents {
            for statement in statements(document) {
                seen.statement(statement);
            }
        }
        let mut open = [false; QUESTIONS.len()];
        for (open, question) in open.iter_mut().zip(QUESTIONS) {
            *open = (question.asked_by)(&seen);
        }
        Self(open)
    }

    /// Without what AWS says in general.
    pub fn undocumented(mut self) -> Self {
        for (open, question) in self.0.iter_mut().zip(QUESTIONS) {
            *open &= !question.documented;
        }
        self
    }

    /// In how many worlds the documents are read.
    pub fn worlds(&self) -> usize {
        let open = self.0.iter().zip(QUESTIONS).filter(|(open, _)| **open);
        open.map(|(_, question)| question.ways).product()
    }
}

impl Seen {
    fn statement(&mut self, statement: &Value) {
        self.not_principal |= statement.get("NotPrincipal").is_some();
        let element = statement.get("Principal").or(statement.get("NotPrincipal"));
        self.sessions |= element.is_some_and(|element| element.to_string().contains(":assumed-role/"));
        let resource = statement.get("Resource").or(statement.get("NotResource"));
        self.with_resource |= resource.is_some();
        self.without_resource |= resource.is_none();
        for name in ["Resource", "NotResource", "Condition"] {
            let text = statement.get(name).map(Value::to_string).unwrap_or_default();
            self.variables |= text.contains("${");
        }
        let unresolved = statement
            .get("NotResource")
            .map(Value::to_string)
            .unwrap_or_default();
        self.not_resource_variable |= unresolved.contains("${");
        let resources = resource.map(texts).unwrap_or_default();
        self.head_variable |= resources.iter().any(|text| has_head_variable(text));
        let conditions = statement.get("Condition").and_then(Value::as_object);
        for (operator, keys) in conditions.into_iter().flatten() {
            let of_keys = || keys.as_object().into_iter().flatten();
            let star = of_keys()
                .flat_map(|(_, list)| texts(list))
                .any(|value| value == "*");
            self.lone_star |= operator.contains("Arn") && star;
            self.without_values |= of_keys().any(|(_, list)| texts(list).is_empty());
            let mut all = of_keys().flat_map(|(_, list)| texts(list));
            self.head_variable |= operator.contains("Arn") && all.any(|text| has_head_variable(&text));
            // Keys that the guide does not document may have several values; some that it does have several.
            let may_be_list = |key: &str| !key.starts_with("aws:") || key == "aws:tagkeys";
            self.set |= of_keys().any(|(key, _)| may_be_list(&key.to_lowercase()));
            let (set, test) = operator.split_once(':').unwrap_or(("", operator));
            self.set |= !set.is_empty();
            self.plain |= set.is_empty() && test != "Null";
            self.any_if_exists |= set == "ForAnyValue" && test.ends_with("IfExists");
            for (class, start) in [
                (ComparisonClass::Number, "NumericNot"),
                (ComparisonClass::Date, "DateNot"),
                (ComparisonClass::Address, "NotIp"),
                (ComparisonClass::Arn, "ArnNot"),
            ] {
                self.negated[class as usize] |= test.starts_with(start);
            }
        }
    }
}

/// Whether a variable stands before the fifth colon that is in none.
pub fn has_head_variable(text: &str) -> bool {
    let end = text
        .match_indices(':')
        .filter(|(at, _)| !in_variable(text, *at))
        .nth(4);
    text[..end.map_or(0, |(at, _)| at)].contains("${")
}

pub fn in_variable(text: &str, at: usize) -> bool {
    text[..at]
        .rfind("${")
        .is_some_and(|open| !text[open..at].contains('}'))
}
