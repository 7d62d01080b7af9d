//! Explanations as text.

use std::fmt;

use super::{
    explain::{ExplainedLayer, ExplainedStatement, Explanation, Mismatch, Need},
    request::AccessDecision,
};
use crate::{ast::Effect, principal::naming::Named};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.evaluation)?;
        for layer in &self.layers {
            write!(f, "\n{layer}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ExplainedLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            AccessDecision::Allowed => "allows",
            AccessDecision::ExplicitDeny => "denies",
            AccessDecision::ImplicitDeny => "is silent",
        };
        write!(f, "  {}: {outcome} ({})", self.layer, self.need)?;
        for statement in &self.statements {
            write!(f, "\n    {statement}")?;
        }
        if self.omitted > 0 {
            write!(f, "\n    and {} more statements", self.omitted)?;
        }
        Ok(())
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MustAllow => "must allow",
            Self::NamedDirectly => "need not allow: the resource policy names the caller itself",
            Self::NamedBehind => "need not allow: the resource policy names the caller's role or user",
            Self::NoAccount => "need not allow: the caller belongs to no account",
            Self::Root => "need not allow: the root user needs no policy",
            Self::SameAccount => "need not allow: within one account the identity policies are enough",
            Self::AlwaysAllows => "need not allow: RCPFullAWSAccess is attached at every level",
        })
    }
}

impl fmt::Display for ExplainedStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "document {} statement {}", self.document, self.statement)?;
        if let Some(sid) = &self.sid {
            write!(f, " ({sid})")?;
        }
        let verb = match self.effect {
            Effect::Allow => "allows",
            Effect::Deny => "denies",
        };
        if self.mismatches.is_empty() {
            write!(f, " {verb}")?;
            return match self.named {
                Some(Named::Account) => {
                    f.write_str(", by the caller's account: its own policies must allow too")
                }
                Some(Named::Behind) => f.write_str(", by the caller's role or user"),
                Some(Named::Directly) => f.write_str(", by the caller itself or everybody"),
                None => Ok(()),
            };
        }
        write!(
            f,
            " does not {}: ",
            if self.effect == Effect::Allow {
                "allow"
            } else {
                "deny"
            }
        )?;
        for (i, mismatch) in self.mismatches.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{mismatch}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Principal { caller } => write!(f, "it is not about {}", caller.escape_debug()),
            Self::Action { action } => write!(f, "its actions do not match {}", action.escape_debug()),
            Self::Resource {
                resource,
                without_value,
            } => {
                write!(f, "its resources do not match {}", resource.escape_debug())?;
                if without_value.is_empty() {
                    return Ok(());
                }
                write!(f, " (no single value for ")?;
                list(f, without_value)?;
                f.write_str(")")
            }
            Self::NoResource => {
                f.write_str("it has no Resource, which a statement in the policy of a KMS key needs")
            }
            Self::Condition {
                operator,
                key,
                wanted,
                found,
            } => {
                write!(f, "{operator} {} wants ", key.escape_debug())?;
                list(f, wanted)?;
                match found.as_deref() {
                    None => f.write_str(", the request does not have the key"),
                    Some([]) => f.write_str(", the request has it without value"),
                    Some(values) => {
                        f.write_str(", the request has ")?;
                        list(f, values)
                    }
                }
            }
        }
    }
}

/// Values from outside may hold line breaks and control characters.
fn list(f: &mut fmt::Formatter<'_>, values: &[String]) -> fmt::Result {
    for (i, value) in values.iter().enumerate() {
        let comma = if i > 0 { ", " } else { "" };
        write!(f, "{comma}\"{}\"", value.escape_debug())?;
    }
    Ok(())
}
