//! What AWS says when it denies a request
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>).

use serde::Serialize;

/// Which policy decided, as AWS says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DenialLayer {
    Identity,
    Session,
    Boundary,
    ServiceControl,
    ResourceControl,
    Resource,
    Endpoint,
    Trust,
    /// Some services do not say it.
    Unsaid,
}

impl DenialLayer {
    /// In AWS's words; the first ones of a layer are what it is called here.
    const WORDS: [(&'static str, Self); 9] = [
        ("identity-based policy", Self::Identity),
        ("session policy", Self::Session),
        ("permissions boundary", Self::Boundary),
        ("service control policy", Self::ServiceControl),
        ("resource control policy", Self::ResourceControl),
        ("resource-based policy", Self::Resource),
        ("resource-based policies", Self::Resource),
        ("VPC endpoint policy", Self::Endpoint),
        ("role trust policy", Self::Trust),
    ];

    /// As a noun, without article.
    pub fn words(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, layer)| *layer == self);
        found.map_or("policy", |(words, _)| words)
    }
}

/// A denial, as AWS's message tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DenialMessage {
    /// ARN of who asked.
    pub caller: String,
    /// `service:Action`.
    pub action: String,
    /// As AWS calls it: an ARN, `*`, or a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    pub layer: DenialLayer,
    /// A statement denies it; else nothing allows it.
    pub explicit: bool,
    /// AWS does not say whether the resource is there, its policy lacks it or denies it.
    #[serde(skip)]
    pub may_be_absent: bool,
    /// The policy with that statement, where AWS names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

const ENCODED: &str = "Encoded authorization failure message:";
/// How the reason begins where AWS lets three of them open.
const ABSENT: &str = "the resource does not exist";
pub const PERFORM: &str = "is not authorized to perform:";

impl DenialMessage {
    /// What AWS says, in a sentence.
    pub fn sentence(&self) -> String {
        let policy = self
            .policy
            .as_ref()
            .map_or_else(String::new, |arn| format!(" ({arn})"));
        if self.may_be_absent {
            return "the resource is not in this Region, its policy does not allow it, or its policy denies it".to_owned();
        }
        match (self.explicit, self.layer) {
            (true, DenialLayer::Unsaid) => "a statement denies it, and not in which policy".to_owned(),
            (false, DenialLayer::Unsaid) => "it is denied, and not by which policy".to_owned(),
            (true, layer) => format!("a statement denies it in the {}{policy}", layer.words()),
            (false, layer) => format!("nothing allows it in the {}", layer.words()),
        }
    }

    /// The resource, where AWS calls it by its ARN. Some services say `*` where they mean that they do not say it, and some a name.
    pub fn arn(&self) -> Option<&str> {
        self.resource.as_deref().filter(|told| told.starts_with("arn:"))
    }

    /// Why the resource has to be said by somebody else.
    pub fn unnamed(&self) -> String {
        match self.resource.as_deref() {
            Some(name) if name != "*" => format!("AWS calls the resource {name}, which is no ARN"),
            _ => "AWS does not name the resource".to_owned(),
        }
    }

    /// Reads a message, with whatever an SDK or the command line put around it.
    ///
    /// # Errors
    /// A sentence: what the message does not say, and what would say it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = unescaped(text).split_whitespace().collect::<Vec<_>>().join(" ");
        let Some((before, after)) = text.split_once(PERFORM) else {
            return Err(unreadable(&text));
        };
        let caller = before
            .rsplit_once("User:")
            .map_or(before, |(_, caller)| caller)
            .trim()
            .trim_matches('"');
        let after = after.trim_start();
        let (action, rest) = after.split_once(' ').unwrap_or((after, ""));
        let action = action.split('"').next().unwrap_or_default();
        let action = action.trim_end_matches(['.', ',']);
        let (resource, rest) = match rest.split_once("on resource:") {
            Some((_, rest)) => {
                let (resource, rest) = resource_of(rest.trim_start());
                (Some(resource), rest)
            }
            None => (None, rest),
        };
        let (explicit, reason) = match rest.split_once("explicit deny in") {
            Some((_, reason)) => (true, reason),
            None => (
                false,
                rest.split_once("because ").map_or("", |(_, reason)| reason),
            ),
        };
        let layer = DenialLayer::WORDS
            .iter()
            .filter_map(|(words, layer)| Some((reason.find(words)?, layer)))
            .min_by_key(|(at, _)| *at)
            .map_or(DenialLayer::Unsaid, |(_, layer)| *layer);
        if caller.is_empty() || !action.contains(':') {
            return Err(unreadable(&text));
        }
        let policy = reason.split_once(": arn:").map(|(_, arn)| {
            let arn = arn.split([' ', ')', '"']).next().unwrap_or_default();
            format!("arn:{}", arn.trim_end_matches('.'))
        });
        Ok(Self {
            caller: caller.to_owned(),
            action: action.to_owned(),
            resource: resource.filter(|resource| !resource.is_empty()),
            layer,
            explicit,
            may_be_absent: !explicit && reason.starts_with(ABSENT),
            policy: policy.filter(|_| explicit),
        })
    }
}

/// What goes on after a resource.
const ENDS: [&str; 4] = [
    " because ",
    " with an explicit deny",
    " with explicit deny",
    " Encoded authorization",
];

/// The resource, and the rest of the sentence. It may have spaces in it, as keys of S3 do, and in quotes any words.
fn resource_of(text: &str) -> (String, &str) {
    let (text, quote) = match text.strip_prefix('"') {
        Some(quoted) => (quoted, "\""),
        None => (text, ""),
    };
    let ends = ENDS
        .iter()
        .filter_map(|end| text.find(format!("{quote}{end}").as_str()));
    // What is around the message may go on with a quote.
    let end = ends.min().or_else(|| text.find('"')).unwrap_or(text.len());
    let (resource, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let resource = resource.trim().trim_matches('"').trim_end_matches(['.', ',']);
    (resource.to_owned(), rest)
}

/// The text without the backslashes that JSON, and logs of JSON in JSON, put before quotes.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '"' {
            out.truncate(out.trim_end_matches('\\').len());
        }
        out.push(c);
    }
    out
}

fn unreadable(text: &str) -> String {
    if text.contains(ENCODED) {
        return "the message is encoded, and only AWS can read it: aws sts decode-authorization-message --encoded-message … says what is in it, \
                to who may sts:DecodeAuthorizationMessage"
            .to_owned();
    }
    let said = "AWS says \"User: ARN is not authorized to perform: ACTION on resource: ARN because …\"";
    if text.to_lowercase().contains("denied") {
        return format!(
            "the message does not say who asked for what ({said}); the event in CloudTrail has it, as errorMessage, userIdentity.arn and \
             eventName"
        );
    }
    format!("it is no message of a denial: {said}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str =
        "arn:aws:sts::123456789012:assumed-role/deputy.payments.uploader-abc/payments.uploader";

    fn parse(rest: &str) -> DenialMessage {
        DenialMessage::parse(&format!("User: {ROLE} is not authorized to perform: {rest}")).unwrap()
    }

    #[test]
    fn every_layer_is_known_by_aws_words() {
        for (words, layer) in DenialLayer::WORDS {
            let implicit = parse(&format!(
                "s3:GetObject on resource: arn:aws:s3:::a/x because no {words} allows the s3:GetObject action"
            ));
            assert_eq!((implicit.layer, implicit.explicit), (layer, false), "{words}");
            assert_eq!(implicit.resource.as_deref(), Some("arn:aws:s3:::a/x"));
            let explicit = parse(&format!(
                "s3:GetObject on resource: \"arn:aws:s3:::a/x y\" with an explicit deny in a {words}"
            ));
            assert_eq!((explicit.layer, explicit.explicit), (layer, true), "{words}");
            assert_eq!(explicit.resource.as_deref(), Some("arn:aws:s3:::a/x y"));
        }
        let named = parse(
            "s3:GetObject on resource: arn:aws:s3:::a/x with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o-1/service_control_policy/p-1",
        );
        assert_eq!(
            named.policy.as_deref(),
            Some("arn:aws:organizations::1:policy/o-1/service_control_policy/p-1")
        );
    }

    #[test]
    fn what_sdks_put_around_a_message_does_not_matter() {
        let message = format!(
            "User: {ROLE} is not authorized to perform: ec2:DescribeInstances because no identity-based policy allows the ec2:DescribeInstances action"
        );
        for around in [
            format!(
                "An error occurred (UnauthorizedOperation) when calling the DescribeInstances operation: {message}"
            ),
            format!(
                "operation error EC2: DescribeInstances, https response error StatusCode: 403, RequestID: x, api error AccessDenied: {message}"
            ),
            format!("AccessDeniedException:\n  {message}\n"),
            format!(
                "You are not authorized to perform this operation. {message}. Encoded authorization failure message: abc"
            ),
        ] {
            let parsed = DenialMessage::parse(&around).unwrap();
            assert_eq!(
                (parsed.caller.as_str(), parsed.action.as_str()),
                (ROLE, "ec2:DescribeInstances"),
                "{around}"
            );
            assert_eq!((parsed.resource, parsed.layer), (None, DenialLayer::Identity));
        }
        let short = parse("sqs:SendMessage on resource: arn:aws:sqs:eu-west-1:123456789012:q.");
        assert_eq!((short.layer, short.explicit), (DenialLayer::Unsaid, false));
        assert_eq!(
            short.resource.as_deref(),
            Some("arn:aws:sqs:eu-west-1:123456789012:q")
        );
    }

    #[test]
    fn what_says_too_little_is_told_where_more_is_said() {
        for (text, expected) in [
            (
                "An error occurred (AccessDenied) when calling the GetObject operation: Access Denied",
                "CloudTrail",
            ),
            (
                "You are not authorized to perform this operation. Encoded authorization failure message: 4GIO…",
                "decode-authorization-message",
            ),
            ("hello", "it is no message of a denial"),
            (
                "User: is not authorized to perform: x",
                "it is no message of a denial",
            ),
        ] {
            let error = DenialMessage::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
