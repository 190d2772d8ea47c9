//! TLS for the link: rustls with ring, trusting the owner's CA file or the system's authorities.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Builds the client's side. `ca_pem` is the content of the owner's CA file.
///
/// # Errors
/// No certificate in it can be used, or the system has none.
pub(super) fn client_config(ca_pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    match ca_pem {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| format!("the CA file is no PEM: {error}"))?;
                roots.add(certificate).map_err(|error| format!("the CA file has an unusable certificate: {error}"))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        let place = if ca_pem.is_some() { "the CA file" } else { "the system" };
        return Err(format!("expected at least one certificate in {place}, found none"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_without_a_certificate_is_refused() {
        let error = client_config(Some(b"not a certificate")).unwrap_err();
        assert_eq!(error, "expected at least one certificate in the CA file, found none");
        let garbage = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let error = client_config(Some(garbage)).unwrap_err();
        assert!(error.starts_with("the CA file has an unusable certificate"), "{error}");
    }
}
