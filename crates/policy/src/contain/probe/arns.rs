//! ARNs that patterns match.

use crate::{
    context::Context,
    pattern::{
        arn::ArnPattern,
        glob::{GlobToken, Pattern},
    },
    work::Work,
};

/// What stands for a lone `*` in the partition, the service, the region and the account.
pub(super) const HEAD: [&str; 5] = ["arn", "aws", "s3", "us-east-1", "123456789012"];

/// Other choices, for limits on partitions, regions and accounts.
pub(super) const OTHER_HEADS: [[&str; 5]; 2] = [
    ["arn", "aws", "s3", "eu-south-2", "999999999999"],
    ["arn", "aws-cn", "s3", "cn-north-1", "123456789012"],
];

/// The usual region and account in the ARNs of a service; empty where they have none.
pub(super) fn parts_of(service: &str) -> (&'static str, &'static str) {
    let [.., region, account] = HEAD;
    match service {
        "s3" => ("", ""),
        "iam" | "sts" | "organizations" | "cloudfront" | "globalaccelerator" | "budgets" | "shield"
        | "support" => ("", account),
        "route53" | "apigateway-none" => ("", ""),
        _ => (region, account),
    }
}

/// Regions of all parts of the world, for patterns such as `eu-*`.
const REGIONS: [&str; 8] = [
    "us-east-1",
    "eu-west-1",
    "ap-southeast-2",
    "ca-central-1",
    "sa-east-1",
    "me-south-1",
    "us-gov-west-1",
    "cn-north-1",
];

/// An ARN that a pattern matches, with `usual` for a lone `*` of its head (but no region and account where the service has
/// none) and `run` for every `*` of its last part; `None` when a variable has no value.
pub(super) fn instance(arn: &ArnPattern, context: &Context, usual: [&str; 5], run: &str) -> Option<String> {
    let mut text = String::with_capacity(96);
    let mut without = (false, false);
    for (i, (part, usual)) in arn.head.iter().zip(usual).enumerate() {
        let from = text.len();
        if !part.has_wildcards() {
            part.write_instance(context, "", 'a', &mut text)?;
        } else if !part.is_universal() {
            text.push_str(&part_of(i, part, usual, context)?);
        } else if !(i == 3 && without.0 || i == 4 && without.1) {
            text.push_str(usual);
        }
        if i == 2 {
            let (region, account) = parts_of(text.get(from..).unwrap_or_default());
            without = (region.is_empty(), account.is_empty());
        }
        text.push(':');
    }
    arn.rest.write_instance(context, run, 'a', &mut text)?;
    Some(text)
}

/// A text for a part of the head in which wildcards are not all.
fn part_of(i: usize, part: &Pattern, usual: &str, context: &Context) -> Option<String> {
    let known: &[&str] = match i {
        1 => &["aws", "aws-cn", "aws-us-gov"],
        3 => &REGIONS,
        _ => &[],
    };
    let fits = |text: &&str| {
        let letters: Vec<char> = text.chars().collect();
        part.matches(&letters, context, &mut Work::unlimited())
    };
    if let Some(text) = [usual].into_iter().chain(known.iter().copied()).find(fits) {
        return Some(text.to_owned());
    }
    let fixed = part
        .tokens()
        .iter()
        .filter(|token| **token != GlobToken::Many)
        .count();
    let digits = if i == 4 { 12_usize.saturating_sub(fixed) } else { 1 };
    part.instance(context, &"1".repeat(digits), '1')
}

/// An ARN that may match both patterns, with `usual` for what both leave open; only a guess, as [`crate::pattern::glob::Pattern::overlap`] is.
pub(super) fn overlap(a: &ArnPattern, b: &ArnPattern, usual: [&str; 5], context: &Context) -> Option<String> {
    let mut text = String::new();
    for ((x, y), usual) in a.head.iter().zip(&b.head).zip(usual) {
        text.push_str(&x.overlap(y, context)?.instance(context, usual, 'a')?);
        text.push(':');
    }
    text.push_str(&a.rest.overlap(&b.rest, context)?.instance(context, "a", 'a')?);
    Some(text)
}
