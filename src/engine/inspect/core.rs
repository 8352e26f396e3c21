//! Core modules.

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::{BinaryReaderError, CompositeInnerType, ExternalKind, FuncType, Parser, Payload, TypeRef, ValType};

use super::{Export, ExportKind, Import, InspectError, Inspection, Kind, Need, Run};

/// What the sections of a module list.
#[derive(Default)]
struct Sections {
    /// None where something else than a function type stands.
    types: Vec<Option<FuncType>>,
    /// The types of functions, imported ones first.
    functions: Vec<u32>,
    imports: BTreeMap<String, BTreeSet<String>>,
    exports: Vec<(String, ExternalKind, u32)>,
}

pub(super) fn inspect(bytes: &[u8]) -> Result<Inspection, InspectError> {
    let sections = Sections::read(bytes).map_err(|error| InspectError::Invalid(error.to_string()))?;
    let run = sections.run();
    let imports = sections.imports.into_iter().map(|(name, functions)| {
        let need = Need::of(&name);
        Import { name, functions: functions.into_iter().collect(), need }
    });
    let mut exports: Vec<_> = sections.exports.into_iter().map(|(name, kind, _)| export(name, kind)).collect();
    exports.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Inspection { kind: Kind::CoreModule, imports: imports.collect(), exports, run })
}

fn export(name: String, kind: ExternalKind) -> Export {
    let is_function = kind == ExternalKind::Func;
    Export { name, kind: if is_function { ExportKind::Function } else { ExportKind::Other } }
}

impl Sections {
    fn read(bytes: &[u8]) -> Result<Self, BinaryReaderError> {
        let mut sections = Self::default();
        for payload in Parser::new(0).parse_all(bytes) {
            sections.add(payload?)?;
        }
        Ok(sections)
    }

    fn add(&mut self, payload: Payload<'_>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::TypeSection(groups) => {
                for group in groups {
                    self.types.extend(group?.into_types().map(|found| match found.composite_type.inner {
                        CompositeInnerType::Func(function) => Some(function),
                        _ => None,
                    }));
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import?;
                    self.imports.entry(import.module.to_owned()).or_default().insert(import.name.to_owned());
                    if let TypeRef::Func(kind) = import.ty {
                        self.functions.push(kind);
                    }
                }
            }
            Payload::FunctionSection(functions) => {
                for function in functions {
                    self.functions.push(function?);
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    self.exports.push((export.name.to_owned(), export.kind, export.index));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// As the canonical ABI has it: pointer and length of four texts, and the place of the result.
    fn run(&self) -> Run {
        let Some((_, kind, index)) = self.exports.iter().find(|(name, ..)| name == "run") else { return Run::Missing };
        let kind_of = |index: u32| self.types.get(*self.functions.get(index as usize)? as usize)?.as_ref();
        let fits = |function: &FuncType| function.params() == [ValType::I32; 8] && function.results() == [ValType::I32];
        let is_run = *kind == ExternalKind::Func && kind_of(*index).is_some_and(fits);
        if is_run { Run::Fits } else { Run::OtherType }
    }
}
