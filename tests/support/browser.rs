//! The function URL in a browser.

use ecr_promoter::link::Signer;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::signature::form;
use super::world::{LINK_SECRET, Memory};

/// The host of the function's public address.
pub(crate) const HOST: &str = "example.lambda-url.us-east-1.on.aws";

/// What a browser got.
pub(crate) struct Page {
    pub(crate) status: u64,
    pub(crate) body: String,
    pub(crate) headers: Value,
}

impl Page {
    #[track_caller]
    pub(crate) fn says(&self, words: &str) -> &Self {
        assert!(self.text().contains(words), "{words:?} is not in:\n{}", self.text());
        self
    }

    /// What people read: without tags, style and empty lines; entities are left as they are.
    pub(crate) fn text(&self) -> String {
        let body = self.body.as_str();
        let (_, shown) = body.split_once("<header ").unwrap_or(("", body));
        let mut text = String::new();
        let blocks = [
            "<p", "<h", "<dt", "<li", "<tr", "<td", "<th", "<dd", "<button", "<section", "<label",
            "<nav", "<header", "<summary",
        ];
        for part in shown.split('<') {
            let (tag, words) = part.split_once('>').unwrap_or((part, ""));
            let opens = format!("<{tag}");
            if blocks.iter().any(|block| opens.starts_with(block)) {
                text.push('\n');
            }
            text.push_str(words);
        }
        text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    }

    /// The addresses of the buttons that act at once.
    pub(crate) fn buttons(&self) -> Vec<String> {
        let forms = self.body.split(" method=\"post\" action=\"").skip(1);
        forms.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
    }

    pub(crate) fn acts(&self) -> Vec<String> {
        self.links().into_iter().filter(|link| link.contains("/act/")).collect()
    }

    /// What the page's form keeps for itself under this name.
    pub(crate) fn hidden(&self, name: &str) -> Option<String> {
        let (_, rest) =
            self.body.split_once(&format!("type=\"hidden\" name=\"{name}\" value=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    }

    pub(crate) fn links(&self) -> Vec<String> {
        self.body
            .split("href=\"")
            .skip(1)
            .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
            .collect()
    }

    #[track_caller]
    pub(crate) fn link(&self, words: &str) -> String {
        self.links()
            .into_iter()
            .find(|link| link.contains(words))
            .unwrap_or_else(|| panic!("no link with {words:?}: {:?}", self.links()))
    }

    pub(crate) fn is_refreshed(&self) -> bool {
        self.body.contains("http-equiv=\"refresh\"")
    }

    #[track_caller]
    pub(crate) fn once(&self) -> String {
        self.hidden("once").expect("a form")
    }
}

/// A request to the function URL as Lambda delivers it.
pub(crate) fn http(method: &str, address: &str, headers: &Value, body: &str) -> Value {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    json!({
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "http": {
                "method": method, "path": path, "sourceIp": "203.0.113.9",
                "userAgent": "Mozilla/5.0 (test)",
            },
        },
        "body": body,
        "isBase64Encoded": false,
    })
}

/// What a browser gets: every page keeps what it says to itself, and is for everybody.
#[track_caller]
pub(crate) fn browse(
    world: &Memory,
    method: &str,
    address: &str,
    headers: &Value,
    body: &str,
) -> Page {
    let answer =
        world.invoke(&http(method, address, headers, body), "http").expect("an HTTP answer");
    let page = Page {
        status: answer["statusCode"].as_u64().expect("a status"),
        body: answer["body"].as_str().expect("a body").to_owned(),
        headers: answer["headers"].clone(),
    };
    let policy = page.headers["content-security-policy"].as_str().expect("a policy");
    for part in
        ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"]
    {
        assert!(policy.contains(part), "{method} {}: {policy}", page.status);
    }
    assert_eq!(page.headers["cache-control"], "no-store");
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    if page.headers["content-type"] == "text/html; charset=utf-8" && method != "HEAD" {
        is_for_everybody(&page.body);
    }
    page
}

/// What a screen reader and a narrow window need, as far as the text of a page shows it.
#[track_caller]
fn is_for_everybody(body: &str) {
    for absent in ["<script", " style=", " onclick", "javascript:"] {
        assert!(!body.contains(absent), "{absent} is in {body}");
    }
    let levels: Vec<u32> =
        body.split("<h").skip(1).filter_map(|rest| rest.chars().next()?.to_digit(10)).collect();
    assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1, "one title: {levels:?}");
    assert!(
        levels[0] == 1 && levels.windows(2).all(|pair| pair[1] <= pair[0] + 1),
        "headings in order: {levels:?}"
    );
    let count = |words: &str| body.matches(words).count();
    assert_eq!(count("<table"), 0, "{body}");
    let fields = ["<input type=\"text\"", "<input type=\"search\"", "<select "].map(count);
    assert_eq!(fields.iter().sum::<usize>(), count("<label "), "{body}");
    assert_eq!((count("<main id=\"main\">"), count("<html lang=\"en\">")), (1, 1));
    // A shape is never alone: it is left out for a screen reader, and a word says the same.
    assert_eq!(count("<svg "), count("aria-hidden=\"true\"") - count("<span class=\"arrow\""));
    for symbol in body.split("<use href=\"#").skip(1).filter_map(|it| Some(it.split_once('"')?.0)) {
        assert!(body.contains(&format!("<symbol id=\"{symbol}\"")), "no drawing of {symbol}");
    }
    let mut ids: Vec<&str> =
        body.split(" id=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id is there twice: {body}");
    for label in
        body.split("aria-labelledby=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0))
    {
        assert!(ids.contains(&label), "nothing has the id {label}");
    }
}

#[track_caller]
pub(crate) fn get(world: &Memory, address: &str) -> Page {
    browse(world, "GET", address, &json!({ "host": HOST }), "")
}

/// The form of the page, as a browser sends it.
#[track_caller]
pub(crate) fn post(world: &Memory, address: &str, fields: &[(&str, &str)]) -> Page {
    let headers = json!({
        "host": HOST, "origin": format!("https://{HOST}"), "sec-fetch-site": "same-origin",
    });
    browse(world, "POST", address, &headers, &form(fields))
}

/// What makes links to this address with the world's key.
pub(crate) fn signer(address: &str) -> Signer {
    Signer::new(&SecretString::from(LINK_SECRET), address.parse().expect("an address"))
        .expect("a key")
}
