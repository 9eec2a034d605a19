//! `help.*`: the configuration names this one data centre, at the address where it listens.

use grammers_tl_types as tl;
use tl::functions::help;
use tl::{enums, types};

use super::build;
use crate::dispatch::Guest;
use crate::world::{RpcError, World};

pub(crate) fn get_config(
    world: &mut World,
    guest: &mut Guest<'_>,
    _: help::GetConfig,
) -> Result<enums::Config, RpcError> {
    let dc = &world.settings.dc;
    let option = types::DcOption {
        ipv6: dc.ip.contains(':'),
        media_only: false,
        tcpo_only: false,
        cdn: false,
        r#static: false,
        this_port_only: false,
        id: dc.id,
        ip_address: dc.ip.clone(),
        port: i32::from(dc.port),
        secret: None,
    };
    Ok(build::config(guest.now.date(), dc.id, vec![option.into()]).into())
}

pub(crate) fn get_nearest_dc(
    world: &mut World,
    _: &mut Guest<'_>,
    _: help::GetNearestDc,
) -> Result<enums::NearestDc, RpcError> {
    let dc = world.settings.dc.id;
    Ok(types::NearestDc {
        country: "DE".to_owned(),
        this_dc: dc,
        nearest_dc: dc,
    }
    .into())
}
