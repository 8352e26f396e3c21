//! What wasmtime takes by itself: the same component, the same code generator, and nothing around it.

use std::hint::black_box;
use std::path::Path;

use serde_json::{Value, json};
use wasmtime::component::{Component, Instance, InstancePre, Linker, TypedFunc};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
use wit_component::{ComponentEncoder, StringEncoding};

const WIT: &str = include_str!("../../sdk/wit/plugin.wit");

type Run<'a> = TypedFunc<(&'a str, &'a str, &'a str, &'a str), (Result<String, String>,)>;

/// An instance of the plugin, and how to make more.
pub struct Floor {
    engine: Engine,
    ready: InstancePre<()>,
    store: Store<()>,
    instance: Instance,
    context: String,
}

impl Floor {
    /// Of the core module in a file.
    pub fn new(module: &Path, memory: Memory) -> Self {
        let engine = engine(memory);
        let component = Component::new(&engine, wrapped(module)).expect("it is a component");
        let ready = Linker::new(&engine).instantiate_pre(&component).expect("it imports nothing");
        let mut store = Store::new(&engine, ());
        let instance = ready.instantiate(&mut store).expect("it can be instantiated");
        let context = json!({"run_id": "run", "node": "node", "attempt": 1, "deadline_ms": 30000, "plugin": "guest",
            "version": "1.0.0", "settings": {}});
        Self { engine, ready, store, instance, context: context.to_string() }
    }

    /// A call with texts that are there already.
    pub fn text(&mut self, input: &Value) {
        let input = TEXT.get_or_init(|| input.to_string());
        black_box(call(&mut self.store, self.instance, input, &self.context));
    }

    /// The same from a value to a value.
    pub fn value(&mut self, input: &Value) {
        let reply = call(&mut self.store, self.instance, &input.to_string(), &self.context);
        black_box(serde_json::from_str::<Value>(&reply).expect("it is JSON"));
    }

    /// A call of a new instance.
    pub fn fresh_text(&self, input: &Value) {
        let input = TEXT.get_or_init(|| input.to_string());
        let mut store = Store::new(&self.engine, ());
        let instance = self.ready.instantiate(&mut store).expect("it can be instantiated");
        black_box(call(&mut store, instance, input, &self.context));
    }
}

/// Where the memory of instances comes from.
#[derive(Clone, Copy)]
pub enum Memory {
    /// From the system, for each instance.
    OnDemand,
    /// From a pool that the engine reserves, for as many instances as calls may run at once.
    Pool,
}

/// An engine with wasmtime's own settings but for its memory.
pub fn engine(memory: Memory) -> Engine {
    let mut config = Config::new();
    config.concurrency_support(false);
    if let Memory::Pool = memory {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(64).total_core_instances(256).total_memories(64).total_tables(128);
        pool.total_stacks(64).max_memory_size(256 << 20);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    Engine::new(&config).expect("this system can run it")
}

static TEXT: std::sync::OnceLock<String> = std::sync::OnceLock::new();

fn call(store: &mut Store<()>, instance: Instance, input: &str, context: &str) -> String {
    let run: Run<'_> = instance.get_typed_func(&mut *store, "run").expect("it has the export");
    let (reply,) = run.call(store, ("echo", "null", input, context)).expect("it returns");
    reply.expect("it echoes")
}

fn wrapped(module: &Path) -> Vec<u8> {
    let mut module = std::fs::read(module).expect("it was built");
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("plugin.wit", WIT).expect("it is well-formed");
    let world = resolve.select_world(&[package], Some("plugin")).expect("it has one world");
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("it fits");
    ComponentEncoder::default().module(&module).and_then(|mut encoder| encoder.encode()).expect("it can be wrapped")
}
