//! `deputy-agent node-address` in a network of its own, which takes root.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::process::{Command, Output};

/// Says in one word which of the addresses a node has, by what the kernel shows of it.
const ADDRESSES: &str = "if grep -q '169.254.170.23$' /proc/net/fib_trie; then echo has-ipv4; fi; \
    if grep -q '^fd000ec2000000000000000000000023 ' /proc/net/if_inet6; then echo has-ipv6; fi";

/// Runs `script` in a network of its own, in which `$agent` is the program. `None` where nobody may make one, which is said.
fn in_a_network_of_its_own(script: &str) -> Option<Output> {
    let script = format!("agent={}; {script}", env!("CARGO_BIN_EXE_deputy-agent"));
    let alone = |script: &str| {
        let unshare = Command::new("unshare")
            .args(["--net", "sh", "-ec", script])
            .output();
        unshare.ok()
    };
    if alone("true").is_none_or(|done| !done.status.success()) {
        eprintln!("skipped: a network of one's own takes root and unshare");
        return None;
    }
    alone(&script)
}

fn said(done: &Output) -> String {
    let text = [done.stdout.as_slice(), &done.stderr].concat();
    String::from_utf8(text).unwrap()
}

#[test]
fn the_node_has_the_addresses_then_however_often_it_is_asked() {
    let script = format!("{ADDRESSES}; $agent node-address; {ADDRESSES}; $agent node-address");
    let Some(done) = in_a_network_of_its_own(&script) else {
        return;
    };
    let said = said(&done);
    assert!(done.status.success(), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    let [first, second, rest @ ..] = lines.as_slice() else {
        panic!("{said}");
    };
    // On the link deputy0, or on lo where the kernel has no dummy links.
    assert!(
        first.starts_with("169.254.170.23 is on ") && first.ends_with(" now"),
        "{said}"
    );
    assert!(second.starts_with("fd00:ec2::23 is on "), "{said}");
    assert_eq!(
        rest,
        [
            "has-ipv4",
            "has-ipv6",
            "169.254.170.23 is there already",
            "fd00:ec2::23 is there already"
        ]
    );
}

#[test]
fn a_link_of_ours_that_was_taken_down_is_up_again() {
    let script = format!(
        "ip link add deputy0 type dummy 2>/dev/null || ip link add deputy0 type ifb || exit 77; \
        $agent node-address >/dev/null; ip link set deputy0 down; $agent node-address; \
        ip -o link show deputy0 | grep -q '[<,]UP[,>]' && echo is-up; {ADDRESSES}"
    );
    let Some(done) = in_a_network_of_its_own(&script) else {
        return;
    };
    if done.status.code() == Some(77) {
        eprintln!("skipped: there is no program ip, or the kernel makes no links");
        return;
    }
    let said = said(&done);
    assert!(said.contains("is-up\nhas-ipv4\nhas-ipv6"), "{said}");
}

#[test]
fn a_node_without_ipv6_has_the_other_address() {
    let script = "for link in all default lo; do \
            echo 1 2>/dev/null > /proc/sys/net/ipv6/conf/$link/disable_ipv6 || exit 77; done; \
        $agent node-address; DEPUTY_LISTEN='[fd00:ec2::23]' $agent node-address || echo exit $?";
    let Some(done) = in_a_network_of_its_own(script) else {
        return;
    };
    if matches!(done.status.code(), Some(2 | 77)) {
        eprintln!("skipped: IPv6 can't be switched off here");
        return;
    }
    let said = said(&done);
    assert!(said.contains("169.254.170.23 is on "), "{said}");
    assert!(said.contains("fd00:ec2::23 is left out: "), "{said}");
    assert!(
        said.contains("exit 3") && said.contains("the node takes none of the addresses"),
        "{said}"
    );
}

#[test]
fn an_address_that_other_machines_reach_is_not_taken() {
    let script = "DEPUTY_LISTEN=0.0.0.0:7419 $agent node-address || echo exit $?";
    let Some(done) = in_a_network_of_its_own(script) else {
        return;
    };
    let said = said(&done);
    assert!(
        said.contains("exit 2") && said.contains("DEPUTY_LISTEN: 0.0.0.0:7419 is neither"),
        "{said}"
    );
}
