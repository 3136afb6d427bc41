//! Scheme and host of an address, read strictly. Every check of a foreign address uses this one
//! parser, which is also the parser of the HTTP connector: no address means one host here and
//! another one there. No I/O here.

use http::Uri;

/// An absolute HTTP address without a user name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    scheme: String,
    host: String,
    port: Option<String>,
    path: String,
}

impl Address {
    /// Reads an address; `None` unless it has the scheme `http` or `https` and a host. An address
    /// with a user name is refused too: `https://hooks.slack.com@evil.example` only looks like
    /// Slack's.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        Some(Self {
            scheme: scheme.to_owned(),
            host: authority.host().to_ascii_lowercase(),
            port: authority.port().map(|port| port.as_str().to_owned()),
            path: uri.path().to_owned(),
        })
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The host in lower case; an IPv6 address stands in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, if the address names one.
    pub fn port(&self) -> Option<&str> {
        self.port.as_deref()
    }

    /// The path; `/` if the address has none.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The host, with its port if the address names one: `example.com:8443`.
    pub fn authority(&self) -> String {
        match &self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// Whether the scheme is HTTPS.
    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }

    /// Whether this is on the host of `other`, by HTTPS or by the scheme of `other`. The port does
    /// not matter.
    pub fn is_on_host_of(&self, other: &Address) -> bool {
        self.host == other.host && (self.is_https() || self.scheme == other.scheme)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(String, String, String)> {
        let address = Address::parse(text)?;
        Some((address.scheme.clone(), address.authority(), address.path.clone()))
    }

    #[test]
    fn scheme_host_port_and_path_are_read() {
        for (text, scheme, authority, path) in [
            ("https://a.example", "https", "a.example", "/"),
            ("HTTPS://A.Example/X", "https", "a.example", "/X"),
            ("http://127.0.0.1:8080/x?y=z", "http", "127.0.0.1:8080", "/x"),
            ("http://[::1]:80/", "http", "[::1]:80", "/"),
            ("https://local_stack/", "https", "local_stack", "/"),
        ] {
            let expected = (scheme.to_owned(), authority.to_owned(), path.to_owned());
            assert_eq!(parts(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_address() {
        for text in [
            "",
            "/",
            "a.example",
            "//a.example/",
            "https:",
            "https://",
            "https:///x",
            "https:a.example",
            "ftp://a.example/",
            "file:///etc/passwd",
            "https://b@a.example/",
            "https://b:c@a.example/",
            "https://a.example\\@b.example/",
            "https://a b.example/",
            "https://a.example/\n",
            "javascript:alert(1)",
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }

    #[test]
    fn another_host_is_another_site_and_http_is_weaker_than_https() {
        let is_on = |text: &str, other: &str| {
            let (text, other) = (Address::parse(text), Address::parse(other));
            text.expect("an address").is_on_host_of(&other.expect("an address"))
        };
        assert!(is_on("https://a.example:1/x", "https://A.example/y"));
        assert!(is_on("https://a.example", "http://a.example"));
        assert!(is_on("http://a.example", "http://a.example"));
        assert!(!is_on("http://a.example", "https://a.example"));
        assert!(!is_on("https://b.a.example", "https://a.example"));
    }
}
