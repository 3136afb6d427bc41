//! Three hundred apps on a phone: how tall the page is, and that it fits.

use serde_json::{Value, json};

use super::chromium::Browser;
use crate::emulator::http::{self, Response};
use crate::support::browser::get;
use crate::support::many::{add_apps, add_groups};
use crate::support::world::{Memory, PUBLIC_URL};

#[tokio::test]
async fn three_hundred_apps_fit_on_a_phone() {
    fits_on_a_phone(|world| add_apps(world, 300)).await;
}

#[tokio::test]
async fn three_hundred_apps_half_of_them_in_groups_fit_on_a_phone() {
    fits_on_a_phone(|world| {
        add_apps(world, 150);
        add_groups(world, 50);
    })
    .await;
}

async fn fits_on_a_phone(add: impl Fn(&Memory)) {
    let Some(browser) = Browser::start().await else { return };
    let page = {
        let world = Memory::new("approval");
        add(&world);
        let answer = world.invoke(&json!({ "action": "board", "by": "Grace" }), "board");
        let board = answer.expect("a link")["url"].as_str().expect("an address").to_owned();
        let path = board.strip_prefix(PUBLIC_URL).expect("an address of the function");
        get(&world, &format!("/{path}?still")).body
    };
    let server = http::serve(move |_| {
        let page = Response::new(200, "text/html; charset=utf-8", page.clone());
        async move { Ok(page) }
    })
    .await;
    browser.open(&format!("http://{server}/")).await;
    browser.use_width(390).await;
    let height = browser.run("return document.documentElement.scrollHeight").await;
    let height = height.as_u64().unwrap_or_default();
    assert!((10_000..20_000).contains(&height), "{height} px");
    for width in [320, 390, 640, 1280] {
        browser.use_width(width).await;
        let script = "const page = document.documentElement; \
                      return page.scrollWidth - page.clientWidth";
        assert_eq!(browser.run(script).await, Value::from(0), "too wide at {width} px");
    }
    browser.close().await;
}
