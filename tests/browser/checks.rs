//! What must hold of every page: nothing of it is blocked, it fits, everybody can use it, and its
//! HTML is valid.

use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::{Value, json};
use tokio::process::Command;

use super::chromium::{Browser, SCHEMES, Scheme, left_out};
use super::gateway::Exchange;

/// A phone, the narrowest page that WCAG asks for (a desk at 400 %), a desk at 200 %, and a desk.
const WIDTHS: [u32; 4] = [390, 320, 640, 1280];

/// WCAG 2.2 A and AA, and what axe-core's makers would do besides; by night only what is another
/// thing then.
fn rules(scheme: Scheme) -> Value {
    match scheme {
        Scheme::Light => {
            json!({
                "type": "tag",
                "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
            })
        }
        Scheme::Dark => {
            json!({ "type": "rule", "values": ["color-contrast", "link-in-text-block"] })
        }
    }
}

/// The folder that scripts/page_tools makes.
static TOOLS: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let folder =
        std::env::var_os("PAGE_TOOLS").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    if folder.is_none() {
        left_out(
            "accessibility and valid HTML are not checked, since PAGE_TOOLS is not set: see \
             scripts/page_tools",
        );
    }
    folder
});

impl Browser {
    /// Checks the page that is shown.
    pub(crate) async fn check(&self) {
        // It may be one that loads itself anew.
        self.run("window.stop()").await;
        let blocked: Vec<String> = self
            .console()
            .await
            .into_iter()
            .filter(|line| !line.contains("server responded with a status"))
            .collect();
        assert_eq!(blocked, [""; 0], "the console says nothing but what a 4xx is");
        assert_eq!(
            self.run("return getComputedStyle(document.body).marginTop").await,
            "0px",
            "its own style is applied"
        );
        for width in WIDTHS {
            self.use_width(width).await;
            let overflow = self
                .run(
                    "const page = document.documentElement; return \
                                     page.scrollWidth - page.clientWidth",
                )
                .await;
            assert_eq!(
                overflow,
                0,
                "so much is out of sight to the right at {width} px of:\n{}",
                self.text().await
            );
        }
        for scheme in SCHEMES {
            self.use_scheme(scheme).await;
            let complaints = self.complaints(scheme).await;
            assert_eq!(complaints, [""; 0], "{}, of:\n{}", scheme.name(), self.text().await);
        }
    }

    /// What axe-core has against the page.
    async fn complaints(&self, scheme: Scheme) -> Vec<String> {
        static AXE: LazyLock<Option<String>> = LazyLock::new(|| {
            let file = TOOLS.as_ref()?.join("node_modules/axe-core/axe.min.js");
            Some(
                std::fs::read_to_string(&file)
                    .unwrap_or_else(|e| panic!("{}: {e}", file.display())),
            )
        });
        let Some(axe) = &*AXE else { return vec![] };
        if self.run("return typeof axe").await == "undefined" {
            self.run(axe).await;
        }
        // A page that loads itself anew is none to read, so it must say how to stop that. axe-core
        // cannot see that it does.
        let refreshes = self.count("meta[http-equiv=refresh]").await > 0;
        assert!(!refreshes || self.text().await.contains("Pause"), "the page cannot be stopped");
        let script = "
            const [rules, done] = arguments;
            const words = (found) => `${found.id}: ${found.nodes.map((node) => `${node.html} ${node.failureSummary}`).join(' ')}`;
            axe.run({ runOnly: rules, rules: { 'meta-refresh': { enabled: false } } })
                .then(
                    (results) => done(results.violations.map(words)),
                    (error) => done([`axe-core: ${error}`]),
                );
        ";
        let complaints =
            self.client.execute_async(script, vec![rules(scheme)]).await.expect("axe-core runs");
        complaints
            .as_array()
            .expect("a list")
            .iter()
            .map(|complaint| complaint.as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

/// The pages as they were sent, not what a lenient browser made of them.
pub(crate) async fn check_html(exchanges: &[Exchange]) {
    let Some(tools) = &*TOOLS else { return };
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("pages-{:?}", std::thread::current().id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder for the pages");
    let is_page = |exchange: &&Exchange| {
        exchange.method != "HEAD" && header(exchange, "content-type").starts_with("text/html")
    };
    let pages: Vec<&Exchange> = exchanges.iter().filter(is_page).collect();
    assert!(!pages.is_empty(), "there were pages");
    for (number, page) in pages.iter().enumerate() {
        std::fs::write(folder.join(format!("{number}.html")), &page.body).expect("written");
    }
    let validator = Command::new(tools.join("node/bin/node"))
        .arg(tools.join("node_modules/html-validate/bin/html-validate.mjs"))
        .args(["--formatter=text", "--max-warnings=0"])
        .arg(format!("--config={}/scripts/pages/htmlvalidate.json", env!("CARGO_MANIFEST_DIR")))
        .arg(&folder)
        .output()
        .await
        .expect("html-validate starts");
    let said =
        String::from_utf8_lossy(&validator.stdout) + String::from_utf8_lossy(&validator.stderr);
    assert!(validator.status.success(), "html-validate: {said}");
    let _ = std::fs::remove_dir_all(&folder);
}

/// What section 7 of the specification wants of every answer.
pub(crate) fn check_headers(exchanges: &[Exchange]) {
    for exchange in exchanges {
        let policy = header(exchange, "content-security-policy");
        for directive in [
            "default-src 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(
                policy.split("; ").any(|its| its == directive),
                "{directive} is not in {policy:?} of a {}",
                exchange.status
            );
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(header(exchange, name), value, "{name} of a {}", exchange.status);
        }
    }
}

fn header<'a>(exchange: &'a Exchange, name: &str) -> &'a str {
    exchange.headers.get(name).and_then(Value::as_str).unwrap_or_default()
}
