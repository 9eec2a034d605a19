//! `understudy config show`: every setting as it is in effect, from the file, the environment and the defaults together.
//!
//! Invariant: a secret is named and never shown. Each section is taken apart field by field, so that a setting that is added and
//! forgotten here does not compile.

use std::time::Duration;

use serde_json::{Map, Value, json};
use shared_io::config::{
    BotConfig, Config, DatabaseConfig, HttpConfig, LogConfig, PolicyConfig, PoolConfig,
    RatesConfig, ReachConfig, RedisConfig, SecretsConfig, TelegramConfig, TimingConfig,
    UploadConfig, WorkersConfig,
};

const SECRET: &str = "(secret)";

pub fn value(config: &Config) -> Value {
    let Config {
        file,
        data_dir,
        telegram:
            TelegramConfig {
                api_id,
                api_hash: _,
                dc,
            },
        redis:
            RedisConfig {
                url,
                prefix,
                appendfsync,
                hung,
            },
        database:
            DatabaseConfig {
                url: database,
                max_waiting_records,
            },
        workers: WorkersConfig {
            local,
            name: workers,
        },
        secrets: SecretsConfig { sealing_key },
        timing,
        rates,
        policy,
        reach: ReachConfig { invite_again },
        http: HttpConfig { listen, public_url },
        log: LogConfig { level, format },
        pools,
    } = config;
    // A URL may have a password in it.
    let kept = |is_set: bool, otherwise: &str| {
        if is_set {
            SECRET.to_owned()
        } else {
            otherwise.to_owned()
        }
    };
    json!({
        "file": file.display().to_string(),
        "data_dir": data_dir.display().to_string(),
        "telegram": {
            "api_id": api_id,
            "api_hash": SECRET,
            "dc": dc.map_or("Telegram's own".to_owned(), |dc| format!("{}@{}", dc.id, dc.addr)),
        },
        "redis": {
            "url": kept(url.is_some(), "private"),
            "prefix": prefix,
            "appendfsync": appendfsync.as_str(),
            "hung_ms": ms(hung),
        },
        "database": {
            "url": kept(database.is_some(), "SQLite in data_dir"),
            "max_waiting_records": max_waiting_records,
        },
        "workers": { "local": local, "name": workers },
        "secrets": { "sealing_key": sealing_key.display().to_string() },
        "timing": timing_value(timing),
        "rates": rates_value(rates),
        "policy": policy_value(policy),
        "reach": { "invite_again_s": invite_again.as_secs() },
        "http": {
            "listen": listen.map_or("off".to_owned(), |addr| addr.to_string()),
            "public_url": public_url.as_deref().unwrap_or("none"),
        },
        "log": { "level": level.as_str(), "format": format.as_str() },
        "pool": pools.iter().map(pool_value).collect::<Vec<Value>>(),
    })
}

fn ms(duration: &Duration) -> Value {
    json!(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

fn timing_value(timing: &TimingConfig) -> Value {
    let TimingConfig {
        lease_ttl,
        lease_renew,
        lease_margin,
        heartbeat,
        probe,
        standby_probe,
        call_timeout,
        connect_timeout,
        redis_timeout,
    } = timing;
    json!({
        "lease_ttl_ms": ms(lease_ttl),
        "lease_renew_ms": ms(lease_renew),
        "lease_margin_ms": ms(lease_margin),
        "heartbeat_ms": ms(heartbeat),
        "probe_ms": ms(probe),
        "standby_probe_ms": ms(standby_probe),
        "call_timeout_ms": ms(call_timeout),
        "connect_timeout_ms": ms(connect_timeout),
        "redis_timeout_ms": ms(redis_timeout),
    })
}

fn rates_value(rates: &RatesConfig) -> Value {
    let RatesConfig {
        chat_per_second,
        chat_burst,
        group_per_minute,
        group_burst,
        bulk_per_second,
        bulk_burst,
    } = rates;
    json!({
        "chat_per_second": chat_per_second,
        "chat_burst": chat_burst,
        "group_per_minute": group_per_minute,
        "group_burst": group_burst,
        "bulk_per_second": bulk_per_second,
        "bulk_burst": bulk_burst,
    })
}

fn policy_value(policy: &PolicyConfig) -> Value {
    let PolicyConfig {
        worker_silent,
        line_silent,
        smoke_timeout,
        cooldown,
        switches_per_hour,
        takeovers_per_hour,
    } = policy;
    json!({
        "worker_silent_ms": ms(worker_silent),
        "line_silent_ms": ms(line_silent),
        "smoke_timeout_ms": ms(smoke_timeout),
        "cooldown_ms": ms(cooldown),
        "switches_per_hour": switches_per_hour,
        "takeovers_per_hour": takeovers_per_hour,
    })
}

fn pool_value(pool: &PoolConfig) -> Value {
    let PoolConfig {
        name,
        bots,
        channels,
        upload:
            UploadConfig {
                categories,
                tags,
                max_files,
                max_file_mb,
                remind_after,
                tell_admins,
            },
        admins,
    } = pool;
    let channels: Vec<Value> = channels
        .iter()
        .map(|channel| {
            let rights: Vec<&str> = channel.rights.iter().map(|right| right.as_str()).collect();
            json!({ "id": channel.id, "role": channel.role.as_str(), "rights": rights })
        })
        .collect();
    json!({
        "name": name,
        "admins": admins,
        "bot": bots.iter().map(bot_value).collect::<Vec<Value>>(),
        "channel": channels,
        "upload": {
            "categories": categories,
            "tags": tags,
            "max_files": max_files,
            "max_file_mb": max_file_mb,
            "remind_after_s": remind_after.as_secs(),
            "tell_admins": tell_admins,
        },
    })
}

fn bot_value(bot: &BotConfig) -> Value {
    let BotConfig {
        name,
        token,
        promote,
        preset_keys,
    } = bot;
    let mut shown = Map::new();
    shown.insert("name".to_owned(), json!(name));
    shown.insert("bot".to_owned(), json!(token.bot()));
    shown.insert("token".to_owned(), json!(SECRET));
    shown.insert("promote".to_owned(), json!(promote));
    if !preset_keys.is_empty() {
        shown.insert("preset_key".to_owned(), json!(SECRET));
    }
    Value::Object(shown)
}

/// `section.key = value`, a line each.
pub fn lines(value: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    walk("", value, &mut lines);
    lines
}

fn walk(path: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                walk(&path, value, lines);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (at, value) in items.iter().enumerate() {
                walk(&format!("{path}[{at}]"), value, lines);
            }
        }
        value => lines.push(format!("{path} = {value}")),
    }
}
