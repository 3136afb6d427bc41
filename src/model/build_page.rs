//! The page of the CI run that built an image. The image names it, so its address is text from
//! outside: it becomes a link only below the app's own `repository_url`. No I/O here.

use crate::model::config::App;
use crate::model::limits::ADDRESS;
use crate::model::notes::CommitNote;

impl App {
    /// The page of the CI run that built the image of this note, if it may be a link.
    pub fn build_page<'n>(&self, note: Option<&'n CommitNote>) -> Option<&'n str> {
        let own = self.config.repository_url.as_deref()?;
        note?.url.as_deref().filter(|url| is_below(url, own))
    }
}

/// Whether an address is below another one, which is an https address, however a browser reads it.
fn is_below(url: &str, own: &str) -> bool {
    let own = own.trim_end_matches('/');
    let rest = url.strip_prefix(own).and_then(|rest| rest.strip_prefix('/'));
    own.starts_with("https://")
        && url.len() <= ADDRESS
        && url.bytes().all(is_harmless)
        && rest.is_some_and(|rest| !leads_up(rest))
}

/// Whether a character has no meaning in markup, and the same meaning in every parser.
fn is_harmless(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#&=%+@!".contains(&byte)
}

/// Whether a part of the path leads to the folder above: `..`, also with `%2e` for a dot.
fn leads_up(rest: &str) -> bool {
    let parts = rest.split(['/', '?', '#']);
    parts.map(|part| part.to_ascii_lowercase().replace("%2e", ".")).any(|part| part == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(repository_url: &str) -> App {
        let json = format!(r#"{{"stack":"web"{repository_url}}}"#);
        App::parse(&"web".parse().expect("valid"), "test", &json).expect("valid")
    }

    fn is_link(app: &App, url: &str) -> bool {
        let note = CommitNote {
            commit: None,
            subject: None,
            author: None,
            at: None,
            url: Some(url.into()),
        };
        let page = app.build_page(Some(&note));
        assert!(page.is_none_or(|page| page == url), "it is used as it is or not at all");
        page.is_some()
    }

    #[test]
    fn an_address_below_the_repository_is_a_link() {
        for own in ["https://git.example/acme/web", "https://git.example/acme/web/"] {
            let app = app(&format!(r#","repository_url":"{own}""#));
            for rest in [
                "actions/runs/123",
                "-/pipelines/7?a=b&c=d#e",
                "addon/pipelines/home#!/results/1",
                "a..b/...",
            ] {
                assert!(is_link(&app, &format!("https://git.example/acme/web/{rest}")), "{rest}");
            }
            let longest = "https://git.example/acme/web/".to_owned();
            let longest = longest.clone() + &"x".repeat(ADDRESS - longest.len());
            assert!(is_link(&app, &longest));
            assert!(!is_link(&app, &(longest + "x")));
            assert_eq!(app.build_page(None), None);
        }
    }

    #[test]
    fn a_note_without_an_address_is_read_and_written_as_before() {
        let older = r#"{"commit":"9fceb02","subject":null,"author":null,"at":null}"#;
        let note: CommitNote = serde_json::from_str(older).expect("an older note");
        assert_eq!(note.url, None);
        assert_eq!(serde_json::to_string(&note).expect("JSON"), older);
        let long = |length: usize| CommitNote { url: Some("x".repeat(length)), ..note.clone() };
        assert_eq!(long(ADDRESS).within_limits(), long(ADDRESS));
        assert_eq!(long(ADDRESS + 1).within_limits(), note, "a cut one would lead elsewhere");
    }

    #[test]
    fn no_other_address_is_a_link() {
        let app_of_web = app(r#","repository_url":"https://git.example/acme/web""#);
        for url in [
            "",
            "javascript:alert(1)",
            "http://git.example/acme/web/1",
            "https://git.example/acme/web",
            "https://git.example/acme/website/1",
            "https://git.example/acme/web@evil.example/1",
            "https://git.example.evil.example/acme/web/1",
            "https://git.example@evil.example/acme/web/1",
            "https://evil.example/https://git.example/acme/web/1",
            " https://git.example/acme/web/1",
            "HTTPS://git.example/acme/web/1",
            "https://git.example/acme/web/../../evil/1",
            "https://git.example/acme/web/%2e%2E/%2e./evil",
            "https://git.example/acme/web/..",
            "https://git.example/acme/web/..?x",
            "https://git.example/acme/web/..\\..\\evil",
            "https://git.example/acme/web/1|CI> <!channel>",
            "https://git.example/acme/web/\"onclick=\"x",
            "https://git.example/acme/web/1\n2",
            "https://git.example/acme/web/1\u{202e}2",
            "https://git.example/acme/web/é",
        ] {
            assert!(!is_link(&app_of_web, url), "{url:?}");
        }
        for own in ["", r#","repository_url":"https://""#] {
            assert!(!is_link(&app(own), "https://git.example/acme/web/1"), "{own:?} has no host");
        }
    }
}
