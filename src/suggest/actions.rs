//! From the name of an event to the actions that AWS asked for.

use deputy_policy::reference::{has_action, has_service};
use serde_json::Value;

use super::table::{ACTIONS, BESIDES, SOURCES};

/// What an event says of actions.
#[derive(Debug, PartialEq, Eq)]
pub enum EventActions {
    /// These, such as `s3:GetObject`.
    Known(Vec<String>),
    /// Some of this service.
    OfService(String),
    /// Not even of which service is known.
    Unknown,
}

/// The prefix of the actions of an event's service.
pub fn service(source: &str) -> &str {
    let short = source
        .split_once(".amazonaws.com")
        .map_or(source, |(short, _)| short);
    let known = SOURCES.iter().find(|(from, _)| *from == short);
    known.map_or(short, |(_, prefix)| prefix)
}

/// The actions of an event.
pub fn actions(source: &str, name: &str, parameters: &Value) -> EventActions {
    let service = service(source);
    let name = without_version(name);
    let listed = ACTIONS
        .iter()
        .find(|(of, names, _)| *of == service && names.contains(&name));
    let mut found: Vec<String> = match listed {
        Some((_, _, actions)) => actions
            .iter()
            .map(|action| format!("{service}:{action}"))
            .collect(),
        None => vec![format!("{service}:{name}")],
    };
    if !found.iter().all(|action| has_action(action)) {
        return match has_service(service) {
            true => EventActions::OfService(service.to_owned()),
            false => EventActions::Unknown,
        };
    }
    for (_, event, parameter, actions) in BESIDES.iter().filter(|(of, ..)| *of == service) {
        let is_meant = *event == name || *event == "*";
        if is_meant && parameters.get(parameter).is_some() {
            found.extend(actions.iter().map(|action| format!("{service}:{action}")));
        }
    }
    EventActions::Known(found)
}

/// The API's name: events of some services have the version of the API at its end, such as `GetFunction20150331v2` of AWS Lambda and
/// `CreateDistribution2020_05_31` of Amazon CloudFront.
pub fn without_version(name: &str) -> &str {
    let (base, version) = name.rsplit_once('v').unwrap_or((name, ""));
    let is_number = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit());
    let base = if is_number { base } else { name };
    let is_of_date = |c: char| c.is_ascii_digit() || c == '_';
    let short = base.trim_end_matches(is_of_date);
    let date = base.get(short.len()..).unwrap_or_default();
    let digits = date.bytes().filter(u8::is_ascii_digit).count();
    match digits == 8 && date.starts_with("20") {
        true => short,
        false => name,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::unseen::{DATA, NEVER},
        *,
    };

    fn of(source: &str, name: &str) -> EventActions {
        actions(&format!("{source}.amazonaws.com"), name, &Value::Null)
    }

    fn known(actions: &[&str]) -> EventActions {
        EventActions::Known(actions.iter().map(|action| (*action).to_owned()).collect())
    }

    #[test]
    fn events_lead_to_their_actions() {
        for (source, name, expected) in [
            ("s3", "PutObject", known(&["s3:PutObject"])),
            ("s3", "ListObjectsV2", known(&["s3:ListBucket"])),
            ("s3", "HeadObject", known(&["s3:GetObject"])),
            (
                "s3",
                "DeleteBucketEncryption",
                known(&["s3:PutEncryptionConfiguration"]),
            ),
            ("lambda", "Invoke", known(&["lambda:InvokeFunction"])),
            ("lambda", "GetFunction20150331v2", known(&["lambda:GetFunction"])),
            (
                "lambda",
                "ListFunctions20150331",
                known(&["lambda:ListFunctions"]),
            ),
            (
                "cloudfront",
                "GetDistribution2020_05_31",
                known(&["cloudfront:GetDistribution"]),
            ),
            (
                "monitoring",
                "PutMetricAlarm",
                known(&["cloudwatch:PutMetricAlarm"]),
            ),
            (
                "elasticloadbalancing",
                "DescribeLoadBalancers",
                known(&["elasticloadbalancing:DescribeLoadBalancers"]),
            ),
            (
                "kms",
                "ReEncrypt",
                known(&["kms:ReEncryptFrom", "kms:ReEncryptTo"]),
            ),
            (
                "apigateway",
                "CreateRestApi",
                EventActions::OfService("apigateway".to_owned()),
            ),
            ("nonsense", "Something", EventActions::Unknown),
        ] {
            assert_eq!(of(source, name), expected, "{source} {name}");
        }
        let parameters = json!({"x-amz-acl": "private", "versionId": "1"});
        assert_eq!(
            actions("s3.amazonaws.com", "GetObject", &parameters),
            known(&["s3:GetObject", "s3:GetObjectVersion"])
        );
    }

    /// A name that AWS does not have would be kept or looked for in vain.
    #[test]
    fn the_tables_have_actions_that_there_are() {
        let mut wrong = Vec::new();
        let mut look = |action: String| {
            if !has_action(&action) {
                wrong.push(action);
            }
        };
        for (service, _, actions) in ACTIONS {
            actions
                .iter()
                .for_each(|action| look(format!("{service}:{action}")));
        }
        for (service, _, _, actions) in BESIDES {
            actions
                .iter()
                .for_each(|action| look(format!("{service}:{action}")));
        }
        for (service, actions) in DATA {
            actions
                .iter()
                .for_each(|action| look(format!("{service}:{action}")));
        }
        NEVER.iter().for_each(|action| look((*action).to_owned()));
        for (_, prefix) in SOURCES {
            assert!(has_service(prefix), "{prefix}");
        }
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
