//! A loopback HTTP server and client, the least that the Runtime API and the proxy need. A handler
//! may answer, or have the connection reset, which the function sees as an answer that was lost.

use std::convert::Infallible;
use std::net::SocketAddr;

use futures_util::stream::{self, StreamExt};
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// A request whose body has been read.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// With the query, as it was asked for.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    /// A header's value, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
    /// Half of the body is sent, and then nothing more.
    pub(crate) is_stalled: bool,
}

impl Response {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Response {
        let status = StatusCode::from_u16(status).expect("a status code");
        Response {
            status,
            headers: vec![("content-type", content_type.to_owned())],
            body: body.into(),
            is_stalled: false,
        }
    }
}

/// In place of an answer: the connection is reset.
#[derive(Debug, thiserror::Error)]
#[error("connection reset on purpose")]
pub(crate) struct Reset;

/// Serves on a free loopback port for as long as the test's runtime lives.
pub(crate) async fn serve<F, A>(handler: F) -> SocketAddr
where
    F: Fn(Request) -> A + Clone + Send + 'static,
    A: Future<Output = Result<Response, Reset>> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free loopback port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, handler.clone()));
        }
    });
    address
}

async fn connection<F, A>(stream: tokio::net::TcpStream, handler: F)
where
    F: Fn(Request) -> A + Clone + Send + 'static,
    A: Future<Output = Result<Response, Reset>> + Send + 'static,
{
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let handler = handler.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(|_| Reset)?.to_bytes();
            let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
            let answer =
                handler(Request { method: head.method, path, headers: head.headers, body }).await?;
            let half = answer.body.slice(..answer.body.len() / 2);
            let body = if answer.is_stalled {
                let sent = stream::iter([Ok::<_, Infallible>(Frame::data(half))]);
                Either::Left(StreamBody::new(sent.chain(stream::pending())))
            } else {
                Either::Right(Full::new(answer.body))
            };
            let mut response = hyper::Response::new(body);
            *response.status_mut() = answer.status;
            for (name, value) in answer.headers {
                let value = HeaderValue::from_str(&value).expect("a header value");
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
            Ok::<_, Reset>(response)
        }
    });
    let mut connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if (&mut connection).await.is_err() {
        // Without this a close is an orderly FIN; AWS's load balancers answer a lost request with
        // RST.
        let stream = connection.into_parts().io.into_inner();
        let _ = stream.set_zero_linger();
    }
}

type HyperClient = hyper_util::client::legacy::Client<
    hyper_util::client::legacy::connect::HttpConnector,
    Full<Bytes>,
>;

/// Sends requests to one base address.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    base: String,
    http: HyperClient,
}

impl Client {
    pub(crate) fn new(base: &str) -> Client {
        // The emulator closes a connection that has been idle for some seconds.
        let mut http =
            hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new());
        let http = http.pool_idle_timeout(std::time::Duration::from_secs(1)).build_http();
        Client { base: base.trim_end_matches('/').to_owned(), http }
    }

    pub(crate) async fn send(&self, request: &Request) -> Response {
        let mut sent = hyper::Request::new(Full::new(request.body.clone()));
        *sent.method_mut() = request.method.clone();
        *sent.uri_mut() =
            format!("{}{}", self.base, request.path).parse().expect("EMULATOR_URL is an address");
        *sent.headers_mut() = request.headers.clone();
        for hop in ["host", "connection", "content-length", "transfer-encoding"] {
            sent.headers_mut().remove(hop);
        }
        let answer = self
            .http
            .request(sent)
            .await
            .unwrap_or_else(|e| panic!("the emulator at {} answers: {e}", self.base));
        let content_type = answer
            .headers()
            .get("content-type")
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let status = answer.status().as_u16();
        let body =
            answer.into_body().collect().await.expect("the emulator's whole answer").to_bytes();
        Response::new(status, &content_type, body)
    }
}
