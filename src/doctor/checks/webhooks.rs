//! Whether the API server asks Deputy about objects and pods.

use serde_json::Value;

use crate::doctor::{
    finding::{CheckOutcome, DoctorFinding, UPGRADE},
    look::{list, of_object, text, where_it_is},
    snapshot::{DoctorSnapshot, OBJECTS_WEBHOOK, Sight, TrialAnswer},
};

const KINDS: [&str; 2] = ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"];
/// The webhooks of each configuration, and whether an answer must be there.
const WEBHOOKS: &[(&str, &str, bool)] = &[
    ("ValidatingWebhookConfiguration", OBJECTS_WEBHOOK, true),
    ("ValidatingWebhookConfiguration", "deletions.deputy.dev", false),
    ("MutatingWebhookConfiguration", "pods.deputy.dev", false),
    ("MutatingWebhookConfiguration", "system-pods.deputy.dev", false),
];

pub fn check(snapshot: &DoctorSnapshot) -> CheckOutcome {
    let mut found = Vec::new();
    for kind in KINDS {
        let title = format!("{kind} deputy");
        found.extend(of_object(snapshot, kind, "deputy", UPGRADE, |object| {
            let own = WEBHOOKS.iter().filter(|(of, ..)| *of == kind);
            let mut found = Vec::new();
            for (_, webhook, must_answer) in own {
                match named(object, webhook) {
                    Some(is) => found.extend(of_webhook(&title, is, *must_answer)),
                    None => found.push(DoctorFinding::error(
                        &title,
                        format!("it has no webhook {webhook}"),
                        UPGRADE,
                    )),
                }
            }
            found
        }));
    }
    for service in services(snapshot) {
        found.extend(of_service(snapshot, &service));
    }
    CheckOutcome::Looked(found)
}

/// The webhook of a name in a configuration.
fn named<'v>(configuration: &'v Value, name: &str) -> Option<&'v Value> {
    let webhooks = list(configuration, "/webhooks");
    webhooks.iter().find(|one| text(one, "/name") == name)
}

fn of_webhook(title: &str, webhook: &Value, must_answer: bool) -> Vec<DoctorFinding> {
    let name = text(webhook, "/name");
    let mut found = Vec::new();
    if text(webhook, "/clientConfig/caBundle").is_empty() {
        found.push(DoctorFinding::error(
            title,
            format!("{name} has no caBundle: the API server trusts nobody there"),
            "see what deputy webhook logs: it writes the caBundle; nothing else may own that field",
        ));
    }
    if must_answer && text(webhook, "/failurePolicy") != "Fail" {
        found.push(DoctorFinding::error(
            title,
            format!(
                "{name} has the failurePolicy {:?}: objects pass unjudged while nobody answers",
                text(webhook, "/failurePolicy")
            ),
            UPGRADE,
        ));
    }
    found
}

/// The Services that must have somebody behind them: the broker's, and the webhook's where the API server goes by one.
fn services(snapshot: &DoctorSnapshot) -> Vec<String> {
    let mut all = Vec::new();
    let by_service = WEBHOOKS.iter().any(|(kind, ..)| {
        let object = snapshot.object(kind, "deputy").ok().flatten();
        let webhooks = object.map_or(&[][..], |object| list(object, "/webhooks"));
        webhooks
            .iter()
            .any(|one| one.pointer("/clientConfig/service").is_some())
    });
    if by_service {
        all.push("deputy-webhook".to_owned());
    }
    all.push("deputy-broker".to_owned());
    all
}

fn of_service(snapshot: &DoctorSnapshot, service: &str) -> Vec<DoctorFinding> {
    let title = format!("Service {service}");
    let slices = match &snapshot.endpoint_slices {
        Err(why) => return vec![DoctorFinding::unknown(&title, why)],
        Ok(slices) => slices,
    };
    let label = "/metadata/labels/kubernetes.io~1service-name";
    let own = slices.iter().filter(|slice| text(slice, label) == service);
    let endpoints = own.flat_map(|slice| list(slice, "/endpoints"));
    // Where nothing is said, it counts as ready.
    let is_ready = |one: &&Value| one.pointer("/conditions/ready") != Some(&Value::Bool(false));
    match endpoints.filter(is_ready).count() {
        0 => vec![DoctorFinding::error(
            &title,
            "nobody is ready behind it",
            format!("see the pods of the Deployment {service}"),
        )],
        _ => Vec::new(),
    }
}

/// Whether an object is really judged.
pub fn trial(snapshot: &DoctorSnapshot) -> CheckOutcome {
    let object = "AWSRole deputy-doctor (dry run)";
    CheckOutcome::Looked(match &snapshot.trial {
        Err(why) => vec![DoctorFinding::unknown(object, why)],
        Ok(TrialAnswer::Refused) => Vec::new(),
        Ok(TrialAnswer::Taken) => vec![DoctorFinding::error(
            object,
            "its policy is none, and the API server would have stored it: no webhook was asked",
            "see the ValidatingWebhookConfiguration deputy, and what selects the namespace in it",
        )],
        Ok(TrialAnswer::NoNamespace) => vec![DoctorFinding::error(
            &format!("Namespace {}", snapshot.namespace),
            "it is not there, and so nothing can be applied in it",
            where_it_is(snapshot),
        )],
        Ok(TrialAnswer::Failed(why)) => vec![DoctorFinding::error(
            object,
            format!("the webhook gave no answer: {why}"),
            "see the Deployment deputy-webhook, and whether the API server reaches its pods (webhook.hostNetwork where it can't)",
        )],
    })
}

/// The authorities of each webhook, or why a configuration was not seen.
pub fn bundles(snapshot: &DoctorSnapshot) -> Vec<(String, Sight<String>)> {
    let mut all = Vec::new();
    for kind in KINDS {
        let object = match snapshot.object(kind, "deputy") {
            Err(why) => {
                all.push((format!("{kind} deputy"), Err(why.to_owned())));
                continue;
            }
            // What is missing is said by another check.
            Ok(None) => continue,
            Ok(Some(object)) => object,
        };
        for (_, webhook, _) in WEBHOOKS.iter().filter(|(of, ..)| *of == kind) {
            let bundle = named(object, webhook)
                .map(|is| text(is, "/clientConfig/caBundle"))
                .unwrap_or_default();
            if !bundle.is_empty() {
                all.push((format!("{kind} deputy, {webhook}"), Ok(bundle.to_owned())));
            }
        }
    }
    all
}
