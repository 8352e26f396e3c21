//! The server as others look at it: a browser, a checker of accessibility, and a tool that tries an API out against its own
//! document. What they need is installed by `fixtures/browser/install` and `fixtures/schemathesis/install`.

mod api;
mod browser;
mod server;
