//! `[secrets]`: where the key is that seals secrets at rest.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::{Fault, Problem};
use super::reference::{Resolver, SecretRef};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretsConfig {
    /// Absolute. In the data folder unless it is configured; made at the first start, mode 600.
    pub sealing_key: PathBuf,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Raw {
    sealing_key: Option<SecretRef>,
}

impl Raw {
    /// The key is a file in every case, because it may have to be made; systemd's credentials are files too.
    pub(super) fn resolve(
        self,
        resolver: &Resolver<'_>,
        data_dir: &Path,
    ) -> Result<SecretsConfig, Fault> {
        let key = "secrets.sealing_key";
        let sealing_key = match self.sealing_key {
            None => data_dir.join("sealing.key"),
            Some(SecretRef::File(path)) => resolver.path(&path),
            Some(SecretRef::Credential(name)) => match resolver.surroundings.credentials() {
                Some(folder) => folder.join(name),
                None => return Err(Fault::at(key, Problem::NoCredentials { name })),
            },
            Some(SecretRef::Env(_)) => {
                return Err(Fault::inconsistent(
                    key,
                    "the sealing key is not taken from the environment, which children and crash dumps inherit",
                    "write \"file:PATH\" or \"credential:NAME\"",
                ));
            }
        };
        Ok(SecretsConfig { sealing_key })
    }
}
