//! `photos.*`: nobody has a profile photo here.

use grammers_tl_types as tl;
use tl::functions::photos;
use tl::{enums, types};

use crate::dispatch::Ctx;
use crate::updates::render::Seen;
use crate::world::{RpcError, World};

pub(crate) fn get_user_photos(
    world: &mut World,
    ctx: Ctx,
    request: photos::GetUserPhotos,
) -> Result<enums::photos::Photos, RpcError> {
    let user = world.resolve_user(ctx.me, &request.user_id)?;
    let seen = Seen {
        users: [user].into(),
        ..Seen::default()
    };
    let (users, _) = world.introduce(ctx.me, seen);
    Ok(types::photos::Photos {
        photos: Vec::new(),
        users,
    }
    .into())
}
