//! Networks that come and go while a container runs.

use std::io;
use std::os::fd::AsFd;

use disk::read;
use network::Taken;
use network::endpoint::{self, Routes};
use network::resolver::Resolver;
use spec::bundle::Bundle;
use spec::container::Config;
use spec::network::{Attachment, Defaults, Endpoint, Network};

use super::places::{Places, asks, names, routes, targets};
use super::{JoinError, is_published, whole, write, writing};
use crate::burial::Claim;
use crate::etc::{self, Asks, Line};
use crate::owner::Owner;
use crate::status::Status;

impl Owner {
    /// Networks came or went: heeds the new list. Where something fails, all is as it was.
    pub(crate) fn change_networks(&mut self, wanted: Vec<Attachment>) -> Result<(), JoinError> {
        let before = std::mem::replace(&mut self.settings.networks, wanted);
        let changed = self.connect_and_disconnect(&before);
        if changed.is_err() {
            self.settings.networks = before;
        }
        changed
    }

    fn connect_and_disconnect(&mut self, before: &[Attachment]) -> Result<(), JoinError> {
        let is_busy = match &self.state.status {
            Status::Running(_) | Status::Paused(_) | Status::Restarting { .. } => true,
            Status::Created | Status::Exited(_) | Status::Removing => false,
        };
        // One that holds nothing will read its settings when it starts.
        if !is_busy {
            return Ok(());
        }
        let config: Config =
            read(&self.dir)?.ok_or(JoinError::Io("reading config.json", io::ErrorKind::NotFound.into()))?;
        let defaults = self.defaults()?;
        let lock = whole(&self.home, &defaults)?;
        let places = Places::read(&self.home, &self.settings.networks)?;
        let gone: Vec<Endpoint> = {
            let stays = |endpoint: &&Endpoint| !places.networks.iter().any(|network| network.id == endpoint.network);
            self.state.endpoints.iter().filter(stays).cloned().collect()
        };
        self.rename(&config, &places)?;
        let kept = self.state.endpoints.clone();
        let mut come = Vec::new();
        for (network, attachment) in places.each() {
            if self.endpoint(&network.id).is_none() {
                let taken = self.take(&config, network, attachment).and_then(|()| self.plug_last(&config, network));
                if let Err(error) = taken {
                    self.undo(&kept);
                    return Err(error);
                }
                come.extend(self.state.endpoints.last().cloned());
            }
        }
        self.unplug(&gone);
        self.state.endpoints.retain(|endpoint| !gone.contains(endpoint));
        if let Err(error) = self.follow(&config, &defaults, &places, (&gone, &come)) {
            self.undo(&kept);
            self.plug_again(&config, &defaults, before, &gone);
            return Err(error);
        }
        for endpoint in &gone {
            self.give_back(endpoint)?;
        }
        self.save()?;
        drop(lock);
        Ok(())
    }

    /// The container has another name, perhaps.
    fn rename(&mut self, config: &Config, places: &Places) -> Result<(), JoinError> {
        for (network, attachment) in places.each() {
            let Some(at) = self.state.endpoints.iter().position(|endpoint| endpoint.network == network.id) else {
                continue;
            };
            let names = names(&self.home, config, network, attachment)?;
            let endpoint = &self.state.endpoints[at];
            if endpoint.names != names {
                let renamed = endpoint::rename(&self.home, &self.id, endpoint, names, &mut write(&mut self.claims))?;
                self.state.endpoints[at] = renamed;
            }
        }
        Ok(())
    }

    /// Takes links away. One that is gone already is as good, and one that cannot be taken away goes with the namespace.
    fn unplug(&self, endpoints: &[Endpoint]) {
        if let Some(wired) = self.run.as_ref().and_then(|run| run.wired.as_ref()) {
            for endpoint in endpoints {
                let _ = endpoint::unplug(endpoint, wired.namespace.as_fd());
            }
        }
    }

    /// After an error, which is the one to tell: links that were taken away come back.
    fn plug_again(&mut self, config: &Config, defaults: &Defaults, before: &[Attachment], gone: &[Endpoint]) {
        let Ok(places) = Places::read(&self.home, before) else { return };
        if let Some(wired) = self.run.as_ref().and_then(|run| run.wired.as_ref()) {
            for endpoint in gone {
                let Some(network) = places.network(&endpoint.network) else { continue };
                let (routes, egress) = (Routes { default: [false; 2] }, config.host.egress.as_ref());
                let _ = endpoint::plug(&self.home, network, endpoint, &routes, egress, wired.namespace.as_fd());
            }
        }
        let _ = self.follow(config, defaults, &places, (&[], &[]));
    }

    /// Plugs in the endpoint that was taken last, without a default route yet.
    fn plug_last(&self, config: &Config, network: &Network) -> Result<(), JoinError> {
        let (Some(endpoint), Some(wired)) =
            (self.state.endpoints.last(), self.run.as_ref().and_then(|run| run.wired.as_ref()))
        else {
            return Ok(());
        };
        let egress = config.host.egress.as_ref();
        let routes = Routes { default: [false; 2] };
        Ok(endpoint::plug(&self.home, network, endpoint, &routes, egress, wired.namespace.as_fd())?)
    }

    /// Takes back what was added to the endpoints that there were.
    fn undo(&mut self, kept: &[Endpoint]) {
        let added: Vec<_> = self.state.endpoints.iter().filter(|endpoint| !kept.contains(endpoint)).cloned().collect();
        self.unplug(&added);
        for endpoint in &added {
            // What cannot be given back now stays written down.
            let _ = self.give_back(endpoint);
        }
        self.state.endpoints = kept.to_vec();
    }

    fn give_back(&mut self, endpoint: &Endpoint) -> Result<(), JoinError> {
        let is_it = |claim: &Claim| matches!(claim, Claim::Network(Taken::Endpoint { endpoint: held, .. }) if held.id == endpoint.id);
        let home = self.home.clone();
        self.claims.give_back_if(is_it, |claim| match claim {
            Claim::Network(taken) => endpoint::give_back(&home, taken).map_err(JoinError::from),
            Claim::Cgroup(_) => Ok(()),
        })
    }

    /// Routes, ports, files and resolver follow the endpoints.
    fn follow(
        &mut self,
        config: &Config,
        defaults: &Defaults,
        places: &Places,
        (gone, come): (&[Endpoint], &[Endpoint]),
    ) -> Result<(), JoinError> {
        let gateways = places.gateways(&self.state.endpoints);
        if self.state.published.is_empty() {
            self.hold_ports(config, places, defaults)?;
        }
        self.move_ports(&targets(&gateways))?;
        let scope = self.scope(config, defaults, places);
        let Some(wired) = self.run.as_mut().and_then(|run| run.wired.as_mut()) else { return Ok(()) };
        let all: Vec<_> = self.state.endpoints.iter().map(|endpoint| (endpoint, routes(&gateways, endpoint))).collect();
        endpoint::reroute(&all, wired.namespace.as_fd())?;
        let of_host = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let asks = asks(config, places, defaults, &of_host);
        match (&mut wired.resolver, asks) {
            (Some(resolver), _) => resolver.follow(scope),
            (none, Asks::Resolver) => {
                let opened = Resolver::open(wired.namespace.as_fd(), scope);
                *none = Some(opened.map_err(|e| JoinError::Io("listening at 127.0.0.11 in the container", e))?);
            }
            (None, Asks::Servers) => {}
        }
        // Whoever has read 127.0.0.11 once goes on asking there.
        let asks = if wired.resolver.is_some() { Asks::Resolver } else { asks };
        let facts = etc::Facts { endpoints: &[], links: &[], gateways: &[], asks, defaults };
        let lines = |endpoints: &[Endpoint]| -> Vec<Line> {
            endpoints.iter().flat_map(|endpoint| etc::own_lines(config, endpoint)).collect()
        };
        wired.files =
            etc::follow(&self.dir, config, &facts, wired.files, (&lines(gone), &lines(come))).map_err(writing)?;
        Ok(())
    }

    /// Ports lead to where the default routes are now.
    fn move_ports(&mut self, targets: &[Endpoint]) -> Result<(), JoinError> {
        let now = self.claims.held().find_map(|claim| match claim {
            Claim::Network(Taken::Published { endpoints, .. }) => Some(endpoints.as_slice()),
            Claim::Network(Taken::Endpoint { .. }) | Claim::Cgroup(_) => None,
        });
        if now == Some(targets) {
            return Ok(());
        }
        let home = self.home.clone();
        self.claims.give_back_if(is_published, |claim| match claim {
            Claim::Network(taken) => endpoint::give_back(&home, taken).map_err(JoinError::from),
            Claim::Cgroup(_) => Ok(()),
        })?;
        if targets.is_empty() || self.state.published.is_empty() {
            return Ok(self.held.ports.as_mut().map_or(Ok(()), |ports| ports.relay.follow(&self.home, &[]))?);
        }
        Ok(self.publish_ports(targets)?)
    }

    fn defaults(&self) -> Result<Defaults, JoinError> {
        Ok(read::<Bundle>(&self.sandbox)?.map(|bundle| bundle.networks).unwrap_or_default())
    }
}
