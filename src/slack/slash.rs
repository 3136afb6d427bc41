//! A slash command: a form with a field for each fact. What its text means is not known here.
//! <https://docs.slack.dev/interactivity/implementing-slash-commands/>

use std::fmt;

use super::form::Form;
use super::{Unreadable, User, id, name, token};

/// A slash command.
#[derive(Clone, PartialEq, Eq)]
pub struct SlashCommand {
    /// The team that the app is installed in.
    pub team: String,
    /// The organisation, where there is one.
    pub organisation: Option<String>,
    /// The id of the channel that it was written in. The name is of no use: Slack calls every
    /// private channel `privategroup`.
    pub channel: String,
    /// Who wrote it. Slack does not name the user's own team here.
    pub user: User,
    /// The text after the command.
    pub text: String,
    /// Slack's id of the command, so that it acts once.
    pub trigger_id: String,
    /// Where a later answer to the writer goes, for 30 minutes. It is not checked yet. It is never
    /// logged, because anyone who has it can write there.
    pub response_url: Option<String>,
}

/// Leaves out what lets its reader write to the channel.
impl fmt::Debug for SlashCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlashCommand")
            .field("team", &self.team)
            .field("channel", &self.channel)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Reads the body of a slash command.
pub fn parse(body: &[u8]) -> Result<SlashCommand, Unreadable> {
    let mut form = Form::parse(body)?;
    let mut needed =
        |field: &str, problem: &'static str| form.take(field).ok_or(Unreadable(problem));
    Ok(SlashCommand {
        team: id(needed("team_id", "it has no team")?)?,
        channel: id(needed("channel_id", "it has no channel")?)?,
        user: User {
            id: id(needed("user_id", "it has no user")?)?,
            name: name(&form.take("user_name").unwrap_or_default()),
            team: None,
        },
        trigger_id: token(form.take("trigger_id").ok_or(Unreadable("it has no trigger"))?)?,
        organisation: form
            .take("enterprise_id")
            .filter(|organisation| !organisation.is_empty())
            .map(id)
            .transpose()?,
        text: form.take("text").unwrap_or_default(),
        response_url: form.take("response_url"),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    const FIELDS: [(&str, &str); 9] = [
        ("token", "gIkuvaNzQIHg97ATvDxqgjtO"),
        ("team_id", "T0001"),
        ("channel_id", "C2147483705"),
        ("channel_name", "releases"),
        ("user_id", "U2147483697"),
        ("user_name", "Steve"),
        ("text", "promote web 9fceb02"),
        ("response_url", "https://hooks.slack.com/commands/1234/5678"),
        ("trigger_id", "13345224609.738474920.8088930838d88f008e0"),
    ];

    /// Parses the example with another value for a field, or without the field.
    fn with(field: &str, value: Option<&str>) -> Result<SlashCommand, Unreadable> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, own) in FIELDS {
            if let Some(value) = if name == field { value } else { Some(own) } {
                form.append_pair(name, value);
            }
        }
        parse(form.finish().as_bytes())
    }

    fn valid() -> SlashCommand {
        with("", None).expect("read")
    }

    #[test]
    fn a_slash_command_says_who_wrote_what_and_where() {
        let command = SlashCommand {
            team: "T0001".to_owned(),
            organisation: None,
            channel: "C2147483705".to_owned(),
            user: User { id: "U2147483697".to_owned(), name: "Steve".to_owned(), team: None },
            text: "promote web 9fceb02".to_owned(),
            trigger_id: "13345224609.738474920.8088930838d88f008e0".to_owned(),
            response_url: Some("https://hooks.slack.com/commands/1234/5678".to_owned()),
        };
        assert_eq!(valid(), command);
    }

    #[test]
    fn optional_fields_may_be_missing() {
        for field in ["token", "channel_name", "user_name", "text", "response_url"] {
            assert!(with(field, None).is_ok(), "{field}");
        }
        assert_eq!(with("text", None).expect("read").text, "");
        assert_eq!(with("response_url", None).expect("read").response_url, None);
    }

    #[test]
    fn a_command_without_team_channel_user_or_trigger_is_unreadable() {
        for field in ["team_id", "channel_id", "user_id", "trigger_id"] {
            assert!(with(field, None).is_err(), "{field}");
            assert!(with(field, Some("")).is_err(), "{field}");
            assert!(with(field, Some("U1\n")).is_err(), "{field}");
        }
        assert_eq!(with("user_id", Some("<@U1>")), Err(Unreadable("an id is not valid")));
    }

    #[test]
    fn an_organisation_is_named_where_there_is_one() {
        let of = |more: &str| {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(FIELDS);
            parse((form.finish() + more).as_bytes()).map(|command| command.organisation)
        };
        assert_eq!(of("&enterprise_id=E0ACME&enterprise_name=Acme"), Ok(Some("E0ACME".to_owned())));
        assert_eq!(of("&enterprise_id="), Ok(None));
        assert_eq!(of("&enterprise_id=%3CE%3E"), Err(Unreadable("an id is not valid")));
    }

    #[test]
    fn names_are_cut_and_plain() {
        let command = with("user_name", Some("a\u{7f}b")).expect("read");
        assert_eq!(command.user.name, "a b");
        assert_eq!(
            with("user_name", Some(&"x".repeat(100))).expect("read").user.name,
            "x".repeat(79) + "…"
        );
    }

    #[test]
    fn a_repeated_field_makes_it_unreadable() {
        let twice = |more: &str| {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(FIELDS);
            parse((form.finish() + more).as_bytes())
        };
        assert_eq!(twice("&user_id=U1"), Err(Unreadable("a field is repeated")));
        assert_eq!(twice("&us%65r_id=U1"), Err(Unreadable("a field is repeated")));
        assert_eq!(twice("&text="), Err(Unreadable("a field is repeated")));
        assert_eq!(twice(""), Ok(valid()));
    }

    #[test]
    fn a_command_does_not_print_what_lets_its_reader_write() {
        let words = format!("{:?}", valid());
        assert!(
            words.contains("U2147483697")
                && !words.contains("hooks")
                && !words.contains("13345224609"),
            "{words}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(4),
            failure_persistence: None,
            ..ProptestConfig::with_cases(2000)
        })]

        #[test]
        fn no_body_makes_it_panic(body in any::<Vec<u8>>()) {
            prop_assert!(parse(&body).is_err());
        }

        #[test]
        fn a_field_is_read_as_it_is_or_refused(
            field in 0..FIELDS.len(),
            value in any::<String>(),
        ) {
            if let Ok(command) = with(FIELDS[field].0, Some(&value)) {
                prop_assert!(FIELDS[field].0 != "text" || command.text == value);
                let is_id = |id: &String| {
                    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric())
                };
                for id in [command.team, command.channel, command.user.id] {
                    prop_assert!(is_id(&id), "{}", id);
                }
            }
        }
    }
}
