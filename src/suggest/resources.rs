//! Many resources as few patterns.

use std::collections::BTreeMap;

/// So many resources of one folder are listed one by one; more are its pattern. Whoever uses four files of a folder will use a fifth.
const LISTED: usize = 3;
/// A statement of more patterns is not read any more.
pub const MAX_PATTERNS: usize = 12;

/// These resources as patterns, none of which is wider than a folder of them, or where those are too many, than the bucket or the
/// outermost folder of them. None where that would be too many still.
pub fn patterns(resources: &[String]) -> Option<Vec<String>> {
    if resources.len() <= LISTED {
        return Some(resources.to_vec());
    }
    let mut found = grouped(resources, folder, LISTED);
    if found.len() > MAX_PATTERNS {
        found = grouped(resources, outermost, 1);
    }
    (found.len() <= MAX_PATTERNS).then_some(found)
}

fn grouped<'a>(
    resources: &'a [String],
    of: impl Fn(&'a str) -> Option<&'a str>,
    listed: usize,
) -> Vec<String> {
    let mut groups: BTreeMap<Option<&str>, Vec<&String>> = BTreeMap::new();
    for arn in resources {
        groups.entry(of(arn)).or_default().push(arn);
    }
    let mut found = Vec::new();
    for (group, members) in groups {
        match group {
            Some(folder) if members.len() > listed => {
                // What the members have in common may be longer than what they are grouped by.
                let common = members.iter().fold(None, |common: Option<&str>, arn| {
                    Some(common.map_or(arn.as_str(), |common| shared(common, arn)))
                });
                let common = common
                    .and_then(folder_of)
                    .filter(|common| common.len() >= folder.len());
                found.push(format!("{}*", common.unwrap_or(folder)));
            }
            _ => found.extend(members.into_iter().cloned()),
        }
    }
    found.sort();
    found
}

/// `arn:aws:s3:::bucket/a/` of `arn:aws:s3:::bucket/a/b`. A name that is not in a folder has none.
fn folder(arn: &str) -> Option<&str> {
    let outermost = outermost(arn)?;
    folder_of(arn).filter(|folder| folder.len() >= outermost.len())
}

/// The bucket of an object, and of another resource the first folder of its name: `arn:aws:ssm:eu-west-1:123456789012:parameter/app/` of
/// `…:parameter/app/a`. The type of a resource (`key/`, `table/`, `secret:`) is no folder, for it has all that the account has of it;
/// and so is no path of IAM, where one application beside another has its roles.
fn outermost(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':').skip(2);
    let (service, region) = (parts.next()?, parts.next()?);
    let root = root(arn);
    if service == "s3" && region.is_empty() {
        return root.ends_with('/').then_some(root);
    }
    let name = arn
        .get(root.len()..)
        .filter(|_| service != "iam" && root.len() < arn.len())?;
    // `/aws/lambda/` of a group of logs begins with the sign itself.
    let begin = name.len() - name.trim_start_matches('/').len();
    let end = begin + name.get(begin..)?.find('/')? + 1;
    arn.get(..root.len() + end)
}

fn folder_of(arn: &str) -> Option<&str> {
    arn.get(..=arn.rfind('/')?)
}

/// `arn:aws:s3:::bucket/`: the first name of the sixth part, with what stands before it.
fn root(arn: &str) -> &str {
    let head: usize = arn.split_inclusive(':').take(5).map(str::len).sum();
    let rest = arn.get(head..).unwrap_or_default();
    let name = rest.find(['/', ':']).map_or(rest.len(), |at| at + 1);
    arn.get(..head + name).unwrap_or(arn)
}

fn shared<'a>(a: &'a str, b: &str) -> &'a str {
    let end = a
        .char_indices()
        .zip(b.chars())
        .find(|((_, x), y)| x != y)
        .map_or(a.len().min(b.len()), |((at, _), _)| at);
    a.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(keys: &[&str]) -> Option<Vec<String>> {
        let all: Vec<String> = keys.iter().map(|key| format!("arn:aws:s3:::{key}")).collect();
        let found = patterns(&all)?;
        let short = found
            .iter()
            .map(|arn| arn.strip_prefix("arn:aws:s3:::").unwrap().to_owned());
        Some(short.collect())
    }

    #[test]
    fn many_of_a_folder_are_the_folder() {
        let few = ["b/x/1", "b/x/2", "b/y/1"];
        assert_eq!(of(&few), Some(few.map(str::to_owned).to_vec()));
        let many = ["b/x/1", "b/x/2", "b/x/3", "b/x/4", "b/y/1"];
        assert_eq!(of(&many), Some(vec!["b/x/*".to_owned(), "b/y/1".to_owned()]));
        let flat = ["b/1", "b/2", "b/3", "b/4"];
        assert_eq!(of(&flat), Some(vec!["b/*".to_owned()]));
        // Buckets are not in a folder.
        let buckets = ["a", "b", "c", "d"];
        assert_eq!(of(&buckets), Some(buckets.map(str::to_owned).to_vec()));
    }

    #[test]
    fn many_folders_are_what_they_have_in_common() {
        let keys: Vec<String> = (0..40).map(|i| format!("b/logs/{i}/x")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        assert_eq!(of(&keys), Some(vec!["b/logs/*".to_owned()]));
        let buckets: Vec<String> = (0..40).map(|i| format!("bucket-{i}")).collect();
        let buckets: Vec<&str> = buckets.iter().map(String::as_str).collect();
        assert_eq!(of(&buckets), None);
    }

    /// Four keys are not all keys.
    #[test]
    fn the_type_of_a_resource_is_no_folder() {
        let arns = |count: usize, of: &str| -> Vec<String> {
            (0..count).map(|i| format!("arn:aws:{of}{i}")).collect()
        };
        for of in [
            "kms:eu-west-1:123456789012:key/",
            "iam::123456789012:role/",
            "iam::123456789012:role/deputy/production-1/",
            "dynamodb:eu-west-1:123456789012:table/",
            "secretsmanager:eu-west-1:123456789012:secret:",
            "lambda:eu-west-1:123456789012:function:",
            "sqs:eu-west-1:123456789012:",
            "logs:eu-west-1:123456789012:log-group:/",
            "ssm:eu-west-1:123456789012:parameter/",
            "s3:eu-west-1:123456789012:accesspoint/",
        ] {
            let few = arns(5, of);
            assert_eq!(patterns(&few), Some(few.clone()), "{of}");
            assert_eq!(patterns(&arns(40, of)), None, "{of}");
        }
        for of in [
            "dynamodb:eu-west-1:123456789012:table/a/index/",
            "secretsmanager:eu-west-1:123456789012:secret:app/",
            "logs:eu-west-1:123456789012:log-group:/aws/lambda/",
            "ssm:eu-west-1:123456789012:parameter/app/",
        ] {
            assert_eq!(
                patterns(&arns(40, of)),
                Some(vec![format!("arn:aws:{of}*")]),
                "{of}"
            );
        }
    }
}
