//! Where the cluster lies and whose it is.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use super::ClusterError;

/// Where clusters lie whose user cannot reach the data directory.
const ELSEWHERE: &str = "/var/lib/overrun";
/// Where sockets lie whose path would be too long otherwise.
const SOCKETS: &str = "/tmp";

/// The longest directory for a socket: the system allows 107 bytes, the socket's own name takes 14, its lock file 5 more.
const SOCKET_DIR_BYTES_MAX: usize = 85;

/// A user and its group, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// A cluster's directories.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// What holds everything of the cluster; nobody but its user enters it.
    pub(super) home: PathBuf,
    /// Where its socket is; as closed as `home`.
    pub(super) socket_dir: PathBuf,
    /// Whom to run as, if not as ourselves.
    pub(super) run_as: Option<Owner>,
}

impl Place {
    /// Makes the directories ready.
    pub(super) fn prepare(data_dir: &Path) -> Result<Self, ClusterError> {
        fs::create_dir_all(data_dir).map_err(at(data_dir))?;
        let data_dir = data_dir.canonicalize().map_err(at(data_dir))?;
        let entry = data_dir.join("postgres");
        let us = uzers::get_effective_uid();
        let owner = if us == 0 { Some(unprivileged(&entry)?) } else { None };
        let home = match owner {
            Some(owner) => reachable_home(&data_dir, &entry, owner)?,
            None => entry,
        };
        own_directory(&home, owner)?;
        let home = home.canonicalize().map_err(at(&home))?;
        let found = home.metadata().map_err(at(&home))?.uid();
        let expected = owner.map_or(us, |owner| owner.uid);
        if found != expected {
            return Err(ClusterError::OtherOwner { path: home, expected, found });
        }
        let socket_dir = socket_dir(&home);
        Ok(Self { home, socket_dir, run_as: owner })
    }

    /// Makes the socket's directory ready. Where everybody may write, it makes sure that it is not a trap laid by another.
    pub(super) fn open_socket_dir(&self) -> Result<(), ClusterError> {
        let path = &self.socket_dir;
        own_directory(path, self.run_as)?;
        let found = path.symlink_metadata().map_err(at(path))?;
        let expected = self.run_as.map_or_else(uzers::get_effective_uid, |owner| owner.uid);
        if !found.is_dir() || found.uid() != expected {
            return Err(ClusterError::OtherOwner { path: path.clone(), expected, found: found.uid() });
        }
        // Whoever can reach the socket is let in.
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(at(path))
    }

    /// What initdb makes.
    pub(super) fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    /// The major version that made the data, if there is any.
    pub(super) fn major(&self) -> Option<u32> {
        fs::read_to_string(self.data().join("PG_VERSION")).ok()?.trim().parse().ok()
    }
}

/// Says which path an error is about.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> ClusterError {
    let path = path.to_owned();
    move |source| ClusterError::Files { path, source }
}

/// Whom root runs Postgres as: whoever owns the cluster already, else `postgres`, else `nobody`.
fn unprivileged(entry: &Path) -> Result<Owner, ClusterError> {
    if let Ok(found) = entry.metadata()
        && found.uid() != 0
    {
        return Ok(Owner { uid: found.uid(), gid: found.gid() });
    }
    let user = ["postgres", "nobody"].iter().find_map(uzers::get_user_by_name).ok_or(ClusterError::NoUser)?;
    Ok(Owner { uid: user.uid(), gid: user.primary_group_id() })
}

/// The cluster's directory, at a place that its user can reach.
fn reachable_home(data_dir: &Path, entry: &Path, owner: Owner) -> Result<PathBuf, ClusterError> {
    if entry.is_symlink() {
        return fs::read_link(entry).map_err(at(entry));
    }
    let blocking: Vec<&Path> = data_dir.ancestors().filter(|path| path.metadata().is_ok_and(|found| !may_pass(&found, owner))).collect();
    match blocking[..] {
        [] => Ok(entry.to_owned()),
        [only] if only == data_dir && let_pass(data_dir, owner)? => Ok(entry.to_owned()),
        _ => {
            let digest = blake3::hash(data_dir.as_os_str().as_encoded_bytes()).to_hex();
            let home = Path::new(ELSEWHERE).join(format!("cluster-{}", &digest[..16]));
            fs::create_dir_all(ELSEWHERE).map_err(at(Path::new(ELSEWHERE)))?;
            symlink(&home, entry).map_err(at(entry))?;
            Ok(home)
        }
    }
}

/// Whether a user may pass through a directory. Supplementary groups are left aside: the server gets none.
fn may_pass(directory: &Metadata, owner: Owner) -> bool {
    let bit = if directory.uid() == owner.uid {
        0o100
    } else if directory.gid() == owner.gid {
        0o010
    } else {
        0o001
    };
    directory.mode() & bit != 0
}

/// Lets the cluster's group, and nobody else, pass through our data directory. Declines if its group has rights already.
fn let_pass(data_dir: &Path, owner: Owner) -> Result<bool, ClusterError> {
    let found = data_dir.metadata().map_err(at(data_dir))?;
    if found.mode() & 0o070 != 0 {
        return Ok(false);
    }
    chown(data_dir, None, Some(owner.gid)).map_err(at(data_dir))?;
    fs::set_permissions(data_dir, Permissions::from_mode(found.mode() & 0o7777 | 0o010)).map_err(at(data_dir))?;
    Ok(true)
}

/// Creates a directory that only its owner enters; leaves one alone that is there.
fn own_directory(path: &Path, owner: Option<Owner>) -> Result<(), ClusterError> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => owner.map_or(Ok(()), |owner| chown(path, Some(owner.uid), Some(owner.gid))).map_err(at(path)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(at(path)(error)),
    }
}

/// Where the socket goes: beside the data, or where the path is short enough for the system.
fn socket_dir(home: &Path) -> PathBuf {
    if home.as_os_str().len() <= SOCKET_DIR_BYTES_MAX {
        return home.to_owned();
    }
    let digest = blake3::hash(home.as_os_str().as_encoded_bytes()).to_hex();
    Path::new(SOCKETS).join(format!("overrun-{}", &digest[..16]))
}
