//! What a browser sees where there is no page.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::html;

use super::layout::Page;
use crate::error::ApiError;

/// The page that is shown instead of a private registry's, to who has no token.
pub(crate) fn refused(error: ApiError) -> Response {
    let body = html! {
        h1 { "This registry is private" }
        p.lead { bdi { (error.message()) } }
        p { "Its operator makes tokens. When your browser asks, the password is the token, and the name does not matter." }
    };
    Page { status: error.status(), ..Page::new("Private", body) }.into_response()
}

/// Why there is no page.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no such thing here.
    NoSuch(&'static str, String),
    /// What the API says, said to a person.
    Api(ApiError),
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, title, text) = match self {
            Self::NoSuch(kind, name) => {
                let name: String = name.chars().take(200).collect();
                (StatusCode::NOT_FOUND, "Not found", format!("This registry has no {kind} “{name}”."))
            }
            Self::Api(error) if error.status().is_client_error() => {
                (error.status(), "That cannot be looked for", error.message().to_owned())
            }
            Self::Api(error) => (error.status(), "Something is wrong here", error.message().to_owned()),
        };
        let body = html! {
            h1 { (title) }
            p.lead { bdi { (text) } }
            p { a href="/" { "Back to the front page" } }
        };
        Page { status, ..Page::new(title, body) }.into_response()
    }
}
