//! The sign of life of a node's agent, and whether the node still has the addresses that it listens at: whoever takes one away (another
//! program, somebody who tidies up links) takes the agent from its pods, and the sockets say nothing of it.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, UdpSocket},
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval};

use super::ready::ReadyFile;
use crate::log::Log;

/// How often the ready file is renewed.
const BEAT: Duration = Duration::from_secs(5);
/// After so many beats the addresses are looked at: once a minute.
const LOOK_EVERY: u32 = 12;

/// What an agent that serves says of itself.
pub(super) struct Presence<F> {
    addresses: Vec<IpAddr>,
    has: F,
    ready: Option<ReadyFile>,
    log: Log,
    lost: BTreeSet<IpAddr>,
    /// Whether the ready file could not be written when that was last tried.
    is_failing: bool,
}

impl<F: Fn(IpAddr) -> bool> Presence<F> {
    /// Of an agent at `addresses`, of which `has` says whether the node has them.
    pub(super) fn new(addresses: Vec<IpAddr>, has: F, ready: Option<ReadyFile>, log: Log) -> Self {
        Self {
            addresses,
            has,
            ready,
            log,
            lost: BTreeSet::new(),
            is_failing: false,
        }
    }

    /// Renews the ready file while the node has all addresses. Never ends; dropped, the file goes.
    pub(super) async fn keep(mut self) {
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.look();
            for _ in 0..LOOK_EVERY {
                beats.tick().await;
                self.beat();
            }
        }
    }

    fn look(&mut self) {
        for address in &self.addresses {
            let fields = [("address", address.to_string())];
            let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
            match (self.has)(*address) {
                true if self.lost.remove(address) => self.log.info("AddressBack", &fields),
                false if self.lost.insert(*address) => self.log.warn("AddressLost", &fields),
                _ => {}
            }
        }
    }

    fn beat(&mut self) {
        let Some(ready) = &self.ready else { return };
        let done = match self.lost.is_empty() {
            true => ready.write(),
            false => ready.remove(),
        };
        match done {
            Ok(()) => self.is_failing = false,
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                self.log.warn("NotReady", &[("message", &error.to_string())]);
            }
            Err(_) => {}
        }
    }
}

/// Whether the node has `address`: then a socket takes it. Any other trouble says nothing of that.
pub(super) fn is_there(address: IpAddr) -> bool {
    match UdpSocket::bind((address, 0)) {
        Err(error) => error.kind() != io::ErrorKind::AddrNotAvailable,
        Ok(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use deputy_log_testing::CapturedLog;
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_agent_whose_address_is_gone_says_so_and_is_not_ready_until_it_is_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ready");
        let ready = ReadyFile::absent(file.clone()).unwrap();
        let (is_there, log) = (Arc::new(AtomicBool::new(true)), CapturedLog::default());
        let has = {
            let is_there = Arc::clone(&is_there);
            move |address: IpAddr| address.is_ipv6() || is_there.load(Ordering::SeqCst)
        };
        let addresses = vec![[169, 254, 170, 23].into(), "fd00:ec2::23".parse().unwrap()];
        let presence = Presence::new(addresses, has, Some(ready), Log::new(log.clone()));
        let keeping = tokio::spawn(presence.keep());
        let minute = BEAT * LOOK_EVERY;
        sleep(Duration::from_millis(1)).await;
        assert!(file.exists());
        // Taken away by somebody, it is there again with the next beat: it is written again and again.
        std::fs::remove_file(&file).unwrap();
        sleep(BEAT).await;
        assert!(file.exists());
        for round in 1..=3 {
            is_there.store(false, Ordering::SeqCst);
            sleep(minute + BEAT).await;
            assert!(!file.exists());
            sleep(minute * 3).await;
            is_there.store(true, Ordering::SeqCst);
            sleep(minute + BEAT).await;
            assert!(file.exists());
            let said = |event: &str| log.text().matches(event).count();
            assert_eq!(
                (said("AddressLost"), said("AddressBack")),
                (round, round),
                "each once"
            );
        }
        assert!(!log.text().contains("fd00"), "the other one was there");
        keeping.abort();
        assert!(keeping.await.is_err());
        assert!(!file.exists());
    }

    #[test]
    fn a_node_has_the_addresses_that_it_has() {
        assert!(is_there([127, 0, 0, 1].into()));
        // Of the block for documents (RFC 5737).
        assert!(!is_there([192, 0, 2, 1].into()));
    }
}
