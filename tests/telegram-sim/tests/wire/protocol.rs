//! The message layer as other clients meet it: introduction, layers, pings, salts, the lower transports.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use grammers_client::tl;
use grammers_mtproto::mtp;
use grammers_mtproto::transport::{Abridged, Full, Intermediate};
use grammers_mtsender::{Sender, ServerAddr, connect_with_auth};
use telegram_sim::crypto::AuthKey;
use telegram_sim::server::DC_ID;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::support::{API_ID, Key, PATIENCE, Telegram, rpc_error};

const CONFIG: tl::functions::help::GetConfig = tl::functions::help::GetConfig {};

async fn raw(telegram: &Telegram, key: Key) -> Sender<Full, mtp::Encrypted> {
    let address = ServerAddr::Tcp {
        address: telegram.sim.mtproto_addr(),
    };
    connect_with_auth(Full::new(), address, key).await.unwrap()
}

fn introduced<X>(
    layer: i32,
    query: X,
) -> tl::functions::InvokeWithLayer<tl::functions::InitConnection<X>> {
    let query = tl::functions::InitConnection {
        api_id: API_ID,
        device_model: "test".into(),
        system_version: "1".into(),
        app_version: "1".into(),
        system_lang_code: "en".into(),
        lang_pack: String::new(),
        lang_code: "en".into(),
        proxy: None,
        params: None,
        query,
    };
    tl::functions::InvokeWithLayer { layer, query }
}

#[tokio::test]
async fn a_client_introduces_itself_before_it_calls_and_once_for_its_key() {
    let telegram = Telegram::start().await;
    let key = telegram.key().await;
    let mut sender = raw(&telegram, key).await;
    let refused = rpc_error(sender.invoke(&CONFIG).await);
    assert_eq!(refused, (400, "CONNECTION_NOT_INITED".to_owned()));
    let refused = rpc_error(sender.invoke(&introduced(tl::LAYER + 1, CONFIG)).await);
    assert_eq!(refused, (400, "CONNECTION_LAYER_INVALID".to_owned()));
    sender.invoke(&introduced(tl::LAYER, CONFIG)).await.unwrap();
    sender.invoke(&CONFIG).await.unwrap();
    drop(sender);
    let mut again = raw(&telegram, key).await;
    again.invoke(&CONFIG).await.unwrap();
    let other = telegram.key().await;
    let refused = rpc_error(raw(&telegram, other).await.invoke(&CONFIG).await);
    assert_eq!(refused, (400, "CONNECTION_NOT_INITED".to_owned()));
}

#[tokio::test]
async fn a_line_for_files_beside_the_main_one_does_not_kill_the_key() {
    let telegram = Telegram::start().await;
    let key = telegram.key().await;
    let mut main = raw(&telegram, key).await;
    let tl::enums::Config::Config(config) =
        main.invoke(&introduced(tl::LAYER, CONFIG)).await.unwrap();
    let ports: Vec<(bool, i32)> = config
        .dc_options
        .iter()
        .map(|tl::enums::DcOption::Option(option)| (option.media_only, option.port))
        .collect();
    let [(false, _), (true, port)] = ports.as_slice() else {
        panic!("{ports:?}")
    };
    let mut address = telegram.sim.mtproto_addr();
    address.set_port(u16::try_from(*port).unwrap());
    let mut media = connect_with_auth(Full::new(), ServerAddr::Tcp { address }, key)
        .await
        .unwrap();
    for _ in 0..3 {
        media.invoke(&CONFIG).await.unwrap();
        main.invoke(&CONFIG).await.unwrap();
    }
    assert!(telegram.events("auth_key_duplicated").await.is_empty());
    // Two on the main port are two clients.
    let mut second = raw(&telegram, key).await;
    second.invoke(&CONFIG).await.unwrap();
    let refused = rpc_error(main.invoke(&CONFIG).await);
    assert_eq!(refused, (406, "AUTH_KEY_DUPLICATED".to_owned()));
}

#[tokio::test]
async fn other_transports_carry_calls_too() {
    let telegram = Telegram::start().await;
    let call = introduced(tl::LAYER, CONFIG);
    let port = i32::from(telegram.sim.mtproto_addr().port());
    let expected = (DC_ID, port);
    // grammers takes the first bytes of a short packet, which are the key's id, for a status code when they are negative.
    let mut key = telegram.key().await;
    while (AuthKey::from_bytes(key).id() as i32) < 0 {
        key = telegram.key().await;
    }
    let address = || ServerAddr::Tcp {
        address: telegram.sim.mtproto_addr(),
    };
    let mut abridged = connect_with_auth(Abridged::new(), address(), key)
        .await
        .unwrap();
    assert_eq!(dc_of(abridged.invoke(&call).await.unwrap()), expected);
    let mut intermediate = connect_with_auth(Intermediate::new(), address(), key)
        .await
        .unwrap();
    assert_eq!(dc_of(intermediate.invoke(&call).await.unwrap()), expected);
}

#[tokio::test]
async fn pings_and_salts_are_answered() {
    let telegram = Telegram::start().await;
    let mut sender = raw(&telegram, telegram.key().await).await;
    let tl::enums::Pong::Pong(pong) = sender
        .invoke(&tl::functions::Ping { ping_id: 42 })
        .await
        .unwrap();
    assert_eq!(pong.ping_id, 42);
    let tl::enums::FutureSalts::Salts(salts) = sender
        .invoke(&tl::functions::GetFutureSalts { num: 5 })
        .await
        .unwrap();
    assert_eq!(salts.salts.0.len(), 5);
}

#[tokio::test]
async fn who_stops_pinging_is_disconnected() {
    let telegram = Telegram::start().await;
    let mut sender = raw(&telegram, telegram.key().await).await;
    sender
        .invoke(&tl::functions::PingDelayDisconnect {
            ping_id: 1,
            disconnect_delay: 0,
        })
        .await
        .unwrap();
    let closed = timeout(PATIENCE, telegram.event("connection_closed", 1))
        .await
        .unwrap();
    assert!(
        closed["reason"].as_str().unwrap().contains("no ping"),
        "{closed}"
    );
}

#[tokio::test]
async fn what_breaks_the_transport_is_closed() {
    let telegram = Telegram::start().await;
    let mut socket = TcpStream::connect(telegram.sim.mtproto_addr())
        .await
        .unwrap();
    // A Full packet with a wrong checksum.
    let mut packet = Vec::new();
    for word in [16_i32, 0, 1, 0] {
        packet.extend(word.to_le_bytes());
    }
    socket.write_all(&packet).await.unwrap();
    let mut rest = Vec::new();
    timeout(PATIENCE, socket.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(rest, b"");
    let closed = telegram.event("connection_closed", 1).await;
    assert_eq!(closed["reason"], "checksum mismatch in packet 0");
}

fn dc_of(config: tl::enums::Config) -> (i32, i32) {
    let tl::enums::Config::Config(config) = config;
    let tl::enums::DcOption::Option(dc) = &config.dc_options[0];
    (config.this_dc, dc.port)
}

/// A clock that is ahead is told 17 in the same way; grammers keeps its too high message ids then and never recovers.
#[tokio::test]
async fn a_clock_that_is_behind_is_told_and_corrected() {
    let telegram = Telegram::start().await;
    let mtp = mtp::Encrypted::build()
        .time_offset(-1_000)
        .finish(telegram.key().await);
    let address = ServerAddr::Tcp {
        address: telegram.sim.mtproto_addr(),
    };
    let mut sender = Sender::connect(Full::new(), mtp, address).await.unwrap();
    let call = introduced(tl::LAYER, CONFIG);
    timeout(PATIENCE, sender.invoke(&call))
        .await
        .unwrap()
        .unwrap();
    let codes: Vec<_> = telegram
        .events("bad_message")
        .await
        .iter()
        .map(|event| event["code"].as_i64().unwrap())
        .collect();
    assert_eq!(codes, [48, 16]);
}
