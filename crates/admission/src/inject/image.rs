//! Whether an image is ours under another name: clusters let webhooks send images through a mirror, or pin them by digest.

/// A reference to an image: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`.
struct Reference<'a> {
    /// The last part of the path, by which an image is known whatever registry it comes from.
    name: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> Reference<'a> {
    fn parse(text: &'a str) -> Self {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let last = rest.rsplit('/').next().unwrap_or(rest);
        let (name, tag) = match last.split_once(':') {
            Some((name, tag)) => (name, Some(tag)),
            None => (last, None),
        };
        Self { name, tag, digest }
    }
}

/// Whether `found` is the image `ours`, as a mirror or a pinning by digest may have rewritten it: the name at the end of its
/// path and what says which version (the digest, where ours has one; else the tag) are the same.
///
/// With `placed_today` the sidecar was made from `ours`: then a digest in place of the tag is taken for a pinning. Without
/// it, it may as well be an earlier release.
pub(super) fn is_rewritten(found: &str, ours: &str, placed_today: bool) -> bool {
    let (found, ours) = (Reference::parse(found), Reference::parse(ours));
    // Some mirrors put the whole path into one name.
    if ours.name.is_empty() || !found.name.ends_with(ours.name) {
        return false;
    }
    match ours.digest {
        Some(digest) => found.digest == Some(digest),
        None if found.tag.is_none() && found.digest.is_some() => placed_today,
        None => found.tag.unwrap_or("latest") == ours.tag.unwrap_or("latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_or_a_pinning_is_told_from_another_release() {
        let (tagged, pinned) = (
            "registry.example.com/deputy-agent:0.2.0",
            "registry.example.com/deputy-agent@sha256:aa",
        );
        for (found, ours, today, is) in [
            ("mirror.local/deputy-agent:0.2.0", tagged, false, true),
            (
                "mirror.local:5000/proxy/registry.example.com/deputy-agent:0.2.0",
                tagged,
                false,
                true,
            ),
            (
                "mirror.local/registry.example.com__deputy-agent:0.2.0",
                tagged,
                false,
                true,
            ),
            (
                "registry.example.com/deputy-agent:0.2.0@sha256:bb",
                tagged,
                false,
                true,
            ),
            ("registry.example.com/deputy-agent@sha256:bb", tagged, true, true),
            (
                "registry.example.com/deputy-agent@sha256:bb",
                tagged,
                false,
                false,
            ),
            ("registry.example.com/deputy-agent:0.1.0", tagged, true, false),
            ("mirror.local/deputy-agent:0.1.0", tagged, true, false),
            ("registry.example.com/deputy-agent", tagged, true, false),
            ("busybox:0.2.0", tagged, true, false),
            ("busybox@sha256:bb", tagged, true, false),
            ("", tagged, true, false),
            ("mirror.local/deputy-agent@sha256:aa", pinned, false, true),
            ("mirror.local/deputy-agent:0.2.0@sha256:aa", pinned, false, true),
            ("mirror.local/deputy-agent@sha256:bb", pinned, true, false),
            ("mirror.local/deputy-agent:0.2.0", pinned, true, false),
        ] {
            assert_eq!(
                is_rewritten(found, ours, today),
                is,
                "{found} for {ours}, {today}"
            );
        }
    }
}
