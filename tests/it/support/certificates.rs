//! A certificate authority and a server certificate for `localhost`, made by openssl.
//!
//! Two of them, since rustls refuses a certificate that is its own authority as a server's (`CaUsedAsEndEntity`).

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Files that are removed with this value.
pub struct Certificates {
    dir: TempDir,
}

const AUTHORITY: &str = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=Test_authority -keyout ca.key -out ca.pem \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign";
const SERVER: &str = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -keyout server.key -out server.pem -CA ca.pem -CAkey ca.key \
    -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE";

impl Certificates {
    pub fn create() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        for arguments in [AUTHORITY, SERVER] {
            openssl(dir.path(), arguments);
        }
        Self { dir }
    }

    /// Whom clients are to trust.
    pub fn authority(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// The server's certificate and its key.
    pub fn server(&self) -> (PathBuf, PathBuf) {
        (self.dir.path().join("server.pem"), self.dir.path().join("server.key"))
    }
}

fn openssl(dir: &Path, arguments: &str) {
    let made = Command::new("openssl").arg("req").args(arguments.split_whitespace()).current_dir(dir).output();
    let made = made.expect("`openssl` is missing: install it (on Debian, `ca-certificates` brings it)");
    assert!(made.status.success(), "openssl req {arguments}\n{}", String::from_utf8_lossy(&made.stderr));
}
