//! Limits read from configuration files: one file per kind of configuration, pure.
//!
//! What is read is what the file says; a default that it leaves unsaid is not made up.

mod apache_conf;
mod caddyfile;
mod gunicorn_conf;
mod haproxy_cfg;
mod nginx_conf;
mod php_fpm_conf;
mod procfile;
mod unicorn_rb;
mod vcl;

use std::path::Path;

use domain::{KnownFrom, Layer, Limit, Millis, Product};

/// A configuration file whose kind is not known.
#[derive(Debug, thiserror::Error)]
#[error(
    "expected a Procfile, a Caddyfile, or the configuration of gunicorn (`*.py`), unicorn (`*.rb`), HAProxy (`*.cfg`), Varnish (`*.vcl`), nginx, Apache or php-fpm (`*.conf`), found `{0}`"
)]
pub struct UnknownKind(String);

/// Reads a configuration file; its kind is told by its name.
///
/// # Errors
/// When no reader knows a file of that name.
pub fn read(name: &str, text: &str) -> Result<Vec<Limit>, UnknownKind> {
    let base = name.rsplit('/').next().unwrap_or(name);
    match base {
        _ if base.starts_with("Procfile") => Ok(procfile::read(base, text)),
        _ if has_extension(base, "py") => Ok(gunicorn_conf::read(base, text)),
        _ if has_extension(base, "rb") => Ok(unicorn_rb::read(base, text)),
        _ if base.starts_with("Caddyfile") => Ok(caddyfile::read(base, text)),
        _ if has_extension(base, "vcl") => Ok(vcl::read(base, text)),
        _ if has_extension(base, "cfg") || base.contains("haproxy") => Ok(haproxy_cfg::read(base, text)),
        _ if nginx_conf::is_one(base, text) => Ok(nginx_conf::read(base, text)),
        _ if apache_conf::is_one(base, text) => Ok(apache_conf::read(base, text)),
        _ if php_fpm_conf::is_one(base, text) => Ok(php_fpm_conf::read(base, text)),
        _ => Err(UnknownKind(name.to_owned())),
    }
}

fn has_extension(name: &str, wanted: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == wanted)
}

/// The two limits of gunicorn that end requests.
const GUNICORN_SETTINGS: [(&str, &str); 2] = [("--timeout", "timeout"), ("--graceful-timeout", "graceful_timeout")];

fn gunicorn_limit(setting: &str, seconds: &str, place: String) -> Option<Limit> {
    let value = Millis::parse_seconds(seconds)?;
    // 0 switches the limit off.
    (value > Millis::ZERO).then(|| Limit {
        layer: Layer::AppServer,
        product: Product::GUNICORN,
        setting: setting.to_owned(),
        value_ms: Some(value),
        known_from: KnownFrom::Configured,
        place: Some(place),
    })
}
