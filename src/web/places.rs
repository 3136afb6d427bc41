//! Where an image is: reads the states of all apps. Nothing is written.

use tracing::warn;

use crate::error::Error;
use crate::model::AppName;
use crate::model::command::ImageRef;
use crate::model::config::App;
use crate::model::report::{Places, Reply, Report};
use crate::model::whereabouts::whereabouts;
use crate::world::Apps;

/// Reports which apps have this image, from what their states say.
pub async fn places<W: Apps>(world: &W, image: ImageRef) -> Result<Reply, Error> {
    let apps = world.known_apps().await?.into_iter().filter_map(|(_, app)| app.ok());
    let apps: Vec<App> = apps.collect();
    let names: Vec<AppName> = apps.iter().map(|app| app.name.clone()).collect();
    let states = if names.is_empty() { Default::default() } else { world.states(&names).await? };
    let mut results = Vec::new();
    let mut unread = Vec::new();
    for app in &apps {
        match states.get(&app.name) {
            Some(Ok(state)) => results.extend(whereabouts(app, state, &image)),
            Some(Err(error)) => {
                warn!(app = %app.name, %error, "its state cannot be read");
                unread.push(app.name.clone());
            }
            None => {}
        }
    }
    Ok(Reply::Report(Report::Where(Places { image: image.to_string(), results, unread })))
}
