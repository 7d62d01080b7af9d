//! What the ARNs of a resource type look like.

use std::fmt;

/// The form of an ARN: text, and places where AWS or its users put names.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// `arn:*:s3:::%/*`.
    text: String,
}

impl Shape {
    /// Reads what `reference.txt` says in short: without `arn:PARTITION:`, without the service if it is `service`.
    pub(crate) fn read(service: &str, short: &str) -> Self {
        let (owner, between, rest) = match short.split_once([':', '@']) {
            Some((owner, rest)) if short.as_bytes().get(owner.len()) == Some(&b'@') => (owner, ":*:*:", rest),
            Some((owner, rest)) => (owner, ":", rest),
            None => (short, ":", ""),
        };
        let owner = if owner.is_empty() { service } else { owner };
        Self {
            text: format!("arn:*:{owner}{between}{rest}"),
        }
    }

    /// The six parts.
    pub(crate) fn parts(&self) -> [&str; 6] {
        let mut parts = self.text.splitn(6, ':');
        std::array::from_fn(|_| parts.next().unwrap_or_default())
    }

    /// The service in the ARN, `*` for any. It is not always the service whose actions take it.
    #[cfg(test)]
    pub(crate) fn service(&self) -> &str {
        let [_, _, service, ..] = self.parts();
        service
    }

    /// Letters of the form: the shorter, the simpler.
    pub(crate) fn size(&self) -> usize {
        self.text.len()
    }

    /// As a pattern of a policy: `arn:*:s3:::*/*`. It takes somewhat more than the form: names without a slash become `*`.
    pub(crate) fn pattern(&self) -> String {
        self.text.replace('%', "*")
    }

    /// An ARN of this form, with `name` for every name. Partition, region and account go where the form has them.
    pub(crate) fn instance(&self, partition: &str, region: &str, account: &str, name: &str) -> String {
        let [arn, _, service, of_region, of_account, rest] = self.parts();
        let parts = [
            (arn, ""),
            ("*", partition),
            (service, name),
            (of_region, region),
            (of_account, account),
            (rest, name),
        ];
        let mut text = String::with_capacity(128);
        for (i, (part, with)) in parts.into_iter().enumerate() {
            if i > 0 {
                text.push(':');
            }
            for c in part.chars() {
                match c {
                    '*' | '%' => text.push_str(with),
                    c => text.push(c),
                }
            }
        }
        text
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pattern())
    }
}
