//! A SAML assertion: the roles that it names. Whether it is genuine, AWS says; what is read here only says what to ask for.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use deputy_delegation::{RoleArn, SamlProviderArn};
use roxmltree::{Document, Node, ParsingOptions};

/// Characters of the longest assertion in base64 that AWS takes (parameter `SAMLAssertion`).
pub const LONGEST: usize = 100_000;
/// More elements than an assertion of that size needs.
const NODES: u32 = 50_000;
const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
/// The attribute whose values are a role and its provider (IAM User Guide, "Configure SAML assertions").
const ROLES: &str = "https://aws.amazon.com/SAML/Attributes/Role";

/// A role that an assertion names, and the provider by which it may be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssertedRole {
    pub role: RoleArn,
    pub provider: SamlProviderArn,
}

/// What was read. No `Debug`: whoever has the assertion has the session.
pub struct Assertion {
    /// As AWS takes it.
    pub base64: String,
    /// In the order of the assertion, each once.
    pub roles: Vec<AssertedRole>,
    /// Values of the attribute that are not a role and a provider.
    pub other_values: usize,
    /// Whether assertions stand in it that only AWS can read.
    pub is_encrypted: bool,
}

impl Assertion {
    /// Reads the value of `SAMLResponse`, or the XML that it is the base64 of.
    ///
    /// # Errors
    /// A sentence about it that shows nothing of it.
    pub fn read(text: &str) -> Result<Self, String> {
        let (xml, base64) = if text.trim_start().starts_with('<') {
            (text.as_bytes().to_vec(), STANDARD.encode(text))
        } else {
            let base64: String = text.split_whitespace().collect();
            let decoded = STANDARD.decode(&base64).map_err(|_| {
                if base64.contains('%') {
                    "it is percent-encoded; take the value of SAMLResponse as it is in the form, not in the request"
                } else {
                    "it is neither XML nor base64"
                }
            })?;
            (decoded, base64)
        };
        if base64.len() > LONGEST {
            return Err(format!(
                "in base64 it has more than {LONGEST} characters, which is the most that AWS takes"
            ));
        }
        let xml =
            std::str::from_utf8(&xml).map_err(|_| "what it is the base64 of is not UTF-8".to_owned())?;
        // No document type, so that there are no entities but XML's own five.
        let options = ParsingOptions {
            allow_dtd: false,
            nodes_limit: NODES,
            ..ParsingOptions::default()
        };
        let document = Document::parse_with_options(xml, options).map_err(|error| told(&error))?;
        let mut read = Self {
            base64,
            roles: Vec::new(),
            other_values: 0,
            is_encrypted: false,
        };
        for node in document.descendants() {
            if node.has_tag_name((SAML, "EncryptedAssertion")) {
                read.is_encrypted = true;
            }
            if node.has_tag_name((SAML, "Attribute")) && node.attribute("Name") == Some(ROLES) {
                read.take(&node);
            }
        }
        Ok(read)
    }

    fn take(&mut self, attribute: &Node<'_, '_>) {
        let values = attribute
            .children()
            .filter(|child| child.has_tag_name((SAML, "AttributeValue")));
        for value in values {
            // All of its text: a comment within does not end it.
            let texts = value
                .descendants()
                .filter(Node::is_text)
                .filter_map(|text| text.text());
            match role(&texts.collect::<String>()) {
                Some(role) if !self.roles.contains(&role) => self.roles.push(role),
                Some(_) => {}
                None => self.other_values += 1,
            }
        }
    }

    /// The providers by which a role may be had.
    pub fn providers_of<'a>(&'a self, role: &'a RoleArn) -> impl Iterator<Item = &'a SamlProviderArn> {
        let of_role = self.roles.iter().filter(move |asserted| asserted.role == *role);
        of_role.map(|asserted| &asserted.provider)
    }
}

/// `ROLE,PROVIDER`, or the other way round: AWS takes both.
fn role(value: &str) -> Option<AssertedRole> {
    let (one, other) = value.split_once(',')?;
    let (one, other) = (one.trim(), other.trim());
    let both = |role: &str, provider: &str| {
        Some(AssertedRole {
            role: RoleArn::parse(role).ok()?,
            provider: SamlProviderArn::parse(provider).ok()?,
        })
    };
    both(one, other).or_else(|| both(other, one))
}

/// The library's messages repeat names of the document, so of most only the place is told.
fn told(error: &roxmltree::Error) -> String {
    match error {
        roxmltree::Error::DtdDetected => {
            "it has a document type (DOCTYPE), which no assertion needs: it is not read".to_owned()
        }
        roxmltree::Error::NodesLimitReached => format!("it has more than {NODES} elements"),
        other => {
            let at = other.pos();
            format!("it is no well-formed XML at line {}, column {}", at.row, at.col)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "arn:aws:iam::123456789012:role/alice";
    const ADMIN: &str = "arn:aws:iam::123456789012:role/team/admin";
    const PROVIDER: &str = "arn:aws:iam::123456789012:saml-provider/corp";

    fn response(attributes: &str) -> String {
        format!(
            r#"<?xml version="1.0"?><p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol"><a:Assertion xmlns:a="{SAML}">
            <a:AttributeStatement>{attributes}</a:AttributeStatement></a:Assertion></p:Response>"#
        )
    }

    fn values(values: &[&str]) -> String {
        let value = |text: &&str| format!("<a:AttributeValue>{text}</a:AttributeValue>");
        let values: String = values.iter().map(value).collect();
        response(&format!(r#"<a:Attribute Name="{ROLES}">{values}</a:Attribute>"#))
    }

    fn pairs(read: &Assertion) -> Vec<(String, String)> {
        let pair = |asserted: &AssertedRole| (asserted.role.to_string(), asserted.provider.to_string());
        read.roles.iter().map(pair).collect()
    }

    #[test]
    fn roles_are_read_in_either_order_and_once() {
        let text = values(&[
            &format!("{ALICE},{PROVIDER}"),
            &format!("\n {PROVIDER} ,\n{ADMIN}\n"),
            &format!("{PROVIDER},{ALICE}"),
            "nonsense",
            &format!("{ALICE},{ADMIN}"),
            &format!("arn:aws:iam::123456789012:role/al<!-- -->ice,{PROVIDER}"),
        ]);
        let expected = [
            (ALICE.to_owned(), PROVIDER.to_owned()),
            (ADMIN.to_owned(), PROVIDER.to_owned()),
        ];
        let base64 = STANDARD.encode(&text);
        let wrapped: String = base64
            .as_bytes()
            .chunks(76)
            .map(|line| format!("{}\r\n", String::from_utf8_lossy(line)))
            .collect();
        for text in [&text, &base64, &wrapped] {
            let read = Assertion::read(text).unwrap();
            assert_eq!(pairs(&read), expected);
            assert_eq!(
                (read.other_values, read.is_encrypted, &read.base64),
                (2, false, &base64)
            );
            let role = RoleArn::parse(ADMIN).unwrap();
            assert_eq!(read.providers_of(&role).count(), 1);
        }
    }

    proptest::proptest! {
        #[test]
        fn a_damaged_assertion_names_no_role_that_is_not_in_it(at in 0_usize..420, put in "\\PC{0,3}", cut in 0_usize..40) {
            let whole = values(&[&format!("{ALICE},{PROVIDER}"), &format!("{PROVIDER},{ADMIN}")]);
            let damaged: String = whole.chars().take(at).chain(put.chars()).chain(whole.chars().skip(at + cut)).collect();
            if let Ok(read) = Assertion::read(&damaged) {
                for (role, provider) in pairs(&read) {
                    proptest::prop_assert!(damaged.contains(&role) && damaged.contains(&provider), "{}", damaged);
                }
            }
        }
    }

    #[test]
    fn only_aws_own_attribute_of_saml_names_roles() {
        let other = response(&format!(
            r#"<a:Attribute Name="Role"><a:AttributeValue>{ALICE},{PROVIDER}</a:AttributeValue></a:Attribute>
            <Attribute Name="{ROLES}"><AttributeValue>{ALICE},{PROVIDER}</AttributeValue></Attribute>
            <a:EncryptedAssertion/>"#
        ));
        let read = Assertion::read(&other).unwrap();
        assert!(read.roles.is_empty() && read.is_encrypted);
    }

    #[test]
    fn what_is_no_assertion_is_refused_and_not_shown() {
        let bomb = r#"<!DOCTYPE x [<!ENTITY a "hunter2"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>"#;
        let file = r#"<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>"#;
        let deep = "<a>".repeat(9000);
        let wide = format!("<a>{}</a>", "<b/>".repeat(60_000));
        for (text, says) in [
            (bomb, "DOCTYPE"),
            (file, "DOCTYPE"),
            ("hunter2!", "neither XML nor base64"),
            ("PHg%2BaHVudGVyMg%3D%3D", "percent-encoded"),
            ("<hunter2>", "well-formed"),
            ("<a>&hunter2;</a>", "well-formed"),
            ("AAAA", "well-formed"),
            ("/w==", "UTF-8"),
            (&deep, ""),
            (&wide, "100000 characters"),
        ] {
            let said = Assertion::read(text).err().unwrap();
            assert!(said.contains(says), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
