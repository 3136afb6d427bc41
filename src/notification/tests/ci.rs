//! The link to the CI run that built an image.

use super::*;

#[test]
fn a_mail_names_the_ci_run_below_the_repository() {
    let text = |url: &str| {
        let note = CommitNote { url: Some(url.to_owned()), ..fix() };
        sent(&app(), &Notice { note: Some(note), ..asked() }).text
    };
    let run = "https://github.com/acme/web/actions/runs/1";
    assert!(text(run).contains(&format!("\nCI        {run}\n")), "{}", text(run));
    assert!(!text("https://evil.example/1").contains("evil"));
}
