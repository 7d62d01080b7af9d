//! When Deputy's authorities end, by the certificates that clients have. No key is looked at: no Secret is read.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use x509_parser::pem::Pem;

use super::webhooks::bundles;
use crate::doctor::{
    finding::{CheckOutcome, DoctorFinding},
    look::{of_object, text},
    snapshot::{DoctorSnapshot, PEOPLE_SERVICE},
};

/// The next authority of the webhook is published after two thirds of a year, and the broker's twenty months before it signs: one that
/// has so little left was not renewed.
const NEAR: SignedDuration = SignedDuration::from_hours(30 * 24);

pub fn check(snapshot: &DoctorSnapshot) -> CheckOutcome {
    let mut found = Vec::new();
    for (title, bundle) in bundles(snapshot) {
        match bundle.map(|bundle| STANDARD.decode(bundle.as_bytes())) {
            Err(why) => found.push(DoctorFinding::unknown(&title, &why)),
            Ok(Ok(pem)) => found.extend(of_bundle(&title, &pem, snapshot.now)),
            Ok(Err(_)) => found.push(unreadable(&title)),
        }
    }
    let title = "ConfigMap deputy-broker-bundle";
    let fix = "run helm upgrade: the chart has it, and deputy broker fills it";
    found.extend(of_object(
        snapshot,
        "ConfigMap",
        "deputy-broker-bundle",
        fix,
        |object| match text(object, "/data/ca.crt") {
            "" => vec![DoctorFinding::error(
                title,
                "it has no certificate: no pod is injected",
                "see what deputy broker logs: it writes its authority there",
            )],
            pem => of_bundle(title, pem.as_bytes(), snapshot.now),
        },
    ));
    let service = PEOPLE_SERVICE;
    match snapshot.object("APIService", service) {
        // The API for people is served where somebody asked for it.
        Ok(None) => {}
        Err(why) => found.push(DoctorFinding::unknown(&format!("APIService {service}"), why)),
        Ok(Some(object)) => {
            let title = format!("APIService {service}");
            match STANDARD.decode(text(object, "/spec/caBundle").as_bytes()) {
                Ok(pem) if !pem.is_empty() => found.extend(of_bundle(&title, &pem, snapshot.now)),
                _ => found.push(unreadable(&title)),
            }
        }
    }
    CheckOutcome::Looked(found)
}

fn unreadable(title: &str) -> DoctorFinding {
    DoctorFinding::error(
        title,
        "its certificates can't be read",
        "see what the process logs that serves it: it writes them",
    )
}

/// A bundle lasts as long as the last of its certificates: others are before or after it in time.
fn of_bundle(title: &str, pem: &[u8], now: Timestamp) -> Vec<DoctorFinding> {
    let mut ends = Vec::new();
    for block in Pem::iter_from_buffer(pem) {
        let end = block.ok().and_then(|block| {
            let end = block.parse_x509().ok()?.validity().not_after.timestamp();
            Timestamp::from_second(end).ok()
        });
        match end {
            Some(end) => ends.push(end),
            None => return vec![unreadable(title)],
        }
    }
    let Some(last) = ends.iter().max() else {
        return vec![unreadable(title)];
    };
    let left = last.duration_since(now);
    let fix = "see what the process logs that serves it, and its metric deputy_certificate_expiry_seconds: it renews them by itself";
    if left.is_negative() || left.is_zero() {
        vec![DoctorFinding::error(
            title,
            format!("its last certificate ended at {last}"),
            fix,
        )]
    } else if left < NEAR {
        let message = format!(
            "its last certificate ends at {last}, in {} days",
            left.as_hours() / 24
        );
        vec![DoctorFinding::warning(title, message, fix)]
    } else {
        Vec::new()
    }
}
