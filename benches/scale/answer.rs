//! What IAM answers, in XML.

use std::fmt::Write;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The text of an answer, or why there is none.
pub type Answer = Result<String, Refusal>;

/// An error as IAM tells it.
pub struct Refusal {
    /// The status of HTTP.
    pub status: u16,
    code: &'static str,
    message: String,
}

impl Refusal {
    /// An error with its status, code and message.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    /// There is no such entity.
    pub fn absent(what: &str) -> Self {
        Self::new(404, "NoSuchEntity", format!("{what} cannot be found."))
    }

    /// The body of the answer.
    pub fn to_xml(&self) -> String {
        let (code, message) = (self.code, escape(&self.message));
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>0</RequestId></ErrorResponse>"
        )
    }
}

/// The answer to an action with these elements as its result.
pub fn result(action: &str, elements: &str) -> String {
    format!(
        "<{action}Response><{action}Result>{elements}</{action}Result><ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></{action}Response>"
    )
}

/// One element with text in it.
pub fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// A list with its members.
pub fn list(name: &str, members: impl IntoIterator<Item = String>) -> String {
    let mut text = format!("<{name}>");
    for member in members {
        write!(text, "<member>{member}</member>").ok();
    }
    text + &format!("</{name}>")
}

/// A policy document as IAM answers with it: percent-encoded.
pub fn document(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// One page of a list: what comes after `marker`, `most` at most, and what is said about the rest.
pub fn page<'a, T>(
    all: impl Iterator<Item = (&'a String, &'a T)>,
    marker: Option<&String>,
    most: usize,
) -> (Vec<(&'a String, &'a T)>, String) {
    let mut rest = all.filter(|(name, _)| marker.is_none_or(|marker| *name > marker));
    let shown: Vec<_> = rest.by_ref().take(most).collect();
    let more = match (rest.next(), shown.last()) {
        (Some(_), Some((last, _))) => format!("<IsTruncated>true</IsTruncated>{}", element("Marker", last)),
        _ => "<IsTruncated>false</IsTruncated>".to_owned(),
    };
    (shown, more)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
