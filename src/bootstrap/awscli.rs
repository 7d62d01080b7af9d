//! As a script of calls of the AWS CLI, version 1 or 2. Run again, it changes what differs and says what is as it should be.

use deputy_delegation::IamEntity;
use deputy_policy::Document;

use super::making::{MadeGuard, MadeIdentity, Making};

const FUNCTIONS: &str = include_str!("functions.sh");

/// What makes the identities of an account.
pub fn identities(making: &Making<'_>, account: &str, title: &str, made: &[MadeIdentity<'_>]) -> String {
    let mut script = head(title);
    line(&mut script, &["account", account], None);
    for one in made {
        let arn = &one.identity.arn;
        let (name, text) = (arn.name(), arn.to_string());
        script.extend(["\n# ", one.identity.process, "\n"]);
        for policy in &one.policies {
            let words = ["policy", &policy.arn, &policy.name, &one.path];
            line(&mut script, &words, Some(&policy.document));
        }
        let kind = match arn.entity() {
            IamEntity::User => "user",
            _ => "role",
        };
        line(
            &mut script,
            &[kind, name, &one.path, &text],
            one.identity.trust.as_ref(),
        );
        let arns = one.policies.iter().map(|policy| policy.arn.as_str());
        let words: Vec<&str> = ["attach", kind, name].into_iter().chain(arns).collect();
        line(&mut script, &words, None);
        if let (Some(account), Some(cluster)) = (one.association, making.pod_identity) {
            let [region, namespace] = [cluster.region().as_str(), making.namespace.as_str()];
            let words = ["association", region, cluster.name(), namespace, account, &text];
            line(&mut script, &words, None);
        }
    }
    script
}

/// What makes the service control policies, in the account of the organization's management.
pub fn guards(title: &str, guards: &[MadeGuard<'_>]) -> String {
    let mut script = head(title);
    for guard in guards {
        let words = ["guard", &guard.name, guard.account];
        line(&mut script, &words, Some(guard.document));
    }
    script
}

fn head(title: &str) -> String {
    format!("#!/usr/bin/env bash\n# {title}\n{FUNCTIONS}\n")
}

/// A call of a function. Its words are of ARNs, and a document has no line that is `DOCUMENT`: both are taken as they stand.
fn line(script: &mut String, words: &[&str], document: Option<&Document>) {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let (function, words) = quoted
        .split_first()
        .map_or(("", &[][..]), |(first, rest)| (first.trim_matches('\''), rest));
    let line = format!("{function} {}", words.join(" "));
    let document = document.map(|document| {
        let text = document.to_value();
        format!(" <<'DOCUMENT'\n{text:#}\nDOCUMENT")
    });
    script.extend([line, document.unwrap_or_default(), "\n".to_owned()]);
}
