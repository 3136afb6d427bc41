//! The certificates of one run, as AWS's are: RSA keys of 2,048 bits, with an authority between the
//! root and the server. And a file with that root beside the roots of this machine, so that clients
//! read as many certificates as they do on Lambda.

use std::error::Error;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256, RsaKeySize, SanType,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{CipherSuite, ServerConfig};

use crate::aws::SERVICES;

/// Where Linux distributions keep the roots that everybody trusts.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// An address for each service. Under one address, a client would resume the TLS sessions of one
/// service with another, and AWS's do not share any.
pub(super) fn addresses() -> impl Iterator<Item = Ipv4Addr> {
    (1..).map(|last| Ipv4Addr::new(127, 0, 0, last)).take(SERVICES.len())
}

pub(crate) struct Authority {
    pub(crate) acceptor: TlsAcceptor,
    /// The run's own root alone.
    pub(crate) own: PathBuf,
    /// The same beside the machine's roots.
    pub(crate) roots: PathBuf,
    pub(crate) count: usize,
}

impl Authority {
    pub(crate) fn new(folder: &Path) -> Result<Authority, Box<dyn Error>> {
        let root = CertifiedIssuer::self_signed(authority("root"), key()?)?;
        let between = CertifiedIssuer::signed_by(authority("authority"), key()?, &root)?;
        let mut server = CertificateParams::new(vec!["localhost".to_owned()])?;
        let names = addresses().map(|address| SanType::IpAddress(IpAddr::V4(address)));
        server.subject_alt_names.extend(names);
        server.distinguished_name.push(DnType::CommonName, "localhost");
        let its_key = key()?;
        let certificate = server.signed_by(&its_key, &between)?;

        let mut provider = default_provider();
        // AWS takes this one, whatever else the client offers.
        let preferred = CipherSuite::TLS13_AES_128_GCM_SHA256;
        provider.cipher_suites.sort_by_key(|suite| suite.suite() != preferred);
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone(), between.der().clone()],
                PrivateKeyDer::try_from(its_key.serialize_der())?,
            )?;
        config.ignore_client_order = true;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];

        let own = folder.join("ca.pem");
        let roots = folder.join("roots.pem");
        let pem = root.pem();
        let system = SYSTEM_ROOTS.iter().find_map(|path| fs::read_to_string(path).ok());
        let all = system.unwrap_or_default() + &pem;
        fs::write(&own, pem)?;
        fs::write(&roots, &all)?;
        let count = all.matches("BEGIN CERTIFICATE").count();
        Ok(Authority { acceptor: TlsAcceptor::from(Arc::new(config)), own, roots, count })
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params.distinguished_name.push(DnType::CommonName, format!("ecr-promoter benchmark: {name}"));
    params
}

fn key() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)
}
