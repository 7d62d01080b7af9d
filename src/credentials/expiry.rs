//! How long a session that was made before is good enough.

use deputy_aws::ExposeSecret as _;

use super::answer::ProcessCredentials;

/// From so many seconds before the end, AWS's SDKs ask a `credential_process` again at each use (botocore: 15 minutes). A session
/// with less left than this is renewed.
const RENEWED_BEFORE: i64 = 15 * 60;
/// With less than this left a session is worth nothing: the next call may come too late.
const LEAST: i64 = 60;

/// What a session is still good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOfSession {
    /// It is the answer.
    Fresh,
    /// It is to be renewed; it is the answer when AWS can't be reached.
    Ending,
    /// It is over, or as good as.
    Over,
}

/// Of a session that has `left` seconds of the `asked` ones. Of a short one half of its life is enough: it would never be fresh
/// otherwise.
pub fn freshness(left: i64, asked: u32) -> LeftOfSession {
    let renewed_before = RENEWED_BEFORE.min(i64::from(asked) / 2);
    if left < LEAST {
        LeftOfSession::Over
    } else if left < renewed_before {
        LeftOfSession::Ending
    } else {
        LeftOfSession::Fresh
    }
}

impl ProcessCredentials {
    /// What is left of it at the Unix time `now`.
    pub fn freshness(&self, now: i64, asked: u32) -> LeftOfSession {
        let whole = !self.secret_access_key.expose_secret().is_empty();
        match self.expiration.as_second().checked_sub(now) {
            Some(left) if whole => freshness(left, asked),
            _ => LeftOfSession::Over,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_renewed_before_the_sdks_would_ask_at_each_use() {
        const HOUR: u32 = 3600;
        for (left, asked, is) in [
            (3600, HOUR, LeftOfSession::Fresh),
            (900, HOUR, LeftOfSession::Fresh),
            (899, HOUR, LeftOfSession::Ending),
            (60, HOUR, LeftOfSession::Ending),
            (59, HOUR, LeftOfSession::Over),
            (0, HOUR, LeftOfSession::Over),
            (-1, HOUR, LeftOfSession::Over),
            (i64::MIN, HOUR, LeftOfSession::Over),
            // The shortest one.
            (900, 900, LeftOfSession::Fresh),
            (450, 900, LeftOfSession::Fresh),
            (449, 900, LeftOfSession::Ending),
        ] {
            assert_eq!(freshness(left, asked), is, "{left} of {asked}");
        }
    }
}
