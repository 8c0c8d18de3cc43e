//! HTTPS: the operator's certificate, or a self-signed one that stays the same over restarts.

use std::fs;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use rcgen::{Certificate, CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::config::Config;

/// The self-signed certificate's file.
const SELF_SIGNED_CERT: &str = "self-signed-cert.pem";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a self-signed certificate lasts. Safari takes none that lasts longer than 398 days.
const VALIDITY: Duration = Duration::from_secs(397 * DAY.as_secs());
/// A start within this time before its end makes a new one.
const RENEW_BEFORE: Duration = Duration::from_secs(30 * DAY.as_secs());
/// How far the clocks of this machine and a browser's may be apart.
const CLOCK_SKEW: Duration = DAY;

/// A certificate in use.
pub struct Tls {
    /// For the listener.
    pub server_config: Arc<rustls::ServerConfig>,
    /// SHA-256 of the leaf certificate: upper-case hexadecimal pairs between colons.
    pub fingerprint: String,
    /// Whether browsers will warn about it.
    pub self_signed: bool,
}

/// Loads the configured certificate, or the self-signed one, which is made on the first start and again when an
/// address is missing in it or it ends soon.
pub fn tls(config: &Config, addresses: &[IpAddr]) -> anyhow::Result<Tls> {
    let (cert, key, self_signed) = match (&config.tls_cert, &config.tls_key) {
        (Some(cert), Some(key)) => (cert.clone(), key.clone(), false),
        _ => {
            let (cert, key) = self_signed(&data_dir(config)?, &names(config, addresses))?;
            (cert, key, true)
        }
    };
    let chain = CertificateDer::pem_file_iter(&cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("cannot read the certificate {}", cert.display()))?;
    let Some(leaf) = chain.first() else { bail!("there is no certificate in {}", cert.display()) };
    let fingerprint = fingerprint(leaf);
    let key = PrivateKeyDer::from_pem_file(&key).with_context(|| format!("cannot read the key {}", key.display()))?;

    let mut server_config = rustls::ServerConfig::builder_with_provider(provider())
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

/// What a client on this machine takes for the server of `config`: who has its very certificate, whatever names are in it.
pub fn client_config(config: &Config) -> anyhow::Result<rustls::ClientConfig> {
    let path = match &config.tls_cert {
        Some(path) => path.clone(),
        None => data_dir(config)?.join(SELF_SIGNED_CERT),
    };
    let certificate = CertificateDer::from_pem_file(&path)
        .with_context(|| format!("cannot read the server's certificate {}", path.display()))?;
    let client = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .context("TLS versions")?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(OneCertificate { certificate, provider: provider() }))
        .with_no_client_auth();
    Ok(client)
}

/// Trusts one certificate, because it is known, and nothing else.
#[derive(Debug)]
struct OneCertificate {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for OneCertificate {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match *certificate == self.certificate {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn data_dir(config: &Config) -> anyhow::Result<PathBuf> {
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let dir = config.data_dir.clone();
    let dir = dir.or_else(|| of("XDG_DATA_HOME").map(|dir| dir.join("hyperion")));
    let dir = dir.or_else(|| of("HOME").map(|home| home.join(".local/share/hyperion")));
    dir.context("there is no HOME to keep the self-signed certificate in; name a directory with --data-dir")
}

/// The paths of the certificate and its key. They are kept for as long as they serve, so that whoever trusted the
/// fingerprint need not again.
fn self_signed(dir: &Path, names: &[String]) -> anyhow::Result<(PathBuf, PathBuf)> {
    let (cert, key) = (dir.join(SELF_SIGNED_CERT), dir.join("self-signed-key.pem"));
    let now = SystemTime::now();
    let kept = CertificateDer::from_pem_file(&cert).ok().filter(|_| key.exists());
    if kept.is_some_and(|kept| serves(&kept, names, now + RENEW_BEFORE)) {
        return Ok((cert, key));
    }
    let context = || format!("cannot keep a self-signed certificate in {}", dir.display());
    fs::create_dir_all(dir).with_context(context)?;
    let (made, signing_key) = make(names, now).context("cannot make a self-signed certificate")?;
    write_new(&key, &signing_key.serialize_pem()).with_context(context)?;
    write_new(&cert, &made.pem()).with_context(context)?;
    Ok((cert, key))
}

/// What a browser may have in its address bar.
fn names(config: &Config, addresses: &[IpAddr]) -> Vec<String> {
    let listen = Some(config.listen.ip()).filter(|address| !address.is_unspecified());
    let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let addresses = loopback.into_iter().chain(listen).chain(addresses.iter().copied());
    let mut names: Vec<String> = addresses.map(|address| address.to_string()).collect();
    names.push("localhost".to_owned());
    names.sort_unstable();
    names.dedup();
    names
}

fn make(names: &[String], now: SystemTime) -> Result<(Certificate, KeyPair), rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Hyperion self-signed");
    params.not_before = (now - CLOCK_SKEW).into();
    params.not_after = (now - CLOCK_SKEW + VALIDITY).into();
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?, key))
}

/// Whether a client that trusts this certificate accepts it at `when` for all of `names`.
fn serves(certificate: &CertificateDer<'_>, names: &[String], when: SystemTime) -> bool {
    let mut roots = RootCertStore::empty();
    let Ok(()) = roots.add(certificate.clone()) else { return false };
    let Ok(client) = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build() else {
        return false;
    };
    let when = UnixTime::since_unix_epoch(when.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
    names.iter().all(|name| {
        let name = ServerName::try_from(name.as_str());
        name.is_ok_and(|name| client.verify_server_cert(certificate, &[], &name, &[], when).is_ok())
    })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
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
        let address = "192.0.2.1".parse().expect("an address");
        let first = tls(&config, &[address]).expect("a certificate");
        let second = tls(&config, &[]).expect("the same certificate");
        assert_eq!(first.fingerprint, second.fingerprint);
        let third = tls(&config, &[address, "2001:db8::1".parse().expect("an address")]).expect("another certificate");
        assert_ne!(first.fingerprint, third.fingerprint);
        assert_eq!(first.fingerprint.len(), 32 * 3 - 1);
        assert!(first.self_signed);

        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(dir.join("self-signed-key.pem")).expect("the key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_dir_all(dir).expect("removed");
    }

    #[test]
    fn a_certificate_serves_for_its_names_and_its_time() {
        let now = SystemTime::now();
        let names = ["localhost", "192.0.2.1", "2001:db8::1"].map(str::to_owned);
        let (made, _) = make(&names, now).expect("a certificate");
        assert!(serves(made.der(), &names, now) && serves(made.der(), &names, now + VALIDITY - 2 * DAY));
        assert!(!serves(made.der(), &names, now + VALIDITY) && !serves(made.der(), &names, now - 2 * DAY));
        assert!(!serves(made.der(), &["192.0.2.2".to_owned()], now));
    }

    #[test]
    fn a_missing_certificate_is_named() {
        let config = Config { tls_cert: Some("/nowhere.pem".into()), tls_key: Some("/k".into()), ..Config::default() };
        let error = tls(&config, &[]).err().expect("there is no such file");
        assert!(format!("{error:#}").contains("/nowhere.pem"), "{error:#}");
    }
}
