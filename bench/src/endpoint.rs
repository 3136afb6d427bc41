//! The loopback AWS: HTTPS on an address of its own for each service, so that a client makes a
//! connection of its own to each. Every call takes the delay that is set, and is noted.

mod counted;
mod log;
pub(crate) mod tls;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use self::counted::Counted;
pub(crate) use self::log::{Call, Log};
use crate::aws::{Answer, Aws, Request, SERVICES};

/// The service that has the images.
const REGISTRY: &str = "ecr";

#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) aws: Arc<Aws>,
    addresses: BTreeMap<&'static str, SocketAddr>,
    delay: AtomicU64,
    /// Whether a delay is exact to some microseconds, for which each call takes a thread.
    is_exact: bool,
    log: Mutex<Log>,
    /// What went over the wire, by service.
    bytes: BTreeMap<&'static str, Arc<AtomicU64>>,
    listeners: Mutex<Vec<AbortHandle>>,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let listeners = self.listeners.get_mut().unwrap_or_else(PoisonError::into_inner);
        listeners.iter().for_each(AbortHandle::abort);
    }
}

impl Endpoint {
    pub(crate) async fn start(
        aws: Aws,
        tls: &TlsAcceptor,
        is_exact: bool,
    ) -> io::Result<Arc<Self>> {
        let mut listeners = Vec::new();
        for ((service, _), address) in SERVICES.into_iter().zip(tls::addresses()) {
            listeners.push((service, TcpListener::bind((address, 0)).await?));
        }
        let mut addresses = BTreeMap::new();
        for (service, listener) in &listeners {
            addresses.insert(*service, listener.local_addr()?);
        }
        let endpoint = Arc::new(Endpoint {
            aws: Arc::new(aws),
            addresses,
            delay: AtomicU64::new(0),
            is_exact,
            log: Mutex::default(),
            bytes: SERVICES.iter().map(|(service, _)| (*service, Arc::default())).collect(),
            listeners: Mutex::default(),
        });
        for (service, listener) in listeners {
            // The listener must not keep the endpoint, which ends it.
            let endpoint_of = Arc::downgrade(&endpoint);
            let accepting = tokio::spawn(accept(service, listener, tls.clone(), endpoint_of));
            let mut handles = endpoint.listeners.lock().unwrap_or_else(PoisonError::into_inner);
            handles.push(accepting.abort_handle());
        }
        Ok(endpoint)
    }

    /// The variables that lead the clients here.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let variable = |(service, name): &(&str, &str)| {
            let address = self.addresses.get(service)?;
            Some(((*name).to_owned(), format!("https://{address}")))
        };
        SERVICES.iter().filter_map(variable).collect()
    }

    /// From now on each call takes this long.
    pub(crate) fn set_delay(&self, delay: Duration) {
        let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        self.delay.store(micros, Ordering::Relaxed);
    }

    /// What was noted since the last time, with the bytes that went over the wire.
    pub(crate) fn take_log(&self) -> Log {
        let mut log = std::mem::take(&mut *self.lock());
        for (service, bytes) in &self.bytes {
            let moved = bytes.swap(0, Ordering::Relaxed);
            log.bytes += moved;
            if *service == REGISTRY {
                log.registry_bytes = moved;
            }
        }
        log
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a request whose last byte arrived at this moment. What the answer takes to compute
    /// is part of the delay.
    async fn answer(&self, request: &Request, arrived: Instant) -> Answer {
        let is_throttled = self.aws.is_throttled(&request.op);
        let answer =
            if is_throttled { Answer::throttled(&request.op) } else { self.aws.answer(request) };
        let delay = Duration::from_micros(self.delay.load(Ordering::Relaxed));
        let rest = delay.saturating_sub(arrived.elapsed());
        if rest > Duration::ZERO && self.is_exact {
            // The runtime's timer rounds up to a whole millisecond.
            let slept = tokio::task::spawn_blocking(move || std::thread::sleep(rest)).await;
            debug_assert!(slept.is_ok(), "sleeping does not fail");
        } else if rest > Duration::ZERO {
            tokio::time::sleep(rest).await;
        }
        self.lock().calls.push(Call {
            op: request.op.clone(),
            arrived,
            answered: Instant::now(),
            is_throttled,
            problem: (answer.status != 200 && !is_throttled).then(|| answer.body.clone()),
        });
        answer
    }
}

async fn accept(
    service: &'static str,
    listener: TcpListener,
    tls: TlsAcceptor,
    endpoint: std::sync::Weak<Endpoint>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let Some(endpoint) = endpoint.upgrade() else { return };
        endpoint.lock().connections += 1;
        let bytes = endpoint.bytes.get(service).cloned().unwrap_or_default();
        tokio::spawn(serve(Counted::new(stream, bytes), tls.clone(), endpoint));
    }
}

async fn serve(stream: Counted<TcpStream>, tls: TlsAcceptor, endpoint: Arc<Endpoint>) {
    // As AWS's load balancers do; without it small answers wait for an acknowledgement.
    let _ = stream.inner().set_nodelay(true);
    // A client that goes away is no failure of the endpoint.
    let Ok(stream) = tls.accept(stream).await else { return };
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let endpoint = Arc::clone(&endpoint);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let arrived = Instant::now();
            let answer = endpoint.answer(&identify(&head.headers, &body), arrived).await;
            let mut response = hyper::Response::new(Full::new(Bytes::from(answer.body)));
            *response.status_mut() = hyper::StatusCode::from_u16(answer.status).unwrap_or_default();
            let content_type = HeaderValue::from_static(answer.content_type);
            response.headers_mut().insert(CONTENT_TYPE, content_type);
            Ok::<_, hyper::Error>(response)
        }
    });
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Reads the operation from the service that the signature names and from `X-Amz-Target` or the
/// form's `Action`.
fn identify(headers: &HeaderMap, body: &[u8]) -> Request {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let scope = header(AUTHORIZATION.as_str()).unwrap_or_default();
    let service = scope.split('/').nth(3).unwrap_or_default();
    if let Some((_, action)) = header("x-amz-target").and_then(|it| it.rsplit_once('.')) {
        let body = serde_json::from_slice(body).unwrap_or_default();
        return Request { op: format!("{service}:{action}"), body };
    }
    let fields: Map<String, Value> = form_urlencoded::parse(body)
        .map(|(key, value)| (key.into_owned(), Value::from(value)))
        .collect();
    let action = fields.get("Action").and_then(Value::as_str).unwrap_or_default();
    Request { op: format!("{service}:{action}"), body: Value::Object(fields) }
}
