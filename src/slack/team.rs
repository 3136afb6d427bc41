//! Tells whether a person in Slack belongs to the team that the app is installed in. A signature
//! proves that Slack sent a request, but not that its sender is a colleague: guests click in shared
//! channels, and an organisation has many workspaces. <https://docs.slack.dev/enterprise/>,
//! <https://docs.slack.dev/apis/slack-connect/>

use serde_json::Value;

use crate::model::command::Standing;

/// Where the app is installed, as `auth.test` answers for the bot's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The team (workspace), by its id.
    pub team: String,
    /// The organisation that the team belongs to, if it belongs to one.
    pub organisation: Option<String>,
}

/// What a request says about its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender<'a> {
    /// The team that the request was sent for; `None` for a click where the app is installed for a
    /// whole organisation.
    pub team: Option<&'a str>,
    /// The sender's own team, if Slack says which.
    pub own_team: Option<&'a str>,
    /// The organisation.
    pub organisation: Option<&'a str>,
}

impl Installation {
    /// Reads the answer of `auth.test`; `None` if it names no team.
    pub fn parse(answer: &Value) -> Option<Self> {
        let id =
            |name: &str| answer[name].as_str().and_then(|text| super::id(text.to_owned()).ok());
        Some(Self { team: id("team_id")?, organisation: id("enterprise_id") })
    }

    /// Returns how the sender belongs to the installation; `None` if not at all.
    pub fn standing(&self, sender: Sender<'_>) -> Option<Standing> {
        let own = Some(self.team.as_str());
        if sender.team == own && (sender.own_team.is_none() || sender.own_team == own) {
            return Some(Standing::Team);
        }
        let is_colleague =
            self.organisation.is_some() && sender.organisation == self.organisation.as_deref();
        is_colleague.then_some(Standing::Organisation)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn standing<'a>(
        installed: &Value,
        team: impl Into<Option<&'a str>>,
        own_team: impl Into<Option<&'a str>>,
        organisation: impl Into<Option<&'a str>>,
    ) -> Option<Standing> {
        let sender = Sender {
            team: team.into(),
            own_team: own_team.into(),
            organisation: organisation.into(),
        };
        Installation::parse(installed).expect("an installation").standing(sender)
    }

    #[test]
    fn members_of_the_installed_team_count() {
        let alone = json!({ "ok": true, "team_id": "T1", "user_id": "U1" });
        assert_eq!(standing(&alone, "T1", "T1", None), Some(Standing::Team));
        assert_eq!(standing(&alone, "T1", None, None), Some(Standing::Team));
        for (team, own_team) in [
            (Some("T1"), Some("T2")),
            (Some("T2"), Some("T2")),
            (Some("T2"), Some("T1")),
            (Some("T2"), None),
            (None, None),
        ] {
            for organisation in [None, Some("E1"), Some("")] {
                assert_eq!(
                    standing(&alone, team, own_team, organisation),
                    None,
                    "{team:?} {own_team:?} {organisation:?}"
                );
            }
        }
    }

    #[test]
    fn members_of_the_organisation_count_where_an_app_lists_them() {
        let grid = json!({ "ok": true, "team_id": "T1", "enterprise_id": "E1" });
        for (team, own_team) in [
            (Some("T1"), Some("T2")),
            (Some("T2"), Some("T2")),
            (Some("T2"), None),
            (None, None),
            (None, Some("T1")),
        ] {
            assert_eq!(
                standing(&grid, team, own_team, "E1"),
                Some(Standing::Organisation),
                "{team:?} {own_team:?}"
            );
            assert_eq!(standing(&grid, team, own_team, "E2"), None, "{team:?} {own_team:?}");
            assert_eq!(standing(&grid, team, own_team, None), None, "{team:?} {own_team:?}");
        }
        assert_eq!(standing(&grid, "T1", "T1", "E1"), Some(Standing::Team));
        // A guest of another organisation in a shared channel of the installed team.
        assert_eq!(standing(&grid, "T1", "T9", "E9"), None);
    }

    #[test]
    fn an_answer_that_names_no_team_is_no_installation() {
        for answer in [
            json!({ "ok": true }),
            json!({ "team_id": null }),
            json!({ "team_id": "" }),
            json!({ "team_id": "<T1>" }),
            json!([]),
        ] {
            assert_eq!(Installation::parse(&answer), None, "{answer}");
        }
        let absent = json!({ "team_id": "T1", "enterprise_id": "" });
        assert_eq!(
            Installation::parse(&absent),
            Some(Installation { team: "T1".to_owned(), organisation: None })
        );
    }
}
