//! Connections through WASI 0.2: names are looked up by the engine, and a connection is checked against the name that its address
//! was found for.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::WasiView as _;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress, Network};
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::sockets::SocketAddrUse;

use super::state::{Refusal, State};
use super::wasi::VERSION;
use crate::engine::access::Purpose;
use crate::engine::access::net::check_connection;
use crate::engine::error::CallErrorKind;
use crate::engine::plugin::Border;

/// The interface whose implementation here takes the place of the one that asks the system.
const NAME_LOOKUP: &str = "wasi:sockets/ip-name-lookup";

/// The names that addresses were found for. An address that nobody looked up is checked by itself.
#[derive(Clone, Default)]
pub(super) struct Found(Arc<Mutex<BTreeSet<(IpAddr, String)>>>);

impl Found {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<(IpAddr, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the plugin may connect to an address. Nothing else is done with sockets: they are not bound or listened on.
    pub(super) fn allows(&self, border: &Border, refusal: &Refusal, address: SocketAddr, use_: SocketAddrUse) -> bool {
        match use_ {
            SocketAddrUse::TcpConnect => {}
            // Before a connection is made, the socket may be bound to whatever the system chooses.
            SocketAddrUse::TcpBind => return address.ip().is_unspecified() && address.port() == 0,
            _ => return false,
        }
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let check = |host: &str| check_connection(&border.grants, Purpose::Stream, host, address);
        let is_for_a_name = self.lock().iter().any(|(found, host)| *found == address.ip() && check(host).is_ok());
        is_for_a_name || check(&address.ip().to_string()).map_err(|error| refusal.note(error)).is_ok()
    }
}

/// The addresses of a name, one after the other. They were found before the plugin gets this.
struct Addresses(std::vec::IntoIter<IpAddr>);

#[wasmtime_wasi::async_trait]
impl Pollable for Addresses {
    async fn ready(&mut self) {}
}

/// Puts the engine's lookup in the place of the system's.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut lookup = linker.instance(&format!("{NAME_LOOKUP}@{VERSION}"))?;
    lookup.resource("resolve-address-stream", ResourceType::host::<Addresses>(), |mut store, stream| {
        store.data_mut().ctx().table.delete(Resource::<Addresses>::new_own(stream))?;
        Ok(())
    })?;
    lookup.func_wrap(
        "resolve-addresses",
        |mut store: StoreContextMut<'_, State>, (_, name): (Resource<Network>, String)| {
            let addresses = match look_up(store.data(), &name) {
                Ok(addresses) => addresses,
                Err(code) => return Ok((Err(code),)),
            };
            let stream = store.data_mut().ctx().table.push(Addresses(addresses.into_iter()))?;
            Ok((Ok(stream),))
        },
    )?;
    lookup.func_wrap(
        "[method]resolve-address-stream.resolve-next-address",
        |mut store: StoreContextMut<'_, State>, (stream,): (Resource<Addresses>,)| {
            let addresses = store.data_mut().ctx().table.get_mut(&stream)?;
            Ok((Ok::<Option<IpAddress>, ErrorCode>(addresses.0.next().map(IpAddress::from)),))
        },
    )?;
    lookup.func_wrap(
        "[method]resolve-address-stream.subscribe",
        |mut store: StoreContextMut<'_, State>, (stream,): (Resource<Addresses>,)| {
            let pollable: Resource<DynPollable> = subscribe(store.data_mut().ctx().table, stream)?;
            Ok((pollable,))
        },
    )
}

fn look_up(state: &State, name: &str) -> Result<Vec<IpAddr>, ErrorCode> {
    match state.border.resolver.look_up(&state.border.grants, name, state.deadline) {
        Ok(addresses) => {
            let mut found = state.found.lock();
            found.extend(addresses.iter().map(|address| (address.to_canonical(), name.to_owned())));
            Ok(addresses)
        }
        Err(error) if error.kind == CallErrorKind::Denied => {
            state.refusal.note(error);
            Err(ErrorCode::AccessDenied)
        }
        Err(error) if error.kind == CallErrorKind::Timeout => Err(ErrorCode::Timeout),
        Err(_) => Err(ErrorCode::NameUnresolvable),
    }
}
