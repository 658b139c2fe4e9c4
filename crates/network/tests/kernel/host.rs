//! A host of a test's own.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::time::Duration;

use disk::{Home, Journal};
use network::endpoint::{self, Join, Routes};
use network::rules::{Firewall, Live};
use network::{NetworkError, Taken, place, record, rules};
use rustix::thread::UnshareFlags;
use spec::address::{Port, Subnet};
use spec::id::{ContainerId, NetworkId};
use spec::network::{Attachment, Bridge, Driver, Egress, Endpoint, GatewayMode, Network, Pool, Published};
use spec::time::Time;

/// The calling thread's network namespace, new, and directories.
pub(crate) struct Host {
    pub(crate) home: Home,
    next: Cell<u32>,
    _root: Option<testkit::Root>,
}

/// A container: a namespace, and what it was given.
pub(crate) struct Container {
    pub(crate) id: ContainerId,
    pub(crate) namespace: OwnedFd,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) claims: Vec<Taken>,
    pub(crate) published: Vec<Published>,
    pub(crate) egress: Option<Egress>,
    /// Where claims are written beside.
    pub(crate) journal: Option<Journal<Taken>>,
}

fn own() -> OwnedFd {
    File::open("/proc/thread-self/ns/net").unwrap().into()
}

/// A new namespace, its loopback device on.
pub(crate) fn namespace() -> OwnedFd {
    let home = own();
    sys::clone::unshare(UnshareFlags::NEWNET).unwrap();
    sys::loopback::up().unwrap();
    let made = own();
    rustix::thread::move_into_link_name_space(home.as_fd(), None).unwrap();
    made
}

pub(crate) fn inside<T>(namespace: &OwnedFd, act: impl FnOnce() -> T) -> T {
    sys::netns::within(namespace.as_fd(), || Ok::<_, io::Error>(act())).unwrap()
}

/// A tool, in the thread's namespace.
pub(crate) fn tool(line: &str) -> String {
    let mut words = line.split(' ');
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl Host {
    pub(crate) fn new() -> Host {
        sys::clone::unshare(UnshareFlags::NEWNET).unwrap();
        sys::loopback::up().unwrap();
        // A new namespace begins as the machine's own is.
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
        let root = testkit::Root::new();
        let home = Home::open(&root.join("root"), &root.join("run")).unwrap();
        Host { home, next: Cell::new(1), _root: Some(root) }
    }

    /// Another's, in his namespace, with numbers of our own.
    pub(crate) fn at(home: Home) -> Host {
        Host { home, next: Cell::new(std::process::id() << 8), _root: None }
    }

    fn number(&self) -> u32 {
        self.next.replace(self.next.get() + 1)
    }

    /// A bridge network, not created yet.
    pub(crate) fn network(&self, device: &str, subnets: &[&str]) -> Network {
        let pools = subnets.iter().map(|subnet| {
            let subnet: Subnet = subnet.parse().unwrap();
            Pool { subnet, range: None, gateway: subnet.nth(1), aux: BTreeMap::new(), given: true }
        });
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&self.number().to_be_bytes());
        let bridge = Bridge {
            device: device.into(),
            mtu: None,
            icc: true,
            masquerade: true,
            gateway_mode: [GatewayMode::Nat; 2],
            host_binding: None,
        };
        Network {
            id: NetworkId::from_bytes(bytes),
            name: format!("net-{device}"),
            created: Time::from_ns(0),
            driver: Driver::Bridge(bridge),
            internal: false,
            attachable: false,
            ipv4: subnets.iter().any(|subnet| subnet.contains('.')),
            ipv6: subnets.iter().any(|subnet| subnet.contains(':')),
            pools: pools.collect(),
            options: BTreeMap::new(),
            labels: BTreeMap::new(),
            egress: None,
        }
    }

    pub(crate) fn created(&self, device: &str, subnets: &[&str]) -> Network {
        let network = self.network(device, subnets);
        record::create(&self.home, &network).unwrap();
        network
    }

    /// A container without a network.
    pub(crate) fn bare(&self) -> Container {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&self.number().to_be_bytes());
        let id = ContainerId::from_bytes(bytes);
        std::fs::create_dir_all(self.home.sandbox(&id)).unwrap();
        Container {
            id,
            namespace: namespace(),
            endpoints: Vec::new(),
            claims: Vec::new(),
            published: Vec::new(),
            egress: None,
            journal: None,
        }
    }

    /// One on networks; the first has the default routes.
    pub(crate) fn container(&self, networks: &[&Network]) -> Container {
        let mut container = self.bare();
        for network in networks {
            self.connect(&mut container, network, &attachment(network)).unwrap();
        }
        container
    }

    pub(crate) fn connect(
        &self,
        container: &mut Container,
        network: &Network,
        attachment: &Attachment,
    ) -> Result<(), NetworkError> {
        let lock = place::share(&self.home)?;
        let interface = u32::try_from(container.endpoints.len()).unwrap();
        let join = Join {
            network,
            attachment,
            container: &container.id,
            interface,
            names: vec![format!("c{}", &container.id.as_str()[6..8])],
        };
        let (claims, journal) = (&mut container.claims, &mut container.journal);
        let endpoint = endpoint::join(&self.home, &join, &mut |taken| {
            claims.push(taken.clone());
            journal.as_mut().map_or(Ok(()), |journal| journal.take(taken.clone()))
        })?;
        let routes = Routes { default: [interface == 0 && !network.internal; 2] };
        let plug = |container: &Container| {
            let egress = container.egress.as_ref();
            endpoint::plug(&self.home, network, &endpoint, &routes, egress, container.namespace.as_fd())
        };
        match plug(container) {
            Err(NetworkError::TableGone) => {
                drop(lock);
                self.restore(&[]);
                plug(container)?;
            }
            other => other?,
        }
        container.endpoints.push(endpoint);
        Ok(())
    }

    pub(crate) fn restore(&self, live: &[&Container]) {
        self.restore_with(Firewall::Open, live);
    }

    pub(crate) fn restore_with(&self, firewall: Firewall, live: &[&Container]) {
        let _alone = place::alone(&self.home).unwrap();
        let live: Vec<Live> = live
            .iter()
            .map(|container| Live {
                container: container.id.clone(),
                endpoints: container.endpoints.clone(),
                published: container.published.clone(),
                egress: container.egress.clone(),
            })
            .collect();
        rules::restore(&self.home, firewall, &live).unwrap();
    }

    pub(crate) fn publish(&self, container: &mut Container, ports: &[Published]) -> Result<(), NetworkError> {
        let (claims, journal) = (&mut container.claims, &mut container.journal);
        endpoint::publish(&self.home, &container.id, &container.endpoints, ports, &mut |taken| {
            claims.push(taken.clone());
            journal.as_mut().map_or(Ok(()), |journal| journal.take(taken.clone()))
        })?;
        container.published.extend(ports);
        Ok(())
    }

    pub(crate) fn give_back(&self, container: &Container) {
        for claim in container.claims.iter().rev() {
            endpoint::give_back(&self.home, claim).unwrap();
        }
        let _ = std::fs::remove_dir_all(self.home.sandbox(&container.id));
    }

    /// Somebody outside, at the other end of a cable: the host is 192.0.2.1 and 2001:db8::1, he is .9 and ::9.
    pub(crate) fn outside(&self) -> OwnedFd {
        let other = namespace();
        tool("ip link add ext0 type veth peer name eth0");
        tool("ip addr add 192.0.2.1/24 dev ext0");
        tool("ip addr add 2001:db8::1/64 dev ext0 nodad");
        tool("ip link set ext0 up");
        let pid_of_thread = rustix::thread::gettid().as_raw_nonzero().get();
        // The device is moved by a descriptor that the tool inherits.
        let path = format!("/proc/{pid_of_thread}/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&other));
        tool(&format!("ip link set eth0 netns {path}"));
        inside(&other, || {
            tool("ip addr add 192.0.2.9/24 dev eth0");
            tool("ip addr add 2001:db8::9/64 dev eth0 nodad");
            tool("ip link set eth0 up");
            tool("ip route add default via 192.0.2.1");
            tool("ip -6 route add default via 2001:db8::1");
            // A cable has its carrier a moment later, as any has.
            for host in ["192.0.2.1", "2001:db8::1"] {
                while ask(ip(host), 1) != Err(io::ErrorKind::ConnectionRefused) {}
            }
        });
        other
    }
}

pub(crate) fn attachment(network: &Network) -> Attachment {
    Attachment {
        network: network.id.clone(),
        ipv4: None,
        ipv6: None,
        mac: None,
        aliases: Vec::new(),
        links: Vec::new(),
        driver_options: BTreeMap::new(),
        gateway_priority: 0,
    }
}

impl Container {
    pub(crate) fn address(&self) -> IpAddr {
        self.endpoints[0].ipv4.unwrap().0.into()
    }

    pub(crate) fn address6(&self) -> IpAddr {
        self.endpoints[0].ipv6.unwrap().0.into()
    }

    /// Answers each connection with the address it comes from, as long as the test runs.
    pub(crate) fn serve(&self, port: u16) {
        let listener =
            inside(&self.namespace, || TcpListener::bind(SocketAddr::new("::".parse().unwrap(), port)).unwrap());
        std::thread::spawn(move || {
            while let Ok((mut stream, from)) = listener.accept() {
                let _ = write!(stream, "{}", from.ip().to_canonical());
            }
        });
    }

    /// The same for datagrams.
    pub(crate) fn serve_udp(&self, port: u16) {
        let socket = inside(&self.namespace, || UdpSocket::bind(("0.0.0.0", port)).unwrap());
        std::thread::spawn(move || {
            let mut buffer = [0; 100];
            while let Ok((_, from)) = socket.recv_from(&mut buffer) {
                let _ = socket.send_to(from.ip().to_string().as_bytes(), from);
            }
        });
    }
}

/// What the server at an address says who we are; or how it could not be reached.
pub(crate) fn ask(to: IpAddr, port: u16) -> Result<String, io::ErrorKind> {
    let connected = TcpStream::connect_timeout(&SocketAddr::new(to, port), Duration::from_millis(700));
    let mut stream = connected.map_err(|error| error.kind())?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).map_err(|error| error.kind())?;
    Ok(said)
}

pub(crate) fn ask_udp(to: &str, port: u16) -> Result<String, io::ErrorKind> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
    socket.connect((to, port)).unwrap();
    socket.send(b"?").map_err(|error| error.kind())?;
    let mut buffer = [0; 100];
    let length = socket.recv(&mut buffer).map_err(|error| error.kind())?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn port(host_ip: &str, host_port: u16, port: &str) -> Published {
    Published { port: port.parse::<Port>().unwrap(), host_ip: ip(host_ip), host_port }
}
