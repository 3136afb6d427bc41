//! What comes from outside, and how long it may be.

use super::*;
use crate::model::command::Via;

const HOSTILE: &str = "<!channel> <script>alert(1)</script> & \u{0}\u{1b}[31m\u{202e} `*_~ <@U1|x>";

#[test]
fn twenty_long_commits_are_within_the_limits() {
    for (c, most_left_out) in [('x', 0), ('é', 0), ('&', 20), ('<', 20), ('\u{1f600}', 15)] {
        let subject = c.to_string().repeat(200);
        let many = (0..32).map(|n| CommitNote {
            subject: Some(subject.clone()),
            author: Some(c.to_string().repeat(60)),
            ..commit(n, "")
        });
        let notes = Some(ChangeNotes { more: 12, ..ChangeNotes::new(many, Direction::Forward) });
        let texts = listed(&ApprovalRequest { notes, ..samples::request() });
        let shown = texts.iter().flat_map(|text| text.lines()).count() - 1;
        let more = format!("and {} more", 32 - shown);
        assert!(texts.last().is_some_and(|text| text.ends_with(&more)), "{texts:?}");
        assert!(texts.len() <= 2 && shown + most_left_out >= 20, "{c}: {shown}");
    }
}

/// A request in which every word that can come from outside is hostile.
fn hostile(progress: Progress) -> ApprovalRequest {
    let words = || HOSTILE.to_owned();
    let said = Vote {
        by: words(),
        user: None,
        via: Via::Sns,
        approves: true,
        at: at("2026-03-17T10:00:00Z"),
        trace: None,
    };
    ApprovalRequest {
        why: words(),
        note: Some(CommitNote { author: Some(words()), ..commit(1, HOSTILE) }),
        notes: Some(ChangeNotes {
            commits: vec![CommitNote { author: Some(words()), ..commit(1, HOSTILE) }],
            ..ChangeNotes::default()
        }),
        running_tag: Some(words()),
        changes: vec![words(), words()],
        votes: vec![said.clone(), Vote { approves: false, ..said }],
        ..request(progress)
    }
}

/// The only markup is the message's own: dates, mentions by id, and the compare link.
#[track_caller]
fn assert_own_markup(text: &str) {
    let own =
        text.replace("<!date^", "").replace("<https://github.com/acme/web/compare/e83c516...", "");
    for markup in ["<!", "<s", "</", "<@"] {
        assert!(!own.contains(markup), "{text}");
    }
    assert!(!own.chars().any(|c| c != '\n' && c.is_control() || c == '\u{202e}'), "{text:?}");
}

/// The texts in which Slack reads formatting.
fn marked(blocks: &Value) -> Vec<String> {
    let all = blocks.as_array().expect("a list").iter().flat_map(|block| {
        ["fields", "elements"]
            .map(|place| block[place].as_array().cloned().unwrap_or_default())
            .concat()
    });
    all.filter(|text| text["type"] == "mrkdwn")
        .filter_map(|text| text["text"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn nothing_from_outside_is_markup() {
    let words = || HOSTILE.to_owned();
    for progress in [
        Progress::Pending,
        Progress::Rejected,
        Progress::Waiting(words()),
        Progress::Failed(words()),
        Progress::Cancelled(words()),
        Progress::Deployed(Some(-1)),
    ] {
        let hostile = hostile(progress);
        assert_within_limits(&app(""), &hostile);
        let (text, blocks) = card(&app(""), &hostile, "production");
        for (text, _) in texts(&blocks).into_iter().chain([(text, 0)]) {
            assert_own_markup(&text);
        }
        // Bare foreign words are in plain text only. In `mrkdwn` they are code, which their own
        // backticks do not end.
        for text in marked(&blocks) {
            let is_bare = text.split('`').step_by(2).any(|outside| outside.contains("alert(1)"));
            assert!(!is_bare, "{text}");
        }
    }
}

#[test]
fn the_longest_names_for_machines_are_within_the_limits() {
    let own = "https://github.com/acme/web/";
    let url = format!("{own}{}", "&".repeat(300 - own.len()));
    let json = format!(
        r#"{{"stack":"{}","parameter":"{}","repository_url":"{own}"}}"#,
        "s".repeat(128),
        "p".repeat(255)
    );
    let app = App::parse(&"web".parse().expect("a name"), "test", &json).expect("a configuration");
    let stack_id = STACK_ID.replace("/web/", &format!("/{}/", "s".repeat(128)));
    let asked = ApprovalRequest {
        note: Some(CommitNote { url: Some(url), ..commit(1, "") }),
        tag: Some(format!("production_{}", "x".repeat(117)).parse().expect("a tag")),
        stack_id: Some(stack_id),
        ..request(Progress::Pending)
    };
    assert_within_limits(&app, &asked);
    let (_, blocks) = card(&app, &asked, "production");
    assert!(blocks.to_string().contains("&amp;|CI>"), "{blocks}");
}

#[test]
fn the_longest_of_everything_is_within_slacks_limits() {
    let long = |c: char| c.to_string().repeat(10_000);
    let name = "n".repeat(256);
    for c in ['x', '&', '<', 'é', '\u{1f600}'] {
        for progress in [
            Progress::Pending,
            Progress::Expired,
            Progress::Deployed(Some(i64::MAX)),
            Progress::Failed(long(c)),
        ] {
            let votes = (0..200).map(|i| match i % 3 {
                0 => vote(&"U".repeat(64), true),
                1 => Vote { by: long(c), user: None, ..vote("U", true) },
                _ => Vote { by: long(c), user: None, ..vote("U", false) },
            });
            let request = ApprovalRequest {
                why: long(c),
                running_tag: Some(long(c)),
                changes: vec![long(c); 500],
                notes: Some(ChangeNotes {
                    commits: vec![CommitNote { author: Some(long(c)), ..commit(1, &long(c)) }; 20],
                    ..ChangeNotes::default()
                }),
                votes: votes.collect(),
                ..request(progress)
            };
            let json = format!(
                r#"{{"stack":"{}","parameter":"{}","repository_url":"https://github.com/{}"}}"#,
                "s".repeat(128),
                "p".repeat(255),
                "&".repeat(5_000)
            );
            let app =
                App::parse(&name.parse().expect("a name"), "test", &json).expect("a configuration");
            assert_within_limits(&app, &request);
            let (headline, blocks) = card(&app, &request, "production");
            assert!(
                headline.ends_with(|c: char| c.is_ascii_alphanumeric()),
                "how it stands is not cut off: {headline}"
            );
            assert!(blocks.to_string().contains(" more"), "what is left out is counted");
        }
    }
}
