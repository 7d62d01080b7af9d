//! Issuers that many tenants share: of their tokens the signature proves nothing, only what they say of whose they are.

use super::{ClaimValue, IamArnPattern, OidcProviderArn, TextPattern};

/// What of a token says whose it is.
#[derive(Debug, Clone, Copy)]
enum Tenant {
    /// The claim `sub`, which has one of these forms.
    Sub(&'static [Form]),
    /// The issuer itself: the part of its path after this one is a tenant, and none of those.
    Path(&'static str, &'static [&'static str]),
    /// Nothing that a trust policy of Deputy could ask.
    Nothing(&'static str),
}

/// How a value begins that the issuer alone makes: with `before`, then the tenant's name, which ends before one of `after`.
#[derive(Debug, Clone, Copy)]
struct Form {
    before: &'static str,
    after: &'static str,
}

const fn form(before: &'static str, after: &'static str) -> Form {
    Form { before, after }
}

/// The whole value is somebody's, and no part of it a tenant's.
const WHOLE: Form = form("", "");

/// Of GitHub Actions. Others than these may be made by any organisation that chooses what its `sub` consists of: `environment:production` is
/// no organisation's own, and with `job_workflow_ref` come all who call that workflow.
/// GitHub Docs, "OpenID Connect reference", "Customizing the token claims".
const OF_GITHUB: &[Form] = &[
    form("repo:", "/"),
    form("repository:", "/"),
    form("repository_id:", ":"),
    form("repository_owner:", ":"),
    form("repository_owner_id:", ":"),
    form("enterprise:", ":"),
    form("enterprise_id:", ":"),
];

/// An issuer, with all that is below its path and its domain, what says whose a token is, and how that looks.
type Row = (&'static str, Tenant, &'static str);

const REPOSITORY: &str = "repo:ORGANISATION/REPOSITORY:ref:refs/heads/main";
const WORKSPACE: &str = "organization:ORGANISATION:project:PROJECT:workspace:WORKSPACE:run_phase:apply";
const DIRECTORY: &[&str] = &[
    "common",
    "organizations",
    "consumers",
    "9188040d-6c67-4c5b-b112-36a304b66dad",
];
const APP_ID: &str = "AWS compares app_id of its tokens, and neither an audience nor a sub";

/// IAM User Guide, "Identity-provider controls for shared OIDC providers", and those of the same kind. The audience, which some of those
/// controls are about, is a condition of every subject. Where one row is within another, the longer name counts.
const SHARED_ISSUERS: &[Row] = &[
    (
        "accounts.google.com",
        Tenant::Sub(&[WHOLE]),
        "104029292853099975981",
    ),
    (
        "agent.buildkite.com",
        Tenant::Sub(&[form("organization:", ":")]),
        "organization:ORGANISATION:pipeline:PIPELINE:ref:refs/heads/main:commit:COMMIT:step:STEP",
    ),
    (
        "api.bitbucket.org",
        Tenant::Path("2.0/workspaces/", &[]),
        "api.bitbucket.org/2.0/workspaces/WORKSPACE/pipelines-config/identity/oidc",
    ),
    (
        "api.gitpod.io",
        Tenant::Sub(&[WHOLE]),
        "https://gitpod.io/#https://github.com/ORGANISATION/REPOSITORY",
    ),
    (
        "api.pulumi.com",
        Tenant::Sub(&[
            WHOLE,
            form("pulumi:deploy:org:", ":"),
            form("pulumi:environments:org:", ":"),
        ]),
        "pulumi:deploy:org:ORGANISATION:project:PROJECT:stack:STACK:operation:update:scope:write",
    ),
    (
        "app.eu.terraform.io",
        Tenant::Sub(&[form("organization:", ":")]),
        WORKSPACE,
    ),
    (
        "app.terraform.io",
        Tenant::Sub(&[form("organization:", ":")]),
        WORKSPACE,
    ),
    (
        "cognito-identity.amazonaws.com",
        Tenant::Sub(&[WHOLE]),
        "eu-west-1:12345678-dead-beef-cafe-123456790ab",
    ),
    (
        "gitlab.com",
        Tenant::Sub(&[form("project_path:", "/")]),
        "project_path:GROUP/PROJECT:ref_type:branch:ref:main",
    ),
    ("graph.facebook.com", Tenant::Nothing(APP_ID), ""),
    (
        "login.app.env0.com",
        Tenant::Sub(&[WHOLE]),
        "auth0|0123456789abcdef",
    ),
    (
        "login.microsoftonline.com",
        Tenant::Path("", DIRECTORY),
        "login.microsoftonline.com/DIRECTORY-ID/v2.0",
    ),
    (
        "oidc-configuration.audit-log.githubusercontent.com",
        Tenant::Sub(&[form("https://github.com/", "/")]),
        "https://github.com/ENTERPRISE",
    ),
    (
        "oidc.circleci.com",
        Tenant::Path("org/", &[]),
        "oidc.circleci.com/org/ORGANISATION-ID",
    ),
    (
        "oidc.codefresh.io",
        Tenant::Sub(&[form("account:", ":")]),
        "account:ACCOUNT-ID:pipeline:PIPELINE-ID",
    ),
    ("oidc.fly.io", Tenant::Path("", &[]), "oidc.fly.io/ORGANISATION"),
    (
        "oidc.modal.com",
        Tenant::Sub(&[form("modal:workspace_id:", ":")]),
        "modal:workspace_id:WORKSPACE-ID:environment_name:main:app_name:APP",
    ),
    (
        "oidc.vercel.com",
        Tenant::Sub(&[form("owner:", ":")]),
        "owner:TEAM:project:PROJECT:environment:production",
    ),
    (
        "proidc.upbound.io",
        Tenant::Sub(&[WHOLE, form("mcp:", "/")]),
        "mcp:ORGANISATION/CONTROL-PLANE:provider:provider-aws",
    ),
    (
        "rh-oidc.s3.us-east-1.amazonaws.com",
        Tenant::Sub(&[WHOLE]),
        "system:serviceaccount:INSTANCE:t8c-operator",
    ),
    ("sandboxes.cloud", Tenant::Sub(&[WHOLE]), "SUBJECT"),
    (
        "scalr.io",
        Tenant::Sub(&[form("account:", ":")]),
        "account:ACCOUNT:environment:ENVIRONMENT:workspace:WORKSPACE",
    ),
    (
        "securetoken.google.com",
        Tenant::Path("", &[]),
        "securetoken.google.com/PROJECT",
    ),
    (
        "sts.windows.net",
        Tenant::Path("", DIRECTORY),
        "sts.windows.net/DIRECTORY-ID/",
    ),
    (
        "sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d",
        Tenant::Nothing(
            "the directory is Microsoft Sentinel's, whose customers only the name of the session tells apart",
        ),
        "",
    ),
    (
        "studio.datachain.ai",
        Tenant::Sub(&[form("credentials:", "/")]),
        "credentials:TEAM/CREDENTIALS",
    ),
    (
        "token.actions.githubusercontent.com",
        Tenant::Sub(OF_GITHUB),
        REPOSITORY,
    ),
    ("token.builds.bitrise.io", Tenant::Sub(&[WHOLE]), "SUBJECT"),
    (
        "tokens.cloud.shisho.dev",
        Tenant::Sub(&[WHOLE, form("job:", ":")]),
        "job:ORGANISATION-ID:WORKFLOW",
    ),
    (
        "vstoken.actions.githubusercontent.com",
        Tenant::Sub(OF_GITHUB),
        REPOSITORY,
    ),
    ("www.amazon.com", Tenant::Nothing(APP_ID), ""),
];

/// With these conditions anybody's token would do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TenantError {
    /// Nothing is asked of `sub`.
    #[error(
        "anybody may get a token of {issuer}: the condition sub must say whose are meant, such as {example}"
    )]
    NoSub {
        /// Whose tokens.
        issuer: String,
        /// A value that would do.
        example: &'static str,
    },
    /// `sub` may be anybody's.
    #[error(
        "anybody may get a token of {issuer}, and sub {value:?} does not begin with whose are meant, as {example} does"
    )]
    AnybodysSub {
        /// Whose tokens.
        issuer: String,
        /// What was asked.
        value: String,
        /// A value that would do.
        example: &'static str,
    },
    /// A pattern on `sub` lets all tenants in.
    #[error(
        "{pattern:?} covers tokens of everybody at {issuer}, which match covers, and anybody may get one: before its first * it must say whose \
         are meant, {instead}"
    )]
    Pattern {
        /// Whose tokens.
        issuer: &'static str,
        /// The pattern.
        pattern: String,
        /// What would do.
        instead: String,
    },
    /// The issuer is that of all tenants.
    #[error("anybody may get a token of {issuer}: the provider must be one tenant's, such as {example}")]
    NoTenant {
        /// Whose tokens.
        issuer: String,
        /// An issuer that would do.
        example: &'static str,
    },
    /// No condition would do.
    #[error("anybody may get a token of {issuer}, and no condition says whose are meant: {why}")]
    Nothing {
        /// Whose tokens.
        issuer: String,
        /// Why not.
        why: &'static str,
    },
}

impl TenantError {
    /// The field of a subject that is wrong.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::NoSub { .. } | Self::AnybodysSub { .. } | Self::Pattern { .. } => "conditions",
            Self::NoTenant { .. } | Self::Nothing { .. } => "providerARN",
        }
    }
}

/// The part of an issuer below a row: none where the row is another one's.
fn below<'i>(issuer: &'i str, row: &str) -> Option<&'i str> {
    let host = row.split('/').next().unwrap_or_default();
    let of = issuer.split('/').next().unwrap_or_default();
    let within = of == host || of.strip_suffix(host).is_some_and(|rest| rest.ends_with('.'));
    let rest = issuer
        .strip_prefix(of)
        .zip(row.strip_prefix(host))
        .and_then(|(path, of_row)| path.strip_prefix(of_row))?;
    (within && (rest.is_empty() || rest.starts_with('/'))).then(|| rest.trim_start_matches('/'))
}

impl OidcProviderArn {
    /// Checks that whoever has a token of it with one of `subjects` in the claim `sub` (with any, if none are named) is of a tenant that
    /// somebody chose.
    pub(crate) fn names_tenant<'s>(
        &self,
        subjects: Option<impl IntoIterator<Item = &'s ClaimValue>>,
    ) -> Result<(), TenantError> {
        let of = self.issuer();
        let rows = SHARED_ISSUERS.iter();
        let found = rows.filter_map(|row| below(of, row.0).map(|rest| (row, rest)));
        let Some((&(_, tenant, example), rest)) = found.max_by_key(|(row, _)| row.0.len()) else {
            return Ok(());
        };
        let issuer = of.to_owned();
        match tenant {
            Tenant::Nothing(why) => Err(TenantError::Nothing { issuer, why }),
            Tenant::Path(under, not) => {
                let path = rest.strip_prefix(under).unwrap_or_default();
                let whose = path.split('/').next().unwrap_or_default();
                if whose.is_empty() || not.contains(&whose) {
                    return Err(TenantError::NoTenant { issuer, example });
                }
                Ok(())
            }
            Tenant::Sub(forms) => {
                let Some(subjects) = subjects else {
                    return Err(TenantError::NoSub { issuer, example });
                };
                let anybodys = |value: &&ClaimValue| !forms.iter().any(|form| form.names(value.as_str()));
                match subjects.into_iter().find(anybodys) {
                    None => Ok(()),
                    Some(value) => Err(TenantError::AnybodysSub {
                        issuer,
                        value: value.to_string(),
                        example,
                    }),
                }
            }
        }
    }
}

impl TextPattern {
    /// Checks that this pattern on the claim `sub` does not let in all tenants of a provider that one of `providers` covers.
    ///
    /// # Errors
    /// When it does.
    pub fn names_tenant<'p>(
        &self,
        providers: impl IntoIterator<Item = &'p IamArnPattern>,
    ) -> Result<(), TenantError> {
        let Some((literal, _)) = self.as_str().split_once('*') else {
            return Ok(());
        };
        let providers: Vec<_> = providers.into_iter().collect();
        for &(issuer, tenant, _) in SHARED_ISSUERS {
            let Tenant::Sub(forms) = tenant else { continue };
            let covered = providers.iter().any(|provider| provider.may_be_issuer(issuer));
            let fixed = forms.iter().any(|form| form.fixes(literal));
            if covered && !fixed && forms.iter().any(|form| form.may_begin(literal)) {
                let forms: Vec<String> = forms
                    .iter()
                    .filter_map(|form| Some(format!("{}TENANT{}*", form.before, form.after.chars().next()?)))
                    .take(1)
                    .collect();
                let instead = match forms.first() {
                    Some(form) => format!("such as {form}"),
                    None => "and no part of its values does: list each as it stands".to_owned(),
                };
                return Err(TenantError::Pattern {
                    issuer,
                    pattern: self.to_string(),
                    instead,
                });
            }
        }
        Ok(())
    }
}

impl Form {
    /// Whether a value has this form, with a tenant in it.
    fn names(self, value: &str) -> bool {
        let rest = value.strip_prefix(self.before);
        rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(|c| self.after.contains(c)))
    }
    /// Whether all values that begin so are of one tenant.
    fn fixes(self, literal: &str) -> bool {
        self.names(literal)
            && literal
                .strip_prefix(self.before)
                .is_some_and(|rest| rest.contains(|c| self.after.contains(c)))
    }
    /// Whether a value of this form may begin so.
    fn may_begin(self, literal: &str) -> bool {
        self.before.starts_with(literal) || literal.starts_with(self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of each row: what is told as an example is taken, and of its forms nothing that ends before the tenant does.
    #[test]
    fn every_row_takes_its_own_example_and_no_open_pattern() {
        for &(issuer, tenant, example) in SHARED_ISSUERS {
            let provider =
                |of: &str| OidcProviderArn::parse(&format!("arn:aws:iam::123456789012:oidc-provider/{of}"));
            let claims = [ClaimValue::new(if example.is_empty() { "x" } else { example }).unwrap()];
            match tenant {
                Tenant::Nothing(_) => {
                    assert!(
                        provider(issuer).unwrap().names_tenant(Some(&claims)).is_err(),
                        "{issuer}"
                    );
                }
                Tenant::Path(..) => {
                    assert!(
                        provider(issuer).unwrap().names_tenant(Some(&claims)).is_err(),
                        "{issuer}"
                    );
                    assert_eq!(
                        provider(example).unwrap().names_tenant(None::<&[ClaimValue]>),
                        Ok(()),
                        "{issuer}"
                    );
                }
                Tenant::Sub(forms) => {
                    let provider = provider(issuer).unwrap();
                    assert!(provider.names_tenant(None::<&[ClaimValue]>).is_err(), "{issuer}");
                    assert_eq!(provider.names_tenant(Some(&claims)), Ok(()), "{issuer}");
                    let covers = [IamArnPattern::new(provider.to_string()).unwrap()];
                    let open = |text: &str| TextPattern::new(text).unwrap().names_tenant(&covers).is_err();
                    for Form { before, after } in forms {
                        for end in (0..=before.len()).filter(|end| before.is_char_boundary(*end)) {
                            assert!(
                                open(&format!("{}*", before.get(..end).unwrap())),
                                "{issuer} {before}"
                            );
                        }
                        assert!(open(&format!("{before}acme*")), "{issuer} {before}");
                        assert_eq!(
                            open(&format!("{before}acme{after}*")),
                            after.is_empty(),
                            "{issuer} {before}"
                        );
                    }
                }
            }
        }
    }
}
