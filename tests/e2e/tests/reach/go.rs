//! `/go/<pool>` over real sockets: it leads to the active bot, through switches and without Redis, and takes no more than it should.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use e2e::{Stage, Talk, built};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, StatusCode};
use rustix::process::Signal;
use sandbox::processes::redis_of;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{switch_to, urls};

/// One that was free a moment ago.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

fn client() -> reqwest::Client {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none());
    client.timeout(Duration::from_secs(30)).build().unwrap()
}

async fn ask(method: Method, address: SocketAddr, path: &str) -> Response {
    let url = format!("http://{address}{path}");
    client().request(method, url).send().await.unwrap()
}

async fn get(address: SocketAddr, path: &str) -> Response {
    ask(Method::GET, address, path).await
}

fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}

async fn open(address: SocketAddr, more: &str) -> Stage {
    let with = |config: &str| {
        let http = format!("[http]\nlisten = \"{address}\"\n{more}\n[workers]");
        config.replace("[workers]", &http)
    };
    Stage::open_with(1, with, &[]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_leads_to_the_active_bot_through_a_switch_and_without_redis() {
    let address = free_address();
    let stage = open(address, "public_url = \"https://go.example.org/\"\n").await;
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let [first, second] =
        [0, 1].map(|at: usize| format!("https://t.me/{}", stage.scene.bots[at].username));
    let led = get(address, "/go/main?start=go").await;
    assert_eq!(led.status(), StatusCode::FOUND);
    assert_eq!(
        header(&led, "location"),
        Some(format!("{first}?start=go").as_str())
    );
    assert_eq!(header(&led, "cache-control"), Some("no-store"));
    assert_eq!(header(&led, "x-understudy-stale"), None);
    let head = ask(Method::HEAD, address, "/go/main?start=bad%20one").await;
    assert_eq!(head.status(), StatusCode::FOUND);
    assert_eq!(header(&head, "location"), Some(first.as_str()));

    switch_to(&stage, "second").await;
    assert_eq!(stage.switched_from(bots[0]).await.unwrap(), bots[1]);
    let look = async || {
        let led = get(address, "/go/main").await;
        Ok((header(&led, "location") == Some(second.as_str())).then_some(()))
    };
    stage
        .until_stored("it leads to the second bot", look)
        .await
        .unwrap();
    // The texts show the link that stays true, the button the bot itself.
    let announced = Talk::group(&stage, 0)
        .see("answers from here on")
        .await
        .unwrap();
    assert!(
        announced.text.contains("https://go.example.org/go/main"),
        "{}",
        announced.text
    );
    assert_eq!(urls(&announced), [format!("{second}?start=go")]);

    let redis = redis_of(&stage.folder.root).unwrap();
    redis.signal(Signal::STOP).unwrap();
    let look = async || {
        let led = get(address, "/go/main").await;
        let stale = header(&led, "x-understudy-stale").is_some();
        assert_eq!(header(&led, "location"), Some(second.as_str()));
        Ok(stale.then_some(()))
    };
    let known = stage
        .until_stored("what it knows is marked as old", look)
        .await;
    redis.signal(Signal::CONT).unwrap();
    known.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_nobody_anything_else_and_bounds_what_it_takes() {
    let address = free_address();
    let stage = open(address, "").await;
    let mut bodies = Vec::new();
    for path in [
        "/",
        "/go",
        "/go/",
        "/go/other",
        "/go/main/x",
        "/go/%ff",
        "/go/ma%00in",
        "/status",
        "/go/MAIN",
    ] {
        let answer = get(address, path).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        let body = answer.text().await.unwrap();
        assert!(
            !body.contains("main") && !body.contains("understudy"),
            "{body}"
        );
        bodies.push(body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "one answer for all: {bodies:?}");
    let posted = ask(Method::POST, address, "/go/main").await;
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);

    // A head that is too large is refused or cut off, one that never ends is not waited for.
    for nonsense in [
        format!(
            "GET /go/main?start={} HTTP/1.1\r\nHost: x\r\n\r\n",
            "a".repeat(100_000)
        ),
        format!(
            "GET /go/main HTTP/1.1\r\nX: {}\r\n\r\n",
            "a".repeat(100_000)
        ),
        "GET /go/main HTTP/1.1\r\n".to_owned() + &"A: b\r\n".repeat(200) + "\r\n",
        "\u{16}\u{3}\u{1} no http at all\r\n\r\n".to_owned(),
        "GET /go/main HTTP/1.1\r\nHost: x\r\n".to_owned(),
    ] {
        let said = talk(address, &nonsense).await;
        assert!(!said.contains("302"), "{said}");
    }
    // Those who say nothing take nobody's place for long, and a connection takes one request.
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let twice = "GET /go/main HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2);
    let said = talk(address, &twice).await;
    assert_eq!(said.matches("302 Found").count(), 1, "{said}");
    drop(silent);
    assert!(stage.status().await.unwrap()["pools"][0]["active"].is_object());
}

/// Sends this and reads until the other side has had enough.
async fn talk(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may be closed before all is taken.
    let _sent = stream.write_all(text.as_bytes()).await;
    let mut said = Vec::new();
    let read = stream.read_to_end(&mut said);
    let _closed = tokio::time::timeout(Duration::from_secs(60), read)
        .await
        .expect("the connection is ended");
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_active_is_a_page_that_says_to_come_again_and_a_follower_answers_too() {
    let address = free_address();
    let stage = open(address, "").await;
    let follower = Follower::start(&stage, free_address()).await;
    let first = format!("https://t.me/{}", stage.scene.bots[0].username);
    let look = async || {
        let led = follower.get().await;
        Ok(led
            .filter(|led| header(led, "location") == Some(first.as_str()))
            .map(drop))
    };
    stage
        .until_stored("the follower leads there as well", look)
        .await
        .unwrap();

    for bot in &stage.scene.bots {
        stage.revoke(bot.id).await.unwrap();
    }
    let look = async || {
        let answer = get(address, "/go/main").await;
        Ok((answer.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(answer))
    };
    let nobody = stage.until_stored("nobody is active", look).await.unwrap();
    assert_eq!(header(&nobody, "retry-after"), Some("3"));
    assert_eq!(header(&nobody, "cache-control"), Some("no-store"));
    let page = nobody.text().await.unwrap();
    assert!(page.contains("No bot answers right now"), "{page}");
    assert!(!page.contains("main") && !page.contains("bot_"), "{page}");
}

/// A second supervisor on the same stores, with a folder of its own.
struct Follower {
    address: SocketAddr,
    child: std::process::Child,
}

impl Follower {
    async fn start(stage: &Stage, address: SocketAddr) -> Self {
        let state = stage.folder.state();
        let mut config = std::fs::read_to_string(stage.folder.config()).unwrap();
        let at = config.find("listen = ").unwrap();
        let end = at + config[at..].find('\n').unwrap();
        config.replace_range(at..end, &format!("listen = \"{address}\""));
        config = config
            .replace("local = 2", "local = 0")
            .replace("\"state\"", "\"follower\"");
        config += &format!(
            "\n[redis]\nurl = \"redis+unix://{}\"\n\n[database]\nurl = \"sqlite://{}\"\n\n[secrets]\nsealing_key = \"file:{}\"\n",
            state.join("redis/redis.sock").display(),
            state.join("understudy.db").display(),
            state.join("sealing.key").display()
        );
        let file = stage.folder.root.join("follower.toml");
        std::fs::write(&file, config).unwrap();
        let log = std::fs::File::create(stage.folder.root.join("follower.log")).unwrap();
        let child = std::process::Command::new(built("understudy").unwrap())
            .args(["run", "--config"])
            .arg(file)
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { address, child }
    }

    /// `None` while it does not listen yet.
    async fn get(&self) -> Option<Response> {
        let url = format!("http://{}/go/main", self.address);
        client().get(url).send().await.ok()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
