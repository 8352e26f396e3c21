//! Components.

use wit_component::DecodedWasm;
use wit_parser::{Function, Resolve, Type, TypeDefKind, WorldItem};

use super::{Export, ExportKind, Import, InspectError, Inspection, Kind, Need, Run};

pub(super) fn inspect(bytes: &[u8]) -> Result<Inspection, InspectError> {
    let decoded = wit_component::decode(bytes).map_err(|error| InspectError::Invalid(format!("{error:#}")))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err(InspectError::Invalid("it holds WIT alone, and no code".to_owned()));
    };
    let world = &resolve.worlds[world];
    let name = |key| resolve.name_world_key(key);
    let mut imports: Vec<_> =
        world.imports.iter().filter_map(|(key, item)| import(&resolve, name(key), item)).collect();
    let mut exports: Vec<_> = world.exports.iter().map(|(key, item)| export(name(key), item)).collect();
    imports.sort_by(|one, other| one.name.cmp(&other.name));
    exports.sort_by(|one, other| one.name.cmp(&other.name));
    let run = world.exports.iter().find(|(key, _)| name(key) == "run").map(|(_, item)| item);
    let run = match run {
        Some(WorldItem::Function(function)) if is_run(&resolve, function) => Run::Fits,
        Some(_) => Run::OtherType,
        None => Run::Missing,
    };
    Ok(Inspection { kind: Kind::Component, imports, exports, run })
}

/// None for a type, which is not given by anybody.
fn import(resolve: &Resolve, name: String, item: &WorldItem) -> Option<Import> {
    let need = Need::of(&name);
    match item {
        WorldItem::Interface { id, .. } => {
            let mut functions: Vec<_> = resolve.interfaces[*id].functions.keys().cloned().collect();
            functions.sort();
            Some(Import { name, functions, need })
        }
        WorldItem::Function(_) => Some(Import { functions: vec![name.clone()], name, need }),
        WorldItem::Type { .. } => None,
    }
}

fn export(name: String, item: &WorldItem) -> Export {
    let is_function = matches!(item, WorldItem::Function(_));
    Export { name, kind: if is_function { ExportKind::Function } else { ExportKind::Other } }
}

fn is_run(resolve: &Resolve, function: &Function) -> bool {
    let is_result = |kind: &Type| match kind {
        Type::Id(id) => match &resolve.types[*id].kind {
            TypeDefKind::Result(result) => result.ok == Some(Type::String) && result.err == Some(Type::String),
            _ => false,
        },
        _ => false,
    };
    function.params.len() == 4
        && function.params.iter().all(|parameter| parameter.ty == Type::String)
        && function.result.as_ref().is_some_and(is_result)
}
