//! Requests through WASI 0.2: `wasi:http/outgoing-handler`, made by the engine's own client, which checks where they go.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use wasmtime::component::Linker;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use super::state::{Refusal, State};
use crate::engine::access::{HttpClient, HttpRequest, HttpResponse, Redirects};
use crate::engine::budget::Limit;
use crate::engine::error::{CallError, CallErrorKind};
use crate::engine::plugin::Border;

/// What requests of one instance go through.
pub(super) struct Outgoing {
    sender: Sender,
    pub(super) context: WasiHttpCtx,
}

#[derive(Clone)]
struct Sender {
    client: HttpClient,
    border: Arc<Border>,
    refusal: Refusal,
    deadline: Instant,
}

/// A response with what is still to be done for it, which is nothing: its body was read.
type Answer = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl Outgoing {
    pub(super) fn new(client: HttpClient, border: &Arc<Border>, refusal: &Refusal) -> Self {
        let (border, refusal) = (Arc::clone(border), refusal.clone());
        Self { sender: Sender { client, border, refusal, deadline: Instant::now() }, context: WasiHttpCtx::new() }
    }
}

/// Links the interfaces. What was not granted is put in their place afterwards.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let world = self.world.as_mut().expect("WASI is linked only for components whose instances get a world");
        world.http.sender.deadline = self.deadline;
        let Outgoing { sender, context } = &mut world.http;
        WasiHttpCtxView { hooks: sender, table: &mut world.table, ctx: context }
    }
}

impl WasiHttpHooks for Sender {
    /// It follows from the URL, like all that belongs to the connection.
    fn set_host_header(&mut self) -> bool {
        false
    }

    /// The times that the plugin sets are left out: the whole answer is waited for, within the engine's own limits.
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Answer, Error>> + Send> {
        let sender = self.clone();
        Box::new(async move { sender.send(request).await })
    }
}

impl Sender {
    async fn send(self, request: http::Request<WasiBody>) -> Result<Answer, Error> {
        let limits = self.border.limits;
        let (head, body) = request.into_parts();
        let most = usize::try_from(limits.transfer.min(limits.memory)).unwrap_or(usize::MAX);
        let body = Limited::new(body, most).collect().await;
        let body = body.map_err(|error| match error.downcast::<Error>() {
            Ok(error) => *error,
            Err(_) => Error::HttpRequestBodySize(u64::try_from(most).ok()),
        })?;
        // How long the body is, is known from the body.
        let headers = head.headers.iter().filter(|(name, _)| **name != http::header::CONTENT_LENGTH);
        let request = HttpRequest {
            method: head.method.to_string(),
            url: head.uri.to_string(),
            headers: headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
            body: body.to_bytes().to_vec(),
            redirects: Redirects::Return,
        };
        let answer = self.client.send_async(&self.border.grants, limits, request, self.deadline).await;
        answer.map_err(|error| self.code(error)).and_then(response)
    }

    /// An error as WASI has it. What it has no words for, the call's own error says.
    fn code(&self, error: CallError) -> Error {
        match (error.kind, error.limit) {
            (CallErrorKind::Denied, _) => {
                self.refusal.note(error);
                Error::HttpRequestDenied
            }
            (CallErrorKind::Timeout, _) => Error::HttpResponseTimeout,
            (_, Some(Limit::Transfer)) => Error::HttpResponseBodySize(Some(self.border.limits.transfer)),
            _ => Error::InternalError(Some(error.message)),
        }
    }
}

fn response(answer: HttpResponse) -> Result<Answer, Error> {
    let mut response = http::Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let body = Full::new(Bytes::from(answer.body)).map_err(Error::from).boxed_unsync();
    let response = response.body(body).map_err(|_| Error::HttpProtocolError)?;
    Ok((response, Box::new(async { Ok(()) })))
}
