//! The address that Slack wants a click or a slash command to be answered at. No I/O here.
//! <https://docs.slack.dev/interactivity/handling-user-interaction/#message_responses>

use crate::address::Address;

/// The hosts of every `response_url`: Slack's, and GovSlack's.
const HOSTS: [&str; 2] = ["hooks.slack.com", "hooks.slack-gov.com"];

/// Whether `url` is Slack's, so that the function may post to it. A valid signature is not enough:
/// whoever knows the signing secret could otherwise make the function call any address. The host
/// of `base`, the address of Slack's Web API, is trusted as well.
pub fn is_response_url(url: &str, base: &str) -> bool {
    let Some(url) = Address::parse(url) else { return false };
    let is_slacks =
        url.is_https() && HOSTS.contains(&url.host()) && matches!(url.port(), None | Some("443"));
    is_slacks || Address::parse(base).is_some_and(|base| url.is_on_host_of(&base))
}

#[cfg(test)]
mod tests {
    use http::Uri;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    const BASE: &str = "https://slack.com/api/";

    #[test]
    fn only_slack_and_the_apis_own_host_are_answered() {
        let loopback = "http://127.0.0.1:4567/api/";
        for good in [
            "https://hooks.slack.com/actions/A1/1/secret",
            "https://hooks.slack-gov.com/actions/T1/2/3",
            "https://hooks.slack.com:443/commands/T1/2/3",
            "HTTPS://HOOKS.SLACK.COM/x",
        ] {
            assert!(is_response_url(good, BASE) && is_response_url(good, loopback), "{good}");
        }
        assert!(is_response_url("https://slack.com/x", BASE));
        assert!(is_response_url("http://127.0.0.1:4568/respond", loopback));
        assert!(is_response_url("https://127.0.0.1/respond", loopback));
        for bad in [
            "http://hooks.slack.com/x",
            "https://hooks.slack.com:8443/x",
            "https://hooks.slack.com.evil.example/x",
            "https://hooks.slack.com./x",
            "http://hooks.slack-gov.com/x",
            "https://hooks.slack-gov.com.evil.example/x",
            "https://slack-gov.com/x",
            "https://evilhooks.slack.com/x",
            "https://hooks.slack.com@evil.example/x",
            "https://user@hooks.slack.com/x",
            "https://evil.example\\@hooks.slack.com/x",
            "https://evil.example/?https://hooks.slack.com/x",
            "https://evil.example#@hooks.slack.com/x",
            "//hooks.slack.com/x",
            "hooks.slack.com/x",
            "https:hooks.slack.com",
            "ftp://hooks.slack.com/x",
            "http://127.0.0.2:4567/x",
            "http://[::ffff:127.0.0.1]:4567/x",
            "http://169.254.169.254/latest/meta-data",
            "http://slack.com/x",
            "file:///etc/passwd",
            "",
        ] {
            assert!(
                !is_response_url(bad, if bad.contains("/slack.com") { BASE } else { loopback }),
                "{bad}"
            );
            assert!(!is_response_url(bad, BASE), "{bad}");
        }
        assert!(!is_response_url("http://127.0.0.1/", "https://127.0.0.1/"));
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(6),
            failure_persistence: None,
            ..ProptestConfig::with_cases(2000)
        })]

        #[test]
        fn a_strangers_address_is_never_answered(
            url in any::<String>(),
            host in "[a-z0-9.@:/?#\\\\\\[\\]%-]{0,40}",
        ) {
            prop_assert!(!is_response_url(&url, BASE));
            let url = format!("https://{host}");
            if is_response_url(&url, BASE) {
                let uri: Uri = url.parse().expect("an address");
                let host = uri.host().unwrap_or_default();
                prop_assert!(HOSTS.contains(&host) || host == "slack.com", "{}", url);
            }
            for more in ["@", "."] {
                let url = format!("https://hooks.slack.com{more}{host}");
                prop_assert!(!is_response_url(&url, BASE), "{}", url);
            }
        }
    }
}
