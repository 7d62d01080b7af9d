//! Condition keys as the IAM User Guide has them ("AWS global condition context keys", "IAM and AWS STS condition context
//! keys").

use crate::reference::condition_key::{
    Arity::{self, Multi, Single},
    KeyType::{self, Arn, Bool, Date, IpAddress, Numeric, String as Text},
};

/// The day that the guide was read.
pub(crate) const DATE: &str = "2026-11-22";

/// Keys from the guide. `*` stands for any text.
pub(super) const KEYS: &[(&str, Arity, Option<KeyType>)] = &[
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

/// Keys of strings whose values can hold neither `*` nor `?`: ids that AWS makes, names and tag values of IAM, which has
/// no wildcards in them (IAM API reference: `[\w+=,.@-]` for names, `[\p{L}\p{Z}\p{N}_.:/=+\-@]` for tags). A tag of
/// another service, or one that a request asks for, may hold anything; and so may the path of a role or user
/// (`[\u0021-\u007E]`), and with it `aws:PrincipalArn`.
pub(super) const PLAIN_TEXTS: &[&str] = &[
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:ec2instancesourcevpc",
    "aws:principalaccount",
    "aws:principalorgid",
    "aws:principalservicename",
    "aws:principaltype",
    "aws:requestedregion",
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
