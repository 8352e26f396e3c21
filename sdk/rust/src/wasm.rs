//! A plugin as WebAssembly: the export `run` of the world `pocket:plugin/plugin`.

/// What the world's bindings generate.
#[doc(hidden)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit",
        world: "plugin",
        pub_export_macro: true,
        export_macro_name: "export_world",
        default_bindings_module: "pocket_plugin::wasm::bindings",
    });
}

/// Exports a type that implements [`Plugin`](crate::Plugin). A WebAssembly plugin lives for one call: nothing leaks to the next.
#[doc(hidden)]
#[macro_export]
macro_rules! export_wasm {
    ($plugin:ty) => {
        const _: () = {
            struct Exported;

            impl $crate::wasm::bindings::Guest for Exported {
                fn run(node: String, config: String, input: String, context: String) -> Result<String, String> {
                    let start =
                        |settings: &$crate::Settings| <$plugin as $crate::Plugin>::start(settings).map(Box::new);
                    $crate::run_text::<$plugin, _>(start, &node, [&config, &input, &context])
                }
            }

    $crate::wasm::bindings::export_world!(Exported with_types_in $crate::wasm::bindings);
        };
    };
}
