//! Resources that have a policy of their own: buckets, queues and topics.

use std::{fmt, net::Ipv4Addr};

use super::{AccountId, NameError, Partition, Region, pattern::wildcard_match};

/// Which resource it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyResourceKind {
    /// A bucket of Amazon S3.
    Bucket,
    /// A queue of Amazon SQS.
    Queue,
    /// A topic of Amazon SNS.
    Topic,
}

impl PolicyResourceKind {
    /// The service, as ARNs and actions name it.
    #[must_use]
    pub fn service(self) -> &'static str {
        match self {
            Self::Bucket => "s3",
            Self::Queue => "sqs",
            Self::Topic => "sns",
        }
    }

    /// The word for people.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Bucket => "bucket",
            Self::Queue => "queue",
            Self::Topic => "topic",
        }
    }

    /// The longest policy that the service takes, in bytes: Amazon S3 User Guide, "Bucket policies"; Amazon SQS Developer Guide, "Policy
    /// quotas"; Amazon SNS endpoints and quotas.
    #[must_use]
    pub fn policy_size(self) -> usize {
        match self {
            Self::Bucket => 20_480,
            Self::Queue => 8_192,
            Self::Topic => 30_720,
        }
    }
}

/// Where a resource is: of a queue or topic the ARN says it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceHome {
    /// Its region.
    pub region: Region,
    /// Its account.
    pub account: AccountId,
}

/// The ARN of a bucket, a queue or a topic. <https://docs.aws.amazon.com/service-authorization/latest/reference/>
///
/// The name holds nothing that means anything in a policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyResource {
    partition: Partition,
    kind: PolicyResourceKind,
    home: Option<ResourceHome>,
    name: String,
}

const WHAT: &str = "resource ARN";
const FORMS: &str = "arn:<partition>:s3:::<bucket>, arn:<partition>:sqs:<region>:<account id>:<queue> or arn:<partition>:sns:<region>:<account id>:<topic>";

impl PolicyResource {
    /// Parses the ARN of a bucket (not of objects in it), a queue or a topic.
    ///
    /// # Errors
    /// When `text` is not such an ARN.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let bad = |rule| NameError::new(WHAT, text, rule);
        let parts: Vec<&str> = text.split(':').collect();
        let &["arn", partition, service, region, account, name] = parts.as_slice() else {
            return Err(bad(FORMS));
        };
        let partition = Partition::new(partition).map_err(|_| bad(FORMS))?;
        let kind = match (service, region, account) {
            ("s3", "", "") => PolicyResourceKind::Bucket,
            ("sqs", ..) => PolicyResourceKind::Queue,
            ("sns", ..) => PolicyResourceKind::Topic,
            _ => return Err(bad(FORMS)),
        };
        let home = match kind {
            PolicyResourceKind::Bucket => None,
            PolicyResourceKind::Queue | PolicyResourceKind::Topic => Some(ResourceHome {
                region: Region::new(region).map_err(|_| bad(FORMS))?,
                account: AccountId::new(account).map_err(|_| bad(FORMS))?,
            }),
        };
        let (is_name, rule) = match kind {
            PolicyResourceKind::Bucket => (
                is_bucket(name),
                "the bucket's name has 3 to 63 lower-case letters, digits, dots and dashes",
            ),
            PolicyResourceKind::Queue => (
                is_word(name, 80),
                "the queue's name has 1 to 80 letters, digits, - and _, and may end with .fifo",
            ),
            PolicyResourceKind::Topic => (
                is_word(name, 256),
                "the topic's name has 1 to 256 letters, digits, - and _, and may end with .fifo",
            ),
        };
        if !is_name {
            return Err(bad(rule));
        }
        Ok(Self {
            partition,
            kind,
            home,
            name: name.to_owned(),
        })
    }

    /// The partition.
    #[must_use]
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// Bucket, queue or topic.
    #[must_use]
    pub fn kind(&self) -> PolicyResourceKind {
        self.kind
    }

    /// Region and account of a queue or topic; `None` for a bucket, whose ARN says neither.
    #[must_use]
    pub fn home(&self) -> Option<&ResourceHome> {
        self.home.as_ref()
    }

    /// The name without the ARN around it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a policy of this resource may name `resource`, an ARN of a statement: the resource itself, or of a bucket what is in it.
    /// Whatever else is named there, the service refuses.
    #[must_use]
    pub fn holds(&self, resource: &str) -> bool {
        let own = self.to_string();
        match resource.strip_prefix(own.as_str()) {
            Some("") => true,
            Some(rest) => self.kind == PolicyResourceKind::Bucket && rest.starts_with('/'),
            None => false,
        }
    }
}

impl fmt::Display for PolicyResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            kind,
            home,
            name,
        } = self;
        let service = kind.service();
        match home {
            None => write!(f, "arn:{partition}:{service}:::{name}"),
            Some(ResourceHome { region, account }) => {
                write!(f, "arn:{partition}:{service}:{region}:{account}:{name}")
            }
        }
    }
}

impl std::str::FromStr for PolicyResource {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
fn is_bucket(name: &str) -> bool {
    let is_edge = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().all(|b| is_edge(b) || b".-".contains(b))
        && bytes.first().is_some_and(is_edge)
        && bytes.last().is_some_and(is_edge)
        && !name.contains("..")
        // "Must not be formatted as an IP address": in the name of a host it would be one.
        && name.parse::<Ipv4Addr>().is_err()
}

fn is_word(name: &str, max: usize) -> bool {
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    !stem.is_empty()
        && name.len() <= max
        && stem
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

/// A pattern on ARNs of buckets, queues and topics: the six parts of an ARN, in each of which `*` stands for any characters of that part.
/// The service is said. ARNs are compared with case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyResourcePattern(String);

impl PolicyResourcePattern {
    /// # Errors
    /// Not of that form, longer than 320 characters, or with characters that no such ARN has.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        let bad = |rule| Err(NameError::new("resource pattern", &text, rule));
        if text.len() > 320 {
            return bad("at most 320 characters");
        }
        if !text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_.:*-".contains(&b))
        {
            return bad("letters, digits and _.:-, and * for any characters");
        }
        let parts: Vec<&str> = text.split(':').collect();
        match parts.as_slice() {
            ["arn", partition, "s3", "", "", name] if !partition.is_empty() && !name.is_empty() => {}
            ["arn", partition, "sqs" | "sns", region, account, name]
                if [partition, region, account, name]
                    .iter()
                    .all(|part| !part.is_empty()) => {}
            _ => {
                return bad(
                    "arn:<partition>:s3:::<bucket>, or arn:<partition>:sqs or sns:<region>:<account>:<name>, each part with * where any \
                     characters will do",
                );
            }
        }
        Ok(Self(text))
    }

    /// Whether `resource` is covered, part by part.
    #[must_use]
    pub fn matches(&self, resource: &PolicyResource) -> bool {
        let arn = resource.to_string();
        let (patterns, parts) = (self.0.split(':'), arn.split(':'));
        patterns.clone().count() == parts.clone().count()
            && patterns
                .zip(parts)
                .all(|(pattern, part)| wildcard_match(pattern, part))
    }

    /// The resources of an account that it may cover, as a pattern of IAM; `None` when it covers none there. Of buckets it says the
    /// account nowhere.
    #[must_use]
    pub fn in_account(
        &self,
        partition: &Partition,
        account: &AccountId,
    ) -> Option<(PolicyResourceKind, String)> {
        let parts: Vec<&str> = self.0.split(':').collect();
        let &[_, of_partition, service, region, of_account, name] = parts.as_slice() else {
            return None;
        };
        if !wildcard_match(of_partition, partition.as_str()) {
            return None;
        }
        let kind = match service {
            "s3" => return Some((PolicyResourceKind::Bucket, format!("arn:{partition}:s3:::{name}"))),
            "sqs" => PolicyResourceKind::Queue,
            _ => PolicyResourceKind::Topic,
        };
        wildcard_match(of_account, account.as_str()).then(|| {
            (
                kind,
                format!("arn:{partition}:{service}:{region}:{account}:{name}"),
            )
        })
    }

    /// The pattern's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicyResourcePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
