//! `langpack.*`: a pack without strings, so that a client keeps its own.

use grammers_tl_types as tl;
use tl::functions::langpack;
use tl::{enums, types};

use crate::dispatch::Guest;
use crate::world::{RpcError, World};

const VERSION: i32 = 1;

pub(crate) fn get_lang_pack(
    _: &mut World,
    _: &mut Guest<'_>,
    request: langpack::GetLangPack,
) -> Result<enums::LangPackDifference, RpcError> {
    Ok(pack(request.lang_code, 0))
}

pub(crate) fn get_difference(
    _: &mut World,
    _: &mut Guest<'_>,
    request: langpack::GetDifference,
) -> Result<enums::LangPackDifference, RpcError> {
    Ok(pack(request.lang_code, request.from_version))
}

pub(crate) fn get_strings(
    _: &mut World,
    _: &mut Guest<'_>,
    _: langpack::GetStrings,
) -> Result<Vec<enums::LangPackString>, RpcError> {
    Ok(Vec::new())
}

pub(crate) fn get_languages(
    _: &mut World,
    _: &mut Guest<'_>,
    _: langpack::GetLanguages,
) -> Result<Vec<enums::LangPackLanguage>, RpcError> {
    Ok(Vec::new())
}

fn pack(lang_code: String, from_version: i32) -> enums::LangPackDifference {
    types::LangPackDifference {
        lang_code,
        from_version,
        version: VERSION,
        strings: Vec::new(),
    }
    .into()
}
