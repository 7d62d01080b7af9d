//! The checks: functions of a snapshot.

mod certificates;
mod chart_rights;
mod clock;
mod definitions;
mod identities;
mod metadata_service;
mod policies;
mod processes;
mod quotas;
mod rights;
mod webhooks;

use super::{finding::CheckOutcome, snapshot::DoctorSnapshot};

/// One check.
pub struct DoctorCheck {
    /// A contract (docs/contracts.md).
    pub name: &'static str,
    pub run: fn(&DoctorSnapshot) -> CheckOutcome,
}

/// The check that looks at the pods of all namespaces.
pub const SIDECARS: &str = "sidecars";

/// All checks, in the order in which they are told.
pub const CHECKS: &[DoctorCheck] = &[
    DoctorCheck {
        name: "definitions",
        run: definitions::check,
    },
    DoctorCheck {
        name: "processes",
        run: processes::check,
    },
    DoctorCheck {
        name: "versions",
        run: processes::versions,
    },
    DoctorCheck {
        name: SIDECARS,
        run: processes::sidecars,
    },
    DoctorCheck {
        name: "rights",
        run: rights::check,
    },
    DoctorCheck {
        name: "webhooks",
        run: webhooks::check,
    },
    DoctorCheck {
        name: "webhook-answers",
        run: webhooks::trial,
    },
    DoctorCheck {
        name: "policies",
        run: policies::check,
    },
    DoctorCheck {
        name: "certificates",
        run: certificates::check,
    },
    DoctorCheck {
        name: "clock",
        run: clock::check,
    },
    DoctorCheck {
        name: "identities",
        run: identities::check,
    },
    DoctorCheck {
        name: "endpoints",
        run: identities::endpoints,
    },
    DoctorCheck {
        name: "quotas",
        run: quotas::check,
    },
    DoctorCheck {
        name: "metadata-service",
        run: metadata_service::check,
    },
];

/// The names of all checks.
pub fn names() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(CHECKS.iter().map(|check| check.name))
}
