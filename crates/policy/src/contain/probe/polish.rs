//! Making a request that exceeds read well.

use super::{Probe, witness};
use crate::{contain::Witness, evaluate::Request, work::Work};

impl Probe<'_> {
    /// Puts usual names where the shortest ones were found.
    pub(super) fn polish(&self, request: &mut Request, bounded: bool, work: &mut Work) {
        let mut keep = |request: &mut Request, changed: Request| {
            let exceeds = self.exceeds(&changed, bounded, work).is_some();
            if exceeds {
                *request = changed;
            }
            exceeds
        };
        let mut parts: Vec<String> = request.resource.splitn(6, ':').map(str::to_owned).collect();
        let service = request.action.split(':').next().unwrap_or("s3").to_owned();
        for (i, usual) in ["arn", "aws", &service, "us-east-1", "123456789012", "any"]
            .into_iter()
            .enumerate()
        {
            let Some(part) = parts.get_mut(i).filter(|part| i == 5 || part.len() == 1) else {
                continue;
            };
            let found = match i {
                5 if part.is_empty() || part.ends_with(['/', ':']) => format!("{part}{usual}"),
                5 => continue,
                _ => usual.to_owned(),
            };
            let short = std::mem::replace(part, found);
            let mut changed = request.clone();
            changed.resource = parts.join(":");
            if !keep(request, changed)
                && let Some(part) = parts.get_mut(i)
            {
                *part = short;
            }
        }
        let empty: Vec<String> = request
            .context
            .iter()
            .filter(|(_, values)| values.iter().any(String::is_empty))
            .map(|(key, _)| key.to_owned())
            .collect();
        for key in empty {
            let mut changed = request.clone();
            changed.context.set(key, ["something-else"]);
            keep(request, changed);
        }
    }

    /// Leaves out context keys that are not needed.
    pub(super) fn smallest(&self, mut request: Request, bounded: bool, work: &mut Work) -> Option<Witness> {
        let keys: Vec<String> = request.context.iter().map(|(key, _)| key.to_owned()).collect();
        for key in keys {
            let mut smaller = request.clone();
            smaller.context.remove(&key);
            if self.exceeds(&smaller, bounded, work).is_some() {
                request = smaller;
            }
        }
        let place = self.exceeds(&request, bounded, work)?;
        Some(witness(request, bounded, place))
    }
}
