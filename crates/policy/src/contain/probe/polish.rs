//! Making a request that exceeds possible, and making it read well.

use super::{arns::parts_of, confirm::Probe, forms::Form, found::ExceedingRequest, values::choices};
use crate::{condition::atom::Atom, work::Work};

impl Probe<'_> {
    /// Replaces values that their keys can't have; `false` when one of another type than its key's is needed, or one with a
    /// `*` or `?` that no value of its key holds.
    ///
    /// The exact search takes every text for possible where conditions compare texts. What an account id, a region or a
    /// name of IAM looks like it does not know either, but there a value that a policy spells out is left as it is.
    pub(super) fn fit(&self, found: &mut ExceedingRequest, work: &mut Work) -> bool {
        for (key, values) in found.request().context.clone().iter() {
            let lower = key.to_lowercase();
            let form = Form::of(&lower);
            if values.iter().all(|text| form.has(text)) {
                continue;
            }
            let atoms: Vec<&Atom> = self.atoms_on(&lower).collect();
            let samples = choices(&lower, &atoms, &found.request().context);
            let fits = samples
                .into_iter()
                .flatten()
                .filter(|sample| sample.len() == 1)
                .any(|sample| {
                    let possible = values.iter().map(|text| {
                        if form.has(text) {
                            text
                        } else {
                            sample.first().unwrap_or(text)
                        }
                    });
                    self.change(found, work, |request| request.context.set(key, possible))
                });
            if !fits && values.iter().any(|text| form.excludes(text)) {
                return false;
            }
        }
        true
    }

    /// Puts usual names where the shortest ones were found, and leaves out context keys that are not needed.
    pub(super) fn polish(&self, found: &mut ExceedingRequest, work: &mut Work) {
        self.polish_resource(found, work);
        for (key, values) in found.request().context.clone().iter() {
            if self.change(found, work, |request| request.context.remove(key)) {
                continue;
            }
            if values.iter().any(String::is_empty) {
                for text in Form::of(&key.to_lowercase()).examples() {
                    if self.change(found, work, |request| request.context.set(key, [*text])) {
                        break;
                    }
                }
            }
        }
    }

    /// Replaces the parts of an ARN that the exact search made as short as possible. `*` is no ARN: it stands for no
    /// resource, and in trust policies for the role.
    fn polish_resource(&self, found: &mut ExceedingRequest, work: &mut Work) {
        let service = found
            .request()
            .action
            .split(':')
            .next()
            .unwrap_or_default()
            .to_owned();
        for i in 1..6 {
            let parts: Vec<&str> = found.request().resource.splitn(6, ':').collect();
            let Some(part) = parts.get(i).copied() else {
                return;
            };
            let (region, account) = parts_of(
                parts
                    .get(2)
                    .copied()
                    .filter(|part| part.len() > 1)
                    .unwrap_or(&service),
            );
            let short = part.len() <= 1;
            let names: &[&str] = match i {
                1 if short => &["aws"],
                2 if short => &[&service],
                3 if short => &[region],
                4 if short => &[account],
                5 if part.is_empty() || part.ends_with(['/', ':']) => &["any", "one", "x"],
                _ => continue,
            };
            let before = if i == 5 { part } else { "" };
            let texts = names.iter().map(|name| {
                let part = format!("{before}{name}");
                let mut parts = parts.clone();
                parts.splice(i..=i, [part.as_str()]);
                parts.join(":")
            });
            for text in texts.collect::<Vec<_>>() {
                if self.change(found, work, |request| request.resource = text) {
                    break;
                }
            }
        }
    }

    /// The conditions on a key (in lower case), of all documents.
    fn atoms_on<'k>(&'k self, key: &'k str) -> impl Iterator<Item = &'k Atom> {
        let documents = self.documents.iter().chain([&self.ceiling]);
        documents
            .flat_map(|document| &document.compiled().statements)
            .flat_map(|statement| &statement.atoms)
            .filter(move |atom| atom.key == key)
    }
}
