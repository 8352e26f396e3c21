//! What the document says of routes that are no functions of this module: publishing, static files, and how the server is.

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, ParameterBuilder, ParameterIn, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Ref, SchemaFormat, Type};
use utoipa::openapi::{OpenApi, Required, Response, ResponseBuilder};

/// A path, what stands there, and its type.
type Described = (&'static str, &'static str, &'static str);

/// Files of the static tree, whose format is the registry's specification.
const FILES: [Described; 8] = [
    ("/config.json", "What the registry says of itself", "application/json"),
    ("/log/checkpoint", "The log's signed head", "text/plain; charset=utf-8"),
    ("/log/tile/{level}/{tile}", "A tile of the log, or a bundle of its leaves", "application/octet-stream"),
    ("/index/{first}/{second}/{name}", "The events of a plugin", "text/plain; charset=utf-8"),
    ("/a/{shard}/{archive}", "An archive, by its digest", "application/gzip"),
    ("/search.json", "What to search in", "application/json"),
    ("/search/{digest}", "The file that most entries are searched in, if there are many", "application/octet-stream"),
    ("/stats/downloads.json", "How often plugins were downloaded", "application/json"),
];

/// How the server is.
const STATES: [Described; 3] = [
    ("/healthz", "Whether the server runs", "text/plain; charset=utf-8"),
    ("/readyz", "Whether it reaches its files", "text/plain; charset=utf-8"),
    ("/metrics", "Counts for Prometheus", "text/plain; version=0.0.4; charset=utf-8"),
];

/// The document with these routes.
pub(super) fn with_others(mut document: OpenApi) -> OpenApi {
    let mut paths = PathsBuilder::new().build();
    for described in FILES {
        let operation = |name: &str| {
            let operation = answered(described, name).response("304", bare("It is the one that is known already"));
            operation.response("206", bare("A part of it")).response("416", bare("It has no such part")).build()
        };
        paths.add_path_operation(described.0, vec![HttpMethod::Get], operation("get"));
        paths.add_path_operation(described.0, vec![HttpMethod::Head], operation("head"));
    }
    for described in STATES {
        let operation = answered(described, "get").response("503", error("It does not"));
        paths.add_path_operation(described.0, vec![HttpMethod::Get], operation.build());
    }
    paths.add_path_operation("/api/v1/publish", vec![HttpMethod::Put], publish());
    document.paths.merge(paths);
    document
}

fn answered((path, summary, kind): Described, method: &str) -> OperationBuilder {
    // What stands in a file of JSON, the specification of the format says.
    let schema = (kind != "application/json").then(bytes);
    let content = ContentBuilder::new().schema(schema).build();
    let found = ResponseBuilder::new().description(summary).content(kind, content).build();
    let id = path.replace(['/', '.', '{', '}'], "_");
    let mut operation = OperationBuilder::new().operation_id(Some(format!("{method}{id}"))).summary(Some(summary));
    for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
        operation = operation.parameter(parameter.schema(Some(ObjectBuilder::new().schema_type(Type::String))));
    }
    operation
        .response("200", found)
        .response("404", error("There is none"))
        .response("414", error("The path is far too long"))
        .response("429", error("This address, or whoever has this token, asks too often"))
}

fn publish() -> Operation {
    let body = ContentBuilder::new().schema(Some(bytes())).build();
    let body = RequestBodyBuilder::new()
        .description(Some("A signed event, and the archives of a release behind it: section 11 of the specification"))
        .content("application/octet-stream", body)
        .required(Some(Required::True));
    let receipt = |description| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Receipt"))).build();
        ResponseBuilder::new().description(description).content("application/json", content).build()
    };
    let mut operation = OperationBuilder::new()
        .operation_id(Some("publish"))
        .summary(Some("Publishes a release, or another event about a plugin"))
        .request_body(Some(body.build()))
        .response("200", receipt("It was there already, with the same bytes"))
        .response("201", receipt("It is published"));
    for (status, description) in [
        ("400", "It is malformed, or not what the digest that was sent says"),
        ("401", "A token is needed"),
        ("403", "Whoever signed it may not do this"),
        ("408", "It came too slowly"),
        ("409", "The version is there with other bytes"),
        ("413", "It is too large"),
        ("414", "The path is far too long"),
        ("422", "The archives are not those of the event"),
        ("429", "This address, or whoever has this token, asks too often"),
        ("503", "Others publish, witnesses do not answer, or the storage does not"),
        ("507", "There is no room left"),
    ] {
        operation = operation.response(status, error(description));
    }
    operation.build()
}

fn bytes() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
}

fn bare(description: &str) -> Response {
    ResponseBuilder::new().description(description).build()
}

fn error(description: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorDocument"))).build();
    ResponseBuilder::new().description(description).content("application/json", content).build()
}
