//! Markup in which no text can become markup: what is not a constant of this program is escaped, whatever it holds.

use std::fmt::Display;

use crate::text::steers;

/// HTML as it is written.
#[derive(Debug, Default)]
pub struct Markup {
    html: String,
}

impl Markup {
    /// Markup of this program. Only a constant can be it.
    pub fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.html.push_str(markup);
        self
    }

    /// Text, also within the quotes of an attribute. What steers a terminal or turns the direction of text is shown as its number: a name
    /// must not look like another one.
    pub fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.html.push_str("&amp;"),
                '<' => self.html.push_str("&lt;"),
                '>' => self.html.push_str("&gt;"),
                '"' => self.html.push_str("&quot;"),
                '\'' => self.html.push_str("&#39;"),
                '\n' | '\t' => self.html.push(' '),
                c if steers(c) => self.html.extend(c.escape_unicode()),
                c => self.html.push(c),
            }
        }
        self
    }

    /// Text with paths of fields and names of files, whose lines end between the parts of one: `Statement[0]` is never cut in two.
    pub fn path(&mut self, text: &str) -> &mut Self {
        let mut parts = text.split_inclusive(['.', '/']);
        self.text(parts.next().unwrap_or_default());
        for part in parts {
            self.raw("<wbr>").text(part);
        }
        self
    }

    /// What is written as text.
    pub fn shown(&mut self, what: impl Display) -> &mut Self {
        self.text(&what.to_string())
    }

    /// ` name="value"`
    pub fn attribute(&mut self, name: &'static str, value: impl Display) -> &mut Self {
        self.raw(" ").raw(name).raw("=\"").shown(value).raw("\"")
    }

    /// An element without attributes around text.
    pub fn element(&mut self, name: &'static str, text: &str) -> &mut Self {
        self.raw("<").raw(name).raw(">").text(text);
        self.raw("</").raw(name).raw(">")
    }

    /// Other markup.
    pub fn add(&mut self, other: Self) -> &mut Self {
        self.html.push_str(&other.html);
        self
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.html.len()
    }

    pub fn into_html(self) -> String {
        self.html
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_becomes_markup_or_ends_an_attribute(text in any::<String>()) {
            let mut markup = Markup::default();
            markup.text(&text);
            let html = markup.into_html();
            prop_assert!(!html.contains(['<', '>', '"', '\'', '\n', '\u{202e}', '\0']), "{html}");
            let mut rest = html.as_str();
            while let Some((_, after)) = rest.split_once('&') {
                let entity = ["amp;", "lt;", "gt;", "quot;", "#39;"];
                prop_assert!(entity.iter().any(|known| after.starts_with(known)), "{html}");
                rest = after;
            }
        }
    }
}
