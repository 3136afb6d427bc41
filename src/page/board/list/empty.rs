//! The board before the first app: what to do.

use maud::{Markup, html};

use crate::function_url::Response;
use crate::page::board::Viewer;
use crate::page::frame::{Place, Width};

/// The page.
pub(super) fn page(viewer: &Viewer<'_>, place: &Place, configure: &str) -> Response {
    let content = html! {
        div class="head" {
            div {
                h1 { "No app yet" }
                p class="lead-in" {
                    "Three steps, about five minutes. Nothing goes to production until you say so."
                }
            }
        }
        ol class="card plan" { (steps(configure)) }
        p class="acts" { a class="btn" href=(viewer.list()) { "Look again" } }
    };
    viewer.frame(place, Width::Slim).page(200, "No app yet", &content)
}

fn steps(configure: &str) -> Markup {
    html! {
        li {
            h2 { "Say which stack runs the image" }
            p class="meta" {
                "One parameter for each app. Its name ends with the repository’s name."
            }
            pre {
                "aws ssm put-parameter \\\n  --type String \\\n  --name " (configure)
                " \\\n  --value '{\"stack\": \"web\"}'"
            }
        }
        li {
            h2 { "Check it" }
            p class="meta" { "Says what is missing, and changes nothing." }
            pre {
                "aws lambda invoke \\\n  --function-name ecr-promoter \\\n  --cli-binary-format \
                 \\\n    raw-in-base64-out \\\n  --payload '{\"action\": \"plan\",\n    \
                 \"repository\": \"web\"}' /dev/stdout"
            }
        }
        li {
            h2 { "Push an image as " code { "latest" } }
            p class="meta" { "It shows up here within seconds and waits for an approval." }
            pre { "docker push <registry>/web:latest" }
        }
    }
}
