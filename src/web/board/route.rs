//! The board's addresses: which page each of them names.

use http::Method;

use crate::model::{AppName, Digest};
use crate::page::board::filter::{Filter, LONGEST_TEXT, STATE, TEXT};
use crate::page::board::verb::{Names, Verb};
use crate::page::board::{IMAGE, STILL};
use crate::page::condition::Group;
use crate::text::plain;

/// An address under `/board/`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route<'a> {
    /// The token of the link.
    pub(super) token: &'a str,
    /// What the address shows.
    pub(super) place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// All apps.
    List,
    /// One app.
    App(AppName),
    /// The page of one act.
    Act(Verb, AppName),
}

impl<'a> Route<'a> {
    /// Reads what follows `/board/`; `None` if there is no such address. Nothing is unescaped,
    /// since a repository's name needs no escapes.
    pub(crate) fn parse(rest: &'a str) -> Option<Self> {
        let (token, place) = match rest.split_once('/') {
            None => (rest, Place::List),
            Some((token, place)) => (token, Place::parse(place)?),
        };
        (!token.is_empty()).then_some(Self { token, place })
    }

    /// Whether this address takes the method.
    pub(crate) fn takes(&self, method: &Method) -> bool {
        matches!(*method, Method::GET | Method::HEAD)
            || *method == Method::POST && matches!(self.place, Place::Act(..))
    }

    /// The methods that this address takes.
    pub(crate) fn methods(&self) -> &'static str {
        match self.place {
            Place::List | Place::App(_) => "GET, HEAD",
            Place::Act(..) => "GET, HEAD, POST",
        }
    }
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once('/')?;
        match kind {
            "app" => Some(Place::App(rest.parse().ok()?)),
            "act" => {
                let (verb, repository) = rest.split_once('/')?;
                let verb = Verb::ALL.into_iter().find(|known| known.name() == verb)?;
                Some(Place::Act(verb, repository.parse().ok()?))
            }
            _ => None,
        }
    }
}

/// Reads the query of the list: a text, a state, and whether refreshing is paused, each at most
/// once. `None` if the query is anything else.
pub(super) fn filter(query: &str) -> Option<(Filter, bool)> {
    let (mut text, mut state, mut still) = (None, None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let field = match name.as_ref() {
            TEXT => &mut text,
            STATE => &mut state,
            STILL => &mut still,
            _ => return None,
        };
        if field.replace(value.into_owned()).is_some() {
            return None;
        }
    }
    let text = text.unwrap_or_default();
    let state = state.filter(|state| !state.is_empty());
    let group = |name: String| Group::ALL.into_iter().find(|group| group.name() == name);
    let group = match state {
        Some(name) => Some(group(name)?),
        None => None,
    };
    let is_valid =
        text.chars().count() <= LONGEST_TEXT && still.as_ref().is_none_or(String::is_empty);
    let text = plain(text.trim(), LONGEST_TEXT);
    is_valid.then(|| (Filter { text, group }, still.is_some()))
}

/// Reads the image that the query of an act must or may name; `None` if the query is anything else.
pub(super) fn image(verb: Verb, query: &str) -> Option<Option<Digest>> {
    let named = || query.strip_prefix(IMAGE)?.strip_prefix('=')?.parse().ok();
    match (verb.names(), query.is_empty()) {
        (Names::Nothing | Names::Perhaps, true) => Some(None),
        (Names::Image | Names::Perhaps, false) => named().map(Some),
        (Names::Nothing, false) | (Names::Image, true) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_place_or_nothing() {
        let place =
            |rest: &str| Route::parse(rest).map(|route| (route.token.to_owned(), route.place));
        let web = || "team/web".parse::<AppName>().expect("a name");
        assert_eq!(place("t"), Some(("t".to_owned(), Place::List)));
        assert_eq!(place("t/app/team/web"), Some(("t".to_owned(), Place::App(web()))));
        for verb in Verb::ALL {
            assert_eq!(
                place(&format!("t/act/{}/team/web", verb.name())),
                Some(("t".to_owned(), Place::Act(verb, web())))
            );
        }
        for nowhere in [
            "",
            "/",
            "t/",
            "/app/web",
            "t/app",
            "t/app/",
            "t/app/Web",
            "t/app/../web",
            "t/act/hold",
            "t/act/fly/web",
            "t/x/web",
        ] {
            assert_eq!(place(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn the_query_of_the_list_is_a_filter_or_nothing() {
        let read = |query: &str| filter(query).map(|(its, still)| (its.text, its.group, still));
        assert_eq!(read(""), Some((String::new(), None, false)));
        assert_eq!(read("still"), Some((String::new(), None, true)));
        let all = read("q=a%20b+c&state=needs&still=");
        assert_eq!(all, Some(("a b c".to_owned(), Some(Group::Needs), true)));
        assert_eq!(read("q=&state="), Some((String::new(), None, false)));
        let bidi = read("q=a%E2%80%AEb");
        assert_eq!(bidi, Some(("a b".to_owned(), None, false)));
        let long = format!("q={}", "x".repeat(LONGEST_TEXT + 1));
        for bad in ["x", "q=a&q=b", "state=all", "state=needs&state=held", "still=1", &long] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_query_names_an_image_only_where_the_act_takes_one() {
        let digest = Digest::of(b"x");
        let named = format!("image={digest}");
        assert_eq!(image(Verb::Approve, &named), Some(Some(digest.clone())));
        assert_eq!(image(Verb::RollBack, &named), Some(Some(digest)));
        assert_eq!((image(Verb::RollBack, ""), image(Verb::Hold, "")), (Some(None), Some(None)));
        assert_eq!((image(Verb::Approve, ""), image(Verb::Hold, &named)), (None, None));
        for bad in [
            "image",
            "image=",
            "image=latest",
            "Image=x",
            &format!("{named}&{named}"),
            &format!("x&{named}"),
            &format!("{named}%20"),
        ] {
            assert_eq!(image(Verb::Promote, bad), None, "{bad}");
        }
    }
}
