//! The addresses that pods of a node ask at, made by an init container: the agent itself has no capability.
//!
//! They are on a dummy link of our own, or on loopback where the kernel has no such links, and stay when the agent goes. Nobody announces them;
//! but Linux answers for an address of its own on any interface, so a host on the same segment that has a route to them reaches the port. It needs
//! a token of a pod of this node all the same. An address that some link has already, as where EKS's own agent runs, is left there.

use std::{collections::BTreeSet, io, net::IpAddr};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope},
    link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use rustix::net::{AddressFamily as SocketFamily, SocketType, netdevice::name_to_index, socket};

/// The link with the addresses. At most 15 bytes.
const LINK: &str = "deputy0";
/// The link that every node has.
const LOOPBACK: &str = "lo";
/// Answers that are read before one that ends them: there are no more links on a node by far.
const MAX_ANSWERS: usize = 100_000;

/// The kernel's word that there is no such link (ENODEV).
const NO_DEVICE: i32 = rustix::io::Errno::NODEV.raw_os_error();

/// What became of one address.
#[derive(Debug)]
pub enum AddressOutcome {
    /// A link of the node has it already.
    WasThere,
    /// It is on this link now.
    Added(&'static str),
    /// The node has no such addresses: IPv6 is off.
    Failed(io::Error),
}

/// Why there are no addresses.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The kernel can't be asked.
    #[error("the links of the node can't be read: {0}")]
    Read(io::Error),
    /// The link can't be made.
    #[error("the link {LINK} can't be made; it takes the capability NET_ADMIN: {0}")]
    Link(io::Error),
}

/// Sees to it that the node has `addresses`, and that our link is up if there is one, and says what became of each.
///
/// # Errors
/// [`AddressError`] when none could be tried.
pub fn ensure(addresses: &[IpAddr]) -> Result<Vec<(IpAddr, AddressOutcome)>, AddressError> {
    let mut kernel = Kernel::new().map_err(AddressError::Read)?;
    // Before the addresses are read: IPv6 takes them from a link that goes down.
    if kernel.is_down(LINK).map_err(AddressError::Read)? {
        kernel.link().map_err(AddressError::Link)?;
    }
    let there = kernel.addresses().map_err(AddressError::Read)?;
    let mut link = None;
    let mut outcomes = Vec::new();
    for address in addresses {
        let outcome = if there.contains(address) {
            AddressOutcome::WasThere
        } else {
            let (index, name) = match link {
                Some(link) => link,
                None => *link.insert(kernel.link().map_err(AddressError::Link)?),
            };
            match kernel.add(index, *address) {
                Ok(()) => AddressOutcome::Added(name),
                // Another one was quicker.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => AddressOutcome::WasThere,
                Err(error) => AddressOutcome::Failed(error),
            }
        };
        outcomes.push((*address, outcome));
    }
    Ok(outcomes)
}

/// The kernel, by rtnetlink(7).
struct Kernel(Socket);

impl Kernel {
    fn new() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// All addresses of all links.
    fn addresses(&mut self) -> io::Result<BTreeSet<IpAddr>> {
        let mut found = BTreeSet::new();
        let all = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        self.ask(all, NLM_F_DUMP, |answer| {
            if let RouteNetlinkMessage::NewAddress(address) = answer {
                found.extend(address.attributes.iter().filter_map(|attribute| match attribute {
                    AddressAttribute::Local(address) | AddressAttribute::Address(address) => Some(*address),
                    _ => None,
                }));
            }
        })?;
        Ok(found)
    }

    /// Whether there is a link of this name that is not up.
    fn is_down(&mut self, name: &str) -> io::Result<bool> {
        let mut link = LinkMessage::default();
        link.attributes.push(LinkAttribute::IfName(name.to_owned()));
        let mut is_down = false;
        // One that there is comes with an acknowledgement after it.
        let asked = self.ask(RouteNetlinkMessage::GetLink(link), NLM_F_ACK, |answer| {
            if let RouteNetlinkMessage::NewLink(link) = answer {
                is_down = !link.header.flags.contains(LinkFlags::Up);
            }
        });
        match asked {
            Err(error) if error.raw_os_error() == Some(NO_DEVICE) => Ok(false),
            asked => asked.map(|()| is_down),
        }
    }

    /// Index and name of our link, which is up then; where the kernel makes no such links, of loopback.
    fn link(&mut self) -> io::Result<(u32, &'static str)> {
        let mut link = LinkMessage::default();
        link.header.flags = LinkFlags::Up;
        link.header.change_mask = LinkFlags::Up;
        link.attributes.push(LinkAttribute::IfName(LINK.to_owned()));
        let up = link.clone();
        link.attributes
            .push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Dummy)]));
        let make = RouteNetlinkMessage::NewLink(link);
        let name = match self.ask(make, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, |_| {}) {
            Ok(()) => LINK,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.ask(RouteNetlinkMessage::NewLink(up), NLM_F_ACK, |_| {})?;
                LINK
            }
            Err(error) if error.kind() == io::ErrorKind::Unsupported => LOOPBACK,
            Err(error) => return Err(error),
        };
        let any = socket(SocketFamily::UNIX, SocketType::DGRAM, None)?;
        Ok((name_to_index(&any, name)?, name))
    }

    fn add(&mut self, link: u32, address: IpAddr) -> io::Result<()> {
        let mut message = AddressMessage::default();
        (message.header.family, message.header.prefix_len) = match address {
            IpAddr::V4(_) => (AddressFamily::Inet, 32),
            IpAddr::V6(_) => (AddressFamily::Inet6, 128),
        };
        // Never the source of what leaves the node.
        message.header.scope = AddressScope::Link;
        message.header.index = link;
        message.attributes = vec![
            AddressAttribute::Local(address),
            AddressAttribute::Address(address),
        ];
        if address.is_ipv6() {
            // Nobody else is on this link, and the agent listens at once.
            message
                .attributes
                .push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        let add = RouteNetlinkMessage::NewAddress(message);
        self.ask(add, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, |_| {})
    }

    /// Asks, and hands `each` answer over, until the kernel says that it was the last one.
    fn ask(
        &mut self,
        question: RouteNetlinkMessage,
        flags: u16,
        mut each: impl FnMut(&RouteNetlinkMessage),
    ) -> io::Result<()> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(question));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.0.send(&bytes, 0)?;
        for _ in 0..MAX_ANSWERS {
            let (answers, _) = self.0.recv_from_full()?;
            let mut rest = answers.as_slice();
            while !rest.is_empty() {
                let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
                match &answer.payload {
                    NetlinkPayload::Done(_) => return Ok(()),
                    // Code 0 is the acknowledgement.
                    NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                    NetlinkPayload::Error(_) => return Ok(()),
                    NetlinkPayload::InnerMessage(answer) => each(answer),
                    _ => {}
                }
                // Each begins at a multiple of four.
                let length = usize::try_from(answer.header.length).unwrap_or(usize::MAX);
                let next = length.max(1).checked_next_multiple_of(4).unwrap_or(usize::MAX);
                rest = rest.get(next..).unwrap_or_default();
            }
        }
        Err(io::Error::other("the kernel does not come to an end"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_there_is_says_whether_it_is_up_and_another_one_is_not_down() {
        let mut kernel = Kernel::new().unwrap();
        let flags = std::fs::read_to_string("/sys/class/net/lo/flags").unwrap();
        let flags = u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).unwrap();
        // IFF_UP
        assert_eq!(kernel.is_down(LOOPBACK).unwrap(), flags & 1 == 0);
        assert!(!kernel.is_down("deputy-none").unwrap());
        // Nothing is left of an answer.
        assert!(kernel.addresses().is_ok());
    }
}
