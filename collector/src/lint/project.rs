//! From the parts that files describe to the pieces of one stack, and who stands behind whom.
//!
//! Nothing is tied by guess. A proxy's target is a piece of that name or port; where no name fits, the one server that the
//! project has, if it has just one and its port does not say otherwise. A file that tells of the same process (a Dockerfile of
//! a service that is built from it, gunicorn.conf.py beside it) is made one with it.

use domain::{Layer, Limit};

use crate::documented;
use crate::limits::{ANY, Address, Part, Role};

/// Files that say that a Procfile is Heroku's.
const HEROKU: [&str; 2] = ["app.json", "heroku.yml"];
/// Limits of one piece: more are those of generated configuration, all alike.
const LIMITS_MAX: usize = 64;
/// How far files may lead to further files.
const MADE_FROM_MAX: usize = 4;

/// What is one process, function, queue or backend, by all files that tell of it.
#[derive(Debug)]
pub struct Piece {
    /// Its name.
    pub name: String,
    /// Where it is described.
    pub place: String,
    /// What it is.
    pub role: Role,
    /// Its limits by layer, stated ones and, where nothing is stated, defaults.
    pub limits: Vec<Limit>,
    /// What others call it.
    known_as: Vec<Address>,
    /// What lies behind it.
    behind: Vec<Address>,
}

/// The pieces of a stack.
#[derive(Debug, Default)]
pub struct Project {
    /// In the order of files.
    pub pieces: Vec<Piece>,
    /// Outer piece, inner piece.
    pub links: Vec<(usize, usize)>,
}

impl Project {
    /// What the parts amount to. `names` are the names of all files that were seen, read or not.
    pub fn new(parts: &[Part], names: &[&str]) -> Self {
        let mut parts: Vec<Part> = parts.to_vec();
        alias_mounted_proxies(&mut parts);
        let made_from: Vec<Vec<usize>> = parts.iter().map(|part| sources(part, &parts)).collect();
        let is_source = |index: usize| made_from.iter().any(|sources| sources.contains(&index));
        let is_herokus = is_on_heroku(&parts, names);
        let roots = (0..parts.len()).filter(|index| !is_source(*index) && (parts[*index].role != Role::Heroku || is_herokus));
        let pieces: Vec<Piece> = roots.map(|index| merged(index, &parts, &made_from)).collect();
        let mut links = Vec::new();
        let mut nameless: Vec<(usize, &Address)> = Vec::new();
        for (outer, piece) in pieces.iter().enumerate() {
            for address in &piece.behind {
                let inner = named(address, outer, &pieces);
                if inner.is_empty() {
                    nameless.push((outer, address));
                }
                links.extend(inner.into_iter().map(|inner| (outer, inner)));
            }
        }
        let targets: Vec<&Address> = nameless.iter().map(|(_, address)| *address).collect();
        links.extend(nameless.iter().filter_map(|(outer, address)| Some((*outer, only_server(address, &targets, &pieces)?))));
        links.sort_unstable();
        links.dedup();
        Self { pieces, links }
    }
}

impl Project {
    /// Whether a piece is what a file sets without use, while the same file has pieces of use.
    pub fn is_beside_the_point(&self, index: usize) -> bool {
        let piece = &self.pieces[index];
        let same_file = |other: &Piece| other.role != Role::Unused && file(&other.place) == file(&piece.place);
        piece.role == Role::Unused && self.pieces.iter().any(same_file)
    }
}

fn file(place: &str) -> &str {
    place.rsplit_once(':').map_or(place, |(file, _)| file)
}

/// A proxy whose configuration is mounted into a service is reached by that service's name.
fn alias_mounted_proxies(parts: &mut [Part]) {
    let mounts: Vec<(String, Vec<Address>)> = parts
        .iter()
        .flat_map(|part| {
            part.made_from
                .iter()
                .filter_map(|source| if let Address::File(path) = source { Some((path.clone(), part.known_as.clone())) } else { None })
        })
        .collect();
    for part in parts.iter_mut().filter(|part| part.role == Role::Front) {
        for (path, names) in &mounts {
            if is_in(file(&part.place), path) {
                part.known_as.extend(names.iter().cloned());
            }
        }
    }
}

fn is_in(file: &str, path: &str) -> bool {
    file.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The parts that tell of the same process.
fn sources(part: &Part, parts: &[Part]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut has_image = false;
    for address in &part.made_from {
        let candidates: Vec<usize> = match address {
            Address::Folder { kind, folder } if folder == ANY => only_image(kind, parts),
            Address::Folder { .. } => indexes(parts, |other| other.known_as.contains(address)),
            Address::File(path) => indexes(parts, |other| other.role == Role::Server && is_in(file(&other.place), path)),
            _ => Vec::new(),
        };
        let is_image = matches!(address, Address::Folder { kind, .. } if *kind != "gunicorn");
        if let ([one], false) = (candidates.as_slice(), is_image && has_image) {
            found.push(*one);
            has_image |= is_image;
        }
    }
    found
}

/// Where a manifest names an image and the project builds just one, and has just one such manifest, it is that one.
fn only_image(kind: &str, parts: &[Part]) -> Vec<usize> {
    let asking =
        parts.iter().filter(|part| part.made_from.iter().any(|from| matches!(from, Address::Folder { folder, .. } if folder == ANY)));
    let built = indexes(parts, |part| part.known_as.iter().any(|name| matches!(name, Address::Folder { kind: own, .. } if *own == kind)));
    if asking.count() == 1 { built } else { Vec::new() }
}

fn indexes(parts: &[Part], is_it: impl Fn(&Part) -> bool) -> Vec<usize> {
    parts.iter().enumerate().filter(|(_, part)| is_it(part)).map(|(index, _)| index).collect()
}

/// A Procfile means Heroku where nothing else says how the process is run, or where Heroku's own files lie.
fn is_on_heroku(parts: &[Part], names: &[&str]) -> bool {
    let elsewhere = |part: &Part| {
        let name = file(&part.place).rsplit('/').next().unwrap_or_default().to_owned();
        let passes_on = part.behind.iter().any(|address| matches!(address, Address::Host { .. } | Address::Local { .. }));
        let is_run = part.limits.iter().chain(&part.defaults).any(is_grace);
        let is_built = name.starts_with("Dockerfile") || part.known_as.iter().any(|address| matches!(address, Address::Host { .. }));
        part.role != Role::Heroku && !name.starts_with("Procfile") && part.role != Role::Function && (passes_on || is_run || is_built)
    };
    let is_named = names.iter().any(|name| HEROKU.contains(&name.rsplit('/').next().unwrap_or_default()));
    is_named || !parts.iter().any(elsewhere)
}

fn is_grace(limit: &Limit) -> bool {
    documented::limit(limit.product.as_str(), &limit.setting).is_some_and(|entry| entry.bounds == documented::Bounds::Grace)
}

/// One part and what it is made from, as one piece: the nearer file wins, defaults come last.
fn merged(index: usize, parts: &[Part], made_from: &[Vec<usize>]) -> Piece {
    let mut members = vec![index];
    for _ in 0..MADE_FROM_MAX {
        let further: Vec<usize> =
            members.iter().flat_map(|member| &made_from[*member]).copied().filter(|one| !members.contains(one)).collect();
        for one in further {
            if !members.contains(&one) {
                members.push(one);
            }
        }
    }
    let members: Vec<&Part> = members.into_iter().map(|member| &parts[member]).collect();
    let is_same = |limit: &Limit, product: &str, setting: &str| {
        limit.product.as_str() == product && documented::limit(product, &limit.setting).is_some_and(|entry| entry.is_called(setting))
    };
    let mut limits: Vec<Limit> = Vec::new();
    for part in &members {
        let new = part
            .limits
            .iter()
            .chain(&part.unknown)
            .filter(|limit| !limits.iter().any(|known| is_same(known, limit.product.as_str(), &limit.setting)));
        let new: Vec<Limit> = new.cloned().collect();
        limits.extend(new);
    }
    for limit in members.iter().flat_map(|part| &part.defaults) {
        let (product, setting) = (limit.product.as_str(), limit.setting.as_str());
        let is_off = members.iter().flat_map(|part| &part.off).any(|(owner, name)| is_same(limit, owner, name));
        if !is_off && !limits.iter().any(|known| is_same(known, product, setting)) {
            limits.push(limit.clone());
        }
    }
    // Which of the two watchdogs runs is not told by a command line alone; one is enough to show.
    if limits.iter().any(|limit| limit.product.as_str() == "of_watchdog") {
        limits.retain(|limit| limit.product.as_str() != "classic_watchdog");
    }
    limits.truncate(LIMITS_MAX);
    limits.sort_by_key(|limit| limit.layer);
    let first = members[0];
    Piece {
        name: first.name.clone(),
        place: first.place.clone(),
        role: first.role,
        limits,
        known_as: members.iter().flat_map(|part| part.known_as.clone()).collect(),
        behind: members.iter().flat_map(|part| part.behind.clone()).collect(),
    }
}

/// The pieces that have the name which an address says.
fn named(address: &Address, from: usize, pieces: &[Piece]) -> Vec<usize> {
    let others = pieces.iter().enumerate().filter(|(index, _)| *index != from);
    others.filter(|(_, piece)| piece.known_as.iter().any(|name| leads_to(address, name))).map(|(index, _)| index).collect()
}

/// The one server that the project has, where no name says more. Where several targets have no name here, only a port tells
/// which of them it is.
fn only_server(address: &Address, targets: &[&Address], pieces: &[Piece]) -> Option<usize> {
    let is_server = |piece: &Piece| {
        piece.role == Role::Server && piece.limits.iter().any(|limit| matches!(limit.layer, Layer::AppServer | Layer::FunctionWatchdog))
    };
    let servers: Vec<(usize, &Piece)> = pieces.iter().enumerate().filter(|(_, piece)| is_server(piece)).collect();
    let [(only, piece)] = servers.as_slice() else { return None };
    let is_alone = targets.iter().all(|other| *other == address);
    (may_be(address, piece) && (is_alone || has_port(address, piece))).then_some(*only)
}

fn port_of(address: &Address) -> Option<u16> {
    match address {
        Address::Local { port } | Address::Host { port, .. } => *port,
        _ => None,
    }
}

/// The ports on which it says that it listens.
fn ports(piece: &Piece) -> Vec<u16> {
    piece.known_as.iter().filter(|name| matches!(name, Address::Local { .. })).filter_map(port_of).collect()
}

fn has_port(address: &Address, piece: &Piece) -> bool {
    port_of(address).is_some_and(|port| ports(piece).contains(&port))
}

/// Whether a name is what an address says.
fn leads_to(address: &Address, name: &Address) -> bool {
    match (address, name) {
        (Address::Host { host, port }, Address::Host { host: known, port: known_port }) => {
            let first = host.split_once(".svc").map_or(host.as_str(), |(name, _)| name.split('.').next().unwrap_or(name));
            (host == known || first == known) && (port.is_none() || known_port.is_none() || port == known_port)
        }
        (Address::Local { port: Some(port) }, Address::Local { port: Some(known) }) => port == known,
        (Address::Labels(selector), Address::Labels(labels)) => !selector.is_empty() && selector.iter().all(|label| labels.contains(label)),
        (Address::Resource { .. } | Address::OpenFaas | Address::Folder { .. }, name) => address == name,
        _ => false,
    }
}

/// Whether a server that no name tells may be meant by an address.
fn may_be(address: &Address, piece: &Piece) -> bool {
    let is_name = match address {
        Address::Local { .. } => false,
        // A name with dots is somebody else's, or Kubernetes', which would have been found.
        Address::Host { host, .. } if !host.contains('.') => true,
        _ => return false,
    };
    let has_name = piece.known_as.iter().any(|name| matches!(name, Address::Host { .. } | Address::Labels(_)));
    let fits = port_of(address).is_none() || ports(piece).is_empty() || has_port(address, piece);
    fits && !(is_name && has_name)
}
