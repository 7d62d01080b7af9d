//! What is known of condition keys: how many values they have, and of which type.
//!
//! The keys of services are in `keys.txt`, which `hack/condition-keys` writes. Those that every service has, those of AWS
//! STS and those of identity providers are here, from the IAM User Guide ("AWS global condition context keys", "IAM and
//! AWS STS condition context keys"). What the guide says wins over the file.

use std::{collections::HashMap, sync::LazyLock};

/// How many values a key has in a request that has it at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arity {
    /// One.
    Single,
    /// Any number.
    Multi,
    /// AWS does not say, or says both.
    Unknown,
}

/// The type of a key's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyType {
    String,
    Arn,
    Bool,
    Numeric,
    Date,
    IpAddress,
}

use Arity::{Multi, Single, Unknown};
use KeyType::{Arn, Bool, Date, IpAddress, Numeric, String as Text};

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The IAM User Guide.
    Guide,
    /// `keys.txt`.
    File,
}

type Entry = (Arity, Option<KeyType>, Source);

/// Keys from the guide. `*` stands for any text.
const GUIDE: &[(&str, Arity, Option<KeyType>)] = &[
    // Of the principal.
    ("aws:principalaccount", Single, Some(Text)),
    ("aws:principalarn", Single, Some(Arn)),
    ("aws:principalisawsservice", Single, Some(Bool)),
    ("aws:principalorgid", Single, Some(Text)),
    ("aws:principalorgpaths", Multi, Some(Text)),
    ("aws:principalservicename", Single, Some(Text)),
    ("aws:principalservicenameslist", Multi, Some(Text)),
    ("aws:principaltag/*", Single, Some(Text)),
    ("aws:principaltype", Single, Some(Text)),
    ("aws:userid", Single, Some(Text)),
    ("aws:username", Single, Some(Text)),
    // Of the session.
    ("aws:assumedroot", Single, Some(Bool)),
    ("aws:chatbotsourcearn", Single, Some(Arn)),
    ("aws:ec2instancesourceprivateipv4", Single, Some(IpAddress)),
    ("aws:ec2instancesourcevpc", Single, Some(Text)),
    ("aws:federatedprovider", Single, Some(Text)),
    ("aws:multifactorauthage", Single, Some(Numeric)),
    ("aws:multifactorauthpresent", Single, Some(Bool)),
    ("aws:sourceidentity", Single, Some(Text)),
    ("aws:tokenissuetime", Single, Some(Date)),
    ("codebuild:buildarn", Single, Some(Arn)),
    ("ec2:roledelivery", Single, Some(Numeric)),
    ("ec2:sourceinstancearn", Single, Some(Arn)),
    ("lambda:sourcefunctionarn", Single, Some(Arn)),
    ("ssm:sourceinstancearn", Single, Some(Arn)),
    // Of the network.
    ("aws:sourceip", Single, Some(IpAddress)),
    ("aws:sourcevpc", Single, Some(Text)),
    ("aws:sourcevpcarn", Single, Some(Arn)),
    ("aws:sourcevpce", Single, Some(Text)),
    ("aws:sourcevpcorgpaths", Multi, Some(Text)),
    ("aws:vpceaccount", Single, Some(Text)),
    ("aws:vpceorgid", Single, Some(Text)),
    ("aws:vpceorgpaths", Multi, Some(Text)),
    ("aws:vpcsourceip", Single, Some(IpAddress)),
    // Of the resource.
    ("aws:resourceaccount", Single, Some(Text)),
    ("aws:resourceorgid", Single, Some(Text)),
    ("aws:resourceorgpaths", Multi, Some(Text)),
    ("aws:resourcetag/*", Single, Some(Text)),
    // Of the request.
    ("aws:calledvia", Multi, Some(Text)),
    ("aws:calledviafirst", Single, Some(Text)),
    ("aws:calledvialast", Single, Some(Text)),
    ("aws:currenttime", Single, Some(Date)),
    // Seconds, which the guide lets both numbers and dates be compared with.
    ("aws:epochtime", Single, None),
    ("aws:referer", Single, Some(Text)),
    ("aws:requestedregion", Single, Some(Text)),
    ("aws:requesttag/*", Single, Some(Text)),
    ("aws:securetransport", Single, Some(Bool)),
    ("aws:sourceaccount", Single, Some(Text)),
    ("aws:sourcearn", Single, Some(Arn)),
    ("aws:sourceorgid", Single, Some(Text)),
    ("aws:sourceorgpaths", Multi, Some(Text)),
    ("aws:tagkeys", Multi, Some(Text)),
    ("aws:useragent", Single, Some(Text)),
    ("aws:viaawsservice", Single, Some(Bool)),
    // Of AWS STS and its identity providers.
    ("accounts.google.com:aud", Single, Some(Text)),
    ("accounts.google.com:oaud", Single, Some(Text)),
    ("accounts.google.com:sub", Single, Some(Text)),
    ("cognito-identity.amazonaws.com:amr", Multi, Some(Text)),
    ("cognito-identity.amazonaws.com:aud", Single, Some(Text)),
    ("cognito-identity.amazonaws.com:sub", Single, Some(Text)),
    ("graph.facebook.com:app_id", Single, Some(Text)),
    ("graph.facebook.com:id", Single, Some(Text)),
    ("sts:awsservicename", Single, Some(Text)),
    ("sts:durationseconds", Single, Some(Numeric)),
    ("sts:externalid", Single, Some(Text)),
    ("sts:requestcontext/*", Single, Some(Text)),
    ("sts:requestcontextproviders", Multi, Some(Arn)),
    ("sts:rolesessionname", Single, Some(Text)),
    ("sts:sourceidentity", Single, Some(Text)),
    ("sts:transitivetagkeys", Multi, Some(Text)),
    ("www.amazon.com:app_id", Single, Some(Text)),
    ("www.amazon.com:user_id", Single, Some(Text)),
];

/// The lists that the guide itself documents for all services. AWS says that a condition on one needs a set operator
/// ("Multivalued context keys"), so the dialect has no condition without.
const GLOBAL_LISTS: &[&str] = &[
    "aws:calledvia",
    "aws:principalorgpaths",
    "aws:principalservicenameslist",
    "aws:resourceorgpaths",
    "aws:sourceorgpaths",
    "aws:sourcevpcorgpaths",
    "aws:tagkeys",
    "aws:vpceorgpaths",
    "sts:transitivetagkeys",
];

/// Keys of strings whose values can hold neither `*` nor `?`: ids that AWS makes, names and tag values of IAM, which has
/// no wildcards in them (IAM API reference: `[\w+=,.@-]` for names, `[\p{L}\p{Z}\p{N}_.:/=+\-@]` for tags). A tag of
/// another service, or one that a request asks for, may hold anything.
const PLAIN_TEXTS: &[&str] = &[
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:ec2instancesourcevpc",
    "aws:federatedprovider",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalservicename",
    "aws:principaltype",
    "aws:resourceaccount",
    "aws:resourceorgid",
    "aws:sourceaccount",
    "aws:sourceidentity",
    "aws:sourceorgid",
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    "aws:userid",
    "aws:username",
    "aws:vpceaccount",
    "aws:vpceorgid",
    "cognito-identity.amazonaws.com:aud",
    "cognito-identity.amazonaws.com:sub",
    "sts:externalid",
    "sts:rolesessionname",
    "sts:sourceidentity",
];

#[derive(Default)]
struct Catalogue {
    /// Keys that are spelled out.
    exact: HashMap<&'static str, Entry>,
    /// Keys with a part of free text: what stands before it, to what stands after it. What comes before ends in `/` or
    /// `:`.
    open: HashMap<&'static str, Vec<(&'static str, Entry)>>,
}

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let mut catalogue = Catalogue::default();
    let lines = include_str!("keys.txt")
        .lines()
        .filter(|line| !line.starts_with('#'));
    for (key, name) in lines.filter_map(|line| line.split_once(' ')) {
        catalogue.add(key, entry(name));
    }
    for (key, arity, value_type) in GUIDE {
        catalogue.add(key, (*arity, *value_type, Source::Guide));
    }
    catalogue
});

/// The meaning of a type's name in `keys.txt`.
fn entry(name: &str) -> Entry {
    let (name, arity) = match (name.strip_suffix('?'), name.strip_prefix("ArrayOf")) {
        (Some(name), _) => (name, Unknown),
        (None, Some(name)) => (name, Multi),
        (None, None) => (name, Single),
    };
    let value_type = match name {
        "String" => Some(Text),
        "ARN" => Some(Arn),
        "Bool" => Some(Bool),
        "Numeric" => Some(Numeric),
        "Date" => Some(Date),
        "IPAddress" => Some(IpAddress),
        _ => None,
    };
    (arity, value_type, Source::File)
}

impl Catalogue {
    fn add(&mut self, key: &'static str, entry: Entry) {
        let Some((before, after)) = key.split_once('*') else {
            self.exact.insert(key, entry);
            return;
        };
        let ends = self.open.entry(before).or_default();
        ends.retain(|(end, _)| *end != after);
        ends.push((after, entry));
    }

    fn get(&self, key: &str) -> Option<Entry> {
        if let Some(entry) = self.exact.get(key) {
            return Some(*entry);
        }
        key.match_indices(['/', ':']).find_map(|(at, _)| {
            let (before, free) = key.split_at_checked(at + 1)?;
            let ends = self.open.get(before)?;
            let (_, entry) = ends
                .iter()
                .find(|(end, _)| free.len() > end.len() && free.ends_with(end))?;
            Some(*entry)
        })
    }
}

/// The claims of an OpenID Connect provider that is named by its host: `oidc.eks.eu-west-1.amazonaws.com/id/E:sub`.
fn claim(key: &str) -> Option<Entry> {
    let (host, claim) = key.rsplit_once(':')?;
    let name = host.split('/').next().unwrap_or(host);
    if !name.contains('.') || name.contains(':') {
        return None;
    }
    match claim {
        "sub" | "aud" | "oaud" | "azp" => Some((Single, Some(Text), Source::Guide)),
        "amr" => Some((Multi, Some(Text), Source::Guide)),
        _ => None,
    }
}

fn look_up(key: &str) -> Option<Entry> {
    CATALOGUE.get(key).or_else(|| claim(key))
}

/// How many values a key has, as AWS documents it now. `key` is in lower case.
///
/// What is to hold for years asks [`lasting_arity`].
pub(crate) fn arity(key: &str) -> Arity {
    look_up(key).map_or(Unknown, |(arity, ..)| arity)
}

/// How many values a key has, as an answer may believe that is to hold for years. `key` is in lower case;
/// `set_operator_used` says whether a condition in any of the documents that are compared has `ForAllValues` or
/// `ForAnyValue` on it.
///
/// A service may give a key several values that had one: `elasticloadbalancing:ListenerProtocol` became a list. So a
/// service's word that a key has one value counts only where nothing depends on it. A set operator does, since
/// `ForAnyValue` and `ForAllValues` agree on one value and differ on several; then the arity is unknown. Without any set
/// operator a list has no defined meaning in the first place. The keys of the IAM User Guide, which all services share,
/// and the claims of identity providers keep the arity that the guide gives them.
#[cfg_attr(not(test), allow(dead_code, reason = "for the containment check"))]
pub(crate) fn lasting_arity(key: &str, set_operator_used: bool) -> Arity {
    match look_up(key) {
        Some((Single, _, Source::File)) if set_operator_used => Unknown,
        Some((arity, ..)) => arity,
        None => Unknown,
    }
}

/// The type of a key's values, when it is known. `key` is in lower case.
pub(crate) fn value_type(key: &str) -> Option<KeyType> {
    look_up(key).and_then(|(_, value_type, _)| value_type)
}

/// Whether the key is one of the lists that the guide documents for all services. `key` is in lower case.
pub(crate) fn is_global_list(key: &str) -> bool {
    GLOBAL_LISTS.contains(&key)
}

/// Whether a value of the key may hold `*` or `?`. `key` is in lower case.
pub(crate) fn value_may_have_wildcards(key: &str) -> bool {
    let typed = matches!(value_type(key), Some(Bool | Numeric | Date | IpAddress)) || key == "aws:epochtime";
    let of_iam = key
        .strip_prefix("aws:principaltag/")
        .is_some_and(|tag| !tag.is_empty());
    !typed && !of_iam && !PLAIN_TEXTS.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_file_is_read() {
        let lines: Vec<&str> = include_str!("keys.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect();
        assert!(lines.len() > 1000);
        for line in &lines {
            let (key, name) = line.split_once(' ').unwrap();
            assert_eq!(key, key.to_lowercase());
            assert!(entry(name).1.is_some(), "{line}");
            assert!(
                key.split_once('*')
                    .is_none_or(|(before, _)| before.ends_with(['/', ':'])),
                "{line}"
            );
            assert!(look_up(&key.replace('*', "x")).is_some(), "{line}");
        }
        assert!(lines.is_sorted(), "so that a new release is a readable change");
    }

    #[test]
    fn keys_of_services_have_the_arity_of_the_reference() {
        for key in [
            "s3:prefix",
            "iam:passedtoservice",
            "kms:viaservice",
            "ec2:resourcetag/team",
        ] {
            assert_eq!(arity(key), Single, "{key}");
        }
        for key in [
            "dynamodb:leadingkeys",
            "kms:encryptioncontextkeys",
            "route53:changeresourcerecordsetsactions",
        ] {
            assert_eq!(arity(key), Multi, "{key}");
        }
        for key in [
            "identitystore:userid",
            "codestar-connections:provideraction",
            "s3:nosuchkey",
            "x:y",
            "",
            ":",
        ] {
            assert_eq!(arity(key), Unknown, "{key}");
        }
    }

    #[test]
    fn a_service_may_make_a_list_of_a_key() {
        for key in ["s3:prefix", "kms:encryptioncontext:app", "ec2:resourcetag/team"] {
            assert_eq!(lasting_arity(key, false), Single, "{key}");
            assert_eq!(lasting_arity(key, true), Unknown, "{key}");
        }
        for key in [
            "aws:sourceip",
            "aws:principaltag/team",
            "aws:requesttag/team",
            "sts:rolesessionname",
            "oidc.eks.us-east-1.amazonaws.com/id/e:sub",
        ] {
            assert_eq!(lasting_arity(key, true), Single, "{key}");
        }
        for (key, arity) in [
            ("aws:tagkeys", Multi),
            ("dynamodb:leadingkeys", Multi),
            ("s3:nosuchkey", Unknown),
            ("route53:vpcs", Unknown),
        ] {
            for used in [false, true] {
                assert_eq!(lasting_arity(key, used), arity, "{key}");
            }
        }
    }

    #[test]
    fn every_key_of_a_service_that_has_one_value_is_doubted_under_a_set_operator() {
        let guide = |key: &str| GUIDE.iter().any(|(known, ..)| *known == key);
        let lines = include_str!("keys.txt").lines().filter(|l| !l.starts_with('#'));
        for (key, _) in lines.filter_map(|line| line.split_once(' ')) {
            if !guide(key) {
                assert_ne!(lasting_arity(&key.replace('*', "x"), true), Single, "{key}");
            }
        }
    }

    #[test]
    fn free_text_in_a_key_is_any_text_but_none() {
        assert_eq!(arity("aws:requesttag/a:b/c"), Single);
        assert_eq!(arity("kms:encryptioncontext:aws:s3:arn"), Single);
        assert_eq!(arity("codebuild:filesystemlocations/a.location"), Single);
        assert_eq!(arity("codebuild:filesystemlocations/.location"), Unknown);
        assert_eq!(arity("codebuild:filesystemlocations/a.colour"), Unknown);
        assert_eq!(arity("aws:requesttag/"), Unknown);
        assert_eq!(arity("aws:requesttag"), Unknown);
    }

    #[test]
    fn the_guide_wins_over_the_file() {
        assert_eq!(arity("cognito-identity.amazonaws.com:amr"), Multi);
        assert_eq!(value_type("aws:sourceip"), Some(IpAddress));
        assert_eq!(value_type("aws:currenttime"), Some(Date));
        assert_eq!(value_type("aws:multifactorauthage"), Some(Numeric));
        assert_eq!(value_type("aws:securetransport"), Some(Bool));
        assert_eq!(value_type("aws:epochtime"), None);
        for key in GLOBAL_LISTS {
            assert_eq!(arity(key), Multi, "{key}");
        }
    }

    #[test]
    fn claims_of_providers_are_known_by_their_end() {
        let eks = "oidc.eks.us-east-1.amazonaws.com/id/exampled539d4633e53de1b71example";
        assert_eq!(arity(&format!("{eks}:sub")), Single);
        assert_eq!(arity(&format!("{eks}:aud")), Single);
        assert_eq!(arity("login.example.com:amr"), Multi);
        assert_eq!(arity("token.actions.githubusercontent.com:actor"), Unknown);
        assert_eq!(arity("nohost:sub"), Unknown);
    }

    #[test]
    fn only_values_that_iam_makes_are_free_of_wildcards() {
        for key in [
            "aws:username",
            "aws:userid",
            "aws:principaltag/team",
            "aws:sourceip",
            "aws:epochtime",
        ] {
            assert!(!value_may_have_wildcards(key), "{key}");
        }
        for key in [
            "aws:requesttag/team",
            "aws:resourcetag/team",
            "saml:sub",
            "aws:useragent",
            "s3:prefix",
            "aws:principaltag/",
        ] {
            assert!(value_may_have_wildcards(key), "{key}");
        }
    }
}
