//! How much of a ceiling's seal a boundary policy takes.

use deputy_policy::{Candidate, Document, Statement, contains, seal};

use crate::{names::ManagedPolicyArn, quota::MANAGED_POLICY};

/// So many statements are named for one reason.
const SHOWN: usize = 8;

/// A boundary policy that Deputy writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedBoundary {
    /// All of it.
    pub document: Document,
    /// SHA-256 of its canonical form, in hexadecimal.
    pub hash: String,
    /// How far what lies outside the ceiling is denied explicitly.
    pub sealed: Sealed,
}

/// A boundary policy that somebody else writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferencedBoundary {
    /// Which one.
    pub policy: ManagedPolicyArn,
    /// What it may allow at most: the ceiling, and nothing of Deputy's own roles, policies and identities.
    pub within: Document,
    /// SHA-256 of that in canonical form, in hexadecimal: what a proof was about.
    pub ceiling_hash: String,
}

/// The boundary of a limit in one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountBoundary {
    /// Deputy writes it.
    Generated(GeneratedBoundary),
    /// Somebody else writes it.
    Referenced(ReferencedBoundary),
}

/// How far what lies outside a ceiling is denied explicitly, and not only by not being allowed: a resource policy that names the
/// session, or everybody, is held by nothing else (IAM User Guide, "Policy evaluation logic").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Whether every action outside the ceiling is denied.
    pub actions: bool,
    /// How many Allow statements of the ceiling have their actions denied on all resources on which the ceiling does not allow
    /// them, or are about all resources.
    pub statements: usize,
    /// How many Allow statements there are.
    pub of: usize,
    /// What is not sealed, and why: a sentence for each. Empty when all is.
    pub open: Vec<String>,
}

/// Why a statement of a seal is not in the boundary.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    DoesNotFit,
    /// No reason to take away what the limit allows.
    NotProved,
}

impl Left {
    fn why(self) -> String {
        match self {
            Self::DoesNotFit => format!("AWS takes {MANAGED_POLICY} characters, and its deny does not fit"),
            Self::NotProved => "it can't be proved that its deny takes nothing away".to_owned(),
        }
    }
}

/// `boundary` with as much of the ceiling's seal as fits: actions first, then resources in the order of the ceiling. Each
/// statement is in it only if it is proved that the ceiling loses nothing by it.
pub(super) fn seal_into(mut boundary: Document, ceiling: &Document) -> (Document, Sealed) {
    let seal = seal(ceiling);
    let mut open = Vec::new();
    let mut actions = seal.has_all_actions;
    if let Some(statement) = &seal.actions
        && let Err(left) = add(&mut boundary, ceiling, statement, "DeputySealActions".to_owned())
    {
        actions = false;
        open.push(format!("other actions: {}", left.why()));
    } else if !actions {
        open.push("other actions: the ceiling says with NotAction which it allows, and another statement allows some of them".to_owned());
    }
    let left: Vec<Option<Left>> = seal
        .resources
        .iter()
        .enumerate()
        .map(|(i, statement)| {
            let sid = format!("DeputySealResources{i}");
            add(&mut boundary, ceiling, statement, sid).err()
        })
        .collect();
    let mut statements = 0;
    let mut shared = Vec::new();
    let mut not_there: [(Left, Vec<usize>); 2] =
        [Left::DoesNotFit, Left::NotProved].map(|why| (why, Vec::new()));
    for allow in &seal.allows {
        let lacks = allow.needs.iter().find_map(|need| *left.get(*need)?);
        match lacks {
            _ if !allow.is_whole => shared.push(allow.statement),
            Some(left) => {
                let of = not_there.iter_mut().filter(|(why, _)| *why == left);
                of.for_each(|(_, at)| at.push(allow.statement));
            }
            None => statements += 1,
        }
    }
    let conditional = seal.allows.iter().filter(|allow| allow.has_conditions);
    let conditional: Vec<usize> = conditional.map(|allow| allow.statement).collect();
    let notes = not_there.iter().map(|(why, at)| ("resources", at, why.why()));
    let notes = notes.chain([
        (
            "resources",
            &shared,
            "no deny is exact where statements have actions in common, or say NotAction or NotResource"
                .to_owned(),
        ),
        (
            "conditions",
            &conditional,
            "a resource policy can still allow the same without them".to_owned(),
        ),
    ]);
    for (what, at, why) in notes.filter(|(_, at, _)| !at.is_empty()) {
        open.push(format!("{what} of {}: {why}", listed(at)));
    }
    let sealed = Sealed {
        actions,
        statements,
        of: seal.allows.len(),
        open,
    };
    (boundary, sealed)
}

/// `Statement[0], Statement[3]`, the first eight.
fn listed(statements: &[usize]) -> String {
    let shown: Vec<String> = statements
        .iter()
        .take(SHOWN)
        .map(|at| format!("Statement[{at}]"))
        .collect();
    let more = statements.len().saturating_sub(SHOWN);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{more}", shown.join(", "))
}

fn add(boundary: &mut Document, ceiling: &Document, statement: &Statement, sid: String) -> Result<(), Left> {
    let statement = Statement {
        sid: Some(sid),
        ..statement.clone()
    };
    let seal =
        Document::new(ceiling.version(), vec![statement], ceiling.kind()).map_err(|_| Left::NotProved)?;
    let with = |document: &Document| Document::merge([document, &seal]).map_err(|_| Left::NotProved);
    let sealed = with(boundary)?;
    if sealed.size() > MANAGED_POLICY {
        return Err(Left::DoesNotFit);
    }
    if !contains(&Candidate::new(&[ceiling]), &with(ceiling)?).is_contained() {
        return Err(Left::NotProved);
    }
    *boundary = sealed;
    Ok(())
}
