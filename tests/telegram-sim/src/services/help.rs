//! `help.*`: the configuration names this one data centre: where it listens, and where it listens for file transfers only.

use grammers_tl_types as tl;
use tl::functions::help;
use tl::{enums, types};

use super::build;
use crate::dispatch::{Ctx, Guest};
use crate::world::{RpcError, World};

const APP_CONFIG_HASH: i32 = 1;
/// When a client should ask again about what never changes here.
const ASK_AGAIN_S: i32 = 3_600;

pub(crate) fn get_config(
    world: &mut World,
    guest: &mut Guest<'_>,
    _: help::GetConfig,
) -> Result<enums::Config, RpcError> {
    let dc = &world.settings.dc;
    let option = |port: u16, media_only: bool| types::DcOption {
        ipv6: dc.ip.contains(':'),
        media_only,
        tcpo_only: false,
        cdn: false,
        r#static: false,
        this_port_only: media_only,
        id: dc.id,
        ip_address: dc.ip.clone(),
        port: i32::from(port),
        secret: None,
    };
    let options = [
        Some((dc.port, false)),
        dc.media_port.map(|port| (port, true)),
    ];
    let options = options.into_iter().flatten();
    let options = options.map(|(port, media)| option(port, media).into());
    Ok(build::config(guest.now.date(), dc.id, options.collect()).into())
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

/// Without any of the many optional values: clients have defaults for all of them.
pub(crate) fn get_app_config(
    _: &mut World,
    _: &mut Guest<'_>,
    request: help::GetAppConfig,
) -> Result<enums::help::AppConfig, RpcError> {
    if request.hash == APP_CONFIG_HASH {
        return Ok(enums::help::AppConfig::NotModified);
    }
    Ok(types::help::AppConfig {
        hash: APP_CONFIG_HASH,
        config: types::JsonObject { value: Vec::new() }.into(),
    }
    .into())
}

pub(crate) fn get_terms_of_service_update(
    _: &mut World,
    ctx: Ctx,
    _: help::GetTermsOfServiceUpdate,
) -> Result<enums::help::TermsOfServiceUpdate, RpcError> {
    let expires = ctx.now.date() + ASK_AGAIN_S;
    Ok(types::help::TermsOfServiceUpdateEmpty { expires }.into())
}

pub(crate) fn get_promo_data(
    _: &mut World,
    ctx: Ctx,
    _: help::GetPromoData,
) -> Result<enums::help::PromoData, RpcError> {
    let expires = ctx.now.date() + ASK_AGAIN_S;
    Ok(types::help::PromoDataEmpty { expires }.into())
}
