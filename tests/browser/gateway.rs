//! A function URL on loopback: an HTTP request becomes a payload of format 2.0, as Lambda makes it,
//! and the function's answer an HTTP answer. What every answer must say is looked at here.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, Weak};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::emulator::cloud::lock;
use crate::emulator::world::World;

/// One request and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) status: u64,
    pub(crate) headers: Map<String, Value>,
    pub(crate) body: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Gateway {
    address: SocketAddr,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

impl Gateway {
    /// Serves for as long as the test's runtime lives. It does not keep the world, which checks
    /// itself when it ends.
    pub(crate) async fn start(world: Weak<World>) -> Gateway {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let gateway = Gateway {
            address: listener.local_addr().expect("an address"),
            exchanges: Arc::default(),
        };
        let serving = gateway.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (gateway, world) = (serving.clone(), world.clone());
                let service = hyper::service::service_fn(move |request| {
                    let (gateway, world) = (gateway.clone(), world.clone());
                    async move { Ok::<_, Infallible>(gateway.pass_on(&world, request).await) }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        gateway
    }

    /// As the template writes it to `public-url`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        lock(&self.exchanges).clone()
    }

    /// The last one.
    pub(crate) fn last(&self) -> Exchange {
        self.exchanges().pop().expect("there was a request")
    }

    /// How many forms were sent.
    pub(crate) fn posts(&self) -> usize {
        self.exchanges().iter().filter(|exchange| exchange.method == "POST").count()
    }

    async fn pass_on(
        &self,
        world: &Weak<World>,
        request: Request<Incoming>,
    ) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.expect("a whole request").to_bytes();
        let (method, path) = (head.method.to_string(), head.uri.path().to_owned());
        let event = payload(&head, &body).to_string();
        let Some(world) = world.upgrade() else { return bare(503) };
        let answer = world.warm().await.invoke(event.as_bytes(), &world.unused_id()).await;
        let Ok(answer) = answer else { return bare(502) };
        let (status, headers) = (
            answer["statusCode"].as_u64().unwrap_or_default(),
            answer["headers"].as_object().cloned(),
        );
        let (headers, body) =
            (headers.unwrap_or_default(), answer["body"].as_str().unwrap_or_default().to_owned());

        let mut response = bare(u16::try_from(status).expect("a status code"));
        for (name, value) in &headers {
            let name =
                hyper::header::HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
            response.headers_mut().insert(
                name,
                value.as_str().and_then(|value| value.parse().ok()).expect("a header's value"),
            );
        }
        *response.body_mut() = Full::new(Bytes::from(body.clone()));
        lock(&self.exchanges).push(Exchange { method, path, status, headers, body });
        response
    }
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html>
fn payload(head: &hyper::http::request::Parts, body: &[u8]) -> Value {
    let mut headers = Map::new();
    for name in head.headers.keys() {
        let values: Vec<&str> =
            head.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        headers.insert(name.to_string(), values.join(",").into());
    }
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    let mut payload = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "example",
            "domainName": headers.get("host"),
            "domainPrefix": "example",
            "http": {
                "method": head.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": headers.get("user-agent"),
            },
            "requestId": "e1506fd5-9e7b-434f-bd42-4f8fa224b599",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2026:19:03:58 +0000",
            "timeEpoch": 1_773_342_238_000_u64,
        },
        "isBase64Encoded": !body.is_empty(),
    });
    if !body.is_empty() {
        payload["body"] = STANDARD.encode(body).into();
    }
    payload
}

fn bare(status: u16) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status.try_into().expect("a status code");
    response
}
