//! HTTPS: the operator's certificate, or a self-signed one that stays the same over restarts.

use std::fs;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::Config;

/// A certificate in use.
pub struct Tls {
    /// For the listener.
    pub server_config: Arc<rustls::ServerConfig>,
    /// SHA-256 of the leaf certificate: upper-case hexadecimal pairs between colons.
    pub fingerprint: String,
    /// Whether browsers will warn about it.
    pub self_signed: bool,
}

/// Loads the configured certificate, or the self-signed one, which is made on the first start.
pub fn tls(config: &Config, addresses: &[IpAddr]) -> anyhow::Result<Tls> {
    let (cert, key, self_signed) = match (&config.tls_cert, &config.tls_key) {
        (Some(cert), Some(key)) => (cert.clone(), key.clone(), false),
        _ => {
            let (cert, key) = self_signed(&data_dir(config)?, addresses)?;
            (cert, key, true)
        }
    };
    let chain = CertificateDer::pem_file_iter(&cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("cannot read the certificate {}", cert.display()))?;
    let Some(leaf) = chain.first() else { bail!("there is no certificate in {}", cert.display()) };
    let fingerprint = fingerprint(leaf);
    let key = PrivateKeyDer::from_pem_file(&key).with_context(|| format!("cannot read the key {}", key.display()))?;

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut server_config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS versions")?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .with_context(|| format!("{} and its key do not fit together", cert.display()))?;
    // WebSocket needs HTTP/1.1 and the page is a handful of files: browsers are not to choose HTTP/2. Who speaks it
    // unasked is answered all the same: hyper offers no way to refuse it where connections can be upgraded.
    server_config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Tls { server_config: Arc::new(server_config), fingerprint, self_signed })
}

fn data_dir(config: &Config) -> anyhow::Result<PathBuf> {
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let dir = config.data_dir.clone();
    let dir = dir.or_else(|| of("XDG_DATA_HOME").map(|dir| dir.join("hyperion")));
    let dir = dir.or_else(|| of("HOME").map(|home| home.join(".local/share/hyperion")));
    dir.context("there is no HOME to keep the self-signed certificate in; name a directory with --data-dir")
}

/// The paths of the certificate and its key. They are kept, so that whoever trusted the fingerprint need not again.
fn self_signed(dir: &Path, addresses: &[IpAddr]) -> anyhow::Result<(PathBuf, PathBuf)> {
    let (cert, key) = (dir.join("self-signed-cert.pem"), dir.join("self-signed-key.pem"));
    if cert.exists() && key.exists() {
        return Ok((cert, key));
    }
    let context = || format!("cannot keep a self-signed certificate in {}", dir.display());
    fs::create_dir_all(dir).with_context(context)?;
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    names.extend(addresses.iter().map(ToString::to_string));
    names.sort_unstable();
    names.dedup();
    let made = rcgen::generate_simple_self_signed(names).context("cannot make a self-signed certificate")?;
    write_new(&key, &made.signing_key.serialize_pem()).with_context(context)?;
    write_new(&cert, &made.cert.pem()).with_context(context)?;
    Ok((cert, key))
}

/// Writes a file that only this user can read.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let _ = fs::remove_file(path);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
    digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_self_signed_certificate_stays_the_same() {
        let dir = std::env::temp_dir().join(format!("hyperion-tls-{}", std::process::id()));
        let config = Config { data_dir: Some(dir.clone()), ..Config::default() };
        let first = tls(&config, &["192.0.2.1".parse().expect("an address")]).expect("a certificate");
        let second = tls(&config, &[]).expect("the same certificate");
        assert_eq!(first.fingerprint, second.fingerprint);
        assert_eq!(first.fingerprint.len(), 32 * 3 - 1);
        assert!(first.self_signed);

        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(dir.join("self-signed-key.pem")).expect("the key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_dir_all(dir).expect("removed");
    }

    #[test]
    fn a_missing_certificate_is_named() {
        let config = Config { tls_cert: Some("/nowhere.pem".into()), tls_key: Some("/k".into()), ..Config::default() };
        let error = tls(&config, &[]).err().expect("there is no such file");
        assert!(format!("{error:#}").contains("/nowhere.pem"), "{error:#}");
    }
}
