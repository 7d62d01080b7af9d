//! Where STS is: region, endpoint, proxy.

use deputy_api::convert::is_endpoint;
use deputy_aws::{PersonalOptions, home_region};
use deputy_delegation::Region;

use super::settings::Settings;
use crate::{exit::Failure, process::Aws};

/// Where STS is called. `partition` is that of the role, where there is one.
///
/// # Errors
/// What is no region, no endpoint or no proxy.
pub fn connection(
    settings: &Settings<'_>,
    region: Option<&str>,
    partition: Option<&str>,
) -> Result<PersonalOptions, Failure> {
    Ok(PersonalOptions {
        region: self::region(settings, region, partition)?,
        endpoint: endpoint(settings)?,
        proxy: Aws::proxy()?,
    })
}

fn region(settings: &Settings<'_>, flag: Option<&str>, partition: Option<&str>) -> Result<String, Failure> {
    let named = flag
        .map(str::to_owned)
        .or_else(|| settings.variable("AWS_REGION"))
        .or_else(|| settings.variable("AWS_DEFAULT_REGION"))
        .or_else(|| settings.get("region"));
    match named {
        Some(region) => Ok(Region::new(region)?.as_str().to_owned()),
        None => {
            let partition = partition.unwrap_or("aws");
            home_region(partition)
                .map(str::to_owned)
                .ok_or_else(|| Failure::input(format!("which region of {partition} has STS? give --region")))
        }
    }
}

/// In the order of AWS's SDKs ("Service-specific endpoints").
fn endpoint(settings: &Settings<'_>) -> Result<Option<String>, Failure> {
    let is_true = |text: String| text.trim().eq_ignore_ascii_case("true");
    let ignored = settings
        .variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
        .or_else(|| settings.get("ignore_configured_endpoint_urls"));
    if ignored.is_some_and(is_true) {
        return Ok(None);
    }
    let variable = |name: &'static str| Some((name.to_owned(), settings.variable(name)?));
    let profile = || {
        let place = format!("endpoint_url of profile {}", settings.profile().0);
        Some((place, settings.get("endpoint_url")?))
    };
    let named = variable("AWS_ENDPOINT_URL_STS")
        .or_else(|| variable("AWS_ENDPOINT_URL"))
        .or_else(profile);
    match named {
        None => Ok(None),
        Some((_, url)) if is_endpoint(&url) => Ok(Some(url)),
        // It may hold a password.
        Some((place, _)) => Err(Failure::input(format!(
            "{place} is not https://HOST[:PORT][/PATH], nor http:// to 127.0.0.1 or [::1]: tokens and assertions go there"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_the_one_named_first_else_the_partitions_own() {
        let of = |flag, variables: &[(&str, &str)], profile: &[(&str, &str)], partition| {
            let profiles = [("default", profile)];
            region(&Settings::of(None, variables, &profiles), flag, partition)
                .map_err(|failure| failure.to_string())
        };
        let both = [("AWS_REGION", "eu-west-1"), ("AWS_DEFAULT_REGION", "eu-west-2")];
        let profile = [("region", "eu-west-3")];
        assert_eq!(of(Some("us-west-2"), &both, &profile, None).unwrap(), "us-west-2");
        assert_eq!(of(None, &both, &profile, None).unwrap(), "eu-west-1");
        assert_eq!(of(None, &both[1..], &profile, None).unwrap(), "eu-west-2");
        assert_eq!(of(None, &[], &profile, None).unwrap(), "eu-west-3");
        assert_eq!(of(None, &[], &[], Some("aws-cn")).unwrap(), "cn-north-1");
        assert_eq!(of(None, &[], &[], None).unwrap(), "us-east-1");
        assert!(
            of(None, &[], &[], Some("aws-new"))
                .unwrap_err()
                .contains("--region")
        );
        assert!(of(Some("a b"), &[], &[], None).is_err());
    }

    #[test]
    fn an_endpoint_that_anybody_on_the_way_can_read_is_refused() {
        let of = |variables: &[(&str, &str)], profile: &[(&str, &str)]| {
            endpoint(&Settings::of(None, variables, &[("default", profile)])).map_err(|e| e.to_string())
        };
        let both = [
            ("AWS_ENDPOINT_URL", "https://b"),
            ("AWS_ENDPOINT_URL_STS", "https://a"),
        ];
        let profile = [("endpoint_url", "https://c")];
        assert_eq!(of(&both, &profile).unwrap().unwrap(), "https://a");
        assert_eq!(of(&both[..1], &profile).unwrap().unwrap(), "https://b");
        assert_eq!(of(&[], &profile).unwrap().unwrap(), "https://c");
        assert_eq!(
            of(&[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")], &profile),
            Ok(None)
        );
        assert_eq!(
            of(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")], &[])
                .unwrap()
                .unwrap(),
            "http://127.0.0.1:4566"
        );
        let said = of(&[("AWS_ENDPOINT_URL_STS", "http://u:hunter2@sts.example")], &[]).unwrap_err();
        assert!(said.contains("AWS_ENDPOINT_URL_STS is not https://"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
