//! `deputy credentials saml`: AssumeRoleWithSAML.

use std::path::PathBuf;

use clap::Args;
use deputy_aws::ExposeSecret as _;
use deputy_delegation::{RoleArn, SamlProviderArn};
use deputy_policy::SessionWay;

use super::{
    arguments::{AnswerArguments, PlaceArguments, duration},
    assertion::{Assertion, LONGEST},
    narrowing::NarrowingArguments,
    obtain::profiles,
    secret_input,
    settings::Settings,
    vouched::{self, VouchedSession},
};
use crate::{
    exit::{CommandAnswer, CommandResult, Failure, say},
    input,
    output::Output,
};

const EXAMPLE: &str = "Example: which roles does an assertion name, and a session of one of them

  deputy credentials saml --assertion-file assertion.txt
  deputy credentials saml --assertion-file assertion.txt --role-arn arn:aws:iam::123456789012:role/reports --print env";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct SamlArguments {
    /// The value of SAMLResponse (base64), or its XML; - is standard input
    #[arg(long, value_name = "FILE")]
    assertion_file: PathBuf,
    /// The role; without it the roles that the assertion names are listed, each with its provider
    #[arg(long, value_name = "ARN")]
    role_arn: Option<RoleArn>,
    /// The SAML provider; by default the one that the assertion names with the role
    #[arg(long, value_name = "ARN", requires = "role_arn")]
    principal_arn: Option<SamlProviderArn>,
    #[command(flatten)]
    narrowing: NarrowingArguments,
    /// How long the session lives, 15m to 12h; by default the profile's duration_seconds, else 1h
    #[arg(long, value_parser = duration)]
    duration: Option<u32>,
    #[command(flatten)]
    place: PlaceArguments,
    #[command(flatten)]
    answer: AnswerArguments,
}

pub fn run(arguments: &SamlArguments) -> CommandResult {
    let file = &arguments.assertion_file;
    let narrowed = arguments.narrowing.read([("--assertion-file", file.as_path())])?;
    // As XML it is shorter than in base64, in which white space may stand.
    let text = secret_input::read(file, "the assertion", 2 * LONGEST as u64)?;
    let assertion = Assertion::read(text.expose_secret()).map_err(|why| input::failed(file, &why))?;
    let Some(role) = &arguments.role_arn else {
        return list(&assertion);
    };
    let provider = provider(&assertion, role, arguments.principal_arn.as_ref())?;
    let profiles = profiles()?;
    let settings = Settings::new(arguments.place.profile.as_deref(), &profiles);
    let seconds = vouched::seconds(arguments.duration, &settings)?;
    let (asked, duration) = (role.to_string(), seconds.to_string());
    let fields = [
        ("role", asked.as_str()),
        ("provider", &provider),
        ("duration", &duration),
        // Any attribute may decide. What is kept is a digest over all of it.
        ("assertion", &assertion.base64),
    ];
    let session = VouchedSession {
        way: SessionWay::AssumeRoleWithSaml,
        role,
        seconds,
        narrowed,
        vouched_by: assertion.base64.as_str().into(),
        by: format!("the assertion in {}", file.display()),
        place: &arguments.place,
        answer: &arguments.answer,
    };
    session.answer(&settings, &fields, async |sts, call| {
        sts.saml(&call, &provider).await
    })
}

/// Writes the roles, one in a line, each with its provider.
fn list(assertion: &Assertion) -> CommandResult {
    if assertion.is_encrypted {
        say(
            &"an assertion in it is encrypted, and only AWS can read it: give --role-arn and --principal-arn",
        );
    }
    if assertion.other_values > 0 {
        say(&format!(
            "{} values of the attribute with the roles are not a role and a SAML provider",
            assertion.other_values
        ));
    }
    let mut out = Output::new();
    for asserted in &assertion.roles {
        out.line(format_args!("{} {}", asserted.role, asserted.provider))?;
    }
    out.flush()?;
    if assertion.roles.is_empty() {
        say(
            &"the assertion names no role that can be read (attribute https://aws.amazon.com/SAML/Attributes/Role)",
        );
        return Ok(CommandAnswer::No);
    }
    Ok(CommandAnswer::Yes)
}

/// The provider of a role: AWS refuses what the assertion does not name, and this says why.
fn provider(
    assertion: &Assertion,
    role: &RoleArn,
    named: Option<&SamlProviderArn>,
) -> Result<String, Failure> {
    let asserted: Vec<_> = assertion.providers_of(role).collect();
    match (named, asserted.as_slice()) {
        (Some(named), asserted) if asserted.contains(&named) => Ok(named.to_string()),
        (Some(named), _) if assertion.is_encrypted => Ok(named.to_string()),
        (Some(named), [_, ..]) => Err(Failure::input(format!(
            "the assertion names {role} with {}, not with {named}",
            asserted
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" and ")
        ))),
        (None, [one]) => Ok(one.to_string()),
        (None, [_, ..]) => Err(Failure::input(format!(
            "the assertion names {role} with several providers: choose one by --principal-arn"
        ))),
        (None, []) if assertion.is_encrypted => Err(Failure::input(
            "the assertion is encrypted, and only AWS can read it: give --principal-arn, too",
        )),
        (_, []) => {
            let named: Vec<String> = assertion
                .roles
                .iter()
                .map(|asserted| asserted.role.to_string())
                .collect();
            let named = if named.is_empty() {
                "none".to_owned()
            } else {
                named.join(", ")
            };
            Err(Failure::input(format!(
                "the assertion does not name {role}; it names {named}. Whoever runs the identity provider assigns roles"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::assertion::AssertedRole;

    fn role(name: &str) -> RoleArn {
        RoleArn::parse(&format!("arn:aws:iam::123456789012:role/{name}")).unwrap()
    }

    fn saml(name: &str) -> SamlProviderArn {
        SamlProviderArn::parse(&format!("arn:aws:iam::123456789012:saml-provider/{name}")).unwrap()
    }

    #[test]
    fn the_provider_is_the_one_of_the_assertion() {
        let asserted = |name, provider| AssertedRole {
            role: role(name),
            provider: saml(provider),
        };
        let mut assertion = Assertion {
            base64: String::new(),
            roles: vec![asserted("one", "a"), asserted("two", "a"), asserted("two", "b")],
            other_values: 0,
            is_encrypted: false,
        };
        let of = |assertion: &Assertion, name, named: Option<&str>| {
            provider(assertion, &role(name), named.map(saml).as_ref()).map_err(|failure| failure.to_string())
        };
        assert_eq!(of(&assertion, "one", None).unwrap(), saml("a").to_string());
        assert_eq!(of(&assertion, "two", Some("b")).unwrap(), saml("b").to_string());
        assert!(
            of(&assertion, "two", None)
                .unwrap_err()
                .contains("several providers")
        );
        assert!(of(&assertion, "one", Some("b")).unwrap_err().contains("not with"));
        let said = of(&assertion, "three", None).unwrap_err();
        assert!(
            said.contains("it names arn:aws:iam::123456789012:role/one, "),
            "{said}"
        );
        assertion.is_encrypted = true;
        assert!(of(&assertion, "three", None).unwrap_err().contains("encrypted"));
        assert_eq!(of(&assertion, "three", Some("a")).unwrap(), saml("a").to_string());
    }
}
