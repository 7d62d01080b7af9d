//! What is said of a denial.

use serde::Serialize;

use super::{change::ProposedStatement, layers::LayerSays};

/// What is behind a denial: a contract (docs/contracts.md).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DenialCause {
    /// Who decides, where that is no object of Deputy's, or where AWS and what was looked at differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decisive: Option<String>,
    /// By what was looked at AWS would not have denied it.
    pub differs: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<String>,
    /// The ServiceAccount, and the pod where the session has its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    pub layers: Vec<LayerSays>,
    /// The smallest change by which these policies would allow it.
    pub change: Vec<ProposedStatement>,
    /// Whether the limits would accept that: `accepted`, the refusal, or what is not there to decide it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<String>,
    /// Who else has to be asked, and what helps.
    pub advice: Vec<String>,
}

impl DenialCause {
    /// Whether it is known why, or whom to ask.
    pub fn is_explained(&self) -> bool {
        (self.role.is_some() || self.binding.is_some()) && !self.differs
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.decisive.iter().cloned().collect();
        let parts = [
            ("role", &self.role),
            ("binding", &self.binding),
            ("subject", &self.subject),
        ];
        for (what, who) in parts {
            lines.extend(who.as_ref().map(|who| format!("{what}: {who}")));
        }
        lines.extend(self.layers.iter().map(LayerSays::line));
        for statement in &self.change {
            lines.push(format!("change {}:\n{}", statement.place(), statement.yaml));
        }
        lines.extend(
            self.limits
                .as_ref()
                .map(|limits| format!("the limits say to that: {limits}")),
        );
        lines.extend(self.advice.iter().cloned());
        lines
    }
}
