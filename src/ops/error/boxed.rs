//! Errors with many facts are boxed, so that what succeeds does not carry their size.

use super::{
    DirectError, LocalError, OpsError, OrganisationError, OriginError, PolicyError, RegistryError, RunError, RunsError,
    StoreError,
};

macro_rules! boxed {
    ($($error:ident => $variant:ident),*) => {
        $(impl From<$error> for OpsError {
            fn from(error: $error) -> Self {
                Self::$variant(Box::new(error))
            }
        })*
    };
}

boxed!(OrganisationError => Organisation, PolicyError => Policy, RegistryError => Registry, StoreError => Store, RunError => Run, RunsError => Runs, DirectError => Direct, LocalError => Local, OriginError => Origin);
