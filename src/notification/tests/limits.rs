//! What comes from outside, and how long it may be.

use super::*;

#[test]
fn no_form_has_control_characters() {
    let turned = "a\u{202e}b\u{2066}c\u{2028}d\u{85}e\u{200f}f";
    let note = || commit("9fceb02", turned, turned);
    for outcome in ALL {
        let hostile = Notice {
            by: turned.to_owned(),
            previous_tag: Some(turned.to_owned()),
            rolls_back: Some(turned.to_owned()),
            changes: vec![turned.to_owned()],
            about: Some(turned.to_owned()),
            note: Some(note()),
            notes: Some(ChangeNotes { commits: vec![note()], ..ChangeNotes::default() }),
            ..notice(outcome, turned)
        };
        let sent = sent(&app(), &hostile);
        let json = sent.json.to_string();
        for (form, text) in [("subject", &sent.subject), ("text", &sent.text), ("JSON", &json)] {
            assert!(
                !text.contains(|c| crate::text::is_control(c) && c != '\n'),
                "{form}: {text:?}"
            );
        }
        assert!(sent.text.contains("a b c d e f"), "{}", sent.text);
        assert_eq!(sent.json["commits"][0]["author"], "a b c d e f");
    }
}

#[test]
fn text_from_outside_stays_on_its_line_and_within_limits() {
    let hostile = format!("bad\r\nSubject: x\u{1b}[31m {}", "y".repeat(5_000));
    let note = Some(commit("9fceb02", &hostile, &hostile));
    let sent = sent(&app(), &Notice { note, ..notice(Outcome::Failed, &hostile) });
    assert!(!sent.text.contains("\nSubject") && !sent.text.contains('\u{1b}'));
    assert!(sent.text.len() < 3_500);
    assert!(sent.subject.len() <= 100 && sent.subject.is_ascii());
    assert!(sent.subject.starts_with("[production] web: 9fceb02 did not reach production"));
    assert_eq!(sent.json["outcome"], "failed");
}

#[test]
fn sns_takes_the_longest_notice() {
    for c in ["\"", "é", "\u{1f600}"] {
        let long = |most: usize| c.repeat(most);
        let notes = (0..32).map(|n| commit(&format!("{n:040x}"), &long(200), &long(60)));
        let longest = Notice {
            notes: Some(ChangeNotes::new(notes, Direction::Forward)),
            changes: vec![long(5_000); 500],
            ..notice(Outcome::Blocked, &long(5_000))
        };
        let sent = sent(&app(), &longest.within_limits());
        let machine = sent.json.to_string();
        let forms = [&sent.text, &sent.text, &machine, &machine, &machine, &machine, &machine];
        let all = json!(forms).to_string();
        assert!(all.len() < 256 * 1024, "{c}: {}", all.len());
    }
}
